// The messages of a conversation as they scroll: days, bubbles, marks of one's
// own, dots while somebody writes, older ones at the top.

import { h, icon } from './dom.js';
import { avatar } from './people.js';
import { linked } from './links.js';

const NEAR = 80; // pixels from the end within which new messages are followed
const RETRY = 2000; // ms after older messages could not be had
const GROUP = 5 * 60 * 1000; // messages of one sender within it stand together

export class MessageList {
  /**
   * `element` shows the conversation until `destroy()`. `context`: `chat` (the
   * CSChat), `texts`, `clock`. `onSeen(seq)` is called when the newest message
   * has been in sight.
   */
  constructor(conversation, { chat, texts, clock }, onSeen) {
    this.conversation = conversation;
    this.chat = chat;
    this.texts = texts;
    this.clock = clock;
    this.onSeen = onSeen;
    this.unseen = 0;
    this.rows = new Map(); // seq → element

    this.top = h('div', { class: 'messages-top' });
    this.log = h('div', { class: 'messages-log' });
    this.outgoing = h('div', { class: 'messages-outgoing' });
    this.dots = h('div', { class: 'messages-typing', hidden: true });
    this.announcer = h('div', { class: 'visually-hidden', role: 'log', 'aria-live': 'polite', ariaLabel: texts.messages });
    this.scroller = h(
      'div',
      { class: 'messages-scroller', tabIndex: 0, role: 'region', ariaLabel: texts.messages, onscroll: () => this.scrolled() },
      this.top,
      this.log,
      this.outgoing,
      this.dots,
    );
    this.jump = h('button', { type: 'button', class: 'messages-jump', hidden: true, onclick: () => this.toEnd(true) });
    this.element = h('div', { class: 'messages' }, this.scroller, this.jump, this.announcer);

    this.ends = [
      conversation.on('message', (message) => this.add(message)),
      conversation.on('outgoing', () => this.showOutgoing()),
      conversation.on('typing', () => this.showTyping()),
      conversation.on('read', () => this.showRead()),
      conversation.on('chat', (_, change) => {
        if (change === 'reset') {
          this.showAll();
        }
      }),
    ];
    this.resizes = new ResizeObserver(() => this.atEnd && this.toEnd());
    this.resizes.observe(this.scroller);
    this.atEnd = true;
    this.showAll();
  }

  destroy() {
    this.ends.forEach((end) => end());
    this.resizes.disconnect();
    this.element.remove();
  }

  // ---- what is shown ----------------------------------------------------------

  showAll() {
    this.rows.clear();
    this.log.replaceChildren(...this.rowsFor(this.conversation.messages));
    this.showTop();
    this.showOutgoing();
    this.showTyping();
    this.showRead();
    this.toEnd();
  }

  // Rows with the separators between them; `before` is the message above.
  rowsFor(messages, before) {
    return messages.flatMap((message) => {
      const row = this.row(message, before);
      const nodes = this.newDay(message, before) ? [this.separator(message), row] : [row];

      before = message;
      return nodes;
    });
  }

  newDay(message, before) {
    return !before || !this.clock.sameDay(new Date(before.timestamp), new Date(message.timestamp));
  }

  separator({ timestamp }) {
    const date = new Date(timestamp);

    return h('div', { class: 'messages-day', role: 'separator' }, h('time', { dateTime: timestamp }, this.clock.day(date)));
  }

  isOwn(message) {
    return message.senderId === this.chat.userId;
  }

  continues(message, before) {
    return (
      before?.senderId === message.senderId &&
      !this.newDay(message, before) &&
      Date.parse(message.timestamp) - Date.parse(before.timestamp) < GROUP
    );
  }

  row(message, before) {
    const own = this.isOwn(message);
    const grouped = this.continues(message, before);
    const date = new Date(message.timestamp);
    const row = h(
      'div',
      { class: `message ${own ? 'own' : 'other'}${grouped ? ' grouped' : ''}`, data: { seq: message.seq } },
      own ? null : avatar(message.sender),
      h(
        'div',
        { class: 'message-body' },
        h('span', { class: grouped || own ? 'visually-hidden' : 'message-sender' }, own ? this.texts.you : message.sender.name),
        this.bubble(message),
        h(
          'span',
          { class: 'message-meta' },
          h('time', { dateTime: message.timestamp, title: this.clock.exact(date) }, this.clock.time(date)),
          own ? h('span', { class: 'message-mark' }) : null,
        ),
      ),
    );

    this.rows.set(message.seq, row);
    return row;
  }

  bubble({ content, type }) {
    const kind = type === 'image' ? this.texts.image : type === 'file' ? this.texts.file : null;

    // the direction of each text is its own, whatever that of the page
    return h('div', { class: 'message-bubble', dir: 'auto' }, kind && h('span', { class: 'message-kind' }, kind), linked(content));
  }

  add(message) {
    const messages = this.conversation.messages;
    const before = messages[messages.indexOf(message) - 1];
    const following = this.atEnd || this.isOwn(message);

    this.log.append(...this.rowsFor([message], before));
    this.showRead();
    if (!this.isOwn(message)) {
      this.announcer.append(h('p', null, `${message.sender.name}: ${message.content}`));
      while (this.announcer.childElementCount > 3) {
        this.announcer.firstElementChild.remove();
      }
    }
    if (following) {
      this.toEnd();
    } else {
      this.unseen++;
      this.showJump();
    }
  }

  // ---- one's own that are on their way ------------------------------------------

  showOutgoing() {
    const rows = this.conversation.pending.map((outgoing) => this.outgoingRow(outgoing));
    const more = rows.length > this.outgoing.childElementCount;

    this.outgoing.replaceChildren(...rows);
    if (more || this.atEnd) {
      this.toEnd();
    }
  }

  outgoingRow(outgoing) {
    const { texts, conversation } = this;
    const failed = outgoing.state === 'failed';

    return h(
      'div',
      { class: `message own outgoing ${outgoing.state}`, data: { clientId: outgoing.clientId } },
      h(
        'div',
        { class: 'message-body' },
        this.bubble(outgoing),
        h(
          'span',
          { class: 'message-meta', role: failed ? 'alert' : null },
          failed ? `${texts.failed}: ${outgoing.error?.message ?? ''} ` : h('span', { class: 'message-mark', title: texts.sending }, '…'),
          failed && h('button', { type: 'button', onclick: () => conversation.retry(outgoing.clientId) }, texts.retry),
          failed && h('button', { type: 'button', onclick: () => conversation.discard(outgoing.clientId) }, texts.discard),
        ),
      ),
    );
  }

  // ---- marks ------------------------------------------------------------------

  showRead() {
    const read = Math.max(0, ...this.conversation.reads.values());
    const { texts } = this;

    for (const message of this.conversation.messages) {
      const mark = this.isOwn(message) && this.rows.get(message.seq)?.querySelector('.message-mark');
      const state = message.seq <= read ? 'read' : 'sent';

      if (mark && mark.dataset.state !== state) {
        mark.dataset.state = state;
        mark.title = texts[state];
        mark.replaceChildren(icon('check'), h('span', { class: 'visually-hidden' }, texts[state]));
        if (state === 'read') {
          mark.prepend(icon('check'));
        }
      }
    }
  }

  showTyping() {
    const names = [...this.conversation.typing].map((id) => this.nameOf(id));

    this.dots.hidden = names.length === 0;
    this.dots.replaceChildren(
      h('span', { class: 'dots', 'aria-hidden': 'true' }, h('i'), h('i'), h('i')),
      h('span', { class: 'messages-typing-text' }, names.map(this.texts.typing).join(' ')),
    );
    if (this.atEnd) {
      this.toEnd();
    }
  }

  nameOf(userId) {
    const { customer, agent } = this.conversation.info ?? {};
    const known = [customer, agent].find((person) => person?.id === userId);
    const written = this.conversation.messages.findLast?.((message) => message.senderId === userId);

    return known?.name ?? written?.sender.name ?? this.texts.team;
  }

  // ---- scrolling ----------------------------------------------------------------

  toEnd(smooth = false) {
    this.scroller.scrollTo({ top: this.scroller.scrollHeight, behavior: smooth ? 'smooth' : 'instant' });
    this.arrived();
  }

  arrived() {
    this.atEnd = true;
    this.unseen = 0;
    this.showJump();
    this.seen();
  }

  /** Tells what is in sight; to be called when the page comes to the front, too. */
  seen() {
    if (this.atEnd && this.element.isConnected && document.visibilityState === 'visible') {
      this.onSeen(this.conversation.lastSeq);
    }
  }

  scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;

    if (scrollHeight - scrollTop - clientHeight < NEAR) {
      this.arrived();
    } else {
      this.atEnd = false;
      this.showJump();
    }
    if (scrollTop < NEAR) {
      this.loadEarlier();
    }
  }

  showJump() {
    const label = this.unseen ? this.texts.newMessages(this.unseen) : this.texts.toNewest;

    this.jump.hidden = this.atEnd;
    this.jump.ariaLabel = label;
    this.jump.replaceChildren(icon('down'), this.unseen ? label : '');
  }

  showTop(loading = false) {
    const { messages, hasEarlier } = this.conversation;

    this.top.replaceChildren(loading ? this.texts.loading : !hasEarlier && messages.length ? this.texts.beginning : '');
  }

  async loadEarlier() {
    if (this.loading || !this.conversation.hasEarlier) {
      return;
    }
    let wait = 0;

    this.loading = true;
    this.showTop(true);
    try {
      const first = this.conversation.messages[0];
      const earlier = await this.conversation.loadEarlier();

      this.prepend(earlier, first);
    } catch {
      wait = RETRY; // the connection tells
    }
    this.loading = false;
    this.showTop();
    // who still is at the top waits for more, and scrolls no further
    setTimeout(() => this.element.isConnected && this.scrolled(), wait);
  }

  // What was in sight stays where it is.
  prepend(earlier, first) {
    const below = this.scroller.scrollHeight - this.scroller.scrollTop;
    const old = this.rows.get(first?.seq);

    if (old) {
      const separator = old.previousElementSibling;
      const row = this.row(first, earlier.at(-1));

      if (separator?.matches('.messages-day') && !this.newDay(first, earlier.at(-1))) {
        separator.remove();
      }
      old.replaceWith(row);
    }
    this.log.prepend(...this.rowsFor(earlier));
    this.showRead();
    this.scroller.scrollTop = this.scroller.scrollHeight - below;
  }
}
