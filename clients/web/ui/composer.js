// Where a person writes: grows with the text, Enter sends, Shift+Enter breaks
// the line.

import { h, iconButton } from './dom.js';

const LONGEST = 10000; // characters, the server's limit
const TALLEST = 160; // pixels

export class Composer {
  /** `onSend(text)`; `onTyping(isTyping)` as the person writes. */
  constructor(texts, onSend, onTyping) {
    this.texts = texts;
    this.onSend = onSend;
    this.onTyping = onTyping;
    this.note = h('div', { class: 'composer-note', role: 'status' });
    this.field = h('textarea', {
      class: 'composer-field',
      rows: 1,
      dir: 'auto',
      placeholder: texts.write,
      ariaLabel: texts.write,
      autocomplete: 'off',
      oninput: () => this.changed(),
      onkeydown: (event) => this.key(event),
    });
    this.button = iconButton('send', texts.send, { type: 'submit', class: 'composer-send', disabled: true });
    this.element = h(
      'form',
      {
        class: 'composer',
        onsubmit: (event) => {
          event.preventDefault();
          this.submit();
        },
      },
      this.note,
      h('div', { class: 'composer-row' }, this.field, this.button),
    );
  }

  get text() {
    return this.field.value;
  }

  set text(text) {
    this.field.value = text;
    this.fit();
  }

  /** Nothing can be written, and why; null: it can. */
  forbid(reason) {
    this.field.disabled = reason !== null;
    this.say(reason ?? '');
    this.fit();
  }

  say(note) {
    this.hint = note;
    this.note.textContent = note;
  }

  focus() {
    this.field.focus();
  }

  key(event) {
    // Enter that ends the choice of a character in an input method is not ours
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      this.submit();
    }
  }

  changed() {
    this.onTyping(this.text.trim() !== '');
    this.fit();
  }

  fit() {
    const excess = [...this.text].length - LONGEST;

    this.note.textContent = excess > 0 ? this.texts.tooLong(excess) : (this.hint ?? '');
    this.button.disabled = this.field.disabled || this.text.trim() === '' || excess > 0;
    this.field.style.height = 'auto';
    this.field.style.height = `${Math.min(this.field.scrollHeight, TALLEST)}px`;
  }

  submit() {
    if (this.button.disabled) {
      return;
    }
    const { text } = this;

    this.text = '';
    this.onTyping(false);
    this.onSend(text.trim());
    this.focus();
  }
}
