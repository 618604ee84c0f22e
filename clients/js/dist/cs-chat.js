/* cs-chat-client, BSD-2-Clause */

// src/error.js
var CSChatError = class extends Error {
  constructor(code, message, more) {
    super(message);
    Object.assign(this, { name: "CSChatError", code, status: 0, ...more });
  }
  // Whether the same again may succeed.
  get temporary() {
    return /^(NETWORK|RATE|BACKEND)/.test(this.code) || this.status === 429 || this.status > 501;
  }
};

// src/api.js
var TIMEOUT = 15e3;
var Api = class {
  // getToken(refused): the token, or another one than was refused; or null
  constructor({ url = "/api", fetch = globalThis.fetch, getToken = () => null } = {}) {
    const base = url.replace(/\/*$/, "/");
    async function call(method, path, data, token) {
      const sent = JSON.stringify(data);
      const isGet = method === "GET";
      const answer = await fetch(base + path + (isGet && sent ? "?" + new URLSearchParams(JSON.parse(sent)) : ""), {
        method,
        body: isGet ? void 0 : sent,
        headers: { "Content-Type": "application/json", ...token && { Authorization: "Bearer " + token } },
        signal: AbortSignal.timeout(TIMEOUT)
      }).catch(() => {
        throw new CSChatError("NETWORK", "The server can't be reached.");
      });
      const { status, headers } = answer;
      const json = await answer.json().catch(() => ({}));
      if (json.success) return json.data;
      throw new CSChatError(json.code ?? "BAD_ANSWER", json.error ?? `The server answered ${status}.`, {
        status,
        field: json.field,
        retryAfter: +headers.get("Retry-After") || void 0
      });
    }
    async function request(method, path, data, given) {
      const token = given === void 0 ? await getToken() : given;
      return call(method, path, data, token).catch(async (error) => {
        const other = given === void 0 && error.status === 401 && await getToken(token);
        if (!other || other === token) throw error;
        return call(method, path, data, other);
      });
    }
    const get = (path, query) => request("GET", path, query);
    const post = (path, data, token) => request("POST", path, data, token);
    const put = (path, data) => request("PUT", path, data);
    const chat = (id, rest = "") => `chats/${id}${rest}`;
    Object.assign(this, {
      base,
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
      deleteChat: (id) => request("DELETE", chat(id)),
      messages: (id, page) => get(chat(id, "/messages"), page),
      postMessage: (id, message) => post(chat(id, "/messages"), message)
    });
  }
};

// src/backoff.js
function backoff(attempt, min = 1e3, max = 3e4) {
  return Math.random() * Math.min(min * 2 ** attempt, max);
}
async function persist(action, wanted) {
  for (let attempt = 0; ; attempt++) {
    try {
      return await action();
    } catch (error) {
      if (!error.temporary || !wanted()) throw error;
      const wait = (error.retryAfter ?? 0) * 1e3 + backoff(attempt);
      await new Promise((resolve) => {
        setTimeout(resolve, wait);
      });
    }
  }
}

// src/auth.js
var LONGEST = 2 ** 31 - 1;
function createAuth({ getToken, credentials }, api, onToken) {
  let refused;
  let renewal;
  let timer;
  let kept = false;
  let issued;
  const source = getToken ?? (credentials && (async () => (await api.login(credentials.username, credentials.password)).token));
  function schedule() {
    const { exp, iat } = auth.claims;
    const wait = (exp - iat) * 800 - (Date.now() - issued);
    clearTimeout(timer);
    if (kept && wait < Infinity) timer = setTimeout(refresh, Math.min(Math.max(wait, 0), LONGEST), 0);
  }
  function refresh(attempt) {
    renew("expired").catch((error) => {
      if (error.temporary && kept) timer = setTimeout(refresh, backoff(attempt), attempt + 1);
    });
  }
  function renew(why) {
    return renewal ??= ask(why).finally(() => {
      renewal = null;
    });
  }
  async function ask(why) {
    const before = auth.token;
    let token;
    try {
      if (source) token = await source(why);
      else if (why === "expired") ({ token } = await api.refresh(before));
    } catch (error) {
      throw error instanceof CSChatError ? error : new CSChatError("NETWORK", error.message);
    }
    if (auth.token !== before) return auth.token;
    if (!token || token === before) throw new CSChatError("AUTH_REQUIRED", "Please log in.", { status: 401 });
    auth.set(token);
    return token;
  }
  const auth = {
    token: null,
    claims: {},
    // A token, fresh from the server or not; null forgets it.
    set(token, fresh = true) {
      refused = null;
      auth.token = token;
      auth.claims = token ? claims(token) : {};
      issued = fresh ? Date.now() : Math.min(Date.now(), auth.claims.iat * 1e3);
      schedule();
      onToken(token);
    },
    // The token, or another one than was refused.
    async get(bad = refused) {
      if (auth.token && auth.token !== bad) return auth.token;
      return renew(auth.token ? "refused" : "first");
    },
    // As get(), but null where there is none to be had.
    find: async (bad) => auth.token || source ? auth.get(bad) : null,
    // The server closed a connection because of the token.
    refuse() {
      refused = auth.token;
    },
    // Whether to refresh it from now on.
    keep(keeps) {
      kept = keeps;
      schedule();
    }
  };
  return auth;
}
function claims(token) {
  try {
    return JSON.parse(atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/")));
  } catch {
    return {};
  }
}

// src/connection.js
var SOON = [1012, 4001, 4002];
var REPLACED = 4003;
var STABLE = 1e4;
function createConnection({ open, onStatus, onEvent, onLost, times }) {
  let socket;
  let turn = 0;
  let attempts = 0;
  let since;
  let draining;
  let retryTimer;
  let answerTimer;
  let pingTimer;
  let pingAfter;
  function set(status, detail = {}) {
    connection.status = status;
    onStatus(status, detail);
  }
  async function attempt() {
    letGo();
    const mine = turn;
    set("connecting");
    try {
      const opened = await open();
      opened.onerror = () => {
      };
      if (mine !== turn) return opened.close();
      socket = opened;
      socket.onclose = ({ code }) => lost(code);
      socket.onmessage = ({ data }) => receive(JSON.parse(data));
      expect();
    } catch (error) {
      if (mine === turn) lost(0, error);
    }
  }
  function receive(event) {
    if (event.type === "connected") {
      since = Date.now();
      pingAfter = Math.min(times.ping, event.data.pingInterval);
    }
    draining ||= event.type === "reconnect";
    clearTimeout(answerTimer);
    clearTimeout(pingTimer);
    answerTimer = void 0;
    pingTimer = setTimeout(connection.send, pingAfter, "ping", {});
    if (draining) expect();
    if (event.type === "connected") set("online");
    onEvent(event);
  }
  function expect() {
    answerTimer ??= setTimeout(lost, times.answer, 0);
  }
  function lost(code, error = new CSChatError("NETWORK", "The connection broke.")) {
    if (Date.now() - since > STABLE) attempts = 0;
    letGo();
    onLost(code);
    if (error.status === 401 || error.status === 403) return connection.stop("auth", error, code);
    if (code === REPLACED) return connection.stop("replaced", error, code);
    const min = attempts || !SOON.includes(code) ? times.backoffMin : 100;
    const retryIn = (error.retryAfter ?? 0) * 1e3 + backoff(attempts++, min, times.backoffMax);
    retryTimer = setTimeout(attempt, retryIn);
    set("waiting", { retryIn, error, code });
  }
  function letGo() {
    turn++;
    [retryTimer, answerTimer, pingTimer].forEach(clearTimeout);
    answerTimer = since = void 0;
    draining = false;
    if (socket) socket.onclose = socket.onmessage = null;
    socket?.close();
    socket = null;
  }
  const connection = {
    status: "idle",
    start() {
      attempts = 0;
      if (/idle|ended|waiting/.test(connection.status)) attempt();
    },
    stop(reason, error, code) {
      letGo();
      if (connection.status !== "ended") set("ended", { reason, error, code });
    },
    // Sends an event, which is to be answered: whether it went out.
    send(type, data, unanswered) {
      if (connection.status !== "online" || draining || socket?.readyState !== 1) return false;
      socket.send(JSON.stringify({ type, data }));
      if (!unanswered) expect();
      return true;
    },
    // Something happened that may have brought the network back, or taken it away.
    check() {
      if (connection.status === "waiting") attempt();
      connection.send("ping", {});
    }
  };
  return connection;
}

// src/emitter.js
var Emitter = class {
  _listeners = {};
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
    for (const listener of [...this._listeners[event] ?? []]) {
      try {
        listener(...args);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
};

// src/timeline.js
var Timeline = class {
  position;
  _early = /* @__PURE__ */ new Map();
  // Whether something waits for what is missing before it.
  get gap() {
    return this.position >= 0 && this._early.size > 0;
  }
  // Takes one in: those that come next now, in order.
  take(message) {
    this._early.set(message.seq, message);
    return this.reset(this.position);
  }
  // All up to `position` is there: those that waited and come next now.
  reset(position) {
    const next = [];
    this.position = position;
    for (const seq of this._early.keys()) if (seq <= position) this._early.delete(seq);
    for (let message; message = this._early.get(this.position + 1); next.push(message)) {
      this._early.delete(++this.position);
    }
    return next;
  }
};

// src/conversation.js
var PAGE = 50;
var FILL = 200;
var TYPING_EVERY = 2500;
var Conversation = class extends Emitter {
  info = null;
  messages = [];
  lastSeq = 0;
  readSeq = 0;
  reads = /* @__PURE__ */ new Map();
  typing = /* @__PURE__ */ new Set();
  following = false;
  _timeline = new Timeline();
  _doing = {};
  // what _once() does at the moment
  _typed = 0;
  _marked = 0;
  _heard;
  // the last `seq` that was told
  _toldAt = 0;
  // the tick of the last event about `info`
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
    if (this._position === void 0) {
      await this._load().catch((error) => {
        this.following = false;
        throw error;
      });
    }
    return this;
  }
  unfollow() {
    if (this.following) this._chat._send("leave_chat", { chatId: this.id });
    this.following = false;
    this.messages = [];
    this._timeline = new Timeline();
    this._doing = {};
  }
  // Does a thing once at a time: who asks meanwhile gets the same.
  _once(name, action) {
    const doing = this._doing;
    return doing[name] ??= action().finally(() => {
      delete doing[name];
    });
  }
  // The newest messages, and from then on what comes.
  _load() {
    return this._once("loading", async () => {
      const timeline = this._timeline = new Timeline();
      const messages = await this._fetch();
      if (timeline !== this._timeline) return;
      this.messages = messages;
      for (const message of messages) this._seen(message);
      this._changed("reset");
      this._show(timeline.reset(messages.at(-1)?.seq ?? 0));
      this._chat._resume(this);
    });
  }
  // All after what is there, by pages.
  async _fill() {
    const timeline = this._timeline;
    for (let page = [0]; page.length && timeline === this._timeline; ) {
      page = await this._persist((api) => api.messages(this.id, { after: timeline.position, limit: FILL }));
      if (timeline === this._timeline) for (const message of page) this._show(timeline.take(message));
    }
  }
  // What a `resume` is to begin after; undefined while that is not known.
  get _position() {
    return this.following ? this._timeline.position : void 0;
  }
  _noteGap() {
    if (this._timeline.gap && !this._doing.filling) this._chat._resume(this);
  }
  // After a break: whether there is something to resume.
  _repair() {
    this._quiet();
    this._markAgain();
    if (this.following && this._position === void 0) this._try(this._load());
    return this.following;
  }
  // What `resumed` says of it: whether to ask again.
  _resumed({ error, recovered, lastSeq, toSeq, status, agentId }) {
    if (error === "CHAT_NOT_FOUND") this._gone();
    if (error) return this.following;
    if (lastSeq < this._position) this._try(this._load());
    else if (!recovered || toSeq > this._position) {
      this._try(this._once("filling", () => this._fill()).then(() => this._noteGap()));
    }
    if (recovered && (status !== this.info?.status || agentId !== this.info?.agentId)) this._renew("info");
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
      this._say("message", message);
    });
    if (!this.info) this._renew("new");
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
      this._say("read", { userId, seq });
    });
  }
  _typing(userId, isTyping) {
    if (isTyping === this.typing.has(userId)) return;
    this.typing[isTyping ? "add" : "delete"](userId);
    this._say("typing", { userId, isTyping });
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
    if (!this.info) return this._renew("new");
    this._note(fields);
    this._changed(change);
  }
  _note(fields) {
    if (this.info) Object.assign(this.info, fields);
  }
  _gone() {
    this.following = false;
    this.unfollow();
    if (this._chat.conversations.delete(this.id)) this._changed("gone");
  }
  _changed(change) {
    for (const emitter of [this, this._chat]) emitter._emit("chat", this, change);
  }
  _say(event, payload) {
    for (const emitter of [this, this._chat]) emitter._emit(event, payload, this);
  }
  _counting(action) {
    const before = this.unread;
    action();
    if (this.unread !== before) this._say("unread", this.unread);
  }
  _renew(change) {
    this._try(this._once("renewing", () => this._fetch(change)));
  }
  // Nobody awaits it.  That a chat is gone, `chat` has told.
  _try(promise) {
    promise.catch((error) => {
      if (error.code !== "CHAT_NOT_FOUND") this._chat._emit("error", error);
    });
  }
  // ---- what the user does ---------------------------------------------------
  send(content, { type = "text" } = {}) {
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
    this._chat._send(isTyping ? "typing_start" : "typing_stop", { chatId: this.id });
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
    if (this._marked) this._chat._send("mark_read", { chatId: this.id, seq: this._marked });
  }
  loadEarlier(limit = PAGE) {
    return this._once("earlier", async () => {
      const [first] = this.messages;
      const page = this.hasEarlier ? await this._chat.api.messages(this.id, { before: first.seq, limit }) : [];
      if (first !== this.messages[0]) return [];
      this.messages.unshift(...page);
      return page;
    });
  }
  async *history({ before, limit = PAGE } = {}) {
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
    return this._ask((api) => api.setStatus(this.id, "closed"));
  }
  reopen() {
    return this._ask((api) => api.setStatus(this.id, "active"));
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
    await this._ask(async () => answer = await this._persist((api) => api.chat(this.id)), change);
    return answer.messages;
  }
  _persist(request) {
    return this._chat._persist(() => request(this._chat.api)).catch((error) => {
      if (error.code === "CHAT_NOT_FOUND") this._gone();
      throw error;
    });
  }
};

// src/outbox.js
var AGAIN = 1e3;
function createOutbox({ storage = pageStorage(), prefix = "cs-chat", times, send, onChange, onError }) {
  const me = unique();
  const waiting = /* @__PURE__ */ new Map();
  const flying = /* @__PURE__ */ new Map();
  let entries = [];
  let user;
  const find = (clientId) => entries.find((entry) => entry.clientId === clientId);
  const mine = () => `${prefix}:${user}:`;
  const keys = () => Array.from({ length: storage?.length ?? 0 }, (_, i) => storage.key(i)).filter((key) => key?.startsWith(mine()));
  function save(until = Date.now() + times.lease) {
    const unsent = entries.filter(({ state }) => state !== "sent");
    try {
      if (!user) return;
      if (unsent.length) storage?.setItem(mine() + me, JSON.stringify({ until, entries: unsent }));
      else storage?.removeItem(mine() + me);
    } catch (error) {
      onError(new CSChatError("STORAGE", error.message));
    }
  }
  function left(key) {
    try {
      const { until, entries: old } = JSON.parse(storage.getItem(key));
      return until < Date.now() && old;
    } catch {
      return [];
    }
  }
  function adopt() {
    const news = [];
    for (const key of keys()) {
      const old = left(key);
      if (old) storage.removeItem(key);
      if (old) news.push(...old.filter(({ clientId }) => !find(clientId)));
    }
    for (const entry of news) entry.state = entry.error ? "failed" : "queued";
    entries = [...news, ...entries].sort((a, b) => a.createdAt - b.createdAt);
    save();
    for (const entry of news) change(entry, entry.state);
  }
  function change(entry, state) {
    entry.state = state;
    onChange(entry);
    if (state !== "sending") pump(entry.chatId);
  }
  function pump(chatId) {
    const entry = entries.find((e) => e.chatId === chatId && e.state === "queued");
    if (entry && !flying.has(chatId)) fly({ entry, attempts: 0 });
  }
  function fly(flight) {
    const { clientId, chatId, content, type, state } = flight.entry;
    if (!send("send_message", { chatId, content, messageType: type, clientId })) return;
    flying.set(chatId, flight);
    flight.timer = setTimeout(fly, times.answer, flight);
    if (state !== "sending") change(flight.entry, "sending");
  }
  function finish(clientId, state, outcome, keep) {
    const entry = find(clientId);
    const flight = flying.get(entry?.chatId);
    waiting.get(clientId)?.[outcome instanceof Error ? "reject" : "resolve"](outcome);
    waiting.delete(clientId);
    if (!entry) return;
    if (flight?.entry === entry) {
      clearTimeout(flight.timer);
      flying.delete(entry.chatId);
    }
    if (state === "failed") entry.error = { code: outcome.code, message: outcome.message };
    if (!keep) entries = entries.filter((e) => e !== entry);
    entry.state = state;
    save();
    change(entry, state);
  }
  const outbox = {
    // Of one chat, or all.
    of: (chatId) => entries.filter((entry) => !chatId || entry.chatId === chatId),
    // Whose they are; those that were added before that was known are theirs.
    open(owner) {
      if (user) {
        outbox.release();
        entries = [];
      }
      user = owner;
      adopt();
    },
    // Ends when the message is stored, or refused.
    add(chatId, content, type) {
      const createdAt = Math.max(Date.now(), (entries.at(-1)?.createdAt ?? 0) + 1);
      const entry = { clientId: unique(), chatId, content, type, createdAt };
      const promise = new Promise((resolve, reject) => {
        waiting.set(entry.clientId, { resolve, reject });
      });
      promise.catch(() => {
      });
      entries.push(entry);
      entry.state = "queued";
      save();
      change(entry, "queued");
      return promise;
    },
    // An ack, or the message itself; `shown`: it is among the messages.
    stored({ clientId, id, chatId, seq, timestamp }, shown) {
      finish(clientId, "sent", { id, chatId, clientId, seq, timestamp }, !shown);
    },
    // Whether the error is about a message of ours.
    refused(clientId, error) {
      const entry = find(clientId);
      const flight = flying.get(entry?.chatId);
      if (!entry) return false;
      if (!error.temporary) {
        finish(clientId, "failed", error, true);
      } else if (flight?.entry === entry) {
        clearTimeout(flight.timer);
        flight.timer = setTimeout(fly, AGAIN + backoff(flight.attempts++), flight);
      }
      return true;
    },
    // The server hung up as a message was too large for it: not for ever.
    tooLarge() {
      const [largest] = [...flying.values()].map(({ entry }) => entry).sort((a, b) => b.content.length - a.content.length);
      if (largest) outbox.refused(largest.clientId, new CSChatError("PAYLOAD_TOO_LARGE", "The message is too large."));
    },
    retry(clientId) {
      const entry = find(clientId);
      if (entry?.state !== "failed") return;
      delete entry.error;
      save();
      change(entry, "queued");
    },
    discard(clientId, code = "DISCARDED") {
      finish(clientId, "discarded", new CSChatError(code, "The message was given up."));
    },
    // There is a connection: everything goes out, or goes out again.
    start() {
      for (const { chatId } of entries) pump(chatId);
    },
    // The connection is gone.
    stop() {
      const broken = [...flying.values()];
      flying.clear();
      for (const { entry, timer } of broken) {
        clearTimeout(timer);
        change(entry, "queued");
      }
    },
    // To be called from time to time: prolongs the lease, takes what others left.
    tend: adopt,
    // This page goes away: whoever comes next may have them.
    release: () => save(0),
    // Forgets all of this user's, those of other tabs too.
    clear() {
      for (const { clientId } of entries) outbox.discard(clientId, "ENDED");
      for (const key of keys()) storage.removeItem(key);
      user = null;
    }
  };
  return outbox;
}
function unique() {
  return [Date.now(), Math.random(), Math.random()].map((n) => n.toString(36).replace("0.", "")).join("-");
}
function pageStorage() {
  try {
    return globalThis.document && globalThis.localStorage;
  } catch {
  }
}

// src/cs-chat.js
var TIMES = { answer: 1e4, ping: 3e4, backoffMin: 500, backoffMax: 3e4, lease: 75e3 };
var AGAIN2 = 1500;
var RESUMED_AT_ONCE = 100;
var TOO_LARGE = 1009;
var CSChat = class extends Emitter {
  conversations = /* @__PURE__ */ new Map();
  _options;
  _presence = /* @__PURE__ */ new Map();
  _resumes = /* @__PURE__ */ new Set();
  // conversations that are to be resumed
  _resuming = [];
  // those that were asked for
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
      onLost: (code) => this._lost(code)
    });
    this._send = this._connection.send;
    this._outbox = createOutbox({
      ...this._options,
      send: this._send,
      onChange: (entry) => this.conversation(entry.chatId)._say("outgoing", entry),
      onError: (error) => this._emit("error", error)
    });
    for (const name of ["me", "users", "setOnline", "availableAgents", "availableCustomers"]) {
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
    for (const { info, unread } of this.conversations.values()) if (info?.status !== "archived") sum += unread;
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
    this._connection.stop("logout");
    this._outbox.clear();
    this._forgetUser();
    this._auth.set(null);
    if (token) {
      await this.api.logout(token).catch((error) => {
        if (error.status !== 401) throw error;
      });
    }
  }
  _forgetUser() {
    this._user = null;
    this._again = false;
    this.conversations.clear();
    this._presence.clear();
  }
  _tokenChanged(token) {
    if (token && this._user !== this.userId) {
      if (this._user) {
        this._connection.stop("disconnect");
        this._forgetUser();
      }
      this._user = this.userId;
      this._outbox.open(this._user);
    } else if (token) {
      this._send("auth", { token });
    }
    this._emit("token", token);
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
  async *allChats({ limit = 200, offset = 0, ...filter } = {}) {
    const seen = /* @__PURE__ */ new Set();
    const whole = !offset && !Object.keys(filter).length;
    for (let page = { length: limit }; page.length === limit; offset += limit) {
      page = await this.chats({ ...filter, limit, offset });
      for (const conversation of page) {
        if (!seen.has(conversation)) yield conversation;
        seen.add(conversation);
      }
    }
    if (whole) this._missed(seen);
  }
  // What a whole list lacks has been archived, or is out of sight: to be asked for.
  _missed(seen) {
    for (const conversation of this.conversations.values()) {
      const { info } = conversation;
      if (info && info.status !== "archived" && !seen.has(conversation)) conversation._renew("info");
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
    return persist(action, () => this.status !== "ended");
  }
  // ---- the connection -------------------------------------------------------
  connect() {
    const connected = new Promise((resolve, reject) => {
      const settle = (status, { error, reason } = {}) => {
        if (status === "online") resolve();
        if (status === "ended") reject(error ?? new CSChatError("ENDED", `The connection was ended: ${reason}.`));
        if (/online|ended/.test(status)) off();
      };
      const off = this.on("status", settle);
      if (this.status === "online") settle("online");
    });
    connected.catch(() => {
    });
    this._keep();
    this._connection.start();
    return connected;
  }
  disconnect() {
    this._connection.stop("disconnect");
  }
  // From here to the end: a fresh token in time, the outbox, what the page tells.
  _keep() {
    if (this._kept) return;
    const kept = this._kept = new AbortController();
    const { signal } = kept;
    const tend = setInterval(this._outbox.tend, this._options.times.lease / 4);
    const listen = (events, listener, target = globalThis) => {
      for (const event of events.split(" ")) target.addEventListener?.(event, listener, { signal });
    };
    this._auth.keep(true);
    listen("online offline pageshow", () => this._connection.check());
    listen("pagehide", this._outbox.release);
    listen("visibilitychange", () => this._connection.check(), globalThis.document ?? {});
    signal.onabort = () => {
      this._kept = null;
      clearInterval(tend);
      this._auth.keep(false);
    };
  }
  async _open() {
    const { WebSocket = globalThis.WebSocket, transport } = this._options;
    const url = new URL(this.api.base + "ws", globalThis.location?.href);
    let protocols = ["bearer", await this._auth.get()];
    if (transport !== "bearer") {
      url.searchParams.set("ticket", (await this.api.ticket()).ticket);
      protocols = [];
    } else if (this._unsure) {
      await this.api.me();
    }
    this._unsure = true;
    return new WebSocket(url.href.replace(/^http/, "ws"), protocols);
  }
  _statusChanged(status, detail) {
    if (status === "ended") {
      this._lost();
      this._kept?.abort();
      this._outbox.release();
      if (detail.reason === "auth") this._auth.set(null);
    }
    this._emit("status", status, detail);
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
    if (told) this._emit("resync");
  }
  // Asks for what followed chats miss.
  _resume(...conversations) {
    for (const conversation of conversations) this._resumes.add(conversation);
    if (this._resuming.length) return;
    const next = [...this._resumes].filter(({ _position }) => _position >= 0).slice(0, RESUMED_AT_ONCE);
    const chats = next.map(({ id, _position }) => ({ chatId: id, afterSeq: _position }));
    if (!next.length || !this._send("resume", { chats })) return;
    for (const conversation of next) this._resumes.delete(conversation);
    this._resuming = next;
  }
  // Once more, in a while, if the connection is still there.
  _later(action) {
    this._timers.push(setTimeout(action, AGAIN2 * (1 + Math.random())));
  }
  // ---- what the server says -------------------------------------------------
  _event({ type, data, chatId = data.chatId }) {
    const known = this.conversations.get(chatId);
    const { userId, isOnline, status, seq } = data;
    switch (type) {
      case "connected":
        return this._connected();
      case "resync":
        return this._repair(known ? [known] : this.conversations.values(), !known);
      case "resumed":
        return this._resumed(data.chats);
      case "message_ack":
        return this._outbox.stored(data, !(known?._position < seq));
      case "new_message":
        return this.conversation(chatId)._message(data);
      case "new_chat":
        return this.conversation(data.id)._update(data, "new");
      case "chat_assigned":
        return this._assigned(this.conversation(chatId), data);
      case "chat_status_updated":
        return this.conversation(chatId)._told({ status, isActive: status === "active" }, "status");
      case "chat_deleted":
        return known?._gone();
      case "messages_read":
        return known?._read(data);
      case "user_typing":
        return known?._typing(userId, data.isTyping);
      case "user_status_change":
        this._presence.set(userId, isOnline);
        return this._emit("presence", { userId, isOnline });
      case "error":
        return this._refused(data);
    }
  }
  _assigned(conversation, { agentId, agent }) {
    this._met(agent);
    if (this.role !== "agent" || !agentId || agentId === this.userId) {
      return conversation._told({ agentId, agent }, "assigned");
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
    if (replyTo === "resume" || replyTo === "mark_read") {
      this._resuming = [];
      if (error.temporary) return this._later(() => this._repair(this.conversations.values()));
    }
    this._emit("error", error);
  }
};
export {
  Api,
  CSChat,
  CSChatError,
  Conversation,
  Emitter
};
