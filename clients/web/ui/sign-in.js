// Signing in, and making an account.

import { h } from './dom.js';

export class SignIn {
  /**
   * `chat` is signed in when `onDone(user)` is called. `register`: whether one
   * may make an account here.
   */
  constructor({ chat, texts }, { title, heading = 'h2', register = false, note = '' }, onDone) {
    this.chat = chat;
    this.texts = texts;
    this.onDone = onDone;
    this.title = h(heading, { class: 'sign-in-title' }, title);
    this.mayRegister = register;
    this.registering = false;
    this.note = note;
    this.element = h('div', { class: 'sign-in' });
    this.show();
  }

  show() {
    const { texts, registering } = this;
    const fields = [
      registering && this.field('name', texts.name, { autocomplete: 'name', maxLength: 100 }),
      registering && this.field('email', texts.email, { type: 'email', autocomplete: 'email', maxLength: 100 }),
      this.field('username', texts.userName, { autocomplete: 'username', autocapitalize: 'none', spellcheck: false, maxLength: 50 }),
      this.field('password', texts.password, {
        type: 'password',
        autocomplete: registering ? 'new-password' : 'current-password',
        maxLength: 128,
      }),
    ];

    this.error = h('p', { class: 'form-error', role: 'alert', hidden: !this.note }, this.note);
    this.submit = h('button', { type: 'submit', class: 'primary' }, registering ? texts.register : texts.signIn);
    this.element.replaceChildren(
      this.title,
      h('form', { class: 'form', noValidate: true, onsubmit: (event) => this.submitted(event) }, fields, this.error, this.submit),
      this.mayRegister
        ? h('button', { type: 'button', class: 'link', onclick: () => this.toggle() }, registering ? texts.haveAccount : texts.noAccount)
        : '',
    );
  }

  field(name, label, properties) {
    const input = h('input', { name, required: true, dir: 'auto', ...properties });

    return h('label', { class: 'field' }, h('span', null, label), input);
  }

  toggle() {
    this.registering = !this.registering;
    this.note = '';
    this.show();
    this.focus();
  }

  focus() {
    this.element.querySelector('input')?.focus();
  }

  async submitted(event) {
    const form = event.target;
    const fields = Object.fromEntries(new FormData(form));
    const empty = [...form.elements].find((input) => input.required && input.value === '');

    event.preventDefault();
    if (empty) {
      this.fail(this.texts.required, empty);
      return;
    }
    this.submit.disabled = true;
    try {
      this.onDone(await (this.registering ? this.chat.register(fields) : this.chat.login(fields.username, fields.password)));
    } catch (error) {
      this.fail(error.code === 'NETWORK' ? this.texts.unreachable : error.message, form.elements[error.field]);
    }
    this.submit.disabled = false;
  }

  fail(message, input) {
    this.error.hidden = false;
    this.error.textContent = message;
    for (const other of this.element.querySelectorAll('input')) {
      other.setAttribute('aria-invalid', String(other === input));
    }
    (input ?? this.element.querySelector('input')).focus();
  }
}
