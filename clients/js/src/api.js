// The REST API, a method for each request.

import { CSChatError } from './error.js';

const TIMEOUT = 15000;  // the server answers within 5 s, the network may not

export class Api {
  // getToken(refused): the token, or another one than was refused; or null
  constructor({ url = '/api', fetch = globalThis.fetch, getToken = () => null } = {}) {
    const base = url.replace(/\/*$/, '/');

    async function call(method, path, data, token) {
      const sent = JSON.stringify(data);
      const isGet = method === 'GET';
      const answer = await fetch(base + path + (isGet && sent ? '?' + new URLSearchParams(JSON.parse(sent)) : ''), {
        method,
        body: isGet ? undefined : sent,
        headers: { 'Content-Type': 'application/json', ...token && { Authorization: 'Bearer ' + token } },
        signal: AbortSignal.timeout(TIMEOUT),
      }).catch(() => {
        throw new CSChatError('NETWORK', 'The server can\'t be reached.');
      });
      const { status, headers } = answer;
      const json = await answer.json().catch(() => ({}));

      if (json.success) return json.data;
      throw new CSChatError(json.code ?? 'BAD_ANSWER', json.error ?? `The server answered ${status}.`, {
        status, field: json.field, retryAfter: +headers.get('Retry-After') || undefined,
      });
    }

    // A token that is refused is exchanged once, unless one was given.
    async function request(method, path, data, given) {
      const token = given === undefined ? await getToken() : given;

      return call(method, path, data, token).catch(async (error) => {
        const other = given === undefined && error.status === 401 && await getToken(token);
        if (!other || other === token) throw error;
        return call(method, path, data, other);
      });
    }

    const get = (path, query) => request('GET', path, query);
    const post = (path, data, token) => request('POST', path, data, token);
    const put = (path, data) => request('PUT', path, data);
    const chat = (id, rest = '') => `chats/${id}${rest}`;

    Object.assign(this, {
      base,
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
