// The panel: signing in, the conversation, the list of one's conversations.

import { latestFirst } from '../ui/activity.js';
import { Banner } from '../ui/banner.js';
import { ConversationView } from '../ui/conversation.js';
import { h, iconButton } from '../ui/dom.js';
import { avatar } from '../ui/people.js';
import { SignIn } from '../ui/sign-in.js';
import { ChatList } from './chat-list.js';
import { NewConversation } from './new-conversation.js';

export class Panel {
  constructor(widget) {
    const { texts } = widget;

    this.widget = widget;
    this.ends = []; // what is heard of the connection
    this.turn = 0; // what waited in an earlier turn shows nothing any more
    this.who = h('div', { class: 'who' });
    this.listButton = iconButton('back', texts.conversations, { onclick: () => this.toList() });
    this.signOutButton = iconButton('out', texts.signOut, { onclick: () => widget.signOut() });
    this.bannerPlace = h('div');
    this.body = h('div', { class: 'body' });
    this.element = h(
      'div',
      { class: 'panel', role: 'dialog', ariaLabel: texts.widgetTitle, hidden: true },
      h(
        'header',
        { class: 'head' },
        this.listButton,
        this.who,
        this.signOutButton,
        iconButton('close', texts.widgetClose, { onclick: () => widget.close() }),
      ),
      this.bannerPlace,
      this.body,
    );
  }

  get chat() {
    return this.widget.chat;
  }

  // ---- open, closed, connected ------------------------------------------------

  open() {
    this.element.hidden = false;
    this.show();
  }

  close() {
    this.leave();
    this.element.hidden = true;
  }

  /** Keeps a connection for who is signed in, so that the badge is right while the panel is closed. */
  connect() {
    this.ends.forEach((end) => end());
    this.ends = [];
    this.banner?.destroy();
    this.banner = null;
    if (!this.widget.signedIn) {
      return;
    }
    this.banner = new Banner(this.chat, this.widget.texts);
    this.bannerPlace.replaceChildren(this.banner.element);
    this.loaded = this.load();
    this.chat.connect().catch(() => {}); // the banner, or signing in, tells
    this.ends = [
      this.chat.on('resync', () => (this.loaded = this.load())),
      this.chat.on('presence', () => this.showWho()),
      this.chat.on('message', () => this.showWho()),
      this.chat.on('chat', (_, change) => this.chatChanged(change)),
    ];
  }

  // What there is; until the first answer has come the panel says that it waits.
  async load() {
    for (;;) {
      try {
        return await this.chat.chats({ limit: 50 });
      } catch (error) {
        if (!error.temporary || !this.widget.signedIn) {
          return [];
        }
        await new Promise((resolve) => setTimeout(resolve, 1000 * (error.retryAfter ?? 2)));
      }
    }
  }

  // ---- which view ---------------------------------------------------------------

  /** What belongs there now; `note` goes above signing in. */
  async show(note) {
    if (this.element.hidden) {
      return;
    }
    this.leave();
    if (!this.widget.signedIn) {
      this.toSignIn(note);
      return;
    }
    this.put(h('p', { class: 'hint', role: 'status' }, this.widget.texts.loading));
    const { turn } = this;

    await this.loaded;
    if (turn === this.turn) {
      this.toNewest();
    }
  }

  // The latest conversation, or the greeting where there is none.
  toNewest() {
    const [newest] = this.conversations();

    if (newest) {
      this.toConversation(newest);
    } else {
      this.toNew();
    }
  }

  conversations() {
    return latestFirst([...this.chat.conversations.values()].filter(({ info }) => info && info.status !== 'archived'));
  }

  toSignIn(note) {
    const { texts, settings } = this.widget;
    const view = new SignIn({ chat: this.chat, texts }, { title: texts.widgetTitle, register: settings.register, note }, () => {
      this.connect();
      this.show();
    });

    this.put(view.element);
    view.focus();
  }

  toConversation(conversation) {
    this.leave();
    this.view = new ConversationView(conversation, this.widget);
    this.conversation = conversation;
    this.put(this.view.element);
    this.view.list.toEnd();
    this.view.composer.focus();
  }

  toNew() {
    this.leave();
    this.view = new NewConversation(this.widget, (conversation) => this.toConversation(conversation));
    this.put(this.view.element);
    this.view.focus();
  }

  toList() {
    this.leave();
    this.view = new ChatList(this, this.widget);
    this.put(this.view.element);
    this.view.focus();
  }

  leave() {
    this.turn++;
    this.view?.destroy?.();
    this.view = null;
    this.conversation = null;
  }

  put(element) {
    this.body.replaceChildren(element);
    this.showWho();
  }

  chatChanged(change) {
    if (change === 'gone' && this.conversation && !this.chat.conversations.has(this.conversation.id)) {
      this.show();
      return;
    }
    this.showWho();
  }

  // ---- the head -------------------------------------------------------------------

  showWho() {
    const { texts, signedIn, settings } = this.widget;
    const agent = this.conversation?.info?.agent;
    const online = agent && (this.chat.isOnline(agent.id) ?? agent.isOnline);

    this.listButton.hidden = !signedIn || !this.conversation;
    this.signOutButton.hidden = !signedIn || Boolean(settings.getToken);
    this.who.replaceChildren(
      ...(agent ? [avatar(agent, online)] : []),
      h(
        'div',
        { class: 'who-text' },
        h('h2', { class: 'who-name' }, agent ? agent.name : texts.widgetTitle),
        agent ? h('p', { class: 'who-state' }, online ? texts.online : texts.offline) : '',
        !agent && this.conversation?.lastSeq > 0 ? h('p', { class: 'who-state' }, texts.waiting) : '',
      ),
    );
  }
}
