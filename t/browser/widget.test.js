// The widget in a page of somebody else's: its attributes, tokens, languages,
// and that neither page nor widget notices the other.

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { bubble, eventually, openStage, PHONE, say, writing } from './stage.js';

let stage;
let pages = 0;

// A page that an operator wrote, with the widget as they configured it.
async function pageWith(attributes, { before: script = '', css = '', ...options } = {}) {
  const name = `own-${++pages}.html`;

  await writeFile(
    `${stage.pages}/${name}`,
    `<!doctype html><html lang="en"><meta charset="utf-8"><title>Own</title><link rel="icon" href="data:,"><style>${css}</style>
     <p id="text">A page</p><script>${script}</script><script src="/chat/widget.js" ${attributes} async></script></html>`,
  );
  return stage.page(`/own/${name}`, options);
}

const launcher = (page) => page.locator('.launcher');

before(async () => {
  stage = await openStage();
});
after(() => stage.finish());

test('one makes an account, writes, signs out and in again', async () => {
  const page = await stage.page('/demo/shop.html', { expect: [/status of 4/] });

  await launcher(page).click();
  await page.getByRole('button', { name: 'I am new here' }).click();
  for (const [label, value] of [['Your name', 'Nora New'], ['E-mail address', 'nora@example.com'], ['User name', 'customer1'], ['Password', 'password123']]) {
    await page.getByLabel(label, { exact: true }).fill(value);
  }
  await page.getByRole('button', { name: 'Create an account' }).click();
  await page.getByRole('alert').waitFor(); // that name is taken
  await page.getByLabel('User name').fill('nora');
  await page.getByRole('button', { name: 'Create an account' }).click();
  await page.getByText('Hello! How can we help you?').waitFor();
  await say(page, 'First words');
  await bubble(page, 'First words').waitFor();
  await page.getByText('Somebody will be with you soon.').waitFor();

  await page.getByRole('button', { name: 'Sign out' }).click();
  await stage.signIn(page, 'nora');
  await bubble(page, 'First words').waitFor();
});

test('who signs in is shown their conversation, also if the connection breaks while it is loaded', async () => {
  const page = await stage.page('/demo/shop.html', { expect: [/WebSocket connection to .* failed/, /Failed to load resource/] });
  const connected = page.waitForEvent('websocket').then((socket) => socket.waitForEvent('framereceived'));
  let first = true;
  let askedAgain;
  const again = new Promise((resolve) => (askedAgain = resolve));

  await page.route('**/chats?*', async (route) => {
    if (first) {
      first = false;
      await again;
    } else {
      askedAgain();
    }
    await route.continue();
  });
  await launcher(page).click();
  await stage.signIn(page, 'nora');
  await connected;
  await stage.server.breakAll();
  await bubble(page, 'First words').waitFor();
});

test('a reload of the page, and another tab, need no second sign-in', async () => {
  const page = await stage.customer('customer2');
  const tab = await stage.page('/demo/shop.html', { context: page.context() });

  await page.reload();
  for (const one of [page, tab]) {
    await launcher(one).click();
    await writing(one).waitFor();
  }
  await page.getByRole('button', { name: 'Sign out' }).click();
  await tab.getByLabel('User name').waitFor();
});

test('one has several conversations, and goes between them', async () => {
  const page = await stage.customer('customer2');

  await page.getByRole('button', { name: 'Conversations' }).click();
  await page.getByRole('button', { name: 'New conversation' }).click();
  await say(page, 'Something else');
  await bubble(page, 'Something else').waitFor();
  await page.getByRole('button', { name: 'Conversations' }).click();
  assert.ok((await page.getByRole('listitem').count()) >= 2);
  await page.getByRole('button', { name: /Something else/ }).click();
  await bubble(page, 'Something else').waitFor();
});

test('the page’s own tokens: no sign-in, nothing kept, a fresh one when it is refused', async () => {
  const token = await stage.server.token('customer1');
  const page = await pageWith('data-token-function="shop.token"', {
    before: `window.asked = []; window.shop = { token: (why) => { asked.push(why); return Promise.resolve(${JSON.stringify(token)}); } };`,
  });

  await launcher(page).click();
  await writing(page).waitFor();
  assert.deepEqual(await page.evaluate('asked'), ['first']);
  assert.equal(await page.evaluate("localStorage.getItem('cs-chat-widget')"), null);
  await eventually(() => page.getByRole('button', { name: 'Sign out' }).count(), 0);
});

test('its words, colour, side and language are the operator’s', async () => {
  const page = await pageWith('data-lang="de" data-color="#7c3aed" data-position="left" data-title="Lampenladen" data-theme="light" data-open');

  await page.getByRole('heading', { name: 'Lampenladen' }).first().waitFor();
  await page.getByLabel('Benutzername').waitFor();
  assert.equal(await launcher(page).evaluate((element) => getComputedStyle(element).backgroundColor), 'rgb(124, 58, 237)');
  assert.ok((await launcher(page).boundingBox()).x < 40);
});

test('from right to left in Arabic', async () => {
  const page = await pageWith('data-lang="ar" data-open');

  await page.getByLabel('اسم المستخدم').waitFor();
  assert.equal(await page.locator('.panel').evaluate((element) => getComputedStyle(element).direction), 'rtl');
});

test('styles of the page don’t reach the widget, nor its styles the page', async () => {
  const css = '* { color: rgb(1, 2, 3) !important; font-size: 40px !important; } button { display: none !important; } body { margin: 7px; }';
  const page = await pageWith('data-open', { css });

  await page.getByLabel('User name').waitFor();
  await launcher(page).waitFor();
  assert.notEqual(await page.locator('.who-name').evaluate((element) => getComputedStyle(element).fontSize), '40px');
  assert.equal(await page.locator('#text').evaluate((element) => getComputedStyle(element).color), 'rgb(1, 2, 3)');
  assert.equal(await page.evaluate('getComputedStyle(document.body).margin'), '7px');
});

test('on a phone the panel fills the screen, and Escape closes it', async () => {
  const page = await stage.customer('customer1', { viewport: PHONE });
  const box = await page.locator('.panel').boundingBox();

  assert.deepEqual([box.x, box.y, box.width, box.height], [0, 0, PHONE.width, PHONE.height]);
  await page.keyboard.press('Escape');
  await page.locator('.panel').waitFor({ state: 'hidden' });
  assert.ok(await launcher(page).evaluate((element) => element.getRootNode().activeElement === element), 'the focus is on the button');
});

test('a script of the page opens and closes it, and hears messages', async () => {
  const page = await pageWith('', { before: '' });

  await page.waitForFunction('window.CSChatWidget');
  await page.evaluate('CSChatWidget.ready.then(() => CSChatWidget.open())');
  await page.getByLabel('User name').waitFor();
  await page.evaluate('CSChatWidget.toggle()');
  await page.locator('.panel').waitFor({ state: 'hidden' });
});

test('pages of other origins may load it', async () => {
  const answer = await fetch(`${stage.origin}/chat/widget.js`, { headers: { Origin: 'https://shop.example.com' } });

  assert.equal(answer.headers.get('access-control-allow-origin'), '*');
  assert.match(answer.headers.get('content-security-policy'), /default-src 'none'/);
  assert.match(answer.headers.get('content-type'), /javascript/);
});
