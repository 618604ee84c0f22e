// A conversation to read and write in: messages, and the field below them.

import { h } from './dom.js';
import { Composer } from './composer.js';
import { MessageList } from './message-list.js';

const drafts = new Map(); // what was begun in each chat of this page

export class ConversationView {
  /** `context` is that of the MessageList. The view follows the chat while it lives. */
  constructor(conversation, context) {
    this.conversation = conversation;
    this.context = context;
    this.list = new MessageList(conversation, context, (seq) => this.seen(seq));
    this.composer = new Composer(
      context.texts,
      (text) => conversation.send(text).catch(() => {}), // what is refused is shown as failed
      (isTyping) => conversation.sendTyping(isTyping),
    );
    this.composer.text = drafts.get(conversation.id) ?? '';
    this.error = h('div', { class: 'conversation-error', role: 'alert', hidden: true });
    this.element = h('section', { class: 'conversation' }, this.error, this.list.element, this.composer.element);

    this.ends = [conversation.on('chat', () => this.showState()), listen(document, 'visibilitychange', () => this.list.seen())];
    this.showState();
    this.follow();
  }

  destroy() {
    drafts.set(this.conversation.id, this.composer.text);
    this.ends.forEach((end) => end());
    this.list.destroy();
    this.conversation.unfollow();
    this.element.remove();
  }

  async follow() {
    try {
      await this.conversation.follow();
    } catch (error) {
      this.error.hidden = false;
      this.error.textContent = error.message;
    }
  }

  showState() {
    const { texts, chat } = this.context;
    const { info } = this.conversation;

    this.composer.forbid(info?.status === 'archived' ? texts.archivedHere : null);
    if (info?.status === 'closed' && chat.role === 'customer') {
      this.composer.say(texts.closedHere);
    }
  }

  seen(seq) {
    if (this.conversation.unread > 0) {
      this.conversation.markRead(seq);
    }
  }
}

function listen(target, event, listener) {
  target.addEventListener(event, listener);
  return () => target.removeEventListener(event, listener);
}
