// What an agent may do with a chat, and how it is done.

import { assign, confirm } from './dialogs.js';

/** The names of those that are offered now, in the order of their use. */
export function offered({ info }, chat) {
  const own = info.agentId === chat.userId;
  const boss = chat.role === 'super-agent';
  const archived = info.status === 'archived';

  return [
    !info.agentId && !archived && 'take',
    !archived && (info.status === 'closed' ? 'reopen' : 'close'),
    (own || boss) && !archived && 'assign',
    (own || boss) && info.agentId && !archived && 'toQueue',
    archived ? 'unarchive' : 'archive',
    (own || boss) && 'delete',
  ].filter(Boolean);
}

/** Whether it was done; what the server says against it is thrown. */
export async function perform(name, conversation, context) {
  const { texts } = context;

  switch (name) {
    case 'assign':
      return assign(conversation, context);
    case 'toQueue':
      await conversation.assign(null);
      return true;
    case 'delete':
      if (!(await confirm(texts.deleteQuestion(conversation.info.customer.name), texts.delete, context))) {
        return false;
      }
      await conversation.delete();
      return true;
    default:
      await conversation[name]();
      return true;
  }
}

export function labels(texts) {
  return { ...texts, close: texts.closeChat };
}
