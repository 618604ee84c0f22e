// Protects the promise of docs/delivery.md at the client: whatever fails, nothing
// is lost, nothing is shown twice, all is in order.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { next, startServer, until, WebSocket } from './server.js';
import { storage } from './storage.js';

const skip = !WebSocket && 'no WebSocket in this Node, and no package ws';
const server = skip ? null : await startServer({ directives: 'cs_chat_drain_time 500ms;' });
const check = (name, action) => test(name, { skip }, action);

const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });
const contents = (messages) => messages.map(({ content }) => content);

// A customer and an agent talk while the fault happens, and to the end.
async function talkDuring(fault, ofCustomer = {}) {
  const [customer, agent] = await Promise.all([server.connected('customer1', ofCustomer), server.connected('agent1')]);
  const ours = await (await customer.createChat()).follow();
  const theirs = await agent.conversation(ours.id).follow();
  const heard = new Map([ours, theirs].map((side) => {
    const messages = [];
    side.on('message', (message) => messages.push(message));
    return [side, messages];
  }));
  const said = { ours: [], theirs: [] };
  const receipts = [];
  let talking = true;

  async function talk(side, name) {
    for (let i = 1; talking || i <= 20; i++) {
      said[name].push(`${name} ${i}`);
      receipts.push(side.send(`${name} ${i}`));
      await pause(15);
    }
  }

  const talks = [talk(ours, 'ours'), talk(theirs, 'theirs')];
  await pause(100);
  await fault({ customer, agent, ours, theirs });
  await pause(100);
  talking = false;
  await Promise.all(talks);
  const all = await Promise.all(receipts);
  for (const side of [ours, theirs]) await until(side, 'message', () => heard.get(side).length >= all.length);
  await pause(100);  // for what comes twice

  for (const [side, messages] of heard) {
    assert.deepEqual(messages.map(({ seq }) => seq), all.map((_, i) => i + 1), 'each once, in order');
    assert.deepEqual(contents(side.messages), contents(messages));
    for (const name of ['ours', 'theirs']) {
      assert.deepEqual(contents(messages).filter((text) => text.startsWith(name)), said[name], 'all, in the order of sending');
    }
    assert.deepEqual(side.pending, []);
  }
  assert.deepEqual(contents(ours.messages), contents(theirs.messages));
  for (const { seq, id } of all) assert.equal(ours.messages[seq - 1].id, id);
  customer.disconnect();
  agent.disconnect();
}

check('a reload of nginx', () => talkDuring(async ({ customer }) => {
  const [, { code, retryIn }] = (await Promise.all([next(customer, 'status', (status) => status === 'waiting'), server.reload()]))[0];
  assert.equal(code, 1012);
  assert.ok(retryIn < 500);
}));

check('the death of every nginx process', () => talkDuring(() => server.breakAll()));

check('the death of the chat worker', () => talkDuring(async () => {
  await server.kill('worker-1');
  await pause(300);
  await server.start('worker');
}));

check('a restart of Redis', () => talkDuring(async () => {
  await server.stop('redis');
  await pause(300);
  await server.start('redis');
}));

check('a frozen chat worker: no answer in time', () => talkDuring(async () => {
  await server.freeze('worker-1');
  await pause(6500);
  await server.thaw('worker-1');
}));

check('sockets that are cut, again and again', () => {
  const cut = [];
  class Cut extends (WebSocket ?? Object) {
    constructor(...args) {
      super(...args);
      cut.push(this);
    }
  }
  return talkDuring(async ({ customer }) => {
    for (let i = 0; i < 5; i++) {
      const online = next(customer, 'status', (status) => status === 'online');
      cut.at(-1).terminate?.() ?? cut.at(-1).close();
      await online;
    }
  }, { WebSocket: Cut });
});

check('a network that is silent: the connection is given up and made again', async () => {
  const sockets = [];
  class Mute extends (WebSocket ?? Object) {
    constructor(...args) {
      super(...args);
      sockets.push(this);
    }
  }
  const chat = await server.connected('customer1', {
    WebSocket: Mute, times: { answer: 300, ping: 200, backoffMin: 20 },
  });
  await pause(700);
  assert.equal(chat.status, 'online');  // the server answers pings
  const conversation = await (await chat.createChat()).follow();
  sockets[0].send = () => {};           // and now nothing goes out
  const [, { error }] = await next(chat, 'status', (status) => status === 'waiting');
  assert.equal(error.code, 'NETWORK');
  const receipt = await conversation.send('after all');
  assert.equal(receipt.seq, 1);
  chat.disconnect();
});

check('what is not answered breaks no connection', async () => {
  const [customer, agent] = await Promise.all([server.connected('customer1', { times: { answer: 300 } }), server.connected('agent1')]);
  const ours = await (await customer.createChat()).follow();
  await agent.conversation(ours.id).send('hello');
  await until(ours, 'message', () => ours.unread === 1);
  const statuses = [];
  customer.on('status', (status) => statuses.push(status));
  ours.sendTyping();
  ours.markRead();
  await pause(700);
  assert.deepEqual(statuses, []);
  customer.disconnect();
  agent.disconnect();
});

check('more than a resume brings is fetched', async () => {
  const [customer, agent] = await Promise.all([server.connected('customer2'), server.connected('agent2')]);
  const ours = await (await customer.createChat()).follow();
  const theirs = await agent.conversation(ours.id).follow();
  const heard = [];
  ours.on('message', ({ seq }) => heard.push(seq));
  await theirs.send('first');
  await until(ours, 'message', () => heard.length === 1);

  customer.disconnect();
  for (let i = 0; i < 60; i++) {
    await Promise.all(Array.from({ length: 12 }, (_, n) => agent.api.postMessage(ours.id, { content: `${i} ${n}` })));
  }
  const again = next(customer, 'resync');
  await customer.connect();
  await again;
  await until(ours, 'message', () => heard.length === 721);
  await theirs.send('live');
  await until(ours, 'message', () => heard.length === 722);
  assert.deepEqual(heard, heard.map((_, i) => i + 1));
  assert.equal(ours.unread, 722);
  customer.disconnect();
  agent.disconnect();
});

check('a client that is ahead of the server starts anew', async () => {
  const customer = await server.connected('customer2');
  const ours = await (await customer.createChat()).follow();
  await ours.send('one');
  await ours.send('two');
  await until(ours, 'message', () => ours.messages.length === 2);
  customer.disconnect();
  await server.sql(`DELETE FROM messages WHERE chat_id = '${ours.id}' AND seq = 2;
    UPDATE chats SET last_seq = 1 WHERE id = '${ours.id}'`);
  const reset = next(ours, 'chat', (_, change) => change === 'reset');
  await customer.connect();
  await reset;
  assert.deepEqual(contents(ours.messages), ['one']);
  customer.disconnect();
});

check('a chat that was lost meanwhile is gone', async () => {
  const [customer, chief] = await Promise.all([server.connected('customer2'), server.connected('agent2')]);
  const ours = await (await customer.createChat()).follow();
  customer.disconnect();
  await chief.conversation(ours.id).delete();
  const gone = next(ours, 'chat', (_, change) => change === 'gone');
  await customer.connect();
  await gone;
  assert.equal(ours.following, false);
  chief.disconnect();
  customer.disconnect();
});

check('a whole list notices what was lost or archived meanwhile', async () => {
  const [agent, chief] = await Promise.all([server.connected('agent1'), server.connected('agent2')]);
  const customer = await server.connected('customer2');
  const lost = await customer.createChat();
  const archived = await customer.createChat();
  for await (const conversation of agent.allChats()) assert.ok(conversation.info);
  assert.ok(agent.conversations.has(lost.id));
  agent.disconnect();
  await chief.conversation(lost.id).assign(chief.userId);
  await customer.request('PUT', `chats/${archived.id}/archive`);
  await agent.connect();

  const gone = next(agent, 'chat', ({ id }, change) => id === lost.id && change === 'gone');
  const put = next(agent, 'chat', ({ id, info }) => id === archived.id && info.status === 'archived');
  for await (const { id } of agent.allChats()) assert.notEqual(id, lost.id);
  await Promise.all([gone, put]);
  assert.equal(agent.conversations.has(lost.id), false);
  for (const chat of [agent, chief, customer]) chat.disconnect();
});

check('following waits for a server that is away, and for the connection', async () => {
  const customer = await server.connected('customer2');
  const ours = await customer.createChat();
  await ours.send('one');
  await server.stop('worker-1');
  const following = ours.follow();
  await assert.rejects(customer.me(), { code: 'BACKEND_UNAVAILABLE', status: 503, temporary: true });
  const receipt = ours.send('two');
  await pause(300);
  assert.equal(ours.pending.length, 1);
  await server.start('worker');
  await following;
  await receipt;
  await until(ours, 'message', () => ours.messages.length === 2);
  assert.deepEqual(contents(ours.messages), ['one', 'two']);
  customer.disconnect();
});

check('many followed chats are resumed, more than fit one request', async () => {
  const [customer, agent] = await Promise.all([server.connected('customer2'), server.connected('agent2')]);
  const chats = [];
  for (let i = 0; i < 130; i++) chats.push(await (await customer.createChat()).follow());
  await server.breakAll();
  await Promise.all(chats.map(({ id }) => agent.api.postMessage(id, { content: 'x' })));
  for (const chat of chats) await until(chat, 'message', () => chat.messages.length === 1);
  assert.ok(chats.every(({ messages }) => messages.length === 1));
  customer.disconnect();
  agent.disconnect();
});

check('an outbox full of messages outlives page and server', async () => {
  const shared = storage();
  const customer = await server.connected('customer1', { storage: shared });
  const ours = await customer.createChat();
  await server.stop('worker-1');
  const texts = Array.from({ length: 25 }, (_, i) => `m${i}`);
  texts.forEach((text) => ours.send(text));
  await pause(50);
  customer.disconnect();  // the page is reloaded

  const page = await server.connected('customer1', { storage: shared, token: customer.token });
  await server.start('worker');
  const again = await page.conversation(ours.id).follow();
  await until(again, 'message', () => again.messages.length === texts.length, 60000);
  assert.deepEqual(contents(again.messages), texts);
  assert.equal(shared.length, 0);
  page.disconnect();
});

check('no part of the server complained (faults)', () => server.finish());
