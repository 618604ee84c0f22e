// Types of cs-chat-agent.js: those of cs-chat.js, and what can be done with chats and users.

import {
  ChatFilter, ChatInfo, ChatStatus, Conversation, CSChat, Id, Message, MessageType, Options, Registration, Role, User,
} from './cs-chat.js';

export * from './cs-chat.js';

export interface UserFilter {
  role?: Role;
  online?: boolean;
  limit?: number;
  offset?: number;
  [parameter: string]: string | number | boolean | undefined;
}

export interface AgentOptions extends Options {
  /** A user's, for programs: in place of `token` and `getToken`. */
  credentials?: { username: string; password: string };
}

/** Whose conversations can be taken, handed over, closed and deleted. For agents; other roles may use it too. */
export class AgentChat extends CSChat {
  constructor(options?: AgentOptions);

  readonly conversations: ReadonlyMap<Id, AgentConversation>;
  /** The REST calls, one method each. */
  readonly api: Api;

  users(filter?: UserFilter): Promise<User[]>;
  availableAgents(): Promise<User[]>;
  availableCustomers(): Promise<User[]>;
  /** `false` hides the user, who stays connected. */
  setOnline(isOnline: boolean): Promise<User>;
  /** Another account, by a super-agent; stays logged in as oneself. */
  createUser(fields: Registration): Promise<User>;

  chats(filter?: ChatFilter): Promise<AgentConversation[]>;
  /**
   * All of them, page by page; each once. Without a filter, and to its end, it also finds what is gone
   * or archived by now: the event `chat` tells.
   */
  allChats(filter?: ChatFilter): AsyncIterableIterator<AgentConversation>;
  createChat(fields?: { customerId?: Id; agentId?: Id | null }): Promise<AgentConversation>;
  conversation(id: Id): AgentConversation;
}

/** To an agent a chat is `gone` when another one has got it. */
export class AgentConversation extends Conversation {
  /** For oneself. 409 `CHAT_ASSIGNED` or 404 where another was quicker. */
  take(): Promise<this>;
  /** To an agent; null returns it to the queue. */
  assign(agentId: Id | null): Promise<this>;
  close(): Promise<this>;
  reopen(): Promise<this>;
  archive(): Promise<this>;
  unarchive(): Promise<this>;
  delete(): Promise<void>;
}

/** The REST API, a method for each request. Usable alone. */
export class Api {
  constructor(options?: { url?: string; fetch?: typeof fetch; getToken?: (refused?: string) => string | null | Promise<string | null> });
  login(username: string, password: string): Promise<{ token: string; user: User }>;
  register(fields: Registration): Promise<{ token: string; user: User }>;
  createUser(fields: Registration): Promise<{ token: string; user: User }>;
  logout(token?: string): Promise<void>;
  refresh(token?: string): Promise<{ token: string; user: User }>;
  ticket(): Promise<{ ticket: string; expiresIn: number }>;
  me(): Promise<User>;
  users(filter?: UserFilter): Promise<User[]>;
  setOnline(isOnline: boolean): Promise<User>;
  availableAgents(): Promise<User[]>;
  availableCustomers(): Promise<User[]>;
  chats(filter?: ChatFilter): Promise<ChatInfo[]>;
  chat(id: Id): Promise<ChatInfo & { messages: Message[] }>;
  createChat(fields?: { customerId?: Id; agentId?: Id | null }): Promise<ChatInfo>;
  setStatus(id: Id, status: ChatStatus): Promise<ChatInfo>;
  assign(id: Id, agentId: Id | null): Promise<ChatInfo>;
  archive(id: Id): Promise<ChatInfo>;
  unarchive(id: Id): Promise<ChatInfo>;
  deleteChat(id: Id): Promise<void>;
  messages(id: Id, page?: { limit?: number; offset?: number; before?: number | string; after?: number }): Promise<Message[]>;
  postMessage(id: Id, message: { content: string; type?: MessageType; clientId?: string }): Promise<Message>;
}
