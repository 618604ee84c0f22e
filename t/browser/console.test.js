// What agents do with chats, and that all who look at the same one agree.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { bubble, entry, eventually, open, openStage, writing } from './stage.js';

const REFUSED = [/status of 4(04|09)/];

let stage;
let agent;

const status = (page) => page.getByRole('combobox', { name: 'Chats' });
const head = (page) => page.locator('.chat-head');
const details = (page) => page.getByRole('complementary', { name: 'Details' });

// A chat of a customer of its own, as the widget would begin it.
async function chatOf(username, text, { agentId } = {}) {
  const name = `Person ${username}`;
  const client = stage.server.client();

  await client.register({ username, email: `${username}@example.com`, password: 'password123', name });
  await client.connect();

  const conversation = await client.createChat(agentId ? { agentId } : {});

  await conversation.send(text);
  return { name, client, conversation };
}

before(async () => {
  stage = await openStage();
  agent = await stage.agent('agent1', { expect: REFUSED });
});
after(() => stage.finish());

test('a new chat comes to the top of the list by itself, and is counted in the title', async () => {
  await agent.getByRole('listbox').getByRole('option').first().waitFor();

  const counted = async () => Number((await agent.title()).match(/^\((\d+)\)/)?.[1] ?? 0);
  const before = await counted();
  const { name } = await chatOf('ann', 'Where is my order?');

  await entry(agent, name).getByText('Where is my order?').waitFor();
  await entry(agent, name).getByText('Unassigned').waitFor();
  await eventually(counted, before + 1);
  assert.equal(await agent.getByRole('listbox').getByRole('option').first().locator('.entry-name').innerText(), name);
  await open(agent, name);
  await eventually(counted, before);
});

test('of two agents who take the same chat one gets it, and both are told', async () => {
  const { name } = await chatOf('ben', 'Who is quicker?');
  const other = await stage.agent('agent2', { expect: REFUSED });

  await open(agent, name);
  await open(other, name);
  await Promise.all([agent, other].map((page) => head(page).getByRole('button', { name: 'Take' }).dispatchEvent('click')));

  // agent2 is a super-agent, and sees the chat whoever has it
  const outcome = async (page) => {
    const text = await page.locator('.place').innerText();

    return text.match(/Assigned to (Agent \w+)|no longer yours to see/)?.[0] ?? 'open';
  };

  await eventually(async () => {
    const [one, two] = await Promise.all([agent, other].map(outcome));

    return (one === two && one === 'Assigned to Agent One') || (one === 'no longer yours to see' && two === 'Assigned to Agent Two');
  }, true);
  await other.context().close();
});

test('close, reopen, archive and unarchive, seen in a second tab at once', async () => {
  const { name } = await chatOf('cid', 'Please close this');
  const tab = await stage.page('/chat/console/', { context: agent.context(), expect: REFUSED });

  await open(agent, name);
  await open(tab, name);
  await agent.bringToFront(); // one behind others is drawn once a second
  await head(agent).getByRole('button', { name: 'Take' }).click();
  await tab.getByText('Assigned to Agent One').waitFor();
  await head(agent).getByRole('button', { name: 'Close chat' }).click();
  await head(tab).getByRole('button', { name: 'Reopen' }).waitFor();
  await entry(agent, name).waitFor({ state: 'detached' });
  await status(agent).selectOption('Closed');
  await entry(agent, name).waitFor();
  await head(tab).getByRole('button', { name: 'Reopen' }).click();
  await head(agent).getByRole('button', { name: 'Close chat' }).waitFor();

  await details(agent).getByRole('button', { name: 'Archive' }).click();
  await tab.getByText('This conversation is archived.').waitFor();
  assert.ok(await writing(tab).isDisabled());
  await status(agent).selectOption('Archived');
  await entry(agent, name).waitFor();
  await head(agent).getByRole('button', { name: 'Unarchive' }).click();
  await status(agent).selectOption('Open');
  await entry(agent, name).waitFor();
  await eventually(() => writing(tab).isEnabled(), true);
  await tab.close();
});

test('a deletion asks first, and takes the chat from every screen', async () => {
  const { name } = await chatOf('dan', 'Forget me');
  const tab = await stage.page('/chat/console/', { context: agent.context(), expect: REFUSED });

  await open(agent, name);
  await open(tab, name);
  await agent.bringToFront(); // one behind others is drawn once a second
  await head(agent).getByRole('button', { name: 'Take' }).click();
  await details(agent).getByRole('button', { name: 'Delete' }).click();
  await agent.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
  await entry(agent, name).waitFor();
  await details(agent).getByRole('button', { name: 'Delete' }).click();
  await agent.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await entry(agent, name).waitFor({ state: 'detached' });
  await tab.getByText('This chat is no longer yours to see.').waitFor();
  await tab.close();
});

test('a chat is handed to another agent, and back to the queue', async () => {
  const { name } = await chatOf('eve', 'Can somebody else help?');
  const other = await stage.agent('agent2', { expect: REFUSED });

  await open(agent, name);
  await head(agent).getByRole('button', { name: 'Take' }).click();
  await details(agent).getByRole('button', { name: 'Assign' }).click();
  await agent.getByRole('dialog').getByLabel('Assign to …').selectOption({ label: 'Agent Two (online)' });
  await agent.getByRole('dialog').getByRole('button', { name: 'Assign' }).click();
  await entry(agent, name).waitFor({ state: 'detached' });
  await open(other, name);
  await other.getByText('Assigned to Agent Two').waitFor();
  await details(other).getByRole('button', { name: 'Return to the queue' }).click();
  await entry(agent, name).getByText('Unassigned').waitFor();
  await other.context().close();
});

test('search and filters', async () => {
  await agent.getByRole('searchbox').fill('can somebody');
  await eventually(() => agent.getByRole('listbox').getByRole('option').count(), 1);
  await agent.getByRole('searchbox').fill('person ann');
  await entry(agent, 'Person ann').waitFor();
  await agent.getByRole('searchbox').fill('nobody at all');
  await agent.getByText('Nothing here.').waitFor();
  await agent.getByRole('searchbox').fill('');
  await agent.getByRole('button', { name: 'Waiting' }).click();
  await eventually(async () => (await agent.locator('.entry-agent').allInnerTexts()).every((text) => text === 'Unassigned'), true);
  await agent.getByRole('button', { name: 'All' }).click();
});

test('by keys alone: find, open, write, take, leave', async () => {
  await chatOf('fay', 'Only by keys');
  await entry(agent, 'Person fay').waitFor();
  await agent.keyboard.press('Control+k');
  await agent.keyboard.type('person fay');
  await agent.keyboard.press('ArrowDown');
  await agent.keyboard.press('Enter');
  await agent.getByRole('heading', { name: 'Person fay', level: 2 }).waitFor();
  await bubble(agent, 'Only by keys').waitFor();
  await agent.keyboard.press('Alt+t');
  await agent.getByText('Assigned to Agent One').waitFor();
  await agent.keyboard.type('Hello');
  await agent.keyboard.press('Enter');
  await bubble(agent, 'Hello').waitFor();
  await agent.keyboard.press('Escape');
  await agent.getByText('Choose a chat from the list.').waitFor();
  await agent.keyboard.press('Control+k');
  await agent.keyboard.press('Delete');
});

test('a super-agent makes an account for an agent, who can sign in', async () => {
  const boss = await stage.agent('agent2', { expect: [/status of 409/] });
  const form = boss.getByRole('dialog');

  await boss.getByRole('button', { name: 'New agent' }).click();
  for (const [label, value] of [['Name', 'Agent Nine'], ['E-mail address', 'nine@example.com'], ['User name', 'agent1'], ['Password', 'password123']]) {
    await form.getByLabel(label, { exact: true }).fill(value);
  }
  await form.getByRole('button', { name: 'New agent' }).click();
  await form.getByRole('alert').waitFor();  // that name is taken
  await form.getByLabel('User name').fill('agent9');
  await form.getByRole('button', { name: 'New agent' }).click();
  await boss.getByText('agent9 can sign in now.').waitFor();
  await stage.agent('agent9');
  await boss.context().close();
});

test('an agent may appear offline', async () => {
  await agent.getByRole('button', { name: 'Agent One' }).click();
  await agent.getByRole('button', { name: 'Agent One offline' }).waitFor();
  await agent.getByRole('button', { name: 'Agent One' }).click();
  await agent.getByRole('button', { name: 'Agent One online' }).waitFor();
});

test('customers are not let in', async () => {
  const page = await stage.page('/chat/console/');

  await stage.signIn(page, 'customer1');
  await page.getByText('This page is for agents.').waitFor();
  await page.close();
});

test('a wrong password, and a server that can’t be reached, are told', async () => {
  const page = await stage.page('/chat/console/', { expect: [/status of 401/, /ERR_INTERNET_DISCONNECTED/] });

  await page.getByLabel('User name').fill('agent1');
  await page.getByLabel('Password').fill('wrong');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('alert').waitFor();
  assert.notEqual(await page.getByRole('alert').innerText(), '');
  await page.context().setOffline(true);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByText('The server can’t be reached. Please try again.').waitFor();
  await page.context().close();
});

test('signing out ends it in every tab', async () => {
  const tab = await stage.page('/chat/console/', { context: agent.context() });

  await tab.getByRole('listbox', { name: 'Chats' }).waitFor();
  await agent.getByRole('button', { name: 'Sign out' }).click();
  for (const page of [agent, tab]) {
    await page.getByLabel('User name').waitFor();
  }
  await tab.close();
});

test('ten thousand chats: all can be reached, few are in the document', async () => {
  await stage.server.sql(`
    INSERT INTO users (username, email, password_hash, name, role)
    SELECT 'many' || n, 'many' || n || '@example.com', '!', 'Many ' || n, 'customer' FROM generate_series(1, 10000) AS n;
    INSERT INTO chats (id, customer_id, status, created_at, updated_at)
    SELECT gen_random_uuid(), id, 'active', now() AT TIME ZONE 'UTC' - interval '1 year', now() AT TIME ZONE 'UTC' - interval '1 year'
      FROM users WHERE username LIKE 'many%'`);

  const page = await stage.agent('agent2');
  const list = page.getByRole('listbox', { name: 'Chats' });

  await eventually(async () => Number(await list.getByRole('option').first().getAttribute('aria-setsize')) >= 10000, true, 60000);
  assert.ok((await list.getByRole('option').count()) < 60);
  await list.press('End');
  await list.getByRole('option').last().getByText(/^Many \d+$/).waitFor();
  await page.getByRole('searchbox').fill('many 7777');
  await eventually(() => list.getByRole('option').count(), 1);
  await page.context().close();
});
