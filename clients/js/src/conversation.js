// One chat: its messages in order, who writes, what is read, what is on its way.
// What begins with _ is not for users.

import { Emitter } from './emitter.js';
import { Timeline } from './timeline.js';

const PAGE = 50;
const FILL = 200;           // messages a request, the server's limit
const TYPING_EVERY = 2500;  // ms; of many in 3 s the server takes the first

export class Conversation extends Emitter {
  info = null;
  messages = [];
  lastSeq = 0;
  readSeq = 0;
  reads = new Map();
  typing = new Set();
  following = false;
  _timeline = new Timeline();
  _doing = {};   // what _once() does at the moment
  _typed = 0;
  _marked = 0;
  _heard;       // the last `seq` that was told
  _toldAt = 0;  // the tick of the last event about `info`

  constructor(chat, id) {
    super();
    this.id = id;
    this._chat = chat;
  }

  get lastMessage() {
    return this.messages.at(-1) ?? this.info?.lastMessage ?? null;
  }
  get unread() {
    return Math.max(0, this.lastSeq - this.readSeq);
  }
  get pending() {
    return this._chat._outbox.of(this.id);
  }
  get hasEarlier() {
    return this.messages[0]?.seq > 1;
  }

  // ---- following ------------------------------------------------------------

  async follow() {
    this.following = true;
    if (this._position === undefined) {
      await this._load().catch((error) => {
        this.following = false;
        throw error;
      });
    }
    return this;
  }

  unfollow() {
    if (this.following) this._chat._send('leave_chat', { chatId: this.id });
    this.following = false;
    this.messages = [];
    this._timeline = new Timeline();
    this._doing = {};
  }

  // Does a thing once at a time: who asks meanwhile gets the same.
  _once(name, action) {
    const doing = this._doing;
    return (doing[name] ??= action().finally(() => { delete doing[name]; }));
  }

  // The newest messages, and from then on what comes.
  _load() {
    return this._once('loading', async () => {
      const timeline = this._timeline = new Timeline();
      const messages = await this._fetch();

      if (timeline !== this._timeline) return;
      this.messages = messages;
      for (const message of messages) this._seen(message);
      this._changed('reset');
      this._show(timeline.reset(messages.at(-1)?.seq ?? 0));
      this._chat._resume(this);
    });
  }

  // All after what is there, by pages.
  async _fill() {
    const timeline = this._timeline;

    for (let page = [0]; page.length && timeline === this._timeline;) {
      page = await this._persist((api) => api.messages(this.id, { after: timeline.position, limit: FILL }));
      if (timeline === this._timeline) for (const message of page) this._show(timeline.take(message));
    }
  }

  // What a `resume` is to begin after; undefined while that is not known.
  get _position() {
    return this.following ? this._timeline.position : undefined;
  }

  _noteGap() {
    if (this._timeline.gap && !this._doing.filling) this._chat._resume(this);
  }

  // After a break: whether there is something to resume.
  _repair() {
    this._quiet();
    this._markAgain();
    if (this.following && this._position === undefined) this._try(this._load());
    return this.following;
  }

  // What `resumed` says of it: whether to ask again.
  _resumed({ error, recovered, lastSeq, toSeq, status, agentId }) {
    if (error === 'CHAT_NOT_FOUND') this._gone();
    if (error) return this.following;
    if (lastSeq < this._position) this._try(this._load());  // the server was set back
    else if (!recovered || toSeq > this._position) {
      this._try(this._once('filling', () => this._fill()).then(() => this._noteGap()));
    }
    if (recovered && (status !== this.info?.status || agentId !== this.info?.agentId)) this._renew('info');
  }

  // ---- events ---------------------------------------------------------------

  _message(message) {
    if (this.following) this._show(this._timeline.take(message));
    else if (!(message.seq <= this._heard)) this._tell(message);
    this._noteGap();
  }

  _show(messages) {
    for (const message of messages) {
      this.messages.push(message);
      this._tell(message);
    }
  }

  _tell(message) {
    if (message.seq >= this.lastSeq) this._note({ lastSeq: message.seq, lastMessage: message });
    this._counting(() => {
      this._seen(message);
      this._typing(message.senderId, false);
      this._say('message', message);
    });
    if (!this.info) this._renew('new');
  }

  // What a message says beside itself: who writes has read, and ours has arrived.
  _seen(message) {
    this._heard = message.seq;
    this.lastSeq = Math.max(this.lastSeq, message.seq);
    this._hasRead(message.senderId, message.seq);
    if (message.senderId === this._chat.userId) this._chat._outbox.stored(message, true);
  }

  _hasRead(userId, seq) {
    if (userId === this._chat.userId) this.readSeq = Math.max(this.readSeq, seq);
    else this.reads.set(userId, Math.max(this.reads.get(userId) ?? 0, seq));
  }

  _read({ userId, seq }) {
    this._counting(() => {
      this._hasRead(userId, seq);
      this._say('read', { userId, seq });
    });
  }

  _typing(userId, isTyping) {
    if (isTyping === this.typing.has(userId)) return;
    this.typing[isTyping ? 'add' : 'delete'](userId);
    this._say('typing', { userId, isTyping });
  }

  // Nobody is known to write any more.
  _quiet() {
    for (const userId of this.typing) this._typing(userId, false);
  }

  // The chat as an answer or event has it.  `asked` is the tick of the question:
  // events since then know better.
  _update(info, change, asked = this._toldAt = this._chat._tick()) {
    const { status, isActive, agentId, agent } = this.info ?? info;

    this._counting(() => {
      this.info = { ...this.info, ...info, ...asked < this._toldAt && { status, isActive, agentId, agent } };
      this._heard ??= info.lastSeq;
      this.lastSeq = Math.max(this.lastSeq, info.lastSeq);
      this._hasRead(this._chat.userId, info.lastSeq - (info.unreadCount ?? info.lastSeq));
    });
    this._chat._met(info.customer);
    this._chat._met(info.agent);
    if (change) this._changed(change);
    return this;
  }

  // Something of the chat was told by an event.
  _told(fields, change) {
    this._toldAt = this._chat._tick();
    if (!this.info) return this._renew('new');
    this._note(fields);
    this._changed(change);
  }

  _note(fields) {
    if (this.info) Object.assign(this.info, fields);
  }

  _gone() {
    this.following = false;  // there is nothing to leave
    this.unfollow();
    if (this._chat.conversations.delete(this.id)) this._changed('gone');
  }

  _changed(change) {
    for (const emitter of [this, this._chat]) emitter._emit('chat', this, change);
  }

  _say(event, payload) {
    for (const emitter of [this, this._chat]) emitter._emit(event, payload, this);
  }

  _counting(action) {
    const before = this.unread;

    action();
    if (this.unread !== before) this._say('unread', this.unread);
  }

  _renew(change) {
    this._try(this._once('renewing', () => this._fetch(change)));
  }

  // Nobody awaits it.  That a chat is gone, `chat` has told.
  _try(promise) {
    promise.catch((error) => {
      if (error.code !== 'CHAT_NOT_FOUND') this._chat._emit('error', error);
    });
  }

  // ---- what the user does ---------------------------------------------------

  send(content, { type = 'text' } = {}) {
    this._typed = 0;
    return this._chat._outbox.add(this.id, content, type);
  }
  retry(clientId) {
    this._chat._outbox.retry(clientId);
  }
  discard(clientId) {
    this._chat._outbox.discard(clientId);
  }

  sendTyping(isTyping = true) {
    const now = Date.now();

    if (isTyping ? now - this._typed < TYPING_EVERY : !this._typed) return;
    this._typed = isTyping ? now : 0;
    this._chat._send(isTyping ? 'typing_start' : 'typing_stop', { chatId: this.id });
  }

  markRead(seq = this.lastSeq) {
    this._counting(() => {
      if (seq <= this.readSeq) return;
      this.readSeq = this._marked = seq;
      this._markAgain();
    });
  }

  // Marks are not answered: after a break the last one is sent again.
  _markAgain() {
    if (this._marked) this._chat._send('mark_read', { chatId: this.id, seq: this._marked });
  }

  loadEarlier(limit = PAGE) {
    return this._once('earlier', async () => {
      const [first] = this.messages;
      const page = this.hasEarlier ? await this._chat.api.messages(this.id, { before: first.seq, limit }) : [];

      if (first !== this.messages[0]) return [];
      this.messages.unshift(...page);
      return page;
    });
  }

  async* history({ before, limit = PAGE } = {}) {
    for (let page = [{}]; page.length && page[0].seq !== 1; before = page[0]?.seq) {
      page = await this._chat.api.messages(this.id, { before, limit });
      yield* page.slice().reverse();
    }
  }

  refresh() {
    return this._ask((api) => api.chat(this.id));
  }
  take() {
    return this.assign(this._chat.userId);
  }
  assign(agentId) {
    return this._ask((api) => api.assign(this.id, agentId));
  }
  close() {
    return this._ask((api) => api.setStatus(this.id, 'closed'));
  }
  reopen() {
    return this._ask((api) => api.setStatus(this.id, 'active'));
  }
  archive() {
    return this._ask((api) => api.archive(this.id));
  }
  unarchive() {
    return this._ask((api) => api.unarchive(this.id));
  }
  async delete() {
    await this._chat.api.deleteChat(this.id);
    this._gone();
  }

  // A request that answers with the chat.
  async _ask(request, change) {
    const asked = this._chat._tick();
    const { messages, ...info } = await request(this._chat.api);
    return this._update(info, change, asked);
  }

  // The chat for as long as it takes: its newest messages.
  async _fetch(change) {
    let answer;

    await this._ask(async () => (answer = await this._persist((api) => api.chat(this.id))), change);
    return answer.messages;
  }

  _persist(request) {
    return this._chat._persist(() => request(this._chat.api)).catch((error) => {
      if (error.code === 'CHAT_NOT_FOUND') this._gone();
      throw error;
    });
  }
}
