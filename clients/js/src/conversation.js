// One chat: its messages in order, who writes, what is read, what is on its way.
// The class is what users see; what happens to a chat is in the functions below it.

import { Emitter } from './emitter.js';
import { FULL_PAGE, PAGE, TYPING_EVERY } from './numbers.js';

const NOT_FOUND = 'CHAT_NOT_FOUND';

export class Conversation extends Emitter {
  info = null;
  messages = [];
  lastMessage = null;
  lastSeq = 0;
  readSeq = 0;
  unread = 0;
  reads = new Map();
  typing = new Set();
  _position;           // of a chat that is followed: all messages up to this `seq` are there
  _early = new Map();  // what came before those in between
  _doing = {};   // what once() does at the moment
  _behind;       // it is to be resumed
  _typed = 0;
  _marked;
  _heard;        // the last `seq` that was told
  _told;         // what events said of `info`
  _toldAt;       // the client's `_told` at the last of them

  constructor(client, id) {
    super();
    this.id = id;
    this._client = client;
  }

  get pending() {
    return this._client._outbox._of(this.id);
  }
  get following() {
    return this._position >= 0;
  }
  get hasEarlier() {
    return this.messages[0]?.seq > 1;
  }

  async follow() {
    if (!(this._position >= 0)) await load(this);
    return this;
  }

  unfollow() {
    if (this._position >= 0) this._send('leave_chat');
    forget(this);
  }

  send(content, { type = 'text' } = {}) {
    this._typed = 0;
    return this._client._outbox._add(this.id, content, type);
  }
  retry(clientId) {
    this._client._outbox._retry(clientId);
  }
  discard(clientId) {
    this._client._outbox._discard(clientId);
  }

  sendTyping(isTyping = true) {
    const now = Date.now();

    if (isTyping ? now - this._typed < TYPING_EVERY : !this._typed) return;
    this._typed = isTyping ? now : 0;
    this._send(`typing_${isTyping ? 'start' : 'stop'}`);
  }

  markRead(seq = this.lastSeq) {
    if (seq <= this.readSeq) return;
    this.readSeq = this._marked = seq;
    markAgain(this);
    count(this);
  }

  loadEarlier(limit = PAGE) {
    return once(this, 'page', async () => {
      const [first] = this.messages;
      const page = this.hasEarlier ? await pageOf(this, { before: first.seq, limit }) : [];

      if (first !== this.messages[0]) return [];
      this.messages.unshift(...page);
      return page;
    });
  }

  async* history({ before, limit = PAGE } = {}) {
    do {
      const page = await pageOf(this, { before, limit });
      yield* page.reverse();
      before = page.at(-1)?.seq;
    } while (before > 1);
  }

  async refresh() {
    await ask(this);
    return this;
  }

  _assigned({ agentId, agent }) {
    this._client._met(agent);
    told(this, { agentId, agent }, 'assigned');
  }

  // Nothing of it must be answered.
  _send(type, data) {
    this._client._send(type, { chatId: this.id, ...data }, true);
  }
}

// ---- following ------------------------------------------------------------------

const forget = (chat) => {
  chat.messages = [];
  chat._position = undefined;
  chat._early.clear();
  chat._doing = {};  // and what it does comes to nothing
};

// Does a thing for as long as it takes, and once at a time: who asks meanwhile gets
// the same.
const once = ({ _client, _doing }, name, action) =>
  (_doing[name] ??= _client._persist(action).finally(() => { delete _doing[name]; }));

// The newest messages, and from then on what comes.
const load = (chat) => once(chat, 'load', async () => {
  const { _doing } = chat;
  const messages = await ask(chat);

  if (_doing !== chat._doing) return;
  chat.messages = messages;
  chat._position = chat.lastSeq = messages.at(-1)?.seq ?? 0;
  chat._early.clear();
  for (const message of messages) seen(chat, message);
  changed(chat, 'reset');
  chat._client._resume(chat);
});

// More is missing than a `resume` brings: a page of it, and another `resume`.
const fill = (chat) => once(chat, 'fill', async () => {
  for (const message of await pageOf(chat, { after: chat._position, limit: FULL_PAGE })) show(chat, message);
  chat._client._resume(chat);
});

// After a break.
export const repair = (chat) => {
  chat._behind = true;
  quiet(chat);
  markAgain(chat);
};

// What `resumed` says of it.
export const resumed = (chat, { error, recovered, lastSeq, status, agentId }) => {
  if (error === NOT_FOUND) gone(chat);
  else if (error) chat._client._later(() => chat._client._resume(chat));
  else if (recovered) {
    if (status !== chat.info.status || agentId !== chat.info.agentId) renew(chat, 'info');
  } else unawaited(chat, lastSeq < chat._position ? load(chat) : fill(chat));  // it may have been set back
};

// ---- what the server tells --------------------------------------------------------

const take = (chat, message) => {
  if (chat._doing.load) return;  // it will be there, or be asked for
  if (chat._position >= 0) show(chat, message);
  else if (!(message.seq <= chat._heard)) tell(chat, message);
  if (chat._early.size) chat._client._resume(chat);  // something is missing before it
};

// In order, each once: those that come next now.
const show = (chat, message) => {
  if (message.seq > chat._position) chat._early.set(message.seq, message);
  while ((message = chat._early.get(chat._position + 1))) {
    chat._early.delete(++chat._position);
    chat.messages.push(message);
    tell(chat, message);
  }
};

const tell = (chat, message) => {
  seen(chat, message);
  typing(chat, { userId: message.senderId, isTyping: false });
  chat._emit('message', message, chat);
  if (!chat.info) renew(chat, 'new');
};

// What a message says beside itself: who writes has read, and ours has arrived.
const seen = (chat, message) => {
  const { seq, senderId } = message;

  chat._heard = seq;
  newest(chat, seq, message);
  hasRead(chat, senderId, seq);
  if (senderId === chat._client.userId) chat._client._outbox._stored(message, true);
};

const newest = (chat, seq, message) => {
  if (seq < chat.lastSeq) return;
  chat.lastSeq = seq;
  chat.lastMessage = message;
};

const hasRead = (chat, userId, seq) => {
  if (userId === chat._client.userId) chat.readSeq = Math.max(chat.readSeq, seq);
  else chat.reads.set(userId, Math.max(chat.reads.get(userId) ?? 0, seq));
  count(chat);
};

const typing = (chat, change) => {
  const { userId, isTyping } = change;

  if (isTyping === chat.typing.has(userId)) return;
  chat.typing[isTyping ? 'add' : 'delete'](userId);
  chat._emit('typing', change, chat);
};

// Nobody is known to write any more.
export const quiet = (chat) => {
  for (const userId of chat.typing) typing(chat, { userId, isTyping: false });
};

// The chat as an answer or event has it.  `asked`: how much events had told at the question;
// events since then know better.
export const update = (chat, info, change = 'new', asked) => {
  chat.info = { ...chat.info, ...info, ...asked < chat._toldAt && chat._told };
  newest(chat, info.lastSeq, info.lastMessage);
  hasRead(chat, chat._client.userId, info.lastSeq - (info.unreadCount ?? info.lastSeq));
  [info.customer, info.agent].forEach(chat._client._met);
  if (change) changed(chat, change);
  return chat;
};

// Something of the chat was told by an event.
const told = (chat, fields, change) => {
  chat._told = { ...chat._told, ...fields };
  chat._toldAt = ++chat._client._told;
  if (!chat.info) return renew(chat, 'new');
  Object.assign(chat.info, fields);
  changed(chat, change);
};

export const gone = (chat) => {
  forget(chat);
  if (chat._client.conversations.delete(chat.id)) changed(chat, 'gone');
};

const changed = (chat, change) => chat._emit('chat', chat, change);

const count = (chat) => {
  const unread = Math.max(0, chat.lastSeq - chat.readSeq);

  if (unread === chat.unread) return;
  chat.unread = unread;
  chat._emit('unread', unread, chat);
};

// Marks are not answered: after a break the last one is sent again.
const markAgain = (chat) => {
  if (chat._marked) chat._send('mark_read', { seq: chat._marked });
};

// The events about one chat.
export const chatEvents = {
  new_message: take,
  new_chat: update,
  chat_assigned: (chat, change) => chat._assigned(change),
  chat_status_updated: (chat, { status }) => told(chat, { status, isActive: status === 'active' }, 'status'),
  chat_deleted: gone,
  messages_read(chat, mark) {
    hasRead(chat, mark.userId, mark.seq);
    chat._emit('read', mark, chat);
  },
  user_typing: typing,
};

// ---- requests ---------------------------------------------------------------------

// A chat that is not there any more is gone.
export const request = (chat, method, path, data) =>
  chat._client.request(method, `chats/${chat.id}${path}`, data).catch((error) => {
    if (error.code === NOT_FOUND) gone(chat);
    throw error;
  });

const pageOf = (chat, range) => request(chat, 'GET', '/messages', range);

// A request that is answered with the chat, and perhaps its newest messages.
export const ask = async (chat, change = null, answer = request(chat, 'GET', '')) => {
  const asked = chat._client._told;
  const { messages, reads = [], ...info } = await answer;

  for (const { userId, seq } of reads) hasRead(chat, userId, seq);
  update(chat, info, change, asked);
  return messages;
};

export const renew = (chat, change) => unawaited(chat, once(chat, 'renew', () => ask(chat, change)));

// That a chat is gone, `chat` has told.
const unawaited = (chat, promise) => {
  promise.catch((error) => {
    if (error.code !== NOT_FOUND) chat._client._emit('error', error);
  });
};
