// What was written arrives, once and in order, whatever breaks meanwhile, and
// the person is told that something is broken.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { bubble, eventually, open, openStage, say, shown, writing } from './stage.js';

const NETWORK = [/ERR_INTERNET_DISCONNECTED/, /WebSocket connection to .* failed/, /Failed to load resource/];

let stage;
let customer;
let agent;
let sent = 0;

before(async () => {
  stage = await openStage({ nginx_workers: 2 });
  customer = await stage.customer('customer1', { expect: NETWORK });
  await say(customer, 'hello');
  agent = await stage.agent('agent1', { expect: NETWORK });
  await open(agent, 'Customer One');
});
after(() => stage.finish());

// Both write while something happens; in the end both have seen all of it.
async function through(happening) {
  const first = sent + 1;
  let over = false;
  const done = happening().finally(() => (over = true));
  const names = [];

  for (let n = 0; n < 10 || !over; n++) {
    const [who, name] = n % 2 ? [agent, 'agent'] : [customer, 'customer'];
    const text = `${name} ${++sent}`;

    names.push(text);
    await say(who, text);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await done;
  assert.ok(sent > first);

  const ours = (page) => async () => (await shown(page)).filter((text) => names.includes(text));
  const of = (name) => (texts) => texts.filter((text) => text.startsWith(name));

  await eventually(async () => (await ours(agent)()).length, names.length, 60000);
  await eventually(ours(customer), await ours(agent)(), 60000);
  assert.deepEqual(of('customer')(await ours(agent)()), of('customer')(names));
  assert.deepEqual(of('agent')(await ours(agent)()), of('agent')(names));
  for (const page of [customer, agent]) {
    await eventually(() => page.locator('.message.outgoing').count(), 0);
    await page.locator('.banner').waitFor({ state: 'hidden' });
  }
}

test('through a reload of nginx', () => through(() => stage.server.reload()));

test('through the death of the worker', () =>
  through(async () => {
    await stage.server.kill('worker-1');
    await stage.server.start('worker-1');
  }));

test('through the death of nginx’ processes', () => through(() => stage.server.breakAll()));

test('through a loss of the network, of which the person is told', () =>
  through(async () => {
    await customer.context().setOffline(true);
    await stage.server.breakAll();
    await customer.getByText('No connection. Your messages are sent as soon as it is back.').waitFor();
    await customer.context().setOffline(false);
  }));

test('what was written without a network survives a reload of the page', async () => {
  await customer.context().setOffline(true);
  await stage.server.breakAll();
  await say(customer, 'written offline');
  await customer.locator('.message.outgoing', { hasText: 'written offline' }).waitFor();
  await customer.context().setOffline(false);
  await customer.reload();
  await bubble(agent, 'written offline').waitFor();
  await customer.getByRole('button', { name: /Open the chat/ }).click();
  await bubble(customer, 'written offline').waitFor();
  assert.equal((await shown(agent)).filter((text) => text === 'written offline').length, 1);
});

test('what the server refuses is shown as failed, and can be discarded', async () => {
  await stage.server.sql("UPDATE chats SET status = 'archived' WHERE status = 'active' AND customer_id = (SELECT id FROM users WHERE username = 'customer1')");
  await say(customer, 'to an archived chat');

  const failed = customer.locator('.message.failed', { hasText: 'to an archived chat' });

  await failed.getByText(/Not sent/).waitFor();
  await failed.getByRole('button', { name: 'Discard' }).click();
  await failed.waitFor({ state: 'detached' });
  await writing(customer).waitFor();
});
