// Tells of messages while the agent looks elsewhere: in the title of the tab,
// and by notifications where they are wanted.

const KEY = 'cs-chat-console-notifications';

export class Notifier {
  constructor({ chat, texts }, onOpen) {
    this.chat = chat;
    this.texts = texts;
    this.onOpen = onOpen;
    this.ends = [
      ...['unread', 'chat'].map((event) => chat.on(event, () => this.showTitle())),
      chat.on('message', (message, conversation) => this.tell(message, conversation)),
    ];
    this.showTitle();
  }

  destroy() {
    this.ends.forEach((end) => end());
    document.title = this.texts.consoleTitle;
  }

  get on() {
    return 'Notification' in window && Notification.permission === 'granted' && localStorage.getItem(KEY) === 'on';
  }

  async toggle() {
    const on = this.on;

    if (!('Notification' in window) || (!on && (await Notification.requestPermission()) !== 'granted')) {
      return;
    }
    localStorage.setItem(KEY, on ? 'off' : 'on');
  }

  // Those of others, in chats that are one's own or nobody's.
  concerns({ info }) {
    return info && (!info.agentId || info.agentId === this.chat.userId);
  }

  showTitle() {
    let n = 0;

    for (const conversation of this.chat.conversations.values()) {
      n += this.concerns(conversation) && conversation.info.status !== 'archived' && conversation.unread > 0 ? 1 : 0;
    }
    document.title = n > 0 ? `(${n}) ${this.texts.consoleTitle}` : this.texts.consoleTitle;
  }

  tell(message, conversation) {
    if (!this.on || document.visibilityState === 'visible' || message.senderId === this.chat.userId || !this.concerns(conversation)) {
      return;
    }
    // one notification a chat, in all tabs together
    const note = new Notification(message.sender.name, { body: message.content.slice(0, 200), tag: `cs-chat-${conversation.id}` });

    note.onclick = () => {
      window.focus();
      this.onOpen(conversation);
      note.close();
    };
  }
}
