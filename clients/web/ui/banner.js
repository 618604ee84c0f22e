// Says what is wrong with the connection, and when the next attempt comes.

import { h } from './dom.js';

const PATIENCE = 1500; // ms without a connection that nobody need know of

export class Banner {
  constructor(chat, texts) {
    this.chat = chat;
    this.texts = texts;
    this.text = h('span');
    this.count = h('span', { 'aria-hidden': 'true' }); // nobody wants to hear each second
    this.button = h('button', { type: 'button', onclick: () => chat.connect().catch(() => {}) });
    this.element = h('div', { class: 'banner', role: 'status', hidden: true }, this.text, this.count, this.button);
    this.end = chat.on('status', (status, detail) => this.show(status, detail));
  }

  destroy() {
    this.end();
    clearTimeout(this.timer);
    clearInterval(this.ticks);
    this.element.remove();
  }

  show(status, detail = {}) {
    clearInterval(this.ticks);
    if (status === 'online' || (status === 'ended' && detail.reason !== 'replaced')) {
      clearTimeout(this.timer);
      this.timer = null;
      this.element.hidden = true;
      return;
    }
    if (status === 'ended') {
      this.say(this.texts.replaced, this.texts.reconnect);
      this.element.hidden = false;
      return;
    }
    this.timer ??= setTimeout(() => (this.element.hidden = false), PATIENCE);
    if (status === 'waiting') {
      this.countDown(Date.now() + (detail.retryIn ?? 0));
    } else {
      this.say(this.texts.connecting);
    }
  }

  countDown(at) {
    const tick = () => {
      const seconds = Math.ceil((at - Date.now()) / 1000);

      this.count.textContent = seconds > 0 ? this.texts.seconds(seconds) : '';
    };

    this.say(this.texts.disconnected, this.texts.retryNow);
    tick();
    this.ticks = setInterval(tick, 1000);
  }

  say(text, action) {
    this.text.textContent = text;
    this.count.textContent = '';
    this.button.hidden = !action;
    this.button.textContent = action ?? '';
  }
}
