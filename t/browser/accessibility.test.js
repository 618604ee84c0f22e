// No violation that axe-core knows of, on any screen, in light and dark.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { bubble, eventually, open, openStage, PHONE, say, writing } from './stage.js';

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

let stage;

before(async () => {
  stage = await openStage();
});
after(() => stage.finish());

// axe-core has styles of its own, which our policy would refuse.
async function check(page, where) {
  await page.evaluate(axe);

  const { violations } = await page.evaluate("axe.run(document, { resultTypes: ['violations'] })");

  assert.deepEqual(violations.map(({ id, nodes }) => `${where}: ${id}: ${nodes.map(({ html }) => html).join(' ')}`), []);
}

for (const colorScheme of ['light', 'dark']) {
  test(`the widget, ${colorScheme}`, async () => {
    const page = await stage.page('/demo/shop.html', { colorScheme, bypassCSP: true });

    await check(page, 'closed');
    await page.locator('.launcher').click();
    await page.getByRole('button', { name: 'I am new here' }).click();
    await check(page, 'making an account');
    await page.getByRole('button', { name: 'I have an account' }).click();
    await stage.signIn(page, 'customer1');
    await writing(page).waitFor();
    await say(page, 'Hello https://example.com/');
    await bubble(page, 'Hello').waitFor();
    await eventually(() => page.locator('.panel').evaluate((element) => element.getAnimations().length), 0);
    await check(page, 'a conversation');
    await page.getByRole('button', { name: 'Conversations' }).click();
    await check(page, 'conversations');
    await page.context().close();
  });

  test(`the console, ${colorScheme}`, async () => {
    const page = await stage.page('/chat/console/', { colorScheme, bypassCSP: true });

    await check(page, 'signing in');
    await stage.signIn(page, 'agent2');
    await page.getByRole('listbox', { name: 'Chats' }).getByRole('option').first().waitFor();
    await check(page, 'the list');
    await open(page, 'Customer One');
    await page.getByText('The conversation begins here.').waitFor();
    await check(page, 'a chat');
    await page.getByRole('button', { name: 'New agent' }).click();
    await check(page, 'a dialog');
    await page.keyboard.press('Escape');
    await page.setViewportSize(PHONE);
    await check(page, 'a phone');
    await page.context().close();
  });
}

test('the start page', async () => {
  await check(await stage.page('/demo/', { bypassCSP: true }), 'start');
});
