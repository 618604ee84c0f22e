// The client of ngx_cs_chat: see README.md.

import { Api } from './api.js';
import { createAuth } from './auth.js';
import { persist } from './backoff.js';
import { createConnection } from './connection.js';
import { Conversation } from './conversation.js';
import { Emitter } from './emitter.js';
import { CSChatError } from './error.js';
import { createOutbox } from './outbox.js';

export { Api, Conversation, CSChatError, Emitter };

const TIMES = { answer: 10000, ping: 30000, backoffMin: 500, backoffMax: 30000, lease: 75000 };
const AGAIN = 1500;           // ms, after an answer that may be another the next time
const RESUMED_AT_ONCE = 100;  // chats, the server's limit
const TOO_LARGE = 1009;

export class CSChat extends Emitter {
  conversations = new Map();
  _options;
  _presence = new Map();
  _resumes = new Set();  // conversations that are to be resumed
  _resuming = [];        // those that were asked for
  _timers = [];
  _ticks = 0;

  constructor(options = {}) {
    super();
    const times = { ...TIMES, ...options.times };

    this._options = { ...options, times };
    this.api = new Api({ ...options, getToken: (refused) => this._auth.find(refused) });
    this._auth = createAuth(options, this.api, (token) => this._tokenChanged(token));
    this._connection = createConnection({
      times,
      open: () => this._open(),
      onStatus: (status, detail) => this._statusChanged(status, detail),
      onEvent: (event) => this._event(event),
      onLost: (code) => this._lost(code),
    });
    this._send = this._connection.send;
    this._outbox = createOutbox({
      ...this._options,
      send: this._send,
      onChange: (entry) => this.conversation(entry.chatId)._say('outgoing', entry),
      onError: (error) => this._emit('error', error),
    });

    for (const name of ['me', 'users', 'setOnline', 'availableAgents', 'availableCustomers']) {
      this[name] = async (argument) => {
        const users = await this.api[name](argument);
        for (const user of [users].flat()) this._met(user);
        return users;
      };
    }
    if (options.token) this._auth.set(options.token, false);
  }

  get status() {
    return this._connection.status;
  }
  get token() {
    return this._auth.token;
  }
  get userId() {
    return this._auth.claims.userID ?? null;
  }
  get role() {
    return this._auth.claims.role ?? null;
  }
  get unread() {
    let sum = 0;
    for (const { info, unread } of this.conversations.values()) if (info?.status !== 'archived') sum += unread;
    return sum;
  }

  // ---- who one is -----------------------------------------------------------

  async login(username, password) {
    return this._welcome(await this.api.login(username, password));
  }
  async register(fields) {
    return this._welcome(await this.api.register(fields));
  }
  async createUser(fields) {
    return (await this.api.createUser(fields)).user;
  }

  _welcome({ token, user }) {
    this._auth.set(token);
    return this._met(user);
  }

  async logout() {
    const { token } = this;

    this._connection.stop('logout');
    this._outbox.clear();
    this._forgetUser();
    this._auth.set(null);
    if (token) {
      await this.api.logout(token).catch((error) => {
        if (error.status !== 401) throw error;  // it was no good any more
      });
    }
  }

  _forgetUser() {
    this._user = null;
    this._again = false;  // nothing of the next one can have been missed
    this.conversations.clear();
    this._presence.clear();
  }

  _tokenChanged(token) {
    if (token && this._user !== this.userId) {
      if (this._user) {
        this._connection.stop('disconnect');
        this._forgetUser();
      }
      this._user = this.userId;
      this._outbox.open(this._user);
    } else if (token) {
      this._send('auth', { token });
    }
    this._emit('token', token);
  }

  isOnline(userId) {
    return this._presence.get(userId);
  }

  _met(user) {
    if (user) this._presence.set(user.id, user.isOnline);
    return user;
  }

  // ---- chats ----------------------------------------------------------------

  async chats(filter) {
    const asked = this._tick();
    return (await this.api.chats(filter)).map((info) => this.conversation(info.id)._update(info, null, asked));
  }

  async* allChats({ limit = 200, offset = 0, ...filter } = {}) {
    const seen = new Set();
    const whole = !offset && !Object.keys(filter).length;

    for (let page = { length: limit }; page.length === limit; offset += limit) {
      page = await this.chats({ ...filter, limit, offset });
      for (const conversation of page) {
        if (!seen.has(conversation)) yield conversation;  // it may have moved down meanwhile
        seen.add(conversation);
      }
    }
    if (whole) this._missed(seen);
  }

  // What a whole list lacks has been archived, or is out of sight: to be asked for.
  _missed(seen) {
    for (const conversation of this.conversations.values()) {
      const { info } = conversation;
      if (info && info.status !== 'archived' && !seen.has(conversation)) conversation._renew('info');
    }
  }

  async createChat(fields) {
    const asked = this._tick();
    const info = await this.api.createChat(fields);
    return this.conversation(info.id)._update(info, null, asked);
  }

  conversation(id) {
    const key = id.toLowerCase();

    if (!this.conversations.has(key)) this.conversations.set(key, new Conversation(this, key));
    return this.conversations.get(key);
  }

  // Orders what was asked and what was told.
  _tick() {
    return ++this._ticks;
  }

  _persist(action) {
    return persist(action, () => this.status !== 'ended');
  }

  // ---- the connection -------------------------------------------------------

  connect() {
    const connected = new Promise((resolve, reject) => {
      const settle = (status, { error, reason } = {}) => {
        if (status === 'online') resolve();
        if (status === 'ended') reject(error ?? new CSChatError('ENDED', `The connection was ended: ${reason}.`));
        if (/online|ended/.test(status)) off();
      };
      const off = this.on('status', settle);
      if (this.status === 'online') settle('online');
    });

    connected.catch(() => {});  // need not be awaited
    this._keep();
    this._connection.start();
    return connected;
  }

  disconnect() {
    this._connection.stop('disconnect');
  }

  // From here to the end: a fresh token in time, the outbox, what the page tells.
  _keep() {
    if (this._kept) return;
    const kept = this._kept = new AbortController();
    const { signal } = kept;
    const tend = setInterval(this._outbox.tend, this._options.times.lease / 4);
    const listen = (events, listener, target = globalThis) => {
      for (const event of events.split(' ')) target.addEventListener?.(event, listener, { signal });
    };

    this._auth.keep(true);
    listen('online offline pageshow', () => this._connection.check());
    listen('pagehide', this._outbox.release);
    listen('visibilitychange', () => this._connection.check(), globalThis.document ?? {});
    signal.onabort = () => {
      this._kept = null;
      clearInterval(tend);
      this._auth.keep(false);
    };
  }

  async _open() {
    const { WebSocket = globalThis.WebSocket, transport } = this._options;
    const url = new URL(this.api.base + 'ws', globalThis.location?.href);
    let protocols = ['bearer', await this._auth.get()];

    if (transport !== 'bearer') {
      url.searchParams.set('ticket', (await this.api.ticket()).ticket);
      protocols = [];
    } else if (this._unsure) {
      await this.api.me();  // says why, which a handshake does not
    }
    this._unsure = true;
    return new WebSocket(url.href.replace(/^http/, 'ws'), protocols);
  }

  _statusChanged(status, detail) {
    if (status === 'ended') {
      this._lost();
      this._kept?.abort();
      this._outbox.release();
      if (detail.reason === 'auth') this._auth.set(null);
    }
    this._emit('status', status, detail);
  }

  _lost(code) {
    if (code === 4001 || code === 4002) this._auth.refuse();
    if (code === TOO_LARGE) this._outbox.tooLarge();
    this._outbox.stop();
    this._timers.forEach(clearTimeout);
    this._timers = [];
    this._resuming = [];
    for (const conversation of this.conversations.values()) conversation._quiet();
  }

  _connected() {
    this._unsure = false;
    this._outbox.tend();
    this._outbox.start();
    this._repair(this.conversations.values(), this._again);
    this._again = true;
  }

  // Events of these may have been missed, and, if `told`, of others too.
  _repair(conversations, told) {
    this._resume(...[...conversations].filter((conversation) => conversation._repair()));
    if (told) this._emit('resync');
  }

  // Asks for what followed chats miss.
  _resume(...conversations) {
    for (const conversation of conversations) this._resumes.add(conversation);
    if (this._resuming.length) return;

    const next = [...this._resumes].filter(({ _position }) => _position >= 0).slice(0, RESUMED_AT_ONCE);
    const chats = next.map(({ id, _position }) => ({ chatId: id, afterSeq: _position }));
    if (!next.length || !this._send('resume', { chats })) return;
    for (const conversation of next) this._resumes.delete(conversation);
    this._resuming = next;
  }

  // Once more, in a while, if the connection is still there.
  _later(action) {
    this._timers.push(setTimeout(action, AGAIN * (1 + Math.random())));
  }

  // ---- what the server says -------------------------------------------------

  _event({ type, data, chatId = data.chatId }) {
    const known = this.conversations.get(chatId);
    const { userId, isOnline, status, seq } = data;

    switch (type) {
      case 'connected': return this._connected();
      case 'resync': return this._repair(known ? [known] : this.conversations.values(), !known);
      case 'resumed': return this._resumed(data.chats);
      case 'message_ack': return this._outbox.stored(data, !(known?._position < seq));
      case 'new_message': return this.conversation(chatId)._message(data);
      case 'new_chat': return this.conversation(data.id)._update(data, 'new');
      case 'chat_assigned': return this._assigned(this.conversation(chatId), data);
      case 'chat_status_updated':
        return this.conversation(chatId)._told({ status, isActive: status === 'active' }, 'status');
      case 'chat_deleted': return known?._gone();
      case 'messages_read': return known?._read(data);
      case 'user_typing': return known?._typing(userId, data.isTyping);
      case 'user_status_change':
        this._presence.set(userId, isOnline);
        return this._emit('presence', { userId, isOnline });
      case 'error': return this._refused(data);
    }
  }

  _assigned(conversation, { agentId, agent }) {
    this._met(agent);
    if (this.role !== 'agent' || !agentId || agentId === this.userId) {
      return conversation._told({ agentId, agent }, 'assigned');
    }
    conversation._note({ agentId, agent });
    conversation._gone();
  }

  _resumed(chats) {
    const again = chats.filter((result) => this.conversations.get(result.chatId)?._resumed(result));

    this._resuming = [];
    if (again.length) this._later(() => this._resume(...again.map(({ chatId }) => this.conversation(chatId))));
    this._resume();
  }

  _refused({ replyTo, code, message, field, clientId }) {
    const error = new CSChatError(code, message, { field });

    if (this._outbox.refused(clientId, error)) return;
    if (replyTo === 'resume' || replyTo === 'mark_read') {
      this._resuming = [];
      if (error.temporary) return this._later(() => this._repair(this.conversations.values()));
    }
    this._emit('error', error);
  }
}
