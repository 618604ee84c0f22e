// What strangers write is text, wherever it is shown: names, messages, user
// names, what a search looks for.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { entry, eventually, open, openStage, say, shown, writing } from './stage.js';

const ATTACKS = [
  '<img src=x onerror="window.attacked=1">',
  '<script>window.attacked=1</script>',
  '"><svg onload=window.attacked=1>',
  'javascript:window.attacked=1',
  'https://example.com/"onmouseover="window.attacked=1',
  '<a href="javascript:window.attacked=1">here</a>',
  '{{constructor.constructor("window.attacked=1")()}}',
  '\u202Egnp.exe and \u0000'.replace('\u0000', '\u0001'),
  '<iframe srcdoc="<script>parent.attacked=1</script>"></iframe>',
];
const NAME = '<img src=x onerror=window.attacked=1> "Mallory" <b>bold</b>';

let stage;
let customer;
let agent;

before(async () => {
  stage = await openStage();
  customer = await stage.page('/demo/shop.html');
  await customer.locator('.launcher').click();
  await customer.getByRole('button', { name: 'I am new here' }).click();
  for (const [label, value] of [['Your name', NAME], ['E-mail address', 'mallory@example.com'], ['User name', 'mallory'], ['Password', 'password123']]) {
    await customer.getByLabel(label, { exact: true }).fill(value);
  }
  await customer.getByRole('button', { name: 'Create an account' }).click();
  await writing(customer).waitFor();
  await say(customer, 'Hello');
  agent = await stage.agent('agent2');
});
after(() => stage.finish());

// No element but ours came of it, and no script ran.
async function unharmed() {
  for (const page of [customer, agent]) {
    assert.equal(await page.evaluate('window.attacked'), undefined);
    for (const selector of ['.message img', '.message script', '.message svg:not(.icon)', '.message iframe', '.message b', 'h2 img', 'h2 b', '.entry-text img']) {
      assert.equal(await page.locator(selector).count(), 0, selector);
    }
  }
}

test('a name', async () => {
  await open(agent, 'Mallory');
  assert.equal(await agent.locator('.chat-who h2').innerText(), NAME);
  assert.equal(await agent.locator('.details h3').innerText(), NAME);
  await unharmed();
});

test('messages, shown as they were written', async () => {
  for (const attack of ATTACKS) {
    await say(customer, attack);
  }
  await eventually(async () => (await shown(agent)).slice(-ATTACKS.length).map((text) => text.trim()), ATTACKS);
  await say(agent, ATTACKS[0]);
  await eventually(async () => (await shown(customer)).at(-1), ATTACKS[0]);
  await entry(agent, 'Mallory').getByText('onerror').first().waitFor();
  await unharmed();
});

test('links go to http and https alone, and end where a quote begins', async () => {
  const hrefs = await agent.locator('.messages a').evaluateAll((links) => links.map((link) => link.getAttribute('href')));

  assert.deepEqual(hrefs, ['https://example.com/']);
});

test('what is searched for, what a question names, what a typing person is called', async () => {
  await agent.getByRole('searchbox').fill(ATTACKS[0]);
  await agent.getByRole('searchbox').fill('');
  await agent.getByRole('complementary').getByRole('button', { name: 'Delete' }).click();
  assert.ok((await agent.getByRole('dialog').innerText()).includes(NAME));
  await agent.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
  await writing(customer).pressSequentially('typing');
  await agent.locator('.messages-typing-text', { hasText: 'Mallory' }).waitFor();
  await unharmed();
});

test('scripts and pages of others are refused by the policy', async () => {
  const page = await stage.page('/chat/console/', { expect: [/Content Security Policy|Trusted(HTML|Script)|Trusted Type/] });

  await page.evaluate(() => {
    const script = document.createElement('script');

    script.append('window.attacked = 1');
    document.body.append(script);
    try {
      document.body.innerHTML = '<b>x</b>';
    } catch {
      window.refused = true;
    }
  });
  assert.equal(await page.evaluate('window.attacked'), undefined);
  assert.equal(await page.evaluate('window.refused'), true);
});
