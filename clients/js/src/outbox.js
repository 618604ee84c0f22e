// Messages on their way.  They are sent until they are acknowledged, of each chat
// one after the other, so that their order holds whatever fails.
//
// They stand in a storage that outlives the page: those of each instance under
// a key of its own, <prefix>:<user>:<instance>, with a lease that it renews.
// When that runs out (the page is gone; one that closes properly ends it at
// once) any other instance takes them over.  Should two send the same message,
// because one only slept, the server stores it once, by its clientId.

import { backoff } from './backoff.js';
import { CSChatError } from './error.js';

const AGAIN = 1000;  // ms, the first wait after a refusal that may pass

// send(type, data): whether it went out; onChange(entry); onError(error)
export function createOutbox({ storage = pageStorage(), prefix = 'cs-chat', times, send, onChange, onError }) {
  const me = unique();
  const waiting = new Map();  // clientId → who awaits it
  const flying = new Map();   // chatId → { entry, attempts, timer }
  let entries = [];           // in the order of sending
  let user;

  const find = (clientId) => entries.find((entry) => entry.clientId === clientId);
  const mine = () => `${prefix}:${user}:`;

  // The keys of this user.
  const keys = () => Array.from({ length: storage?.length ?? 0 }, (_, i) => storage.key(i))
    .filter((key) => key?.startsWith(mine()));

  function save(until = Date.now() + times.lease) {
    const unsent = entries.filter(({ state }) => state !== 'sent');

    try {
      if (!user) return;
      if (unsent.length) storage?.setItem(mine() + me, JSON.stringify({ until, entries: unsent }));
      else storage?.removeItem(mine() + me);
    } catch (error) {  // it is full: the messages are sent all the same
      onError(new CSChatError('STORAGE', error.message));
    }
  }

  // What stands under a key, if its lease has run out.
  function left(key) {
    try {
      const { until, entries: old } = JSON.parse(storage.getItem(key));
      return until < Date.now() && old;
    } catch {
      return [];
    }
  }

  function adopt() {
    const news = [];

    for (const key of keys()) {
      const old = left(key);
      if (old) storage.removeItem(key);
      if (old) news.push(...old.filter(({ clientId }) => !find(clientId)));
    }
    for (const entry of news) entry.state = entry.error ? 'failed' : 'queued';
    entries = [...news, ...entries].sort((a, b) => a.createdAt - b.createdAt);
    save();
    for (const entry of news) change(entry, entry.state);
  }

  function change(entry, state) {
    entry.state = state;
    onChange(entry);
    if (state !== 'sending') pump(entry.chatId);
  }

  // Sends the next of a chat, if none is on its way.
  function pump(chatId) {
    const entry = entries.find((e) => e.chatId === chatId && e.state === 'queued');
    if (entry && !flying.has(chatId)) fly({ entry, attempts: 0 });
  }

  function fly(flight) {
    const { clientId, chatId, content, type, state } = flight.entry;

    if (!send('send_message', { chatId, content, messageType: type, clientId })) return;
    flying.set(chatId, flight);
    flight.timer = setTimeout(fly, times.answer, flight);
    if (state !== 'sending') change(flight.entry, 'sending');
  }

  // It is stored, refused or given up: `outcome` is a receipt or an error.
  function finish(clientId, state, outcome, keep) {
    const entry = find(clientId);
    const flight = flying.get(entry?.chatId);

    waiting.get(clientId)?.[outcome instanceof Error ? 'reject' : 'resolve'](outcome);
    waiting.delete(clientId);
    if (!entry) return;
    if (flight?.entry === entry) {
      clearTimeout(flight.timer);
      flying.delete(entry.chatId);
    }
    if (state === 'failed') entry.error = { code: outcome.code, message: outcome.message };
    if (!keep) entries = entries.filter((e) => e !== entry);
    entry.state = state;
    save();
    change(entry, state);
  }

  const outbox = {
    // Of one chat, or all.
    of: (chatId) => entries.filter((entry) => !chatId || entry.chatId === chatId),

    // Whose they are; those that were added before that was known are theirs.
    open(owner) {
      if (user) {
        outbox.release();
        entries = [];
      }
      user = owner;
      adopt();
    },

    // Ends when the message is stored, or refused.
    add(chatId, content, type) {
      const createdAt = Math.max(Date.now(), (entries.at(-1)?.createdAt ?? 0) + 1);
      const entry = { clientId: unique(), chatId, content, type, createdAt };
      const promise = new Promise((resolve, reject) => { waiting.set(entry.clientId, { resolve, reject }); });

      promise.catch(() => {});  // need not be awaited
      entries.push(entry);
      entry.state = 'queued';
      save();
      change(entry, 'queued');
      return promise;
    },

    // An ack, or the message itself; `shown`: it is among the messages.
    stored({ clientId, id, chatId, seq, timestamp }, shown) {
      finish(clientId, 'sent', { id, chatId, clientId, seq, timestamp }, !shown);
    },

    // Whether the error is about a message of ours.
    refused(clientId, error) {
      const entry = find(clientId);
      const flight = flying.get(entry?.chatId);

      if (!entry) return false;
      if (!error.temporary) {
        finish(clientId, 'failed', error, true);
      } else if (flight?.entry === entry) {
        clearTimeout(flight.timer);
        flight.timer = setTimeout(fly, AGAIN + backoff(flight.attempts++), flight);
      }
      return true;
    },

    // The server hung up as a message was too large for it: not for ever.
    tooLarge() {
      const [largest] = [...flying.values()].map(({ entry }) => entry)
        .sort((a, b) => b.content.length - a.content.length);
      if (largest) outbox.refused(largest.clientId, new CSChatError('PAYLOAD_TOO_LARGE', 'The message is too large.'));
    },

    retry(clientId) {
      const entry = find(clientId);
      if (entry?.state !== 'failed') return;
      delete entry.error;
      save();
      change(entry, 'queued');
    },

    discard(clientId, code = 'DISCARDED') {
      finish(clientId, 'discarded', new CSChatError(code, 'The message was given up.'));
    },

    // There is a connection: everything goes out, or goes out again.
    start() {
      for (const { chatId } of entries) pump(chatId);
    },

    // The connection is gone.
    stop() {
      const broken = [...flying.values()];

      flying.clear();
      for (const { entry, timer } of broken) {
        clearTimeout(timer);
        change(entry, 'queued');
      }
    },

    // To be called from time to time: prolongs the lease, takes what others left.
    tend: adopt,

    // This page goes away: whoever comes next may have them.
    release: () => save(0),

    // Forgets all of this user's, those of other tabs too.
    clear() {
      for (const { clientId } of entries) outbox.discard(clientId, 'ENDED');
      for (const key of keys()) storage.removeItem(key);
      user = null;
    },
  };
  return outbox;
}

// A name that no other message or instance of this user has; no secret.
function unique() {
  return [Date.now(), Math.random(), Math.random()].map((n) => n.toString(36).replace('0.', '')).join('-');
}

// The page's localStorage, unless it is denied.
function pageStorage() {
  try {
    return globalThis.document && globalThis.localStorage;
  } catch {}
}
