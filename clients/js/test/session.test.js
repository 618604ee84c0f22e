// Protects who one is: tokens that end, are refreshed, refused and revoked, logging
// in and out, too many connections, limits.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { next, startServer, until, WebSocket } from './server.js';
import { storage } from './storage.js';

const skip = !WebSocket && 'no WebSocket in this Node, and no package ws';
const server = skip ? null : await startServer({
  directives: 'cs_chat_jwt_leeway 0; cs_chat_sockets_per_user 3; limit_req_zone $http_x_limit zone=limit:1m rate=1r/s;',
  api: 'limit_req zone=limit; limit_req_status 429;',
});
const check = (name, action) => test(name, { skip }, action);

const now = () => Math.floor(Date.now() / 1000);
const lasting = (username, seconds) => server.token(username, { iat: now(), exp: now() + seconds });
const ended = (chat) => next(chat, 'status', (status) => status === 'ended').then(([, detail]) => detail);

check('logging in, who one is, and out', async () => {
  const chat = server.client(null);
  const tokens = [];
  chat.on('token', (token) => tokens.push(token));
  await assert.rejects(chat.login('customer1', 'wrong'), { code: 'INVALID_CREDENTIALS', status: 401 });
  const user = await chat.login('customer1', 'password123');
  assert.equal(user.username, 'customer1');
  assert.equal(chat.userId, user.id);
  assert.equal(chat.role, 'customer');
  await chat.connect();
  assert.equal(chat.status, 'online');

  const { token } = chat;
  const other = await server.connected(null, { token });
  const [detail, elsewhere] = await Promise.all([ended(chat), ended(other), chat.logout()]);
  assert.equal(detail.reason, 'logout');
  assert.equal(elsewhere.reason, 'auth');
  assert.equal(elsewhere.code ?? elsewhere.error.status, elsewhere.code ?? 401);
  assert.deepEqual(tokens, [token, null]);
  assert.equal(chat.token, null);
  assert.equal(chat.conversations.size, 0);
  await assert.rejects(server.client(null, { token }).me(), { status: 401 });
});

check('who logs in next on the same client has missed nothing', async () => {
  const chat = server.client(null);
  const resyncs = [];
  chat.on('resync', () => resyncs.push(chat.userId));
  for (const username of ['customer1', 'customer2']) {
    await chat.login(username, 'password123');
    await chat.connect();
    await chat.logout();
  }
  await chat.login('customer1', 'password123');
  await chat.connect();
  chat.disconnect();
  await chat.connect();
  assert.deepEqual(resyncs, [chat.userId]);
  chat.disconnect();
});

check('registering logs in', async () => {
  const chat = server.client(null);
  const fields = { username: 'newcomer', email: 'newcomer@example.com', password: 'password123', name: 'New' };
  assert.equal((await chat.register(fields)).name, 'New');
  await chat.connect();
  assert.equal((await chat.me()).username, 'newcomer');
  chat.disconnect();
  await assert.rejects(server.client(null).register(fields), { code: 'CONFLICT', status: 409, field: 'username' });
  await assert.rejects(server.client(null).register({ ...fields, username: 'x' }), { status: 400, field: 'username' });
});

check('a token is refreshed before it ends, on the same connection', async () => {
  const token = await lasting('customer1', 5);
  const chat = await server.connected(null, { token });
  const statuses = [];
  chat.on('status', (status) => statuses.push(status));
  const [fresh] = await next(chat, 'token');
  assert.notEqual(fresh, token);
  await new Promise((resolve) => { setTimeout(resolve, 3000); });  // beyond the end of the first
  assert.deepEqual(statuses, []);
  assert.equal((await chat.me()).username, 'customer1');
  chat.disconnect();
});

check('a provider is asked before the end, and on the same connection', async () => {
  const why = [];
  const chat = await server.connected(null, {
    getToken: (reason) => {
      why.push(reason);
      return lasting('customer1', why.length === 1 ? 5 : 100);
    },
  });
  await until(chat, 'token', () => why.length === 2);
  await new Promise((resolve) => { setTimeout(resolve, 2500); });
  assert.equal(chat.status, 'online');
  assert.deepEqual(why, ['first', 'expired']);
  chat.disconnect();
});

check('a token that has ended is exchanged: closed with 4001, refused with 401', async () => {
  const tokens = [await lasting('customer1', 4), await lasting('customer1', 100)];
  let asked = 0;
  const chat = server.client(null, {
    getToken: (why) => {
      if (why === 'expired') throw new Error('the provider is down');
      return tokens[asked++];
    },
  });
  await chat.connect();
  const ours = await (await chat.createChat()).follow();
  const [, { code }] = await next(chat, 'status', (status) => status === 'waiting');
  assert.equal(code, 4001);
  const receipt = await ours.send('goes on');
  assert.equal(receipt.seq, 1);
  assert.equal(asked, 2);
  chat.disconnect();

  const old = await server.token('customer1', { iat: now() - 100, exp: now() - 50 });
  const rest = server.client(null, { getToken: (why) => (why === 'first' ? old : lasting('customer1', 100)) });
  assert.equal((await rest.me()).username, 'customer1');
});

check('without another token it ends', async () => {
  const chat = server.client(null, { token: await server.token('customer1', { iat: now() - 100, exp: now() - 50 }) });
  await assert.rejects(chat.connect(), { status: 401 });
  assert.equal(chat.status, 'ended');
  assert.equal(chat.token, null);
  await assert.rejects(server.client(null).connect(), { code: 'AUTH_REQUIRED' });
  await assert.rejects(server.client(null, { transport: 'bearer', token: 'x.y.z' }).connect(), { status: 401 });
  await assert.rejects(
    server.client(null, { credentials: { username: 'customer1', password: 'wrong' } }).connect(),
    { code: 'INVALID_CREDENTIALS' });
});

check('a role that changes: 4002, and another login brings the new one', async () => {
  const fields = { username: 'riser', email: 'riser@example.com', password: 'password123', name: 'Riser' };
  await server.client(null).register(fields);
  const chat = await server.connected(null, { credentials: { username: 'riser', password: 'password123' } });
  assert.equal(chat.role, 'customer');
  const closed = next(chat, 'status', (status, { code }) => code === 4002);
  await server.sql('UPDATE users SET role = \'agent\' WHERE username = \'riser\'');
  // what makes the server see it
  await Promise.all([closed, chat.me().catch(() => {})]);
  await until(chat, 'status', () => chat.status === 'online');
  assert.equal(chat.role, 'agent');
  chat.disconnect();
});

check('too many connections: the oldest gives way and does not come back by itself', async () => {
  const chats = [];
  for (let i = 0; i < 3; i++) chats.push(await server.connected('agent2'));
  const gone = ended(chats[0]);
  chats.push(await server.connected('agent2'));
  const { reason, code } = await gone;
  assert.deepEqual([reason, code], ['replaced', 4003]);
  assert.ok(chats.slice(1).every(({ status }) => status === 'online'));
  chats[1].disconnect();
  await chats[0].connect();
  chats.forEach((chat) => chat.disconnect());
});

check('a limit is waited for as long as it says', async () => {
  const limited = (url, options) => fetch(url, { ...options, headers: { ...options.headers, 'X-Limit': 'me' } });
  const chat = server.client(null, { fetch: limited, token: await lasting('customer1', 100) });
  await chat.me();
  await assert.rejects(chat.me(), (error) => error.code === 'RATE_LIMITED' && error.status === 429
    && error.retryAfter > 0 && error.temporary);
  const waiting = next(chat, 'status', (status) => status === 'waiting');
  const begin = Date.now();
  const connected = chat.connect();
  const [, { retryIn, error }] = await waiting;
  assert.ok(retryIn >= error.retryAfter * 1000);
  await connected;
  assert.ok(Date.now() - begin >= error.retryAfter * 1000);
  chat.disconnect();
});

check('another user forgets the first, whose messages stay their own', async () => {
  const shared = storage();
  const chat = server.client(null, { storage: shared });
  await chat.login('customer1', 'password123');
  const ours = await chat.createChat();
  ours.send('of the first');
  await chat.login('customer2', 'password123');
  assert.equal(chat.conversations.size, 0);
  assert.equal(shared.length, 1);
  await chat.connect();
  await chat.login('customer1', 'password123');
  assert.equal(chat.status, 'ended');
  await chat.connect();
  const again = await chat.conversation(ours.id).follow();
  await until(again, 'message', () => again.messages.length === 1);
  assert.equal(again.messages[0].content, 'of the first');
  chat.disconnect();
});

check('logging out forgets what was not sent', async () => {
  const shared = storage();
  const chat = server.client(null, { storage: shared });
  await chat.login('customer1', 'password123');
  const sending = (await chat.createChat()).send('never');
  assert.equal(shared.length, 1);
  await chat.logout();
  await assert.rejects(sending, { code: 'ENDED' });
  assert.equal(shared.length, 0);
});

check('no part of the server complained (session)', () => server.finish());
