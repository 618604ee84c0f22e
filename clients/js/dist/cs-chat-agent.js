/* BSD-2-Clause */

// src/error.js
var CSChatError = class extends Error {
  name = "CSChatError";
  status = 0;
  constructor(code, message, more) {
    super(message);
    Object.assign(this, { code }, more);
  }
  // Whether the same again may succeed.
  get temporary() {
    return /^(NETWORK|RATE|BACKEND)/.test(this.code) || /429|50[234]/.test(this.status);
  }
};
var unreachable = () => new CSChatError("NETWORK", "The server can't be reached.");

// src/numbers.js
var REQUEST_TIMEOUT = 15e3;
var STABLE = 1e4;
var SEND_AGAIN = 1e3;
var ASK_AGAIN = 1500;
var TYPING_EVERY = 2500;
var PAGE = 50;
var FULL_PAGE = 200;
var RESUMED_AT_ONCE = 100;
var TOO_LARGE = 1009;
var RELOADED = 1012;
var TOKEN_ENDED = 4001;
var TOKEN_REVOKED = 4002;
var REPLACED = 4003;

// src/request.js
var createRequest = (base, send = fetch, getToken) => {
  const request2 = async (method, path, data, given) => {
    const token = given === void 0 ? await getToken() : given;
    const query = method === "GET" && data;
    const body = JSON.stringify(data);
    const answer = await send(base + path + (query ? "?" + new URLSearchParams(JSON.parse(body)) : ""), {
      method,
      body: query ? void 0 : body,
      headers: { "Content-Type": "application/json", ...token && { Authorization: "Bearer " + token } },
      signal: AbortSignal.timeout(REQUEST_TIMEOUT)
    }).catch(() => {
      throw unreachable();
    });
    const { status, headers } = answer;
    const { success, data: result, code = "BAD_ANSWER", error = `Status ${status}.`, field } = await answer.json().catch(() => ({}));
    if (success) return result;
    if (status === 401 && given === void 0) return request2(method, path, data, await getToken(token));
    throw new CSChatError(code, error, { status, field, retryAfter: +headers.get("Retry-After") || void 0 });
  };
  return request2;
};

// src/api.js
var Api = class {
  // getToken(refused): the token, or another one than was refused; or null.
  // `request`: that of a CSChat, in place of the others.
  constructor({ url = "/api", fetch: fetch2, getToken = () => null, request: request2 } = {}) {
    request2 ??= createRequest(url.replace(/\/*$/, "/"), fetch2, getToken);
    const get = (path, query) => request2("GET", path, query);
    const post = (path, data, token) => request2("POST", path, data, token);
    const put = (path, data) => request2("PUT", path, data);
    const chat = (id, rest = "") => `chats/${id}${rest}`;
    Object.assign(this, {
      login: (username, password) => post("auth/login", { username, password }, null),
      register: (fields) => post("auth/register", fields, null),
      createUser: (fields) => post("auth/register", fields),
      logout: (token) => post("auth/logout", void 0, token),
      refresh: (token) => post("auth/refresh", void 0, token),
      ticket: () => post("auth/ws-ticket"),
      me: () => get("users/me"),
      users: (filter) => get("users", filter),
      setOnline: (isOnline) => put("users/status", { isOnline }),
      availableAgents: () => get("available-agents"),
      availableCustomers: () => get("available-customers"),
      chats: (filter) => get("chats", filter),
      chat: (id) => get(chat(id)),
      createChat: (fields = {}) => post("chats", fields),
      setStatus: (id, status) => put(chat(id, "/status"), { status }),
      assign: (id, agentId) => put(chat(id, "/assign"), { agentId }),
      archive: (id) => put(chat(id, "/archive")),
      unarchive: (id) => put(chat(id, "/unarchive")),
      deleteChat: (id) => request2("DELETE", chat(id)),
      messages: (id, page) => get(chat(id, "/messages"), page),
      postMessage: (id, message) => post(chat(id, "/messages"), message)
    });
  }
};

// src/emitter.js
var Emitter = class {
  _listeners = {};
  _client;
  // hears it too, where there is one
  on(event, listener) {
    (this._listeners[event] ??= /* @__PURE__ */ new Set()).add(listener);
    return () => this.off(event, listener);
  }
  once(event, listener) {
    const off = this.on(event, (...args) => {
      off();
      listener(...args);
    });
    return off;
  }
  off(event, listener) {
    this._listeners[event]?.delete(listener);
  }
  _emit(event, ...args) {
    for (const listener of [...this._listeners[event] ?? []]) (async () => listener(...args))();
    this._client?._emit(event, ...args);
  }
};

// src/conversation.js
var NOT_FOUND = "CHAT_NOT_FOUND";
var Conversation = class extends Emitter {
  info = null;
  messages = [];
  lastMessage = null;
  lastSeq = 0;
  readSeq = 0;
  unread = 0;
  reads = /* @__PURE__ */ new Map();
  typing = /* @__PURE__ */ new Set();
  _position;
  // of a chat that is followed: all messages up to this `seq` are there
  _early = /* @__PURE__ */ new Map();
  // what came before those in between
  _doing = {};
  // what once() does at the moment
  _behind;
  // it is to be resumed
  _typed = 0;
  _marked;
  _heard;
  // the last `seq` that was told
  _told;
  // what events said of `info`
  _toldAt;
  // the client's `_told` at the last of them
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
    if (this._position >= 0) this._send("leave_chat");
    forget(this);
  }
  send(content, { type = "text" } = {}) {
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
    this._send(`typing_${isTyping ? "start" : "stop"}`);
  }
  markRead(seq = this.lastSeq) {
    if (seq <= this.readSeq) return;
    this.readSeq = this._marked = seq;
    markAgain(this);
    count(this);
  }
  loadEarlier(limit = PAGE) {
    return once(this, "page", async () => {
      const [first] = this.messages;
      const page = this.hasEarlier ? await pageOf(this, { before: first.seq, limit }) : [];
      if (first !== this.messages[0]) return [];
      this.messages.unshift(...page);
      return page;
    });
  }
  async *history({ before, limit = PAGE } = {}) {
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
    told(this, { agentId, agent }, "assigned");
  }
  // Nothing of it must be answered.
  _send(type, data) {
    this._client._send(type, { chatId: this.id, ...data }, true);
  }
};
var forget = (chat) => {
  chat.messages = [];
  chat._position = void 0;
  chat._early.clear();
  chat._doing = {};
};
var once = ({ _client, _doing }, name, action) => _doing[name] ??= _client._persist(action).finally(() => {
  delete _doing[name];
});
var load = (chat) => once(chat, "load", async () => {
  const { _doing } = chat;
  const messages = await ask(chat);
  if (_doing !== chat._doing) return;
  chat.messages = messages;
  chat._position = chat.lastSeq = messages.at(-1)?.seq ?? 0;
  chat._early.clear();
  for (const message of messages) seen(chat, message);
  changed(chat, "reset");
  chat._client._resume(chat);
});
var fill = (chat) => once(chat, "fill", async () => {
  for (const message of await pageOf(chat, { after: chat._position, limit: FULL_PAGE })) show(chat, message);
  chat._client._resume(chat);
});
var repair = (chat) => {
  chat._behind = true;
  quiet(chat);
  markAgain(chat);
};
var resumed = (chat, { error, recovered, lastSeq, status, agentId }) => {
  if (error === NOT_FOUND) gone(chat);
  else if (error) chat._client._later(() => chat._client._resume(chat));
  else if (recovered) {
    if (status !== chat.info.status || agentId !== chat.info.agentId) renew(chat, "info");
  } else unawaited(chat, lastSeq < chat._position ? load(chat) : fill(chat));
};
var take = (chat, message) => {
  if (chat._doing.load) return;
  if (chat._position >= 0) show(chat, message);
  else if (!(message.seq <= chat._heard)) tell(chat, message);
  if (chat._early.size) chat._client._resume(chat);
};
var show = (chat, message) => {
  if (message.seq > chat._position) chat._early.set(message.seq, message);
  while (message = chat._early.get(chat._position + 1)) {
    chat._early.delete(++chat._position);
    chat.messages.push(message);
    tell(chat, message);
  }
};
var tell = (chat, message) => {
  seen(chat, message);
  typing(chat, { userId: message.senderId, isTyping: false });
  chat._emit("message", message, chat);
  if (!chat.info) renew(chat, "new");
};
var seen = (chat, message) => {
  const { seq, senderId } = message;
  chat._heard = seq;
  newest(chat, seq, message);
  hasRead(chat, senderId, seq);
  if (senderId === chat._client.userId) chat._client._outbox._stored(message, true);
};
var newest = (chat, seq, message) => {
  if (seq < chat.lastSeq) return;
  chat.lastSeq = seq;
  chat.lastMessage = message;
};
var hasRead = (chat, userId, seq) => {
  if (userId === chat._client.userId) chat.readSeq = Math.max(chat.readSeq, seq);
  else chat.reads.set(userId, Math.max(chat.reads.get(userId) ?? 0, seq));
  count(chat);
};
var typing = (chat, change) => {
  const { userId, isTyping } = change;
  if (isTyping === chat.typing.has(userId)) return;
  chat.typing[isTyping ? "add" : "delete"](userId);
  chat._emit("typing", change, chat);
};
var quiet = (chat) => {
  for (const userId of chat.typing) typing(chat, { userId, isTyping: false });
};
var update = (chat, info, change = "new", asked) => {
  chat.info = { ...chat.info, ...info, ...asked < chat._toldAt && chat._told };
  newest(chat, info.lastSeq, info.lastMessage);
  hasRead(chat, chat._client.userId, info.lastSeq - (info.unreadCount ?? info.lastSeq));
  [info.customer, info.agent].forEach(chat._client._met);
  if (change) changed(chat, change);
  return chat;
};
var told = (chat, fields, change) => {
  chat._told = { ...chat._told, ...fields };
  chat._toldAt = ++chat._client._told;
  if (!chat.info) return renew(chat, "new");
  Object.assign(chat.info, fields);
  changed(chat, change);
};
var gone = (chat) => {
  forget(chat);
  if (chat._client.conversations.delete(chat.id)) changed(chat, "gone");
};
var changed = (chat, change) => chat._emit("chat", chat, change);
var count = (chat) => {
  const unread = Math.max(0, chat.lastSeq - chat.readSeq);
  if (unread === chat.unread) return;
  chat.unread = unread;
  chat._emit("unread", unread, chat);
};
var markAgain = (chat) => {
  if (chat._marked) chat._send("mark_read", { seq: chat._marked });
};
var chatEvents = {
  new_message: take,
  new_chat: update,
  chat_assigned: (chat, change) => chat._assigned(change),
  chat_status_updated: (chat, { status }) => told(chat, { status, isActive: status === "active" }, "status"),
  chat_deleted: gone,
  messages_read(chat, mark) {
    hasRead(chat, mark.userId, mark.seq);
    chat._emit("read", mark, chat);
  },
  user_typing: typing
};
var request = (chat, method, path, data) => chat._client.request(method, `chats/${chat.id}${path}`, data).catch((error) => {
  if (error.code === NOT_FOUND) gone(chat);
  throw error;
});
var pageOf = (chat, range) => request(chat, "GET", "/messages", range);
var ask = async (chat, change = null, answer = request(chat, "GET", "")) => {
  const asked = chat._client._told;
  const { messages, reads = [], ...info } = await answer;
  for (const { userId, seq } of reads) hasRead(chat, userId, seq);
  update(chat, info, change, asked);
  return messages;
};
var renew = (chat, change) => unawaited(chat, once(chat, "renew", () => ask(chat, change)));
var unawaited = (chat, promise) => {
  promise.catch((error) => {
    if (error.code !== NOT_FOUND) chat._client._emit("error", error);
  });
};

// src/auth.js
var createAuth = (getToken, request2, onToken) => {
  let token;
  let renewal;
  let renewAt;
  const ask2 = async (why) => {
    const before = token;
    let fresh;
    try {
      if (getToken) fresh = await getToken(why);
      else if (why === "expired") fresh = (await request2("POST", "auth/refresh", {}, token)).token;
    } catch (error) {
      throw error instanceof CSChatError ? error : new CSChatError("NETWORK", error.message);
    }
    if (token === before) {
      if (!fresh || fresh === before) throw new CSChatError("AUTH_REQUIRED", "Please log in.", { status: 401 });
      set(fresh);
    }
    return token;
  };
  const renew2 = (why) => renewal ??= ask2(why).finally(() => {
    renewal = null;
  });
  const set = (given, isFresh = true) => {
    const { exp, iat, ...claims } = read(given);
    const now = Date.now();
    token = given;
    renewAt = (isFresh ? now : Math.min(now, iat * 1e3)) + (exp - iat) * 800;
    onToken(token, claims);
  };
  return {
    _set: set,
    // The token, or another one than was refused.
    _get: async (refused) => token && token !== refused ? token : renew2(token ? "refused" : "first"),
    // To be called every so many ms: a fresh token in time.  What fails is tried the
    // next time, if it may pass.
    _tend(every) {
      if (Date.now() + every > renewAt) renew2("expired").catch((error) => {
        if (!error.temporary) renewAt = NaN;
      });
    }
  };
};
var read = (token) => {
  try {
    return JSON.parse(atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/")));
  } catch {
    return {};
  }
};

// src/backoff.js
var backoff = (attempt, { retryAfter = 0 }, min = 1e3, max = 3e4) => retryAfter * 1e3 + Math.random() * Math.min(min * 2 ** attempt, max);

// src/connection.js
var ONLINE = "online";
var WAITING = "waiting";
var ENDED = "ended";
var createConnection = (times, open, { onStatus, onEvent }) => {
  let status = "idle";
  let socket;
  let turn = 0;
  let attempts = 0;
  let since;
  let pingAfter;
  let timer;
  let expecting;
  const set = (now, detail = {}) => {
    status = now;
    onStatus(status, detail);
  };
  const next = (ms, action) => {
    clearTimeout(timer);
    timer = setTimeout(action, ms);
  };
  const expect = () => {
    if (!expecting) next(times.answer, lost);
    expecting = true;
  };
  const letGo = () => {
    turn++;
    clearTimeout(timer);
    expecting = false;
    socket?.close();
  };
  const attempt = async () => {
    letGo();
    const mine = turn;
    set("connecting");
    try {
      const opened = await open(attempts);
      opened.onerror = () => {
      };
      if (mine !== turn) return opened.close();
      socket = opened;
      socket.onclose = ({ code }) => mine === turn && lost(code);
      socket.onmessage = ({ data }) => mine === turn && receive(JSON.parse(data));
      expect();
    } catch (error) {
      if (mine === turn) lost(0, error);
    }
  };
  const receive = (event) => {
    const { type, data } = event;
    const connected = type === "connected";
    if (connected) pingAfter = Math.min(times.ping, data.pingInterval);
    expecting = false;
    next(pingAfter, ping);
    if (connected) {
      since = Date.now();
      set(ONLINE);
    }
    onEvent(event);
    if (type === "reconnect") lost(RELOADED);
  };
  const lost = (code, error = unreachable()) => {
    if (status === ONLINE && Date.now() - since > STABLE) attempts = 0;
    letGo();
    if (/40[13]/.test(error.status)) return stop("auth", error, code);
    if (code === REPLACED) return stop("replaced", error, code);
    const min = !attempts && [RELOADED, TOKEN_ENDED, TOKEN_REVOKED].includes(code) ? 100 : times.backoffMin;
    const retryIn = backoff(attempts++, error, min, times.backoffMax);
    next(retryIn, attempt);
    set(WAITING, { retryIn, error, code });
  };
  const start = () => {
    attempts = 0;
    if (/idle|ended|waiting/.test(status)) attempt();
  };
  const stop = (reason, error, code) => {
    letGo();
    if (status !== ENDED) set(ENDED, { reason, error, code });
  };
  const send = (type, data, unanswered) => {
    if (status !== ONLINE) return false;
    socket.send(JSON.stringify({ type, data }));
    if (!unanswered) expect();
    return true;
  };
  const ping = () => send("ping", {});
  const check = () => {
    if (status === WAITING) attempt();
    ping();
  };
  return { _start: start, _stop: stop, _send: send, _check: check };
};

// src/outbox.js
var QUEUED = "queued";
var SENDING = "sending";
var FAILED = "failed";
var createOutbox = ({ storage = pageStorage(), prefix = "cs-chat" }, times, send, { onChange, onError }) => {
  const me = unique();
  const waiting = /* @__PURE__ */ new Map();
  const flights = /* @__PURE__ */ new Map();
  let entries = [];
  let refusals = 0;
  let user;
  const find = (clientId) => entries.find((entry) => entry.clientId === clientId);
  const keyOf = (instance) => `${prefix}:${user}:${instance}`;
  const keys = () => Array.from({ length: storage?.length ?? 0 }, (_, i) => storage.key(i)).filter((key) => key?.startsWith(keyOf(""))).sort();
  const save = (until = Date.now() + times.lease) => {
    const unsent = entries.filter(({ state }) => state !== "sent");
    try {
      if (user && unsent.length) storage?.setItem(keyOf(me), JSON.stringify({ until, entries: unsent }));
      else storage?.removeItem(keyOf(me));
    } catch (error) {
      onError(new CSChatError("STORAGE", error.message));
    }
  };
  const take2 = (key) => {
    try {
      const { until, entries: old } = JSON.parse(storage.getItem(key));
      if (until > Date.now()) return [];
      storage.removeItem(key);
      return old.filter(({ clientId }) => !find(clientId));
    } catch {
      return [];
    }
  };
  const adopt = () => {
    const adopted = keys().flatMap(take2);
    entries = [...adopted, ...entries];
    save();
    for (const entry of adopted) change(entry, entry.error ? FAILED : QUEUED);
    entries.forEach(pump);
  };
  const change = (entry, state) => {
    entry.state = state;
    save();
    onChange(entry);
    pump(entry);
  };
  const pump = ({ chatId }) => {
    const next = entries.find((entry) => entry.chatId === chatId && /queued|sending/.test(entry.state));
    if (next?.state === QUEUED) fly(next);
  };
  const fly = (entry) => {
    const { clientId, chatId, content, type } = entry;
    if (!send("send_message", { chatId, content, messageType: type, clientId })) return;
    again(entry, times.answer);
    if (entry.state !== SENDING) change(entry, SENDING);
  };
  const again = (entry, ms) => {
    land(entry);
    flights.set(entry, setTimeout(fly, ms, entry));
  };
  const land = (entry) => {
    clearTimeout(flights.get(entry));
    flights.delete(entry);
  };
  const finish = (clientId, state, outcome, keep) => {
    const entry = find(clientId);
    const { code, message } = outcome;
    waiting.get(clientId)?.(code ? Promise.reject(outcome) : outcome);
    waiting.delete(clientId);
    if (!entry) return;
    land(entry);
    if (state === FAILED) entry.error = { code, message };
    if (!keep) entries = entries.filter((other) => other !== entry);
    change(entry, state);
  };
  const fail = (entry, error) => finish(entry.clientId, FAILED, error, true);
  const outbox = {
    // Those of a chat.
    _of: (chatId) => entries.filter((entry) => entry.chatId === chatId),
    // Whose they are; those that were added before that was known are theirs.
    _open(owner) {
      if (user) {
        save(0);
        entries = [];
      }
      user = owner;
      adopt();
    },
    // Ends when the message is stored, or refused.
    _add(chatId, content, type) {
      const entry = { clientId: unique(), chatId, content, type, createdAt: Date.now() };
      const promise = new Promise((resolve) => {
        waiting.set(entry.clientId, resolve);
      });
      promise.catch(() => {
      });
      entries.push(entry);
      change(entry, QUEUED);
      return promise;
    },
    // An ack, or the message itself; `shown`: it is among the messages.
    _stored(receipt, shown) {
      refusals = 0;
      finish(receipt.clientId, "sent", receipt, !shown);
    },
    // Whether the error is about a message of ours.
    _refused(clientId, error) {
      const entry = find(clientId);
      if (!entry) return;
      if (!error.temporary) fail(entry, error);
      else again(entry, SEND_AGAIN + backoff(refusals++, error));
      return true;
    },
    // The server hung up as a message was too large for it: not for ever.
    _tooLarge() {
      const [largest] = [...flights.keys()].sort((a, b) => b.content.length - a.content.length);
      if (largest) fail(largest, new CSChatError("PAYLOAD_TOO_LARGE", "It is too large."));
    },
    _retry(clientId) {
      const entry = find(clientId);
      if (!entry?.error) return;
      delete entry.error;
      change(entry, QUEUED);
    },
    _discard(clientId, code = "DISCARDED") {
      finish(clientId, "discarded", new CSChatError(code, "It was given up."));
    },
    // The connection is gone.
    _stop() {
      for (const entry of flights.keys()) {
        land(entry);
        change(entry, QUEUED);
      }
    },
    // To be called from time to time, and when there is a connection: prolongs the
    // lease, takes what others left, sends what waits.
    _tend: adopt,
    // This page goes away: whoever comes next may have them.
    _release: () => save(0),
    // Forgets all of this user's, those of other tabs too.
    _clear() {
      for (const { clientId } of entries) outbox._discard(clientId, "ENDED");
      for (const key of keys()) storage.removeItem(key);
      user = null;
    }
  };
  return outbox;
};
var unique = () => [Date.now(), Math.random(), Math.random()].join("-");
var pageStorage = () => {
  try {
    return document && localStorage;
  } catch {
  }
};

// src/cs-chat.js
var TIMES = { answer: 1e4, ping: 3e4, backoffMin: 500, backoffMax: 3e4, lease: 75e3 };
var CSChat = class extends Emitter {
  status = "idle";
  token;
  userId;
  role;
  conversations = /* @__PURE__ */ new Map();
  // Kind: the class of its conversations
  constructor(options = {}, Kind = Conversation) {
    super();
    const chat = this;
    const { conversations } = this;
    const { url = "/api", transport } = options;
    const base = url.replace(/\/*$/, "/");
    const times = { ...TIMES, ...options.times };
    const tick = times.lease / 4;
    let presence = {};
    let resuming;
    let user;
    let again;
    let kept;
    let tending;
    const met = (person) => {
      if (person) presence[person.id] = person.isOnline;
      return person;
    };
    const enter = async (how, fields) => {
      const answer = await request2("POST", "auth/" + how, fields, null);
      auth._set(answer.token);
      return met(answer.user);
    };
    const logout = async () => {
      const { token } = chat;
      stop("logout");
      outbox._clear();
      forgetUser();
      auth._set(null);
      if (token) {
        await request2("POST", "auth/logout", {}, token).catch((error) => {
          if (error.status !== 401) throw error;
        });
      }
    };
    const forgetUser = () => {
      user = null;
      again = false;
      conversations.clear();
      presence = {};
    };
    const onToken = (token, { userID = null, role = null }) => {
      chat.token = token;
      chat.userId = userID;
      chat.role = role;
      if (token && user !== userID) {
        if (user) {
          stop("disconnect");
          forgetUser();
        }
        user = userID;
        outbox._open(user);
      } else if (token) {
        send("auth", { token });
      }
      chat._emit("token", token);
    };
    const conversation = (id) => {
      const key = id.toLowerCase();
      if (!conversations.has(key)) conversations.set(key, new Kind(chat, key));
      return conversations.get(key);
    };
    const fetchChats = async (method, data) => {
      const asked = chat._told;
      const answer = await request2(method, "chats", data);
      return [answer].flat().map((info) => update(conversation(info.id), info, null, asked));
    };
    const connect = () => {
      keep();
      start();
      const connected = new Promise((resolve, reject) => {
        const settle = (status, { error }) => {
          if (status === ONLINE) resolve();
          else if (status === ENDED) reject(error ?? new CSChatError("ENDED", "Connection ended."));
          else chat.once("status", settle);
        };
        settle(chat.status, {});
      });
      connected.catch(() => {
      });
      return connected;
    };
    const keep = () => {
      if (kept) return;
      kept = new AbortController();
      tending = setInterval(tend, tick);
      for (const event of "online offline pageshow pagehide visibilitychange".split(" ")) {
        globalThis.addEventListener?.(event, event === "pagehide" ? outbox._release : check, kept);
      }
    };
    const tend = () => {
      outbox._tend();
      auth._tend(tick);
    };
    const open = async (attempts) => {
      const { WebSocket: Socket = WebSocket } = options;
      const protocols = [];
      let path = "ws";
      if (transport === "bearer") {
        if (attempts) await chat.me();
        protocols.push(transport, await auth._get());
      } else {
        path += "?ticket=" + (await request2("POST", "auth/ws-ticket")).ticket;
      }
      return new Socket(new URL(base + path, globalThis.location?.href).href.replace(/^http/, "ws"), protocols);
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
        if (detail.reason === "auth") auth._set(null);
      }
      chat._emit("status", status, detail);
    };
    const repairAll = (some, all) => {
      some.forEach(repair);
      resume();
      if (all) chat._emit("resync");
    };
    const resume = () => {
      if (resuming) return;
      const next = [...conversations.values()].filter((one) => one._behind && one._position >= 0).slice(0, RESUMED_AT_ONCE);
      for (const one of next) one._behind = false;
      resuming = next[0] && send("resume", { chats: next.map(({ id, _position }) => ({ chatId: id, afterSeq: _position })) });
    };
    const later = (action) => setTimeout(action, ASK_AGAIN + backoff(1, {}), conversations);
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
        chat._emit("presence", change);
      },
      error(said) {
        const error = new CSChatError(said.code, said.message, said);
        if (outbox._refused(said.clientId, error)) return;
        resuming = false;
        if (error.temporary) later(repairAll);
        else chat._emit("error", error);
      }
    };
    const onEvent = ({ type, data, chatId = data.chatId ?? data.id }) => {
      events[type]?.(data, conversations.get(chatId));
      chatEvents[type]?.(conversation(chatId), data);
    };
    const request2 = createRequest(base, options.fetch, (refused) => auth._get(refused));
    const auth = createAuth(options.getToken, request2, onToken);
    const { _start: start, _stop: stop, _send: send, _check: check } = createConnection(times, open, { onStatus, onEvent });
    const outbox = createOutbox(options, times, send, {
      onChange: (entry) => conversation(entry.chatId)._emit("outgoing", entry),
      onError: (error) => chat._emit("error", error)
    });
    Object.assign(this, {
      request: request2,
      logout,
      conversation,
      connect,
      login: (username, password) => enter("login", { username, password }),
      register: (fields) => enter("register", fields),
      me: async () => met(await request2("GET", "users/me")),
      isOnline: (id) => presence[id],
      chats: (filter) => fetchChats("GET", filter),
      createChat: async (fields = {}) => (await fetchChats("POST", fields))[0],
      disconnect: () => stop("disconnect"),
      _send: send,
      _told: 0,
      // how much events have told of chats: orders that and what was asked
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
      }
    });
    auth._set(options.token ?? null, false);
  }
  get unread() {
    let sum = 0;
    this.conversations.forEach(({ info, unread }) => {
      if (info?.status !== "archived") sum += unread;
    });
    return sum;
  }
};

// src/agent.js
var AgentConversation = class extends Conversation {
  take() {
    return this.assign(this._client.userId);
  }
  assign(agentId) {
    return this._put("/assign", { agentId });
  }
  close() {
    return this._put("/status", { status: "closed" });
  }
  reopen() {
    return this._put("/status", { status: "active" });
  }
  archive() {
    return this._put("/archive");
  }
  unarchive() {
    return this._put("/unarchive");
  }
  async delete() {
    await request(this, "DELETE", "");
    gone(this);
  }
  async _put(path, data) {
    await ask(this, null, request(this, "PUT", path, data));
    return this;
  }
  // An agent sees no more of a chat that is another one's.
  _assigned(change) {
    const { role, userId } = this._client;
    if (role === "agent" && change.agentId && change.agentId !== userId) gone(this);
    else super._assigned(change);
  }
};
var AgentChat = class extends CSChat {
  // `credentials`, of { username, password }, is for programs.
  constructor({ credentials, ...options } = {}) {
    const login = async () => (await this.api.login(credentials.username, credentials.password)).token;
    super({ ...options, getToken: options.getToken ?? (credentials && login) }, AgentConversation);
    this.api = new Api({ request: this.request });
  }
  // ---- users ------------------------------------------------------------------
  async users(filter) {
    return this._metAll(await this.api.users(filter));
  }
  async availableAgents() {
    return this._metAll(await this.api.availableAgents());
  }
  async availableCustomers() {
    return this._metAll(await this.api.availableCustomers());
  }
  async setOnline(isOnline) {
    return this._met(await this.api.setOnline(isOnline));
  }
  async createUser(fields) {
    return (await this.api.createUser(fields)).user;
  }
  _metAll(users) {
    users.forEach(this._met);
    return users;
  }
  // ---- chats ------------------------------------------------------------------
  async *allChats({ limit = 200, offset = 0, ...filter } = {}) {
    const seen2 = /* @__PURE__ */ new Set();
    const whole = !offset && !Object.keys(filter).length;
    for (let page = { length: limit }; page.length === limit; offset += limit) {
      page = await this.chats({ ...filter, limit, offset });
      for (const conversation of page) {
        if (!seen2.has(conversation)) yield conversation;
        seen2.add(conversation);
      }
    }
    if (whole) this._missed(seen2);
  }
  // What a whole list lacks has been archived, or is out of sight: to be asked for.
  _missed(seen2) {
    for (const conversation of this.conversations.values()) {
      const { info } = conversation;
      if (info && info.status !== "archived" && !seen2.has(conversation)) renew(conversation, "info");
    }
  }
};
export {
  AgentChat,
  AgentConversation,
  Api,
  CSChat,
  CSChatError,
  Conversation,
  Emitter
};
