// Protects what needs no server: waits, the order of messages, the outbox and its
// tabs, the token, errors.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Api } from '../src/api.js';
import { createAuth } from '../src/auth.js';
import { backoff } from '../src/backoff.js';
import { Conversation, chatEvents } from '../src/conversation.js';
import { CSChat } from '../src/cs-chat.js';
import { Emitter } from '../src/emitter.js';
import { CSChatError } from '../src/error.js';
import { createOutbox } from '../src/outbox.js';
import { storage } from './storage.js';

const message = (seq) => ({ seq });
const seqs = (messages) => messages.map(({ seq }) => seq);
const tick = (ms = 0) => new Promise((resolve) => { setTimeout(resolve, ms); });

// ---- waits ------------------------------------------------------------------

test('a wait doubles up to its limit and is random', () => {
  for (let attempt = 0; attempt < 12; attempt++) {
    const waits = Array.from({ length: 200 }, () => backoff(attempt, {}, 500, 30000));
    const limit = Math.min(500 * 2 ** attempt, 30000);
    assert.ok(waits.every((wait) => wait >= 0 && wait < limit));
    assert.ok(Math.max(...waits) > limit / 2);
    assert.ok(Math.min(...waits) < limit / 2);
  }
  assert.ok(backoff(0, { retryAfter: 7 }) >= 7000);
});

test('what may pass is tried again, what may not and what is not wanted is not', async () => {
  const chat = new CSChat({ storage: null });
  const passing = new CSChatError('NETWORK', '');
  let calls = 0;
  const action = async () => {
    if (++calls < 2) throw passing;
    return calls;
  };
  assert.equal(await chat._persist(action), 2);
  const lasting = new CSChatError('CHAT_NOT_FOUND', '', { status: 404 });
  await assert.rejects(chat._persist(async () => { throw lasting; }), lasting);
  chat.disconnect();
  await assert.rejects(chat._persist(async () => { throw passing; }), passing);
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
  const listeners = process.listeners('unhandledRejection');

  process.removeAllListeners('unhandledRejection');
  process.once('unhandledRejection', (error) => uncaught.push(error.message));
  emitter.on('x', () => { throw new Error('mine'); });
  const off = emitter.on('x', (value) => heard.push(value));
  emitter.once('x', (value) => heard.push(value));
  emitter._emit('x', 1);
  off();
  emitter._emit('y', 2);
  await tick();
  listeners.forEach((listener) => process.on('unhandledRejection', listener));
  assert.deepEqual(heard, [1, 1]);
  assert.deepEqual(uncaught, ['mine']);
});

// ---- order ------------------------------------------------------------------

// A chat that is followed from the beginning, and what it told and asked for.
function followed() {
  const shown = [];
  const asked = [];
  const outbox = { _of: () => [], _stored() {} };
  const chat = new Conversation({ _emit() {}, _send() {}, _outbox: outbox, _met() {}, _resume: (one) => asked.push(one._position) }, 'c');

  chat.info = {};
  chat._position = 0;
  chat.on('message', ({ seq }) => shown.push(seq));
  return { chat, shown, asked, come: (seq) => chatEvents.new_message(chat, message(seq)) };
}

test('any order of arrival, with repeats, becomes 1, 2, 3, each once', () => {
  for (let round = 0; round < 300; round++) {
    const { chat, shown, come } = followed();
    const order = [1, 2, 3, 4, 5, 6, 7, 8, 3, 5, 8, 1].map((seq) => [Math.random(), seq]).sort((a, b) => a[0] - b[0]);
    for (const [, seq] of order) come(seq);
    assert.deepEqual(shown, [1, 2, 3, 4, 5, 6, 7, 8]);
    assert.deepEqual(seqs(chat.messages), shown);
    assert.equal(chat.lastSeq, 8);
  }
});

test('messages wait for what came before them, which is asked for', () => {
  const { chat, shown, asked, come } = followed();
  come(1);
  assert.deepEqual(asked, []);
  come(4);
  come(3);
  assert.deepEqual([shown, asked], [[1], [1, 1]]);
  come(2);
  assert.deepEqual(shown, [1, 2, 3, 4]);
  come(3);
  assert.deepEqual([shown, asked], [[1, 2, 3, 4], [1, 1]]);
  chat.unfollow();
  come(4);
  assert.deepEqual([shown, chat.messages], [[1, 2, 3, 4], []]);
});

// ---- the outbox -------------------------------------------------------------

const times = { lease: 100000, answer: 100000 };

const boxes = [];

// An instance that writes down what it sends.
function box(shared, ofTimes = times) {
  const sent = [];
  const errors = [];
  const states = [];
  const line = { up: true };
  const outbox = createOutbox({ storage: shared }, ofTimes, (type, data) => line.up && sent.push(data.content) > 0, {
    onChange: (entry) => states.push(entry.state),
    onError: (error) => errors.push(error),
  });
  outbox._open('u');
  boxes.push({ outbox, line });
  return { outbox, sent, errors, states, line };
}

const receipt = (entry, seq = 1) => ({ ...entry, id: `id-${seq}`, seq, timestamp: 'now' });

test('messages of a chat go out one after the other, those of others beside them', async () => {
  const { outbox, sent } = box(storage());
  const first = outbox._add('a', 'a1', 'text');
  outbox._add('a', 'a2', 'text');
  outbox._add('b', 'b1', 'text');
  assert.deepEqual(sent, ['a1', 'b1']);
  outbox._stored(receipt(outbox._of('a')[0]), true);
  assert.deepEqual(sent, ['a1', 'b1', 'a2']);
  assert.equal((await first).seq, 1);
  assert.deepEqual(outbox._of('a').map(({ content }) => content), ['a2']);
});

test('what was sent and not acknowledged goes out again, with its clientId and before what follows', () => {
  const { outbox, sent, line } = box(storage());
  outbox._add('a', 'a1', 'text');
  outbox._add('a', 'a2', 'text');
  const [{ clientId }] = outbox._of('a');
  line.up = false;
  outbox._stop();
  assert.deepEqual(outbox._of('a').map(({ state }) => state), ['queued', 'queued']);
  line.up = true;
  outbox._tend();
  assert.deepEqual(sent, ['a1', 'a1']);
  assert.equal(outbox._of('a')[0].clientId, clientId);
});

test('silence sends it again', async () => {
  const { sent, outbox } = box(storage(), { lease: 1000, answer: 20 });
  outbox._add('a', 'a1', 'text');
  await tick(70);
  outbox._clear();
  assert.ok(sent.length > 1);
});

test('a refusal fails the message, lets the next go, and can be tried again or given up', async () => {
  const shared = storage();
  const { outbox, sent } = box(shared);
  const refused = outbox._add('a', 'bad', 'text');
  outbox._add('a', 'good', 'text');
  const [{ clientId }] = outbox._of('a');
  assert.equal(outbox._refused(clientId, new CSChatError('INVALID_INPUT', 'No.')), true);
  await assert.rejects(refused, { code: 'INVALID_INPUT' });
  assert.deepEqual(sent, ['bad', 'good']);
  assert.deepEqual(outbox._of('a')[0].error, { code: 'INVALID_INPUT', message: 'No.' });

  outbox._stored(receipt(outbox._of('a')[1]), true);
  outbox._retry(clientId);
  assert.deepEqual(sent, ['bad', 'good', 'bad']);
  assert.equal(JSON.parse(shared.getItem(shared.key(0))).entries[0].error, undefined);
  outbox._discard(clientId);
  assert.deepEqual(outbox._of('a'), []);
  assert.ok(!outbox._refused('nobody', new CSChatError('X', '')));
});

test('a refusal that may pass keeps the message and its place', async () => {
  const { outbox, sent } = box(storage());
  outbox._add('a', 'a1', 'text');
  outbox._add('a', 'a2', 'text');
  outbox._refused(outbox._of('a')[0].clientId, new CSChatError('BACKEND_UNAVAILABLE', ''));
  await tick(2100);
  assert.deepEqual(sent, ['a1', 'a1']);
  outbox._clear();
});

test('too large a message is not sent for ever', async () => {
  const { outbox } = box(storage());
  const small = outbox._add('a', 'x', 'text');
  const large = outbox._add('b', 'x'.repeat(100), 'text');
  outbox._tooLarge();
  await assert.rejects(large, { code: 'PAYLOAD_TOO_LARGE' });
  outbox._stored(receipt(outbox._of('a')[0]), true);
  await small;
});

test('an instance that went away leaves its messages to the next, in order', () => {
  const shared = storage();
  const first = box(shared);
  first.line.up = false;
  ['1', '2', '3'].forEach((text) => first.outbox._add('a', text, 'text'));
  const ids = first.outbox._of('a').map(({ clientId }) => clientId);
  first.outbox._release();

  const second = box(shared);
  assert.deepEqual(second.outbox._of('a').map(({ clientId }) => clientId), ids);
  for (let seq = 1; seq <= 3; seq++) second.outbox._stored(receipt(second.outbox._of('a')[0], seq), true);
  assert.deepEqual(second.sent, ['1', '2', '3']);
  assert.equal(shared.length, 0);
});

test('what was refused is still there after a reload, and not sent by itself', () => {
  const shared = storage();
  const first = box(shared);
  first.outbox._add('a', 'bad', 'text');
  first.outbox._refused(first.outbox._of('a')[0].clientId, new CSChatError('CHAT_ARCHIVED', 'It is archived.'));
  first.outbox._release();

  const second = box(shared);
  assert.equal(second.outbox._of('a')[0].state, 'failed');
  assert.equal(second.outbox._of('a')[0].error.code, 'CHAT_ARCHIVED');
  assert.deepEqual(second.sent, []);
});

test('tabs on one storage leave each other\'s messages alone while both live', () => {
  const shared = storage();
  const one = box(shared);
  const other = box(shared);
  one.line.up = other.line.up = false;
  one.outbox._add('a', 'one', 'text');
  other.outbox._add('a', 'other', 'text');
  one.outbox._tend();
  other.outbox._tend();
  one.line.up = other.line.up = true;
  one.outbox._tend();
  other.outbox._tend();
  assert.deepEqual([one.sent, other.sent], [['one'], ['other']]);
  assert.equal(shared.length, 2);
});

test('a tab that died is inherited when its lease has run out, by one', async () => {
  const shared = storage();
  const short = { lease: 40, answer: 1000 };
  const dead = box(shared, short);
  dead.line.up = false;
  dead.outbox._add('a', 'left', 'text');
  const one = box(shared);
  const other = box(shared);
  assert.deepEqual([one.sent, other.sent], [[], []]);
  await tick(60);
  one.outbox._tend();
  other.outbox._tend();
  assert.deepEqual([one.sent, other.sent], [['left'], []]);
});

test('a tab that slept and was inherited loses nothing', async () => {
  const shared = storage();
  const asleep = box(shared, { lease: 20, answer: 1000 });
  asleep.line.up = false;
  const promise = asleep.outbox._add('a', 'left', 'text');
  await tick(40);
  const heir = box(shared);
  const [entry] = heir.outbox._of('a');
  asleep.line.up = true;
  asleep.outbox._tend();
  asleep.outbox._tend();
  assert.deepEqual([asleep.sent, heir.sent], [['left'], ['left']]);  // the server stores it once
  asleep.outbox._stored(receipt(entry), true);
  assert.equal((await promise).clientId, entry.clientId);
});

test('messages of another user stay where they are', () => {
  const shared = storage();
  const one = box(shared);
  one.line.up = false;
  one.outbox._add('a', 'of u', 'text');
  one.outbox._open('v');
  assert.deepEqual(one.outbox._of('a'), []);
  one.line.up = true;
  one.outbox._open('u');
  assert.deepEqual(one.sent, ['of u']);
});

test('what is added before it is known who one is is kept once it is', () => {
  const shared = storage();
  const { outbox } = box(shared);
  const early = createOutbox({ storage: shared }, times, () => false, { onChange() {}, onError() {} });
  early._add('a', 'early', 'text');
  assert.equal(shared.length, 0);
  early._open('u');
  assert.equal(shared.length, 1);
  outbox._clear();
  assert.equal(shared.length, 0);
});

test('a full storage is told, and the message sent all the same', async () => {
  const full = storage();
  full.setItem = () => { throw new Error('quota'); };
  const { outbox, sent, errors } = box(full);
  const promise = outbox._add('a', 'text', 'text');
  assert.deepEqual(sent, ['text']);
  assert.equal(errors[0].code, 'STORAGE');
  outbox._stored(receipt(outbox._of('a')[0]), true);
  await promise;
});

test('rubbish in the storage harms nobody', () => {
  const shared = storage();
  shared.setItem('cs-chat:u:x', '{');
  shared.setItem('cs-chat:u:y', 'null');
  shared.setItem('other', 'theirs');
  const { outbox, sent } = box(shared);
  outbox._add('a', 'text', 'text');
  assert.deepEqual(sent, ['text']);
  assert.equal(shared.getItem('other'), 'theirs');
});

test('forgetting ends what is awaited and empties the storage', async () => {
  const shared = storage();
  const one = box(shared);
  const other = box(shared);
  one.line.up = other.line.up = false;
  const promise = one.outbox._add('a', 'one', 'text');
  other.outbox._add('a', 'other', 'text');
  one.outbox._clear();
  await assert.rejects(promise, { code: 'ENDED' });
  assert.equal(shared.length, 0);
});

test('an instance that stopped waits for nothing', () => {
  for (const { outbox, line } of boxes) {
    line.up = false;
    outbox._stop();
  }
});

// ---- the token --------------------------------------------------------------

const jwt = (claims) => `h.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.s`;

function auth(options, request) {
  const told = [];
  const known = {};
  const it = createAuth(options.getToken, request, (token, claims) => {
    told.push(token);
    Object.assign(known, claims);
  });
  return { it, told, known };
}

test('who asks at once for a token gets the same one', async () => {
  let calls = 0;
  const { it, told, known } = auth({ getToken: async () => jwt({ userID: 'u', n: ++calls }) });
  const tokens = await Promise.all([it._get(), it._get(), it._get()]);
  assert.equal(new Set(tokens).size, 1);
  assert.equal(calls, 1);
  assert.deepEqual(told, [tokens[0]]);
  assert.equal(known.userID, 'u');
});

test('a refused token is exchanged, and the same one again is none', async () => {
  const tokens = [jwt({ n: 1 }), jwt({ n: 2 }), jwt({ n: 2 })];
  const why = [];
  const { it } = auth({ getToken: (reason) => {
    why.push(reason);
    return tokens.shift();
  } });
  const first = await it._get();
  assert.equal(await it._get(), first);
  const second = await it._get(first);
  assert.notEqual(second, first);
  assert.equal(await it._get(first), second);
  await assert.rejects(it._get(second), { code: 'AUTH_REQUIRED', status: 401 });
  assert.deepEqual(why, ['first', 'refused', 'refused']);
});

test('without a source there is no token, and what a provider throws may pass', async () => {
  await assert.rejects(auth({}).it._get(), { code: 'AUTH_REQUIRED' });
  const failing = auth({ getToken: () => { throw new TypeError('down'); } });
  await assert.rejects(failing.it._get(), { code: 'NETWORK', temporary: true, message: 'down' });
});

test('a token is refreshed before four fifths of its life, or at them', async () => {
  const now = Math.floor(Date.now() / 1000);
  const fresh = jwt({ iat: now, exp: now + 1000, n: 2 });
  const asked = [];
  const { it, told } = auth({}, async (...request) => {
    asked.push(request);
    return { token: fresh };
  });
  const old = jwt({ iat: now - 700, exp: now + 300, n: 1 });

  it._set(old, false);
  it._tend(50000);
  assert.deepEqual(asked, []);
  it._tend(150000);  // 100 s are left to then, the next time is too late
  await tick();
  assert.deepEqual(told, [old, fresh]);
  assert.deepEqual(asked, [['POST', 'auth/refresh', {}, old]]);
  it._tend(150000);
  await tick();
  assert.equal(told.length, 2);
});

test('a refresh that fails is tried again the next time, unless it is refused; without a time there is none', async () => {
  const now = Math.floor(Date.now() / 1000);
  const answers = [() => { throw new CSChatError('NETWORK', ''); }, () => ({ token: jwt({ iat: now, exp: now + 9 }) })];
  const { it, told } = auth({}, async () => answers.shift()());
  it._set(jwt({ iat: now - 9, exp: now }), false);
  for (let i = 0; i < 2; i++) {
    it._tend(0);
    await tick();
  }
  assert.equal(told.length, 2);

  const why = [];
  const refused = auth({ getToken: async (reason) => { why.push(reason); } });
  for (const token of [jwt({ iat: now - 9, exp: now }), jwt({}), null]) {
    refused.it._set(token, false);
    for (let i = 0; i < 3; i++) {
      refused.it._tend(0);
      await tick();
    }
  }
  assert.deepEqual(why, ['expired']);
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
