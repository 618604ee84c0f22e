// Types of cs-chat.js. README.md tells the story; this file is the reference. What
// is for agents and administration is in agent.d.ts.

export type Id = string;
export type Role = 'customer' | 'agent' | 'super-agent';
export type ChatStatus = 'active' | 'closed' | 'archived';
export type MessageType = 'text' | 'image' | 'file';

export interface User {
  id: Id;
  username: string;
  /** For oneself and for super-agents. */
  email?: string;
  name: string;
  role: Role;
  avatar: string | null;
  isOnline: boolean;
  createdAt: string;
  updatedAt: string;
}

export interface Message {
  id: Id;
  chatId: Id;
  senderId: Id;
  content: string;
  type: MessageType;
  /** RFC 3339, UTC. */
  timestamp: string;
  /** 1, 2, 3 … within the chat, without a gap. */
  seq: number;
  clientId?: string;
  sender: { id: Id; name: string; role: Role; avatar: string | null };
}

export interface ChatInfo {
  id: Id;
  customerId: Id;
  agentId: Id | null;
  status: ChatStatus;
  isActive: boolean;
  createdAt: string;
  updatedAt: string;
  lastSeq: number;
  /** Missing in what came by an event: see `Conversation.unread`. */
  unreadCount?: number;
  customer: User;
  agent: User | null;
  lastMessage: Message | null;
}

/** A message on its way. It is kept until it is acknowledged. */
export interface Outgoing {
  readonly clientId: string;
  readonly chatId: Id;
  readonly content: string;
  readonly type: MessageType;
  /** Milliseconds since 1970, by this machine's clock. */
  readonly createdAt: number;
  /**
   * `queued`: waits for a connection or for those before it; `sending`: on its
   * way; `sent`: acknowledged, will be in `messages` in a moment; `failed`:
   * refused, see `error`, and `Conversation.retry()` and `discard()`.
   */
  readonly state: 'queued' | 'sending' | 'sent' | 'failed' | 'discarded';
  readonly error?: { code: string; message: string };
}

/** What `send()` ends with, once the message is committed. */
export interface Receipt {
  id: Id;
  chatId: Id;
  clientId: string;
  seq: number;
  timestamp: string;
}

/** Everything that this library throws or emits as an error. */
export class CSChatError extends Error {
  /**
   * A code of the API (`INVALID_INPUT`, `CHAT_ASSIGNED`, `RATE_LIMITED`, …), or
   * `NETWORK` (no answer), `BAD_ANSWER` (not ours), `DISCARDED` (a message
   * given up here), `ENDED` (the connection was ended), `STORAGE` (the outbox
   * can't be written).
   */
  readonly code: string;
  /** The HTTP status; 0 where there was none. */
  readonly status: number;
  /** The field or parameter at fault. */
  readonly field?: string;
  /** Seconds, from the header `Retry-After`. */
  readonly retryAfter?: number;
  /** Whether the same again may succeed: no answer, 429, 503, 504. */
  readonly temporary: boolean;
  constructor(code: string, message: string, more?: { status?: number; field?: string; retryAfter?: number });
}

/**
 * `idle`: not connected yet; `connecting`; `online`; `waiting`: for the next
 * attempt; `ended`: no further attempt will be made, `StatusDetail` says why.
 */
export type Status = 'idle' | 'connecting' | 'online' | 'waiting' | 'ended';

export interface StatusDetail {
  /** With `waiting`: milliseconds until the next attempt. */
  retryIn?: number;
  /** What ended or failed; null after `disconnect()` and `logout()`. */
  error?: CSChatError | null;
  /** The code of the Close frame, where there was one. */
  code?: number;
  /**
   * With `ended`: `disconnect`, `logout`; `auth`: the token is not good (any
   * more) and there is no other, the user has to log in; `replaced`: too many
   * connections of this user.
   */
  reason?: 'disconnect' | 'logout' | 'auth' | 'replaced';
}

/** What became of a chat: see the event `chat`. */
export type ChatChange = 'new' | 'info' | 'assigned' | 'status' | 'gone' | 'reset';

export interface Events {
  /** The connection. */
  status: [status: Status, detail: StatusDetail];
  /** What went wrong where no promise tells it. */
  error: [error: CSChatError];
  /** A new message, one's own included: of a followed chat in order, each once, none missing. */
  message: [message: Message, conversation: Conversation];
  /** A message on its way was added, changed its `state`, or is no longer in `pending`. */
  outgoing: [outgoing: Outgoing, conversation: Conversation];
  /**
   * A chat is new here, was handed over, changed status, or is out of sight or
   * deleted (`gone`). `info`: something else of it, `unread` included; `reset`: `messages` were loaded
   * (again) as a whole.
   */
  chat: [conversation: Conversation, change: ChatChange];
  /** `conversation.unread` changed. */
  unread: [unread: number, conversation: Conversation];
  /** Somebody has read up to `seq`; it may be this user elsewhere. */
  read: [read: { userId: Id; seq: number }, conversation: Conversation];
  /** Somebody else began or ceased to write. */
  typing: [typing: { userId: Id; isTyping: boolean }, conversation: Conversation];
  presence: [presence: { userId: Id; isOnline: boolean }];
  /** A fresh token, to be kept by who keeps tokens; null after `logout()` or when it is no good any more. */
  token: [token: string | null];
  /**
   * Events may have been missed (a reconnect, a fault of the server). Followed
   * chats repair themselves; fetch again what else is shown: `chats()`.
   */
  resync: [];
}

export class Emitter<E> {
  /** Returns a function that ends it. */
  on<K extends keyof E>(event: K, listener: (...args: E[K] extends unknown[] ? E[K] : never) => void): () => void;
  once<K extends keyof E>(event: K, listener: (...args: E[K] extends unknown[] ? E[K] : never) => void): () => void;
  off<K extends keyof E>(event: K, listener: (...args: E[K] extends unknown[] ? E[K] : never) => void): void;
}

export interface Options {
  /** Where the API is, absolute or relative to the page. Default `/api`. */
  url?: string;

  /** One of these two, or `login()` and `register()` later on. */
  token?: string;
  /**
   * Called when a token is needed: first, when it is about to end or has
   * (`expired`), and when the server refuses it (`refused`). Without a token
   * from it, or with the refused one again, the connection ends; after an error
   * it is asked again in a while (unless that is a `CSChatError` with status 401 or 403).
   */
  getToken?: (why: 'first' | 'expired' | 'refused') => string | Promise<string>;

  /**
   * Where the outbox is kept. Default: `localStorage` where there is one, else
   * memory (`null` says memory too). All instances of one user on the
   * same storage share their outbox.
   */
  storage?: StorageLike | null;
  /** Begins the keys in the storage. Default `cs-chat`. */
  prefix?: string;
  /**
   * How the WebSocket shows who it is: by a ticket fetched before (default;
   * says exactly why a connection is refused), or by the token as a sub-protocol
   * (a round trip less).
   */
  transport?: 'ticket' | 'bearer';
  /** Node before 22: the class of the package `ws`. */
  WebSocket?: unknown;
  fetch?: typeof fetch;
  /** Milliseconds. */
  times?: Partial<Times>;
}

export interface Times {
  /** No answer of any kind for so long: the connection is dead. Default 10,000. */
  answer: number;
  /** Silence after which the server is asked for a sign of life; its `pingInterval` if that is shorter. Default 30,000. */
  ping: number;
  /** The first wait before an attempt; it doubles. Default 500. */
  backoffMin: number;
  /** Default 30,000. */
  backoffMax: number;
  /**
   * How long a message in the storage belongs to a page that gives no sign of life. Default 75,000. Outbox and token are
   * looked after each quarter of it.
   */
  lease: number;
}

/** The part of Web Storage that is used. */
export interface StorageLike {
  readonly length: number;
  key(index: number): string | null;
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

export interface ChatFilter {
  status?: ChatStatus;
  /** 1 to 200, default 50. */
  limit?: number;
  offset?: number;
  /** Whatever else the server takes. */
  [parameter: string]: string | number | boolean | undefined;
}

export interface Registration {
  username: string;
  email: string;
  password: string;
  name: string;
  /** Other than `customer`: for super-agents, with `AgentChat.createUser()`. */
  role?: Role;
}

export class CSChat extends Emitter<Events> {
  constructor(options?: Options);

  readonly status: Status;
  /** From the token; null without one. */
  readonly userId: Id | null;
  readonly role: Role | null;
  readonly token: string | null;
  /** Every chat that was seen, by id, until it is `gone`. */
  readonly conversations: ReadonlyMap<Id, Conversation>;
  /** The sum over `conversations` that are not archived. */
  readonly unread: number;
  /**
   * Any request to the REST API: the method, the path below the API's, the query of a `GET` or the body of others.
   * `token`: another than the client's, or null for none. What is in `data` of the answer.
   */
  request<T = any>(method: string, path: string, data?: object, token?: string | null): Promise<T>;

  /** Resolves when online for the first time; from then on the connection is kept. Rejects only if it `ended`. */
  connect(): Promise<void>;
  /** Ends the connection; what is not sent stays in the storage. `connect()` begins anew. */
  disconnect(): void;

  /** Takes the user's token; `connect()` comes next. Who was logged in before is forgotten. */
  login(username: string, password: string): Promise<User>;
  register(fields: Registration): Promise<User>;
  /** Revokes the token everywhere, forgets it and what was not sent, and disconnects. */
  logout(): Promise<void>;
  /** The user. */
  me(): Promise<User>;
  /** Whether a user is online, as far as is known. */
  isOnline(userId: Id): boolean | undefined;

  /** A page of chats, newest activity first. */
  chats(filter?: ChatFilter): Promise<Conversation[]>;
  /** Opens a chat; a customer needs no fields. */
  createChat(fields?: { customerId?: Id; agentId?: Id | null }): Promise<Conversation>;
  /** The same object for the same id; nothing is fetched: see `follow()` and `refresh()`. */
  conversation(id: Id): Conversation;
}

export interface ConversationEvents extends Pick<
  Events, 'message' | 'outgoing' | 'chat' | 'unread' | 'read' | 'typing'> {}

/** A chat. Its events come from the `CSChat` too. */
export class Conversation extends Emitter<ConversationEvents> {
  readonly id: Id;
  /**
   * As the server told it last, null until then. Events keep up who has the chat and its status; for messages and what is
   * unread see `lastMessage`, `lastSeq` and `unread`.
   */
  readonly info: ChatInfo | null;
  /** The newest messages, without a gap, oldest first; filled by `follow()` and `loadEarlier()`. */
  readonly messages: readonly Message[];
  /** One's own messages of this page that are not in `messages` yet, oldest first: show them below. */
  readonly pending: readonly Outgoing[];
  readonly lastMessage: Message | null;
  readonly lastSeq: number;
  /** Up to where this user has read, here or elsewhere. */
  readonly readSeq: number;
  readonly unread: number;
  /** Up to where others are known to have read: user id → `seq`. `follow()` and `refresh()` ask for it. */
  readonly reads: ReadonlyMap<Id, number>;
  /** Who else writes at the moment. */
  readonly typing: ReadonlySet<Id>;
  readonly following: boolean;
  /** Whether there are messages before the first of `messages`. */
  readonly hasEarlier: boolean;

  /**
   * Loads the newest messages and keeps them up, through every break of the
   * connection, until `unfollow()`. Waits as long as the server can't be reached; rejects
   * where the chat can't be seen.
   */
  follow(): Promise<this>;
  unfollow(): void;

  /**
   * Puts a message into the outbox and resolves when it is stored for good; rejects when it is refused
   * (it is then in `pending` as `failed`). Need not be awaited. Messages of a chat are sent one after the other.
   */
  send(content: string, options?: { type?: MessageType }): Promise<Receipt>;
  /** Once more what was refused. */
  retry(clientId: string): void;
  /** Gives up what was refused or is not sent yet. */
  discard(clientId: string): void;

  /** At every keystroke; what is too much is not sent. Ends by itself 6 s after the last one. */
  sendTyping(isTyping?: boolean): void;
  /** Read up to `seq`, by default all. */
  markRead(seq?: number): void;

  /** Older messages, put before `messages`; returns them, oldest first. Waits as long as the server can't be reached. */
  loadEarlier(limit?: number): Promise<Message[]>;
  /** Backwards from the newest, or from before a `seq` or time; leaves `messages` as they are. */
  history(options?: { before?: number | string; limit?: number }): AsyncIterableIterator<Message>;

  /** Fetches `info` anew. */
  refresh(): Promise<this>;
}
