// The client for those who answer, their consoles and administration: cs-chat.js,
// and what can be done with chats and users.

import { Api } from './api.js';
import { ask, gone, renew, request } from './conversation.js';
import { Conversation, CSChat } from './cs-chat.js';

export * from './cs-chat.js';
export { Api };

export class AgentConversation extends Conversation {
  take() {
    return this.assign(this._client.userId);
  }
  assign(agentId) {
    return this._put('/assign', { agentId });
  }
  close() {
    return this._put('/status', { status: 'closed' });
  }
  reopen() {
    return this._put('/status', { status: 'active' });
  }
  archive() {
    return this._put('/archive');
  }
  unarchive() {
    return this._put('/unarchive');
  }
  async delete() {
    await request(this, 'DELETE', '');
    gone(this);
  }

  async _put(path, data) {
    await ask(this, null, request(this, 'PUT', path, data));
    return this;
  }

  // An agent sees no more of a chat that is another one's.
  _assigned(change) {
    const { role, userId } = this._client;

    if (role === 'agent' && change.agentId && change.agentId !== userId) gone(this);
    else super._assigned(change);
  }
}

export class AgentChat extends CSChat {
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
      if (info && info.status !== 'archived' && !seen.has(conversation)) renew(conversation, 'info');
    }
  }
}
