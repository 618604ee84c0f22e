// Two people talk, in widget and console, and see of each other what they are
// to see.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { bubble, eventually, open, openStage, say, shown, writing } from './stage.js';

let stage;
let customer;
let agent;

before(async () => {
  stage = await openStage();
  customer = await stage.customer('customer1');
  agent = await stage.agent('agent1');
});
after(() => stage.finish());

test('a message of either arrives at the other, once', async () => {
  await say(customer, 'Is anybody there?');
  await open(agent, 'Customer One');
  await bubble(agent, 'Is anybody there?').waitFor();
  await say(agent, 'Yes: how can I help?');
  await bubble(customer, 'Yes: how can I help?').waitFor();

  const texts = (await shown(customer)).slice(-2);

  assert.deepEqual(texts, ['Is anybody there?', 'Yes: how can I help?']);
  assert.deepEqual((await shown(agent)).slice(-2), texts);
});

test('the agent who answered has the chat, and the customer sees who it is', async () => {
  await agent.getByText('Assigned to Agent One').waitFor();
  await customer.getByRole('heading', { name: 'Agent One' }).waitFor();
  await customer.getByText('online', { exact: true }).waitFor();
});

test('what the other has seen is marked as read', async () => {
  await say(customer, 'My lamp hums.');
  await bubble(customer, 'My lamp hums.').getByText('Read').waitFor({ state: 'attached' });
});

test('while one writes the other sees dots, until the message is there', async () => {
  await writing(agent).pressSequentially('Which one');
  await customer.getByText('Agent One is writing …').waitFor();
  await writing(agent).press('Enter');
  await bubble(customer, 'Which one').waitFor();
  await customer.getByText('Agent One is writing …').waitFor({ state: 'hidden' });
});

test('what comes while the panel is closed is counted, and read when it opens', async () => {
  await customer.getByRole('button', { name: 'Close the chat' }).first().click();
  await say(agent, 'Are you still there?');
  await say(agent, 'The lamp can be repaired.');
  await customer.getByRole('button', { name: 'Open the chat, 2 unread messages' }).click();
  await bubble(customer, 'The lamp can be repaired.').waitFor();
  await bubble(agent, 'The lamp can be repaired.').getByText('Read').waitFor({ state: 'attached' });
});

test('web addresses can be followed, and tell nobody where from', async () => {
  await say(agent, 'See https://example.com/lamps?a=1&b=(2). Or (http://example.com/x).');

  const links = bubble(customer, 'See https').getByRole('link');

  await eventually(() => links.allInnerTexts(), ['https://example.com/lamps?a=1&b=(2)', 'http://example.com/x']);
  assert.equal(await links.first().getAttribute('rel'), 'noopener noreferrer nofollow ugc');
});

test('a message has lines, and an input method its Enter', async () => {
  await writing(customer).fill('one');
  await writing(customer).press('Shift+Enter');
  await writing(customer).pressSequentially('two');
  await writing(customer).dispatchEvent('keydown', { key: 'Enter', isComposing: true });
  assert.equal(await writing(customer).inputValue(), 'one\ntwo');
  await writing(customer).press('Enter');
  await bubble(agent, 'one\ntwo').waitFor();
});

test('a message that is too long is not sent, and says by how much', async () => {
  await writing(customer).fill('x'.repeat(10002));
  await customer.getByText('2 characters too many').waitFor();
  assert.ok(await customer.getByRole('button', { name: 'Send' }).isDisabled());
  await writing(customer).fill('');
});

test('older messages come as one scrolls up, each once, and what was in sight stays', async () => {
  await stage.server.sql(`
    INSERT INTO messages (id, chat_id, sender_id, content, message_type, created_at, seq)
    SELECT gen_random_uuid(), c.id, c.customer_id, 'old ' || n, 'text', now() AT TIME ZONE 'UTC', c.last_seq + n
      FROM chats c, users u, generate_series(1, 180) AS n
     WHERE u.id = c.customer_id AND u.username = 'customer1' AND c.status = 'active';
    UPDATE chats c SET last_seq = (SELECT max(seq) FROM messages m WHERE m.chat_id = c.id)
      FROM users u WHERE u.id = c.customer_id AND u.username = 'customer1'`);

  const fresh = await stage.customer('customer1');
  const scroller = fresh.locator('.messages-scroller');
  const toTop = () => scroller.evaluate((element) => element.scrollTo(0, 0));
  const inSight = async () => {
    const [view, row] = [await scroller.boundingBox(), await bubble(fresh, 'old 131').boundingBox()];

    return row !== null && row.y >= view.y && row.y < view.y + view.height;
  };

  await bubble(fresh, 'old 180').waitFor();
  assert.equal((await shown(fresh))[0], 'old 131');
  await toTop();
  await bubble(fresh, 'old 81').waitFor({ state: 'attached' });
  await eventually(inSight, true);

  await eventually(async () => {
    await toTop();
    return fresh.getByText('The conversation begins here.').isVisible();
  }, true);

  const old = (await shown(fresh)).filter((text) => text.startsWith('old '));

  assert.deepEqual(old, Array.from({ length: 180 }, (_, n) => `old ${n + 1}`));
  await fresh.close();
});
