// The whole product with pages in a browser for a test file.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { startServer } from '../../clients/js/test/server.js';

const root = fileURLToPath(new URL('../../', import.meta.url));

// What "make run" serves beside the API, and pages of a test's own.
const locations = (pages) => `
  types { text/html html; text/css css; text/javascript js; image/svg+xml svg; }
  charset utf-8;
  charset_types text/html text/css text/javascript;
  location /chat/ { alias ${root}clients/web/; include ${root}packaging/nginx/web-headers.conf; }
  location /own/ { alias ${pages}/; }
  location /demo/ { alias ${root}clients/demo/; include ${root}packaging/nginx/web-headers.conf; }
`;

// Chromium makes no connection of its own.
const ARGUMENTS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage',
];

export const DESK = { width: 1280, height: 800 };
export const PHONE = { width: 390, height: 780 };

/** `{ server, page, agent, customer, finish }`; options are those of CSChat::Server. */
export async function openStage(options = {}) {
  const pages = await mkdtemp(`${tmpdir()}/cs-chat-pages-`);
  const server = await startServer({ locations: locations(pages), ...options });
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ARGUMENTS });
  const origin = new URL(server.url).origin;
  const complaints = [];

  // A page of a person with a browser of their own, or with that of `context`.
  async function page(path, { context, expect = [], ...contextOptions } = {}) {
    const own = context ?? (await browser.newContext({ viewport: DESK, locale: 'en-GB', timezoneId: 'UTC', ...contextOptions }));
    const result = await own.newPage();
    const note = (text) => expect.some((pattern) => pattern.test(text)) || complaints.push(`${path}: ${text}`);

    result.setDefaultTimeout(20000);
    result.on('pageerror', (error) => note(`${error.stack ?? error}`));
    result.on('console', (message) => /error|warning/.test(message.type()) && note(message.text()));
    result.on('request', (request) => /^(http|ws)/.test(request.url()) && new URL(request.url()).host !== new URL(origin).host && note(`request to ${request.url()}`));
    result.on('dialog', (dialog) => note(`dialog: ${dialog.message()}`));
    await result.goto(origin + path);
    return result;
  }

  async function signIn(where, username) {
    await where.getByLabel('User name').fill(username);
    await where.getByLabel('Password', { exact: true }).fill('password123');
    await where.getByLabel('Password', { exact: true }).press('Enter');
  }

  return {
    server,
    origin,
    pages, // the folder of what is served below /own/
    browser,
    page,
    signIn,

    // A customer with the widget open.
    async customer(username, more = {}) {
      const where = await page(more.path ?? '/demo/shop.html', more);

      await where.getByRole('button', { name: /Open the chat/ }).click();
      await signIn(where, username);
      await writing(where).waitFor();
      return where;
    },

    // An agent in the console, with the list loaded.
    async agent(username, more = {}) {
      const where = await page('/chat/console/', more);

      await signIn(where, username);
      await where.getByRole('listbox', { name: 'Chats' }).waitFor();
      return where;
    },

    // Ends it all: neither server nor pages may have complained.
    async finish() {
      await browser.close();
      await server.finish();
      await rm(pages, { recursive: true });
      assert.deepEqual(complaints, []);
    },
  };
}

/** The field of the conversation that is open. */
export const writing = (page) => page.getByRole('textbox', { name: 'Write a message' });

export async function say(page, text) {
  await writing(page).fill(text);
  await writing(page).press('Enter');
}

/** The texts of the messages that are shown, in order. */
export const shown = (page) => page.locator('.messages-log .message-bubble').allInnerTexts();

/** The bubble with a text. */
export const bubble = (page, text) => page.locator('.messages-log .message', { hasText: text }).last();

/** The entry of a customer in the console's list. */
export const entry = (page, name) => page.getByRole('option', { name });

/** Opens the chat with a customer in the console. */
export async function open(page, name) {
  await entry(page, name).first().click();
  await page.getByRole('heading', { name, level: 2 }).waitFor();
  await writing(page).waitFor();
}

/** Until `get()` gives what is expected. */
export async function eventually(get, expected, ms = 20000) {
  const end = Date.now() + ms;

  for (;;) {
    const value = await get();

    try {
      assert.deepEqual(value, expected);
      return;
    } catch (error) {
      if (Date.now() > end) {
        throw error;
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
