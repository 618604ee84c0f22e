// A conversation that is not there yet: it begins with its first message.

import { Composer } from '../ui/composer.js';
import { h } from '../ui/dom.js';

export class NewConversation {
  constructor({ chat, texts }, onBegun) {
    this.chat = chat;
    this.onBegun = onBegun;
    this.error = h('p', { class: 'form-error', role: 'alert', hidden: true });
    this.composer = new Composer(texts, (text) => this.begin(text), () => {});
    this.element = h(
      'section',
      { class: 'conversation' },
      h('div', { class: 'greeting' }, h('p', { class: 'message-bubble', dir: 'auto' }, texts.greeting), this.error),
      this.composer.element,
    );
  }

  focus() {
    this.composer.focus();
  }

  async begin(text) {
    this.composer.forbid('');
    try {
      const conversation = await this.chat.createChat();

      conversation.send(text).catch(() => {}); // what is refused is shown as failed
      this.onBegun(conversation);
    } catch (error) {
      this.composer.forbid(null);
      this.composer.text = text;
      this.composer.focus();
      this.error.hidden = false;
      this.error.textContent = error.message;
    }
  }
}
