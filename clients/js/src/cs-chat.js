// The client of ngx_cs_chat: see README.md.

import { createAuth } from './auth.js';
import { backoff } from './backoff.js';
import { createConnection, ENDED, ONLINE } from './connection.js';
import { Conversation, chatEvents, quiet, repair, resumed, update } from './conversation.js';
import { Emitter } from './emitter.js';
import { CSChatError } from './error.js';
import { ASK_AGAIN, RESUMED_AT_ONCE, TOO_LARGE } from './numbers.js';
import { createOutbox } from './outbox.js';
import { createRequest } from './request.js';

export { Conversation, CSChatError, Emitter };

const TIMES = { answer: 10000, ping: 30000, backoffMin: 500, backoffMax: 30000, lease: 75000 };

export class CSChat extends Emitter {
  status = 'idle';
  token;
  userId;
  role;
  conversations = new Map();

  // Kind: the class of its conversations
  constructor(options = {}, Kind = Conversation) {
    super();
    const chat = this;
    const { conversations } = this;
    const { url = '/api', transport } = options;
    const base = url.replace(/\/*$/, '/');
    const times = { ...TIMES, ...options.times };
    const tick = times.lease / 4;
    let presence = {};         // user id → whether online
    let resuming;              // what followed chats miss was asked for
    let user;
    let again;                 // whether a connection is not this user's first
    let kept;
    let tending;

    // ---- who one is -----------------------------------------------------------

    const met = (person) => {
      if (person) presence[person.id] = person.isOnline;
      return person;
    };

    const enter = async (how, fields) => {
      const answer = await request('POST', 'auth/' + how, fields, null);
      auth._set(answer.token);
      return met(answer.user);
    };

    const logout = async () => {
      const { token } = chat;

      stop('logout');
      outbox._clear();
      forgetUser();
      auth._set(null);
      if (token) {
        await request('POST', 'auth/logout', {}, token).catch((error) => {
          if (error.status !== 401) throw error;  // it was no good any more
        });
      }
    };

    const forgetUser = () => {
      user = null;
      again = false;  // nothing of the next one can have been missed
      conversations.clear();
      presence = {};
    };

    const onToken = (token, { userID = null, role = null }) => {
      chat.token = token;
      chat.userId = userID;
      chat.role = role;
      if (token && user !== userID) {
        if (user) {
          stop('disconnect');
          forgetUser();
        }
        user = userID;
        outbox._open(user);
      } else if (token) {
        send('auth', { token });
      }
      chat._emit('token', token);
    };

    // ---- chats ----------------------------------------------------------------

    const conversation = (id) => {
      const key = id.toLowerCase();

      if (!conversations.has(key)) conversations.set(key, new Kind(chat, key));
      return conversations.get(key);
    };

    const fetchChats = async (method, data) => {
      const asked = chat._told;
      const answer = await request(method, 'chats', data);
      return [answer].flat().map((info) => update(conversation(info.id), info, null, asked));
    };

    // ---- the connection -------------------------------------------------------

    const connect = () => {
      keep();
      start();
      const connected = new Promise((resolve, reject) => {
        const settle = (status, { error }) => {
          if (status === ONLINE) resolve();
          else if (status === ENDED) reject(error ?? new CSChatError('ENDED', 'Connection ended.'));
          else chat.once('status', settle);
        };
        settle(chat.status, {});
      });

      connected.catch(() => {});  // need not be awaited
      return connected;
    };

    // From here to the end: the outbox, a fresh token in time, what the page tells.
    const keep = () => {
      if (kept) return;
      kept = new AbortController();
      tending = setInterval(tend, tick);
      for (const event of 'online offline pageshow pagehide visibilitychange'.split(' ')) {
        globalThis.addEventListener?.(event, event === 'pagehide' ? outbox._release : check, kept);
      }
    };

    const tend = () => {
      outbox._tend();
      auth._tend(tick);
    };

    // `attempts`: how many have failed.
    const open = async (attempts) => {
      const { WebSocket: Socket = WebSocket } = options;
      const protocols = [];
      let path = 'ws';

      if (transport === 'bearer') {
        if (attempts) await chat.me();  // says why, which a handshake does not
        protocols.push(transport, await auth._get());
      } else {
        path += '?ticket=' + (await request('POST', 'auth/ws-ticket')).ticket;
      }
      return new Socket(new URL(base + path, globalThis.location?.href).href.replace(/^http/, 'ws'), protocols);
    };

    const onStatus = (status, detail) => {
      chat.status = status;
      if (status !== ONLINE) {
        if (detail.code === TOO_LARGE) outbox._tooLarge();
        outbox._stop();
        resuming = false;
        conversations.forEach(quiet);
      }
      if (status === ENDED) {
        clearInterval(tending);
        kept?.abort();
        kept = null;
        outbox._release();
        if (detail.reason === 'auth') auth._set(null);
      }
      chat._emit('status', status, detail);
    };

    // Events of these may have been missed, and, if `all`, of others too.
    const repairAll = (some, all) => {
      some.forEach(repair);
      resume();
      if (all) chat._emit('resync');
    };

    // Asks for what followed chats miss.
    const resume = () => {
      if (resuming) return;
      const next = [...conversations.values()].filter((one) => one._behind && one._position >= 0).slice(0, RESUMED_AT_ONCE);
      for (const one of next) one._behind = false;
      resuming = next[0] && send('resume', { chats: next.map(({ id, _position }) => ({ chatId: id, afterSeq: _position })) });
    };

    const later = (action) => setTimeout(action, ASK_AGAIN + backoff(1, {}), conversations);

    // ---- what the server says -------------------------------------------------

    const events = {
      connected() {
        tend();
        repairAll(conversations, again);
        again = true;
      },
      resync: (_, known) => repairAll(known ? [known] : conversations, !known),
      resumed({ chats }) {
        resuming = false;
        for (const result of chats) {
          const known = conversations.get(result.chatId);
          if (known) resumed(known, result);
        }
        resume();
      },
      message_ack: (receipt, known) => outbox._stored(receipt, !(known?._position < receipt.seq)),
      user_status_change(change) {
        presence[change.userId] = change.isOnline;
        chat._emit('presence', change);
      },
      error(said) {
        const error = new CSChatError(said.code, said.message, said);

        if (outbox._refused(said.clientId, error)) return;
        resuming = false;
        if (error.temporary) later(repairAll);
        else chat._emit('error', error);
      },
    };

    const onEvent = ({ type, data, chatId = data.chatId ?? data.id }) => {
      events[type]?.(data, conversations.get(chatId));
      chatEvents[type]?.(conversation(chatId), data);
    };

    const request = createRequest(base, options.fetch, (refused) => auth._get(refused));
    const auth = createAuth(options.getToken, request, onToken);
    const { _start: start, _stop: stop, _send: send, _check: check } = createConnection(times, open, { onStatus, onEvent });
    const outbox = createOutbox(options, times, send, {
      onChange: (entry) => conversation(entry.chatId)._emit('outgoing', entry),
      onError: (error) => chat._emit('error', error),
    });

    Object.assign(this, {
      request, logout, conversation, connect,
      login: (username, password) => enter('login', { username, password }),
      register: (fields) => enter('register', fields),
      me: async () => met(await request('GET', 'users/me')),
      isOnline: (id) => presence[id],
      chats: (filter) => fetchChats('GET', filter),
      createChat: async (fields = {}) => (await fetchChats('POST', fields))[0],
      disconnect: () => stop('disconnect'),
      _send: send,
      _told: 0,  // how much events have told of chats: orders that and what was asked
      _later: later,
      _met: met,
      _outbox: outbox,
      // Does something until it succeeds, fails for good, or the connection is ended.
      async _persist(action) {
        for (let attempt = 0; ; attempt++) {
          try {
            return await action();
          } catch (error) {
            if (!error.temporary || chat.status === ENDED) throw error;
            await new Promise((resolve) => setTimeout(resolve, backoff(attempt, error)));
          }
        }
      },
      _resume(one) {
        one._behind = true;
        resume();
      },
    });
    auth._set(options.token ?? null, false);
  }

  get unread() {
    let sum = 0;
    this.conversations.forEach(({ info, unread }) => { if (info?.status !== 'archived') sum += unread; });
    return sum;
  }
}
