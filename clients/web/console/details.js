// What is known of a chat and its customer.

import { h } from '../ui/dom.js';
import { avatar } from '../ui/people.js';

export function details({ info, lastSeq }, { texts, clock, chat }) {
  const { customer } = info;
  const day = (time) => h('time', { dateTime: time, title: clock.exact(new Date(time)) }, clock.day(new Date(time)));

  return [
    h(
      'div',
      { class: 'details-person' },
      avatar(customer, chat.isOnline(customer.id) ?? customer.isOnline),
      h('h3', { dir: 'auto' }, customer.name),
    ),
    h(
      'dl',
      null,
      pair(texts.userName, customer.username),
      customer.email ? pair(texts.email, customer.email) : [],
      pair(texts.since, day(customer.createdAt)),
      pair(texts.agent, info.agent?.name ?? texts.unassigned),
      pair(texts.chatStarted, day(info.createdAt)),
      pair(texts.messageCount, String(lastSeq)),
    ),
  ];
}

function pair(name, value) {
  return [h('dt', null, name), h('dd', { dir: 'auto' }, value)];
}
