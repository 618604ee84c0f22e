// The button in the corner of a page, and the panel that it opens. All of it
// lives in a shadow root: the page's styles end there, and so do ours.

import { CSChat } from '../client/cs-chat.js';
import { h, icon, styleSheet } from '../ui/dom.js';
import { Clock } from '../ui/time.js';
import { Session } from '../ui/session.js';
import { loadTexts } from '../ui/texts.js';
import { Panel } from './panel.js';
import { readSettings } from './settings.js';

const SHEETS = ['ui/theme.css', 'ui/conversation.css', 'widget/widget.css'];

export class Widget {
  /** Puts the widget at the end of the page; `given` as readSettings() takes it. */
  static async mount(given) {
    const settings = readSettings(given);
    const words = await loadTexts(settings.language, settings.texts);
    const widget = new Widget(settings, words);
    const sheets = SHEETS.map((name) => styleSheet(new URL(name, settings.base).href));

    widget.root.prepend(...sheets.map(({ link }) => link));
    document.body.append(widget.host);
    await Promise.all(sheets.map(({ loaded }) => loaded));
    widget.frame.hidden = false;
    await widget.start();
    return widget;
  }

  constructor(settings, { language, direction, texts }) {
    this.settings = settings;
    this.texts = texts;
    this.clock = new Clock(language);
    this.session = new Session(settings.storage);
    this.startChat();

    this.badge = h('span', { class: 'badge', hidden: true });
    this.launcher = h(
      'button',
      { type: 'button', class: 'launcher', 'aria-haspopup': 'dialog', 'aria-expanded': 'false', onclick: () => this.toggle() },
      icon('chat'),
      this.badge,
    );
    this.panel = new Panel(this);
    this.frame = h(
      'div',
      {
        class: `frame ${settings.side}`,
        dir: direction,
        lang: language,
        hidden: true,
        onkeydown: (event) => this.key(event),
      },
      this.panel.element,
      this.launcher,
    );
    this.host = h('cs-chat-widget', { class: settings.theme === 'auto' ? '' : `theme-${settings.theme}` });
    this.paint();
    this.root = this.host.attachShadow({ mode: 'open' });
    this.root.append(this.frame);

    this.session.onChange((token) => this.signedInElsewhere(token));
    this.showUnread();
  }

  // The connection of one user, by the page's tokens or the one that is kept.
  startChat() {
    const { api, storage, getToken } = this.settings;

    this.chat = new CSChat({ url: api, prefix: storage, ...(getToken ? { getToken } : { token: this.session.token }) });
    this.chat.on('unread', () => this.showUnread());
    this.chat.on('chat', () => this.showUnread());
    this.chat.on('token', (token) => getToken || (this.session.token = token));
    this.chat.on('status', (status, { reason } = {}) => status === 'ended' && this.ended(reason));
  }

  get signedIn() {
    return Boolean(this.settings.getToken || this.session.token);
  }

  ended(reason) {
    if (reason === 'auth' || reason === 'logout') {
      this.session.token = undefined; // before the library says so
    }
    if (reason === 'auth') {
      this.panel.show(this.texts.signedOutByServer);
    } else if (reason === 'logout') {
      this.panel.show();
    }
  }

  paint() {
    const { accent, onAccent } = this.settings;

    if (accent) {
      this.host.style.setProperty('--cs-accent', accent);
    }
    if (onAccent) {
      this.host.style.setProperty('--cs-on-accent', onAccent);
    }
  }

  async start() {
    this.panel.connect();
    if (this.settings.open) {
      this.open();
    }
  }

  get isOpen() {
    return !this.panel.element.hidden;
  }

  key(event) {
    if (event.key === 'Escape' && this.isOpen) {
      this.close();
    }
  }

  toggle() {
    if (this.isOpen) {
      this.close();
    } else {
      this.open();
    }
  }

  open() {
    this.panel.open();
    this.showState();
  }

  close() {
    this.panel.close();
    this.showState();
    this.launcher.focus();
  }

  async signOut() {
    await this.chat.logout();
  }

  // Another tab of this browser has signed in, or out.
  signedInElsewhere(token) {
    if (this.settings.getToken || token === (this.chat.token ?? undefined)) {
      return;
    }
    this.chat.disconnect();
    this.startChat();
    this.panel.connect();
    this.panel.show();
  }

  showState() {
    this.launcher.setAttribute('aria-expanded', String(this.isOpen));
    this.frame.classList.toggle('open', this.isOpen);
    this.showUnread();
  }

  showUnread() {
    const { texts } = this;
    const n = this.chat.unread;
    const label = this.isOpen ? texts.widgetClose : texts.widgetOpen;

    this.badge.hidden = n === 0 || this.isOpen;
    this.badge.textContent = n > 99 ? '99+' : String(n);
    this.launcher.ariaLabel = n > 0 && !this.isOpen ? `${label}, ${texts.widgetUnread(n)}` : label;
  }
}
