// What is asked in a window of its own.

import { h } from '../ui/dom.js';

// Shows a form and resolves to its fields, or to null if it is left. `submit`
// may throw: the dialog then stays, and says why.
function ask({ title, body, action, kind = 'primary', submit = () => {} }, { texts }) {
  return new Promise((resolve) => {
    const error = h('p', { class: 'form-error', role: 'alert', hidden: true });
    const button = h('button', { type: 'submit', class: kind }, action);
    let result = null;
    const dialog = h(
      'dialog',
      {
        'aria-labelledby': 'dialog-title',
        onclose: () => {
          dialog.remove();
          resolve(result);
        },
      },
      h(
        'form',
        {
          class: 'form',
          onsubmit: async (event) => {
            const fields = Object.fromEntries(new FormData(event.target));

            event.preventDefault();
            button.disabled = true;
            try {
              await submit(fields);
              result = fields;
              dialog.close();
            } catch (fault) {
              error.hidden = false;
              error.textContent = fault.message;
              event.target.elements[fault.field]?.focus();
            }
            button.disabled = false;
          },
        },
        h('h2', { id: 'dialog-title' }, title),
        body,
        error,
        h(
          'div',
          { class: 'dialog-buttons' },
          h('button', { type: 'button', class: 'secondary', onclick: () => dialog.close() }, action === texts.close ? texts.back : texts.cancel),
          button,
        ),
      ),
    );

    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Whether the question is answered with yes. */
export async function confirm(question, action, context) {
  return (await ask({ title: action, body: h('p', { dir: 'auto' }, question), action, kind: 'danger' }, context)) !== null;
}

/** To whom a chat is to go: asks, and does it. */
export async function assign(conversation, context) {
  const { texts, chat } = context;
  const staff = (await Promise.all(['agent', 'super-agent'].map((role) => chat.users({ role, limit: 200 })))).flat();
  const others = staff.filter(({ id }) => id !== conversation.info.agentId);
  const label = (user) => `${user.name} (${user.isOnline ? texts.online : texts.offline})`;

  others.sort((one, other) => other.isOnline - one.isOnline || one.name.localeCompare(other.name));
  const body = h(
    'label',
    { class: 'field' },
    h('span', null, texts.assignTo),
    h('select', { name: 'agentId', class: 'text-input', required: true }, others.map((user) => h('option', { value: user.id }, label(user)))),
  );

  return (
    (await ask(
      { title: texts.assign, body, action: texts.assign, submit: ({ agentId }) => conversation.assign(agentId) },
      context,
    )) !== null
  );
}

/** A super-agent makes an account for another agent. */
export async function newAgent(context) {
  const { texts, chat } = context;
  const field = (name, label, properties) =>
    h('label', { class: 'field' }, h('span', null, label), h('input', { name, required: true, dir: 'auto', autocomplete: 'off', ...properties }));
  const body = [
    field('name', texts.personName, { maxLength: 100 }),
    field('email', texts.email, { type: 'email', maxLength: 100 }),
    field('username', texts.userName, { minLength: 3, maxLength: 50, pattern: '[A-Za-z0-9_]+', autocapitalize: 'none', spellcheck: false }),
    field('password', texts.password, { type: 'password', minLength: 8, maxLength: 128, autocomplete: 'new-password' }),
    h(
      'label',
      { class: 'field' },
      h('span', null, texts.role),
      h('select', { name: 'role', class: 'text-input' }, h('option', { value: 'agent' }, texts.agent), h('option', { value: 'super-agent' }, texts.superAgent)),
    ),
  ];
  const fields = await ask({ title: texts.newAgent, body, action: texts.newAgent, submit: (form) => chat.createUser(form) }, context);

  if (fields) {
    context.app.say(texts.agentCreated(fields.username));
  }
}

/** The keys. */
export async function shortcuts(context) {
  const { texts } = context;
  const keys = [
    ['Ctrl K', texts.search],
    ['Alt ↓', texts.nextChat],
    ['Alt ↑', texts.previousChat],
    ['Alt T', texts.take],
    ['Alt C', `${texts.closeChat} / ${texts.reopen}`],
    ['Alt A', `${texts.archive} / ${texts.unarchive}`],
    ['Alt I', texts.details],
    ['Esc', texts.chats],
  ];
  const body = h('dl', { class: 'keys' }, keys.map(([key, text]) => [h('dt', null, h('kbd', null, key)), h('dd', null, text)]));

  await ask({ title: texts.shortcuts, body, action: texts.close }, context);
}
