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
import { SEND_AGAIN } from './numbers.js';

const QUEUED = 'queued';
const SENDING = 'sending';
const FAILED = 'failed';

// send(type, data): whether it went out; onChange(entry); onError(error)
export const createOutbox = ({ storage = pageStorage(), prefix = 'cs-chat' }, times, send, { onChange, onError }) => {
  const me = unique();
  const waiting = new Map();  // clientId → what ends the promise
  const flights = new Map();  // entry → timer
  let entries = [];           // in the order of sending
  let refusals = 0;           // since one was stored
  let user;

  const find = (clientId) => entries.find((entry) => entry.clientId === clientId);

  // The keys of this user; sorted, the oldest instance is the first.
  const keyOf = (instance) => `${prefix}:${user}:${instance}`;
  const keys = () => Array.from({ length: storage?.length ?? 0 }, (_, i) => storage.key(i))
    .filter((key) => key?.startsWith(keyOf(''))).sort();

  const save = (until = Date.now() + times.lease) => {
    const unsent = entries.filter(({ state }) => state !== 'sent');

    try {
      if (user && unsent.length) storage?.setItem(keyOf(me), JSON.stringify({ until, entries: unsent }));
      else storage?.removeItem(keyOf(me));
    } catch (error) {  // it is full: the messages are sent all the same
      onError(new CSChatError('STORAGE', error.message));
    }
  };

  // Takes what stands under a key, if its lease has run out.
  const take = (key) => {
    try {
      const { until, entries: old } = JSON.parse(storage.getItem(key));
      if (until > Date.now()) return [];
      storage.removeItem(key);
      return old.filter(({ clientId }) => !find(clientId));
    } catch {
      return [];  // it is not ours
    }
  };

  const adopt = () => {
    const adopted = keys().flatMap(take);

    entries = [...adopted, ...entries];
    save();
    for (const entry of adopted) change(entry, entry.error ? FAILED : QUEUED);
    entries.forEach(pump);
  };

  const change = (entry, state) => {
    entry.state = state;
    save();
    onChange(entry);
    pump(entry);
  };

  // Sends the next of a chat, unless it is on its way.
  const pump = ({ chatId }) => {
    const next = entries.find((entry) => entry.chatId === chatId && /queued|sending/.test(entry.state));
    if (next?.state === QUEUED) fly(next);
  };

  const fly = (entry) => {
    const { clientId, chatId, content, type } = entry;

    if (!send('send_message', { chatId, content, messageType: type, clientId })) return;
    again(entry, times.answer);
    if (entry.state !== SENDING) change(entry, SENDING);
  };

  // It is on its way, and sent again in a while.
  const again = (entry, ms) => {
    land(entry);
    flights.set(entry, setTimeout(fly, ms, entry));
  };

  const land = (entry) => {
    clearTimeout(flights.get(entry));
    flights.delete(entry);
  };

  // It is stored, refused or given up: `outcome` is a receipt or an error.
  const finish = (clientId, state, outcome, keep) => {
    const entry = find(clientId);
    const { code, message } = outcome;

    waiting.get(clientId)?.(code ? Promise.reject(outcome) : outcome);
    waiting.delete(clientId);
    if (!entry) return;
    land(entry);
    if (state === FAILED) entry.error = { code, message };
    if (!keep) entries = entries.filter((other) => other !== entry);
    change(entry, state);
  };

  const fail = (entry, error) => finish(entry.clientId, FAILED, error, true);

  const outbox = {
    // Those of a chat.
    _of: (chatId) => entries.filter((entry) => entry.chatId === chatId),

    // Whose they are; those that were added before that was known are theirs.
    _open(owner) {
      if (user) {
        save(0);
        entries = [];
      }
      user = owner;
      adopt();
    },

    // Ends when the message is stored, or refused.
    _add(chatId, content, type) {
      const entry = { clientId: unique(), chatId, content, type, createdAt: Date.now() };
      const promise = new Promise((resolve) => { waiting.set(entry.clientId, resolve); });

      promise.catch(() => {});  // need not be awaited
      entries.push(entry);
      change(entry, QUEUED);
      return promise;
    },

    // An ack, or the message itself; `shown`: it is among the messages.
    _stored(receipt, shown) {
      refusals = 0;
      finish(receipt.clientId, 'sent', receipt, !shown);
    },

    // Whether the error is about a message of ours.
    _refused(clientId, error) {
      const entry = find(clientId);

      if (!entry) return;
      if (!error.temporary) fail(entry, error);
      else again(entry, SEND_AGAIN + backoff(refusals++, error));
      return true;
    },

    // The server hung up as a message was too large for it: not for ever.
    _tooLarge() {
      const [largest] = [...flights.keys()].sort((a, b) => b.content.length - a.content.length);
      if (largest) fail(largest, new CSChatError('PAYLOAD_TOO_LARGE', 'It is too large.'));
    },

    _retry(clientId) {
      const entry = find(clientId);
      if (!entry?.error) return;
      delete entry.error;
      change(entry, QUEUED);
    },

    _discard(clientId, code = 'DISCARDED') {
      finish(clientId, 'discarded', new CSChatError(code, 'It was given up.'));
    },

    // The connection is gone.
    _stop() {
      for (const entry of flights.keys()) {
        land(entry);
        change(entry, QUEUED);
      }
    },

    // To be called from time to time, and when there is a connection: prolongs the
    // lease, takes what others left, sends what waits.
    _tend: adopt,

    // This page goes away: whoever comes next may have them.
    _release: () => save(0),

    // Forgets all of this user's, those of other tabs too.
    _clear() {
      for (const { clientId } of entries) outbox._discard(clientId, 'ENDED');
      for (const key of keys()) storage.removeItem(key);
      user = null;
    },
  };
  return outbox;
};

// A name that no other message or instance of this user has; no secret.
const unique = () => [Date.now(), Math.random(), Math.random()].join('-');

// The page's localStorage, where there is one and it is not denied.
const pageStorage = () => {
  try {
    return document && localStorage;
  } catch {}
};
