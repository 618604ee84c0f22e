// A chat that is open: who it is with, what can be done, the conversation and,
// beside it, the details.

import { ConversationView } from '../ui/conversation.js';
import { h, iconButton } from '../ui/dom.js';
import { avatar } from '../ui/people.js';
import { labels, offered, perform } from './actions.js';
import { details } from './details.js';

const FIRST = ['take', 'close', 'reopen', 'unarchive']; // those that stand in the head

export class ChatPane {
  constructor(context, conversation) {
    this.context = context;
    this.conversation = conversation;
    this.head = h('header', { class: 'chat-head' });
    this.notice = h('p', { class: 'notice', role: 'alert', hidden: true });
    this.view = new ConversationView(conversation, context);
    this.side = h('aside', { class: 'details', ariaLabel: context.texts.details, hidden: !matchMedia('(min-width: 1100px)').matches });
    this.element = h(
      'article',
      { class: 'chat-pane' },
      h('div', { class: 'chat-main' }, this.head, this.notice, this.view.element),
      this.side,
    );
    this.ends = [
      conversation.on('chat', () => this.show()),
      conversation.on('message', () => this.showDetails()),
      context.chat.on('presence', () => this.show()),
    ];
    this.show();
  }

  destroy() {
    this.ends.forEach((end) => end());
    this.view.destroy();
    this.element.remove();
  }

  focus() {
    this.view.list.toEnd();
    this.view.composer.focus();
  }

  show() {
    const { texts, chat, app } = this.context;
    const { info } = this.conversation;

    if (!info) {
      return; // the answer is on its way
    }
    const online = chat.isOnline(info.customer.id) ?? info.customer.isOnline;
    const focused = this.head.contains(document.activeElement) && document.activeElement.dataset.action;
    const actions = offered(this.conversation, chat).filter((name) => FIRST.includes(name));

    this.head.replaceChildren(
      iconButton('back', texts.back, { class: 'icon-button narrow-only', onclick: () => app.leave() }),
      avatar(info.customer, online),
      h(
        'div',
        { class: 'chat-who' },
        h('h2', { dir: 'auto' }, info.customer.name),
        h('p', null, online ? texts.online : texts.offline, ' · ', info.agent ? texts.assignedTo(info.agent.name) : texts.unassigned),
      ),
      ...actions.map((name) => this.button(name, name === 'take' ? 'primary' : 'secondary')),
      iconButton('info', texts.details, {
        data: { action: 'details' },
        'aria-expanded': String(!this.side.hidden),
        onclick: () => this.toggleDetails(),
      }),
    );
    if (focused) {
      this.head.querySelector(`[data-action="${focused}"]`)?.focus();
    }
    this.showDetails();
  }

  button(name, kind) {
    return h(
      'button',
      { type: 'button', class: kind, data: { action: name }, onclick: () => this.act(name) },
      labels(this.context.texts)[name],
    );
  }

  toggleDetails() {
    this.side.hidden = !this.side.hidden;
    this.show();
  }

  showDetails() {
    const { conversation, context, side } = this;

    if (side.hidden || !conversation.info) {
      return;
    }
    side.replaceChildren(
      ...details(conversation, context),
      h(
        'div',
        { class: 'details-actions' },
        offered(conversation, context.chat).map((name) => this.button(name, name === 'delete' ? 'danger' : 'secondary')),
      ),
    );
  }

  /** Does what is offered under this name; anything else is passed over. */
  async act(name) {
    const { texts, chat } = this.context;

    if (!this.conversation.info || !offered(this.conversation, chat).includes(name)) {
      return;
    }
    this.notice.hidden = true;
    try {
      await perform(name, this.conversation, this.context);
      this.show();
    } catch (error) {
      this.notice.hidden = false;
      this.notice.textContent = error.code === 'CHAT_ASSIGNED' ? texts.takenByOther : error.message;
    }
  }
}
