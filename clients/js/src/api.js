// The REST API, a method for each request; usable alone.

import { createRequest } from './request.js';

export class Api {
  // getToken(refused): the token, or another one than was refused; or null.
  // `request`: that of a CSChat, in place of the others.
  constructor({ url = '/api', fetch, getToken = () => null, request } = {}) {
    request ??= createRequest(url.replace(/\/*$/, '/'), fetch, getToken);
    const get = (path, query) => request('GET', path, query);
    const post = (path, data, token) => request('POST', path, data, token);
    const put = (path, data) => request('PUT', path, data);
    const chat = (id, rest = '') => `chats/${id}${rest}`;

    Object.assign(this, {
      login: (username, password) => post('auth/login', { username, password }, null),
      register: (fields) => post('auth/register', fields, null),
      createUser: (fields) => post('auth/register', fields),
      logout: (token) => post('auth/logout', undefined, token),
      refresh: (token) => post('auth/refresh', undefined, token),
      ticket: () => post('auth/ws-ticket'),

      me: () => get('users/me'),
      users: (filter) => get('users', filter),
      setOnline: (isOnline) => put('users/status', { isOnline }),
      availableAgents: () => get('available-agents'),
      availableCustomers: () => get('available-customers'),

      chats: (filter) => get('chats', filter),
      chat: (id) => get(chat(id)),
      createChat: (fields = {}) => post('chats', fields),
      setStatus: (id, status) => put(chat(id, '/status'), { status }),
      assign: (id, agentId) => put(chat(id, '/assign'), { agentId }),
      archive: (id) => put(chat(id, '/archive')),
      unarchive: (id) => put(chat(id, '/unarchive')),
      deleteChat: (id) => request('DELETE', chat(id)),

      messages: (id, page) => get(chat(id, '/messages'), page),
      postMessage: (id, message) => post(chat(id, '/messages'), message),
    });
  }
}
