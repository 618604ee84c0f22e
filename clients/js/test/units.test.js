// Protects what needs no server: waits, the order of messages, the outbox and its
// tabs, the token, errors.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Api } from '../src/api.js';
import { createAuth } from '../src/auth.js';
import { backoff, persist } from '../src/backoff.js';
import { Emitter } from '../src/emitter.js';
import { CSChatError } from '../src/error.js';
import { createOutbox } from '../src/outbox.js';
import { Timeline } from '../src/timeline.js';
import { storage } from './storage.js';

const message = (seq) => ({ seq });
const seqs = (messages) => messages.map(({ seq }) => seq);
const tick = (ms = 0) => new Promise((resolve) => { setTimeout(resolve, ms); });

// ---- waits ------------------------------------------------------------------

test('a wait doubles up to its limit and is random', () => {
  for (let attempt = 0; attempt < 12; attempt++) {
    const waits = Array.from({ length: 200 }, () => backoff(attempt, 500, 30000));
    const limit = Math.min(500 * 2 ** attempt, 30000);
    assert.ok(waits.every((wait) => wait >= 0 && wait < limit));
    assert.ok(Math.max(...waits) > limit / 2);
    assert.ok(Math.min(...waits) < limit / 2);
  }
});

test('what may pass is tried again, what may not and what is not wanted is not', async () => {
  const passing = Object.assign(new CSChatError('NETWORK', ''), { retryAfter: 0 });
  let calls = 0;
  const action = async () => {
    if (++calls < 2) throw passing;
    return calls;
  };
  assert.equal(await persist(action, () => true), 2);
  await assert.rejects(persist(async () => { throw passing; }, () => false), passing);
  const lasting = new CSChatError('CHAT_NOT_FOUND', '', { status: 404 });
  await assert.rejects(persist(async () => { throw lasting; }, () => true), lasting);
});

test('errors say whether they may pass', () => {
  const temporary = (code, status) => new CSChatError(code, '', { status }).temporary;
  assert.ok(temporary('NETWORK') && temporary('BACKEND_TIMEOUT') && temporary('BAD_ANSWER', 502));
  assert.ok(temporary('RATE_LIMITED', 429) && temporary('BACKEND_UNAVAILABLE', 503) && temporary('BACKEND_TIMEOUT', 504));
  assert.ok(!temporary('INTERNAL_ERROR', 500) && !temporary('CHAT_ASSIGNED', 409) && !temporary('DISCARDED'));
});

test('a listener that fails disturbs no other', async () => {
  const emitter = new Emitter();
  const heard = [];
  const uncaught = [];
  const listeners = process.listeners('uncaughtException');

  process.removeAllListeners('uncaughtException');
  process.once('uncaughtException', (error) => uncaught.push(error.message));
  emitter.on('x', () => { throw new Error('mine'); });
  const off = emitter.on('x', (value) => heard.push(value));
  emitter.once('x', (value) => heard.push(value));
  emitter._emit('x', 1);
  off();
  emitter._emit('y', 2);
  await tick();
  listeners.forEach((listener) => process.on('uncaughtException', listener));
  assert.deepEqual(heard, [1, 1]);
  assert.deepEqual(uncaught, ['mine']);
});

// ---- order ------------------------------------------------------------------

test('any order of arrival, with repeats, becomes 1, 2, 3, each once', () => {
  for (let round = 0; round < 300; round++) {
    const timeline = new Timeline();
    const come = [1, 2, 3, 4, 5, 6, 7, 8, 3, 5, 8, 1].map((seq) => [Math.random(), seq]).sort((a, b) => a[0] - b[0]);
    const shown = timeline.reset(0);
    for (const [, seq] of come) shown.push(...timeline.take(message(seq)));
    assert.deepEqual(seqs(shown), [1, 2, 3, 4, 5, 6, 7, 8]);
    assert.equal(timeline.gap, false);
  }
});

test('messages wait until it is known what came before them', () => {
  const timeline = new Timeline();
  assert.deepEqual(timeline.take(message(7)), []);
  assert.deepEqual(timeline.take(message(5)), []);
  assert.equal(timeline.gap, false);  // nobody knows yet
  assert.deepEqual(seqs(timeline.reset(5)), []);
  assert.equal(timeline.gap, true);
  assert.deepEqual(seqs(timeline.take(message(6))), [6, 7]);
  assert.deepEqual(timeline.take(message(2)), []);
  assert.equal(timeline.gap, false);
});

// ---- the outbox -------------------------------------------------------------

const times = { lease: 100000, answer: 100000 };

const boxes = [];

// An instance that writes down what it sends.
function box(shared, more = {}) {
  const sent = [];
  const errors = [];
  const states = [];
  const line = { up: true };
  const outbox = createOutbox({
    storage: shared, times,
    send: (type, data) => line.up && sent.push(data.content) > 0,
    onChange: (entry) => states.push(entry.state),
    onError: (error) => errors.push(error),
    ...more,
  });
  outbox.open('u');
  boxes.push({ outbox, line });
  return { outbox, sent, errors, states, line };
}

const receipt = (entry, seq = 1) => ({ ...entry, id: `id-${seq}`, seq, timestamp: 'now' });

test('messages of a chat go out one after the other, those of others beside them', async () => {
  const { outbox, sent } = box(storage());
  const first = outbox.add('a', 'a1', 'text');
  outbox.add('a', 'a2', 'text');
  outbox.add('b', 'b1', 'text');
  assert.deepEqual(sent, ['a1', 'b1']);
  outbox.stored(receipt(outbox.of('a')[0]), true);
  assert.deepEqual(sent, ['a1', 'b1', 'a2']);
  assert.equal((await first).seq, 1);
  assert.deepEqual(outbox.of('a').map(({ content }) => content), ['a2']);
});

test('what was sent and not acknowledged goes out again, with its clientId and before what follows', () => {
  const { outbox, sent, line } = box(storage());
  outbox.add('a', 'a1', 'text');
  outbox.add('a', 'a2', 'text');
  const [{ clientId }] = outbox.of('a');
  line.up = false;
  outbox.stop();
  assert.deepEqual(outbox.of('a').map(({ state }) => state), ['queued', 'queued']);
  line.up = true;
  outbox.start();
  assert.deepEqual(sent, ['a1', 'a1']);
  assert.equal(outbox.of('a')[0].clientId, clientId);
});

test('silence sends it again', async () => {
  const { sent, outbox } = box(storage(), { times: { lease: 1000, answer: 20 } });
  outbox.add('a', 'a1', 'text');
  await tick(70);
  outbox.clear();
  assert.ok(sent.length > 1);
});

test('a refusal fails the message, lets the next go, and can be tried again or given up', async () => {
  const shared = storage();
  const { outbox, sent } = box(shared);
  const refused = outbox.add('a', 'bad', 'text');
  outbox.add('a', 'good', 'text');
  const [{ clientId }] = outbox.of('a');
  assert.equal(outbox.refused(clientId, new CSChatError('INVALID_INPUT', 'No.')), true);
  await assert.rejects(refused, { code: 'INVALID_INPUT' });
  assert.deepEqual(sent, ['bad', 'good']);
  assert.deepEqual(outbox.of('a')[0].error, { code: 'INVALID_INPUT', message: 'No.' });

  outbox.stored(receipt(outbox.of('a')[1]), true);
  outbox.retry(clientId);
  assert.deepEqual(sent, ['bad', 'good', 'bad']);
  assert.equal(JSON.parse(shared.getItem(shared.key(0))).entries[0].error, undefined);
  outbox.discard(clientId);
  assert.deepEqual(outbox.of('a'), []);
  assert.equal(outbox.refused('nobody', new CSChatError('X', '')), false);
});

test('a refusal that may pass keeps the message and its place', async () => {
  const { outbox, sent } = box(storage());
  outbox.add('a', 'a1', 'text');
  outbox.add('a', 'a2', 'text');
  outbox.refused(outbox.of('a')[0].clientId, new CSChatError('BACKEND_UNAVAILABLE', ''));
  await tick(2100);
  assert.deepEqual(sent, ['a1', 'a1']);
  outbox.clear();
});

test('too large a message is not sent for ever', async () => {
  const { outbox } = box(storage());
  const small = outbox.add('a', 'x', 'text');
  const large = outbox.add('b', 'x'.repeat(100), 'text');
  outbox.tooLarge();
  await assert.rejects(large, { code: 'PAYLOAD_TOO_LARGE' });
  outbox.stored(receipt(outbox.of('a')[0]), true);
  await small;
});

test('an instance that went away leaves its messages to the next, in order', () => {
  const shared = storage();
  const first = box(shared);
  first.line.up = false;
  ['1', '2', '3'].forEach((text) => first.outbox.add('a', text, 'text'));
  const ids = first.outbox.of('a').map(({ clientId }) => clientId);
  first.outbox.release();

  const second = box(shared);
  assert.deepEqual(second.outbox.of('a').map(({ clientId }) => clientId), ids);
  for (let seq = 1; seq <= 3; seq++) second.outbox.stored(receipt(second.outbox.of('a')[0], seq), true);
  assert.deepEqual(second.sent, ['1', '2', '3']);
  assert.equal(shared.length, 0);
});

test('what was refused is still there after a reload, and not sent by itself', () => {
  const shared = storage();
  const first = box(shared);
  first.outbox.add('a', 'bad', 'text');
  first.outbox.refused(first.outbox.of('a')[0].clientId, new CSChatError('CHAT_ARCHIVED', 'It is archived.'));
  first.outbox.release();

  const second = box(shared);
  assert.equal(second.outbox.of('a')[0].state, 'failed');
  assert.equal(second.outbox.of('a')[0].error.code, 'CHAT_ARCHIVED');
  assert.deepEqual(second.sent, []);
});

test('tabs on one storage leave each other\'s messages alone while both live', () => {
  const shared = storage();
  const one = box(shared);
  const other = box(shared);
  one.line.up = other.line.up = false;
  one.outbox.add('a', 'one', 'text');
  other.outbox.add('a', 'other', 'text');
  one.outbox.tend();
  other.outbox.tend();
  one.line.up = other.line.up = true;
  one.outbox.start();
  other.outbox.start();
  assert.deepEqual([one.sent, other.sent], [['one'], ['other']]);
  assert.equal(shared.length, 2);
});

test('a tab that died is inherited when its lease has run out, by one', async () => {
  const shared = storage();
  const short = { times: { lease: 40, answer: 1000 } };
  const dead = box(shared, short);
  dead.line.up = false;
  dead.outbox.add('a', 'left', 'text');
  const one = box(shared);
  const other = box(shared);
  assert.deepEqual([one.sent, other.sent], [[], []]);
  await tick(60);
  one.outbox.tend();
  other.outbox.tend();
  assert.deepEqual([one.sent, other.sent], [['left'], []]);
});

test('a tab that slept and was inherited loses nothing', async () => {
  const shared = storage();
  const asleep = box(shared, { times: { lease: 20, answer: 1000 } });
  asleep.line.up = false;
  const promise = asleep.outbox.add('a', 'left', 'text');
  await tick(40);
  const heir = box(shared);
  const [entry] = heir.outbox.of('a');
  asleep.line.up = true;
  asleep.outbox.tend();
  asleep.outbox.start();
  assert.deepEqual([asleep.sent, heir.sent], [['left'], ['left']]);  // the server stores it once
  asleep.outbox.stored(receipt(entry), true);
  assert.equal((await promise).clientId, entry.clientId);
});

test('messages of another user stay where they are', () => {
  const shared = storage();
  const one = box(shared);
  one.line.up = false;
  one.outbox.add('a', 'of u', 'text');
  one.outbox.open('v');
  assert.deepEqual(one.outbox.of(), []);
  one.line.up = true;
  one.outbox.open('u');
  assert.deepEqual(one.sent, ['of u']);
});

test('what is added before it is known who one is is kept once it is', () => {
  const shared = storage();
  const { outbox } = box(shared);
  const early = createOutbox({ storage: shared, times, send: () => false, onChange() {}, onError() {} });
  early.add('a', 'early', 'text');
  assert.equal(shared.length, 0);
  early.open('u');
  assert.equal(shared.length, 1);
  outbox.clear();
  assert.equal(shared.length, 0);
});

test('a full storage is told, and the message sent all the same', async () => {
  const full = storage();
  full.setItem = () => { throw new Error('quota'); };
  const { outbox, sent, errors } = box(full);
  const promise = outbox.add('a', 'text', 'text');
  assert.deepEqual(sent, ['text']);
  assert.equal(errors[0].code, 'STORAGE');
  outbox.stored(receipt(outbox.of('a')[0]), true);
  await promise;
});

test('rubbish in the storage harms nobody', () => {
  const shared = storage();
  shared.setItem('cs-chat:u:x', '{');
  shared.setItem('cs-chat:u:y', 'null');
  shared.setItem('other', 'theirs');
  const { outbox, sent } = box(shared);
  outbox.add('a', 'text', 'text');
  assert.deepEqual(sent, ['text']);
  assert.equal(shared.getItem('other'), 'theirs');
});

test('forgetting ends what is awaited and empties the storage', async () => {
  const shared = storage();
  const one = box(shared);
  const other = box(shared);
  one.line.up = other.line.up = false;
  const promise = one.outbox.add('a', 'one', 'text');
  other.outbox.add('a', 'other', 'text');
  one.outbox.clear();
  await assert.rejects(promise, { code: 'ENDED' });
  assert.equal(shared.length, 0);
});

test('an instance that stopped waits for nothing', () => {
  for (const { outbox, line } of boxes) {
    line.up = false;
    outbox.stop();
  }
});

// ---- the token --------------------------------------------------------------

const jwt = (claims) => `h.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.s`;

function auth(options, api = {}) {
  const told = [];
  const it = createAuth(options, api, (token) => told.push(token));
  return { it, told };
}

test('who asks at once for a token gets the same one', async () => {
  let calls = 0;
  const { it, told } = auth({ getToken: async () => jwt({ userID: 'u', n: ++calls }) });
  const tokens = await Promise.all([it.get(), it.get(), it.get()]);
  assert.equal(new Set(tokens).size, 1);
  assert.equal(calls, 1);
  assert.deepEqual(told, [tokens[0]]);
  assert.equal(it.claims.userID, 'u');
});

test('a refused token is exchanged, and the same one again is none', async () => {
  const tokens = [jwt({ n: 1 }), jwt({ n: 2 }), jwt({ n: 2 })];
  const why = [];
  const { it } = auth({ getToken: (reason) => {
    why.push(reason);
    return tokens.shift();
  } });
  const first = await it.get();
  assert.equal(await it.get(), first);
  it.refuse();
  const second = await it.get();
  assert.notEqual(second, first);
  assert.equal(await it.get(first), second);
  await assert.rejects(it.get(second), { code: 'AUTH_REQUIRED', status: 401 });
  assert.deepEqual(why, ['first', 'refused', 'refused']);
});

test('without a source there is no token, and what a provider throws may pass', async () => {
  await assert.rejects(auth({}).it.get(), { code: 'AUTH_REQUIRED' });
  assert.equal(await auth({}).it.find(), null);
  const failing = auth({ getToken: () => { throw new TypeError('down'); } });
  await assert.rejects(failing.it.get(), { code: 'NETWORK', temporary: true, message: 'down' });
});

test('a token is refreshed at four fifths of its life while it is kept', async () => {
  const now = Math.floor(Date.now() / 1000);
  const fresh = jwt({ iat: now, exp: now + 1000, n: 2 });
  const { it, told } = auth({}, { refresh: async () => ({ token: fresh }) });
  const old = jwt({ iat: now - 900, exp: now + 100, n: 1 });

  it.set(old, false);
  await tick(20);
  assert.deepEqual(told, [old]);
  it.keep(true);
  await tick(20);
  assert.deepEqual(told, [old, fresh]);
  it.keep(false);
});

// ---- the API ----------------------------------------------------------------

// An API whose server answers with these, one after the other.
function api(answers, options = {}) {
  const asked = [];
  const it = new Api({
    url: 'http://x/api/',
    fetch: async (url, { method, body, headers }) => {
      asked.push([method, url, body, headers.Authorization]);
      const answer = answers.shift();
      if (answer instanceof Error) throw answer;
      const [status, json, more] = answer;
      return new Response(typeof json === 'string' ? json : JSON.stringify(json), { status, headers: more });
    },
    ...options,
  });
  return { it, asked };
}

test('requests are what the API wants', async () => {
  const { it, asked } = api(Array.from({ length: 3 }, () => [200, { success: true, data: 1 }]), { getToken: () => 'T' });
  await it.users({ role: 'agent', online: true, limit: undefined });
  await it.setStatus('c', 'closed');
  await it.login('a', 'b');
  assert.deepEqual(asked, [
    ['GET', 'http://x/api/users?role=agent&online=true', undefined, 'Bearer T'],
    ['PUT', 'http://x/api/chats/c/status', '{"status":"closed"}', 'Bearer T'],
    ['POST', 'http://x/api/auth/login', '{"username":"a","password":"b"}', undefined],
  ]);
});

test('errors carry all that the server said', async () => {
  const { it } = api([
    [400, { success: false, error: 'Too short.', code: 'INVALID_INPUT', field: 'password' }],
    [429, { success: false, error: 'Slowly.', code: 'RATE_LIMITED' }, { 'Retry-After': '7' }],
    [502, '<html>'],
    [200, '<html>'],
    new TypeError('fetch failed'),
  ]);
  const wrong = async (fields) => assert.rejects(it.me(), { name: 'CSChatError', ...fields });
  await wrong({ code: 'INVALID_INPUT', status: 400, field: 'password', message: 'Too short.', temporary: false });
  await wrong({ code: 'RATE_LIMITED', status: 429, retryAfter: 7, temporary: true });
  await wrong({ code: 'BAD_ANSWER', status: 502, temporary: true });
  await wrong({ code: 'BAD_ANSWER', status: 200, temporary: false });
  await wrong({ code: 'NETWORK', status: 0, temporary: true });
});

test('a refused token is exchanged once', async () => {
  const refusal = [401, { success: false, error: 'No.', code: 'INVALID_TOKEN' }];
  const getToken = (bad) => (bad ? 'new' : 'old');
  const { it, asked } = api([refusal, [200, { success: true, data: 'me' }], refusal, refusal], { getToken });
  assert.equal(await it.me(), 'me');
  assert.deepEqual(asked.map((request) => request[3]), ['Bearer old', 'Bearer new']);
  await assert.rejects(it.me(), { code: 'INVALID_TOKEN' });
});
