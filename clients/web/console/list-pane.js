// The chats: whose, which, searched.

import { activity } from '../ui/activity.js';
import { h } from '../ui/dom.js';
import { avatar } from '../ui/people.js';
import { VirtualList } from './virtual-list.js';

const ROW = 76; // pixels, console.css says the same

export class ListPane {
  constructor({ texts, clock, chat }, store, onOpen) {
    this.texts = texts;
    this.clock = clock;
    this.chat = chat;
    this.store = store;
    this.onOpen = onOpen;
    this.list = new VirtualList({
      label: texts.chats,
      height: ROW,
      render: (conversation) => this.entry(conversation),
      onPick: onOpen,
    });
    this.search = h('input', {
      type: 'search',
      class: 'text-input',
      placeholder: texts.searchHint,
      ariaLabel: texts.search,
      oninput: () => store.setFilter({ search: this.search.value }),
      onkeydown: (event) => {
        if (event.key === 'ArrowDown') {
          this.focus();
        }
      },
    });
    this.whose = h('div', { class: 'tabs', role: 'group', ariaLabel: texts.chats });
    this.status = h(
      'select',
      { class: 'text-input', ariaLabel: texts.chats, onchange: () => store.setFilter({ status: this.status.value }) },
      ['active', 'closed', 'archived'].map((value) => h('option', { value }, texts[value])),
    );
    this.empty = h('p', { class: 'hint', role: 'status' });
    this.element = h(
      'nav',
      { class: 'list-pane', ariaLabel: texts.chats },
      h('div', { class: 'list-head' }, this.search, h('div', { class: 'list-filter' }, this.whose, this.status)),
      this.empty,
      this.list.element,
    );
    store.onChange(() => this.show());
    this.show();
  }

  destroy() {
    this.list.destroy();
  }

  show() {
    const { texts, store } = this;

    this.list.show(store.shown);
    this.empty.textContent = store.shown.length > 0 ? '' : store.loading ? texts.loading : texts.nothingFound;
    this.showTabs();
  }

  showTabs() {
    const { texts, store } = this;
    const state = JSON.stringify([store.filter.whose, store.counts]);

    if (state === this.tabState) {
      return; // so that the focus stays
    }
    const focused = document.activeElement?.dataset.whose;

    this.tabState = state;
    this.whose.replaceChildren(
      ...['all', 'mine', 'queue'].map((whose) =>
        h(
          'button',
          {
            type: 'button',
            'aria-pressed': String(store.filter.whose === whose),
            data: { whose },
            onclick: () => store.setFilter({ whose }),
          },
          texts[whose],
          store.counts[whose] ? h('span', { class: 'badge' }, String(store.counts[whose])) : '',
        ),
      ),
    );
    if (focused) {
      this.whose.querySelector(`[data-whose="${focused}"]`).focus();
    }
  }

  entry(conversation) {
    const { info, lastMessage, unread } = conversation;
    const { texts, clock, chat } = this;
    const { customer, agent } = info;
    const own = lastMessage?.senderId === chat.userId ? `${texts.you}: ` : '';
    const time = activity(conversation);

    return [
      avatar(customer, chat.isOnline(customer.id) ?? customer.isOnline),
      h(
        'span',
        { class: 'entry-text' },
        h('span', { class: 'entry-name', dir: 'auto' }, customer.name),
        h('span', { class: `entry-last${unread ? ' unread' : ''}` }, own, h('bdi', null, lastMessage?.content ?? texts.noMessages)),
        h('span', { class: `entry-agent${agent ? '' : ' waiting'}` }, agent ? agent.name : texts.unassigned),
      ),
      h(
        'span',
        { class: 'entry-side' },
        h('time', { dateTime: time, title: clock.exact(new Date(time)) }, clock.brief(new Date(time))),
        unread > 0 ? h('span', { class: 'badge', role: 'img', ariaLabel: texts.unread(unread) }, unread > 99 ? '99+' : String(unread)) : '',
      ),
    ];
  }

  select(conversation) {
    this.list.select(conversation);
  }

  /** Opens the chat before or after the one that is open. */
  step(by) {
    this.list.move(by);
    this.list.pick(this.list.active);
  }

  focus() {
    this.list.element.focus();
  }

  focusSearch() {
    this.search.focus();
    this.search.select();
  }
}
