// One's conversations, the newest first.

import { activity } from '../ui/activity.js';
import { h, icon } from '../ui/dom.js';
import { avatar } from '../ui/people.js';

export class ChatList {
  constructor(panel, { texts, clock }) {
    this.panel = panel;
    this.texts = texts;
    this.clock = clock;
    this.list = h('ul', { class: 'chats' });
    this.element = h(
      'section',
      { class: 'chat-list', ariaLabel: texts.conversations },
      this.list,
      h('button', { type: 'button', class: 'primary new', onclick: () => panel.toNew() }, icon('plus'), texts.newConversation),
    );
    this.ends = ['chat', 'message', 'unread', 'presence'].map((event) => panel.chat.on(event, () => this.show()));
    this.show();
  }

  destroy() {
    this.ends.forEach((end) => end());
  }

  focus() {
    this.element.querySelector('button').focus();
  }

  show() {
    const focused = this.list.contains(this.list.getRootNode().activeElement) && this.list.getRootNode().activeElement.dataset.id;

    this.list.replaceChildren(...this.panel.conversations().map((conversation) => h('li', null, this.entry(conversation))));
    if (focused) {
      this.list.querySelector(`[data-id="${focused}"]`)?.focus();
    }
  }

  entry(conversation) {
    const { info, lastMessage, unread } = conversation;
    const { texts, clock } = this;
    const agent = info.agent ?? { id: info.id, name: texts.team };
    const time = activity(conversation);
    const online = info.agent ? this.panel.chat.isOnline(agent.id) : undefined;

    return h(
      'button',
      { type: 'button', class: 'chat', data: { id: info.id }, onclick: () => this.panel.toConversation(conversation) },
      avatar(agent, online),
      h(
        'span',
        { class: 'chat-text' },
        h('span', { class: 'chat-name' }, agent.name),
        h('span', { class: 'chat-last', dir: 'auto' }, lastMessage?.content ?? texts.noMessages),
      ),
      h(
        'span',
        { class: 'chat-side' },
        h('time', { dateTime: time }, clock.brief(new Date(time))),
        unread > 0 ? h('span', { class: 'badge', ariaLabel: texts.widgetUnread(unread), role: 'img' }, String(unread)) : '',
      ),
    );
  }
}
