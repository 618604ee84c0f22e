// Protects what people do with each other: messages both ways, chats and who has
// them, who writes, what is read, who is there, history, errors.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CSChat } from '../src/cs-chat.js';
import { next, startServer, until, WebSocket } from './server.js';
import { storage } from './storage.js';

const skip = !WebSocket && 'no WebSocket in this Node, and no package ws';
const server = skip ? null : await startServer({ worker_env: { CS_CHAT_PRESENCE_GRACE: '500ms' } });
const check = (name, action) => test(name, { skip }, action);

const contents = (conversation) => conversation.messages.map(({ content }) => content);

// A customer and an agent who follow a new chat, which the agent has taken.
async function pair() {
  const [customer, agent] = await Promise.all([server.connected('customer1'), server.connected('agent1')]);
  const ours = await (await customer.createChat()).follow();
  const theirs = await (await agent.conversation(ours.id).follow()).take();
  return { customer, agent, ours, theirs };
}

function end(...chats) {
  chats.forEach((chat) => chat.disconnect());
}

check('messages go both ways, in one order, each shown once', async () => {
  const { customer, agent, ours, theirs } = await pair();
  const heard = [];
  theirs.on('message', ({ content }) => heard.push(content));

  const sent = await Promise.all([ours.send('one'), ours.send('two'), theirs.send('three')]);
  await until(theirs, 'message', () => theirs.messages.length === 3);
  await until(ours, 'message', () => ours.messages.length === 3);
  assert.deepEqual(contents(ours), contents(theirs));
  assert.deepEqual(heard, contents(theirs));
  assert.ok(heard.indexOf('one') < heard.indexOf('two'));
  assert.deepEqual(ours.messages.map(({ seq }) => seq), [1, 2, 3]);
  for (const receipt of sent) {
    const message = ours.messages[receipt.seq - 1];
    assert.equal(message.id, receipt.id);
    assert.equal(message.clientId, receipt.clientId);
  }
  assert.deepEqual(ours.pending, []);
  end(customer, agent);
});

check('a message on its way is shown until it is among the messages', async () => {
  const { customer, agent, ours } = await pair();
  const states = [];
  ours.on('outgoing', (entry) => {
    states.push(entry.state);
    const shown = ours.messages.some(({ clientId }) => clientId === entry.clientId);
    assert.equal(ours.pending.includes(entry), !shown);
  });
  const message = next(ours, 'message');
  ours.send('text');
  assert.equal(ours.pending[0].content, 'text');
  await message;
  assert.deepEqual(ours.pending, []);
  assert.deepEqual(states.filter((state, i) => state !== states[i - 1]), ['queued', 'sending', 'sent']);
  end(customer, agent);
});

check('all sockets of a user see what they write', async () => {
  const { customer, agent, ours } = await pair();
  const other = await server.connected('customer1');
  const there = await other.conversation(ours.id).follow();
  await ours.send('from one tab');
  await until(there, 'message', () => there.messages.length === 1);
  assert.equal(there.unread, 0);
  end(customer, agent, other);
});

check('unread counts, marks and what others have read', async () => {
  const { customer, agent, ours, theirs } = await pair();
  const tab = await server.connected('agent1');
  await tab.chats();
  const inTab = tab.conversation(ours.id);
  const counts = [];
  theirs.on('unread', (unread) => counts.push(unread));

  await ours.send('one');
  await ours.send('two');
  await until(theirs, 'unread', () => theirs.unread === 2);
  await until(inTab, 'unread', () => inTab.unread === 2);
  assert.equal(agent.unread, agent.conversations.size === 1 ? 2 : agent.unread);

  const read = next(ours, 'read');
  const elsewhere = until(inTab, 'unread', () => inTab.unread === 0);
  theirs.markRead();
  const [{ userId, seq }] = await read;
  assert.deepEqual([userId, seq], [agent.userId, 2]);
  assert.equal(ours.reads.get(agent.userId), 2);
  await elsewhere;
  assert.equal(theirs.unread, 0);
  assert.equal(theirs.readSeq, 2);
  assert.deepEqual(counts, [1, 2, 0]);

  const fresh = await server.connected('agent1');
  await fresh.conversation(ours.id).refresh();
  assert.equal(fresh.conversation(ours.id).unread, 0);
  const reloaded = await server.connected('customer1');
  await reloaded.conversation(ours.id).follow();
  assert.equal(reloaded.conversation(ours.id).reads.get(agent.userId), 2);
  end(customer, agent, tab, fresh, reloaded);
});

check('a message of one\'s own reads the chat', async () => {
  const { customer, agent, ours, theirs } = await pair();
  await ours.send('one');
  await until(theirs, 'unread', () => theirs.unread === 1);
  await theirs.send('two');
  await until(theirs, 'message', () => theirs.messages.length === 2);
  assert.equal(theirs.unread, 0);
  assert.equal(theirs.reads.get(customer.userId), 1);
  end(customer, agent);
});

check('who writes is shown until they stop, or send', async () => {
  const { customer, agent, ours, theirs } = await pair();
  theirs.sendTyping();
  theirs.sendTyping();
  await until(ours, 'typing', () => ours.typing.has(agent.userId));
  theirs.sendTyping(false);
  await until(ours, 'typing', () => ours.typing.size === 0);
  theirs.sendTyping();
  await until(ours, 'typing', () => ours.typing.size === 1);
  await theirs.send('written');
  await until(ours, 'message', () => ours.messages.length === 1);
  assert.equal(ours.typing.size, 0);
  theirs.sendTyping();
  await until(ours, 'typing', () => ours.typing.size === 1);
  agent.disconnect();
  await until(ours, 'typing', () => ours.typing.size === 0);
  end(customer);
});

check('presence is known from events and from who was met', async () => {
  const { customer, agent, theirs } = await pair();
  await theirs.refresh();
  await until(agent, 'presence', () => agent.isOnline(customer.userId));
  const gone = until(agent, 'presence', () => agent.isOnline(customer.userId) === false);
  customer.disconnect();
  await gone;
  await agent.setOnline(false);
  assert.equal(agent.isOnline(agent.userId), false);
  await agent.setOnline(true);
  assert.equal((await agent.me()).username, 'agent1');
  assert.ok((await agent.users({ role: 'agent' })).some(({ username }) => username === 'agent1'));
  end(agent);
});

check('a chat changes hands, status and ends: everybody concerned is told', async () => {
  const { customer, agent, ours, theirs } = await pair();
  const chief = await server.connected('agent2');
  const changes = [];
  customer.on('chat', (conversation, change) => conversation === ours && changes.push(change));

  await theirs.close();
  await until(ours, 'chat', () => ours.info.status === 'closed');
  await theirs.reopen();
  await until(ours, 'chat', () => ours.info.status === 'active');
  await theirs.archive();
  await until(ours, 'chat', () => ours.info.status === 'archived');
  await assert.rejects(ours.send('too late'), { code: 'CHAT_ARCHIVED' });
  assert.equal(ours.pending[0].state, 'failed');
  ours.discard(ours.pending[0].clientId);
  assert.deepEqual(ours.pending, []);
  await theirs.unarchive();
  await until(ours, 'chat', () => ours.info.status === 'active');

  const lost = next(agent, 'chat', (conversation, change) => conversation === theirs && change === 'gone');
  await chief.conversation(ours.id).assign(chief.userId);
  await lost;
  assert.equal(theirs.following, false);
  assert.equal(agent.conversations.has(ours.id), false);
  await until(ours, 'chat', () => ours.info.agentId === chief.userId);

  const gone = next(ours, 'chat', (conversation, change) => change === 'gone');
  await chief.conversation(ours.id).delete();
  await gone;
  assert.deepEqual(changes, ['status', 'status', 'status', 'status', 'assigned', 'gone']);
  await assert.rejects(customer.conversation(ours.id).follow(), { code: 'CHAT_NOT_FOUND', status: 404 });
  assert.equal(customer.conversations.has(ours.id), false);
  end(customer, agent, chief);
});

check('a new chat, and a message in one that was not listed, announce it', async () => {
  const [customer, agent] = await Promise.all([server.connected('customer2'), server.connected('agent1')]);
  const told = next(agent, 'chat', (conversation, change) => change === 'new');
  const ours = await customer.createChat();
  const [conversation] = await told;
  assert.equal(conversation.id, ours.id);
  assert.equal(conversation.info.customer.username, 'customer2');

  const late = await server.connected('agent1');
  const announced = next(late, 'chat', (_, change) => change === 'new');
  await ours.send('hello');
  assert.equal((await announced)[0].info.lastMessage.content, 'hello');
  assert.equal(late.conversation(ours.id).unread, 1);
  end(customer, agent, late);
});

check('of two who take a chat one is refused', async () => {
  const { customer, agent, ours, theirs } = await pair();
  const chief = await server.connected('agent2');
  await theirs.assign(null);
  await until(ours, 'chat', () => ours.info.agentId === null);
  await chief.conversation(ours.id).take();
  await assert.rejects(theirs.take(), (error) => error.status === 404 || error.code === 'CHAT_ASSIGNED');
  end(customer, agent, chief);
});

check('lists come by pages, each chat once, the same object for the same chat', async () => {
  const [customer, agent] = await Promise.all([server.connected('customer2'), server.connected('agent1')]);
  for (let i = 0; i < 5; i++) await customer.createChat();
  const all = [];
  for await (const conversation of agent.allChats({ limit: 2 })) all.push(conversation);
  assert.equal(new Set(all).size, all.length);
  assert.ok(all.length >= 5);
  const [first] = await customer.chats({ limit: 1 });
  assert.equal(first, customer.conversation(first.id.toUpperCase()));
  await customer.request('PUT', `chats/${first.id}/status`, { status: 'closed' });
  assert.ok((await customer.chats({ status: 'closed' })).includes(first));
  await assert.rejects(customer.chats({ limit: 0 }), { code: 'INVALID_INPUT', status: 400, field: 'limit' });
  end(customer, agent);
});

check('history goes back to the beginning, by pages or as one scrolls', async () => {
  const { customer, agent, ours, theirs } = await pair();
  for (let i = 1; i <= 130; i++) await ours.send(`m${i}`);
  await until(theirs, 'message', () => theirs.messages.length === 130);

  const late = await server.connected('agent1');
  const there = await late.conversation(ours.id).follow();
  assert.equal(there.messages.length, 50);
  assert.equal(there.hasEarlier, true);
  assert.equal((await there.loadEarlier(60)).length, 60);
  const [page, same] = await Promise.all([there.loadEarlier(60), there.loadEarlier(60)]);
  assert.equal(page, same);
  assert.equal(there.hasEarlier, false);
  assert.deepEqual(await there.loadEarlier(), []);
  assert.deepEqual(contents(there), contents(theirs));

  const back = [];
  for await (const { content } of there.history({ limit: 40 })) back.push(content);
  assert.deepEqual(back.reverse(), contents(theirs));
  const some = [];
  for await (const { seq } of there.history({ before: 4 })) some.push(seq);
  assert.deepEqual(some, [3, 2, 1]);
  end(customer, agent, late);
});

check('a super-agent looks on, and no longer after unfollow', async () => {
  const { customer, agent, ours } = await pair();
  const chief = await server.connected('agent2');
  const there = await chief.conversation(ours.id).follow();
  ours.sendTyping();
  await until(there, 'typing', () => there.typing.size === 1);
  ours.sendTyping(false);
  await until(there, 'typing', () => there.typing.size === 0);
  there.unfollow();
  assert.deepEqual(there.messages, []);
  ours.sendTyping();
  const heard = next(chief, 'message', (_, conversation) => conversation === there);
  await ours.send('heard all the same');
  await heard;
  assert.equal(there.typing.size, 0);
  end(customer, agent, chief);
});

check('super-agents make agents and stay who they are', async () => {
  const chief = await server.connected('agent2');
  const fields = { username: 'agent_new', email: 'new@example.com', password: 'password123', name: 'New', role: 'agent' };
  const user = await chief.createUser(fields);
  assert.equal(user.role, 'agent');
  assert.equal(chief.role, 'super-agent');
  await assert.rejects(chief.createUser(fields), { code: 'CONFLICT', status: 409, field: 'username' });
  const other = server.client(null);
  await assert.rejects(other.register({ ...fields, username: 'agent_two', email: 'two@example.com' }), { status: 403 });
  await other.login('agent_new', 'password123');
  assert.equal(other.role, 'agent');
  assert.ok(Array.isArray(await other.request('GET', 'available-customers')));
  end(chief);
});

check('two tabs with one storage send each their own, once', async () => {
  const { customer, agent, ours, theirs } = await pair();
  const shared = storage();
  const tabs = await Promise.all([1, 2].map(() => server.connected('customer1', { storage: shared })));
  const [one, other] = tabs.map((tab) => tab.conversation(ours.id));
  const texts = Array.from({ length: 10 }, (_, i) => i);
  await Promise.all(texts.flatMap((i) => [one.send(`one ${i}`), other.send(`other ${i}`)]));
  await until(theirs, 'message', () => theirs.messages.length === 20);
  assert.equal(new Set(contents(theirs)).size, 20);
  for (const name of ['one', 'other']) {
    assert.deepEqual(contents(theirs).filter((text) => text.startsWith(name)), texts.map((i) => `${name} ${i}`));
  }
  assert.equal(shared.length, 0);
  end(customer, agent, ...tabs);
});

check('what was not sent before a reload of the page is sent by the next', async () => {
  const { customer, agent, ours, theirs } = await pair();
  const shared = storage();
  const before = server.client(null, { storage: shared, token: customer.token });
  before.conversation(ours.id).send('one');
  before.conversation(ours.id).send('two');
  before.disconnect();
  assert.equal(shared.length, 1);

  const after = server.client(null, { storage: shared, token: customer.token });
  assert.deepEqual(after.conversation(ours.id).pending.map(({ content }) => content), ['one', 'two']);
  await after.connect();
  await until(theirs, 'message', () => theirs.messages.length === 2);
  await until(after, 'outgoing', () => after.conversation(ours.id).pending.length === 0);
  assert.deepEqual(contents(theirs), ['one', 'two']);
  assert.equal(shared.length, 0);
  end(customer, agent, after);
});

check('what was sent and not acknowledged before a reload is stored once', async () => {
  const { customer, agent, ours, theirs } = await pair();
  const shared = storage();
  const before = await server.connected('customer1', { storage: shared });
  const page = before.conversation(ours.id);
  await new Promise((resolve) => {
    page.on('outgoing', ({ state }) => state === 'sending' && resolve());
    page.send('once');
  });
  before.disconnect();  // the ack will not be heard

  const after = await server.connected('customer1', { storage: shared });
  const again = await after.conversation(ours.id).follow();
  await ours.send('next');
  await until(theirs, 'message', () => contents(theirs).includes('next') && contents(theirs).includes('once'));
  await until(again, 'outgoing', () => again.pending.length === 0);
  assert.equal(contents(theirs).filter((text) => text === 'once').length, 1);
  end(customer, agent, after);
});

check('the token may come as a sub-protocol', async () => {
  const chat = await server.connected('customer1', { transport: 'bearer' });
  assert.equal(chat.status, 'online');
  end(chat);
});

check('a refused mark or sign of writing is told as an error', async () => {
  const chat = await server.connected('customer1');
  const error = next(chat, 'error');
  chat.conversation('00000000-0000-4000-8000-000000000000').sendTyping();
  assert.equal((await error)[0].code, 'CHAT_NOT_FOUND');
  assert.ok((await error)[0] instanceof Error);
  end(chat);
});

check('without a server a client waits, and ends when told', async () => {
  const chat = new CSChat({ url: 'http://127.0.0.1:1/api', WebSocket, token: server && await server.token('customer1') });
  const connected = chat.connect();
  const [, detail] = await next(chat, 'status', (status) => status === 'waiting');
  assert.equal(detail.error.code, 'NETWORK');
  chat.disconnect();
  await assert.rejects(connected, { code: 'ENDED' });
});

check('no part of the server complained (chat)', () => server.finish());
