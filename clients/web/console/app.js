// What an agent sees: the list, the chat that is open, its details.

import { Banner } from '../ui/banner.js';
import { h, icon, iconButton } from '../ui/dom.js';
import { avatar } from '../ui/people.js';
import { ChatPane } from './chat-pane.js';
import { ChatStore } from './chat-store.js';
import { newAgent, shortcuts } from './dialogs.js';
import { ListPane } from './list-pane.js';
import { Notifier } from './notifier.js';

export class App {
  constructor(context) {
    const { texts, chat } = context;

    this.context = { ...context, app: this };
    this.chat = chat;
    this.texts = texts;
    this.store = new ChatStore(chat);
    this.notifier = new Notifier(this.context, (conversation) => this.open(conversation));
    this.list = new ListPane(this.context, this.store, (conversation) => this.open(conversation));
    this.banner = new Banner(chat, texts);
    this.place = h('main', { class: 'place' });
    this.head = h('header', { class: 'bar' });
    this.toast = h('p', { class: 'toast', role: 'status' });
    this.element = h(
      'div',
      { class: 'app' },
      this.head,
      this.banner.element,
      h('div', { class: 'panes' }, this.list.element, this.place),
      this.toast,
    );

    this.keys = (event) => this.key(event);
    document.addEventListener('keydown', this.keys);
    this.end = chat.on('chat', (conversation, change) => change === 'gone' && this.gone(conversation));
    this.showHead();
    this.showPane();
    this.start();
  }

  destroy() {
    document.removeEventListener('keydown', this.keys);
    this.end();
    this.pane?.destroy();
    this.list.destroy();
    this.store.destroy();
    this.notifier.destroy();
    this.banner.destroy();
  }

  async start() {
    try {
      await this.chat.connect();
      // a new connection is seen, though it may take a moment until the answer says so
      this.user = { ...(await this.chat.me()), isOnline: true };
      this.showHead();
    } catch {
      // signing in, or the banner, tells
    }
  }

  /** A sentence that goes by itself. */
  say(text) {
    this.toast.textContent = text;
    clearTimeout(this.toastTimer);
    this.toastTimer = setTimeout(() => (this.toast.textContent = ''), 5000);
  }

  // ---- the bar --------------------------------------------------------------------

  showHead() {
    const { texts, chat, user, notifier } = this;
    const label = notifier.on ? texts.notificationsOn : texts.notificationsOff;

    this.head.replaceChildren(
      h('h1', { class: 'bar-title' }, icon('chat'), texts.consoleTitle),
      chat.role === 'super-agent'
        ? h('button', { type: 'button', class: 'secondary', onclick: () => newAgent(this.context) }, texts.newAgent)
        : '',
      iconButton('info', texts.shortcuts, { onclick: () => shortcuts(this.context) }),
      iconButton('bell', label, {
        'aria-pressed': String(notifier.on),
        onclick: async () => {
          await notifier.toggle();
          this.showHead();
        },
      }),
      user ? this.presenceButton(user) : '',
      iconButton('out', texts.signOut, { onclick: () => chat.logout().catch(() => {}) }),
    );
  }

  presenceButton(user) {
    const { texts } = this;

    return h(
      'button',
      {
        type: 'button',
        class: 'me',
        title: user.isOnline ? texts.invisible : texts.visible,
        onclick: async () => {
          this.user = await this.chat.setOnline(!user.isOnline).catch(() => user);
          this.showHead();
        },
      },
      avatar(user, user.isOnline),
      h('span', { class: 'me-text' }, h('span', null, user.name), h('small', null, user.isOnline ? texts.online : texts.offline)),
    );
  }

  // ---- the chat that is open --------------------------------------------------------

  open(conversation) {
    if (this.pane?.conversation === conversation) {
      this.pane.focus();
      return;
    }
    this.showPane(conversation);
    this.pane.focus();
  }

  /** Back to the list. */
  leave() {
    this.showPane();
    this.list.focus();
  }

  showPane(conversation, note = this.texts.nothingOpen) {
    this.pane?.destroy();
    this.pane = conversation ? new ChatPane(this.context, conversation) : null;
    this.place.replaceChildren(this.pane ? this.pane.element : h('p', { class: 'hint' }, note));
    this.element.classList.toggle('has-chat', Boolean(conversation));
    this.list.select(conversation);
  }

  gone(conversation) {
    if (this.pane?.conversation === conversation) {
      this.showPane(null, this.texts.gone);
    }
  }

  // ---- keys -------------------------------------------------------------------------

  key(event) {
    if (document.querySelector('dialog[open]')) {
      return;
    }
    if (event.key === 'Escape' && this.pane) {
      this.leave();
    } else if ((event.ctrlKey || event.metaKey) && event.code === 'KeyK') {
      event.preventDefault();
      this.list.focusSearch();
    } else if (event.altKey && !event.ctrlKey && !event.metaKey && this.altKey(event.code)) {
      event.preventDefault();
    }
  }

  altKey(code) {
    const actions = {
      ArrowDown: () => this.list.step(1),
      ArrowUp: () => this.list.step(-1),
      KeyT: () => this.pane?.act('take'),
      KeyC: () => this.pane?.act(this.pane.conversation.info?.status === 'closed' ? 'reopen' : 'close'),
      KeyA: () => this.pane?.act(this.pane.conversation.info?.status === 'archived' ? 'unarchive' : 'archive'),
      KeyI: () => this.pane?.toggleDetails(),
    };

    actions[code]?.();
    return code in actions;
  }
}
