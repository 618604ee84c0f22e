// Every chat that the agent sees, kept up by events: filtered, searched, the
// newest first. One look at all of them takes place a frame at most, however
// many events come.

import { latestFirst } from '../ui/activity.js';

export class ChatStore {
  filter = { whose: 'all', status: 'active', search: '' };
  shown = [];
  counts = { mine: 0, queue: 0 };
  loading = false;
  archiveLoaded = false;

  constructor(chat) {
    this.chat = chat;
    this.listeners = new Set();
    this.ends = [
      ...['chat', 'message', 'unread', 'presence'].map((event) => chat.on(event, () => this.changed())),
      chat.on('status', (status) => status === 'online' && !this.loaded && this.load()),
      chat.on('resync', () => this.load()),
    ];
  }

  destroy() {
    this.ends.forEach((end) => end());
    this.listeners.clear();
    cancelAnimationFrame(this.frame);
  }

  /** Calls back after each change. */
  onChange(listener) {
    this.listeners.add(listener);
  }

  // All of them, page by page; the first is there at once.
  async load() {
    const load = (this.current = {});

    this.loaded = true;
    this.loading = true;
    this.changed();
    try {
      await this.walk(load, {});
      if (this.archiveLoaded) {
        await this.walk(load, { status: 'archived' });
      }
    } catch {
      this.loaded = load !== this.current; // once more when the connection is back
    }
    if (load === this.current) {
      this.loading = false;
      this.changed();
    }
  }

  async walk(load, filter) {
    for await (const _ of this.chat.allChats(filter)) {
      if (load !== this.current) {
        return;
      }
      this.changed();
    }
  }

  setFilter(filter) {
    this.filter = { ...this.filter, ...filter };
    if (this.filter.status === 'archived' && !this.archiveLoaded) {
      this.archiveLoaded = true;
      this.load();
    }
    this.look();
  }

  changed() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = undefined;
      this.look();
    });
  }

  look() {
    const known = [...this.chat.conversations.values()].filter(({ info }) => info);
    const matching = this.matcher();

    this.counts.mine = known.filter((one) => this.isMine(one) && one.unread > 0 && one.info.status !== 'archived').length;
    this.counts.queue = known.filter(({ info }) => !info.agentId && info.status === 'active').length;
    this.shown = latestFirst(known.filter(matching));
    for (const listener of this.listeners) {
      listener();
    }
  }

  isMine({ info }) {
    return info.agentId === this.chat.userId;
  }

  matcher() {
    const { whose, status } = this.filter;
    const words = this.filter.search.toLowerCase().split(/\s+/u).filter(Boolean);

    return (conversation) => {
      const { info, lastMessage } = conversation;

      if (info.status !== status || (whose === 'mine' && !this.isMine(conversation)) || (whose === 'queue' && info.agentId)) {
        return false;
      }
      if (words.length === 0) {
        return true;
      }
      const text = `${info.customer.name} ${info.customer.username} ${info.agent?.name ?? ''} ${lastMessage?.content ?? ''}`.toLowerCase();

      return words.every((word) => text.includes(word));
    };
  }
}
