// Protects what is published: dist/ is made of src/ and nothing else, small, and
// does the same; the types name what there is.

import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { execFileSync } from 'node:child_process';
import * as source from '../src/cs-chat.js';
import { next, startServer, until, WebSocket } from './server.js';
import { storage } from './storage.js';

const at = (path) => fileURLToPath(new URL('../' + path, import.meta.url));
const read = (path) => readFileSync(at(path));
const esbuild = await import('esbuild').catch(() => null);
const files = ['cs-chat.js', 'cs-chat.min.js', 'cs-chat.global.js', 'cs-chat.global.min.js'];

// What a page has after a plain script.
const script = (path) => new Function(`${read(path)}; return CSChat;`)();

test('a build gives the same bytes', { skip: !esbuild && 'esbuild is not installed (npm ci)' }, () => {
  const dir = mkdtempSync(join(tmpdir(), 'cs-chat-dist-'));
  execFileSync(process.execPath, [at('build.js'), dir]);
  for (const file of files) assert.ok(readFileSync(join(dir, file)).equals(read('dist/' + file)), `${file}: npm run build`);
  rmSync(dir, { recursive: true });
});

test('it is small', () => {
  for (const file of files.filter((name) => name.includes('.min.'))) {
    const bytes = read('dist/' + file);
    assert.ok(gzipSync(bytes, { level: 9 }).length < 8 * 1024, `${file}, compressed`);
    assert.ok(bytes.length < 19 * 1024, file);
  }
});

test('everything is exported everywhere, under the names that the types say', async () => {
  const names = Object.keys(source).sort();
  const types = read('cs-chat.d.ts').toString();
  assert.deepEqual(names, ['Api', 'CSChat', 'CSChatError', 'Conversation', 'Emitter']);
  for (const file of files) {
    const made = file.includes('global') ? script('dist/' + file) : await import(at('dist/' + file));
    assert.deepEqual(Object.keys(made).sort(), names, file);
  }

  const chat = new source.CSChat({ storage: null });
  const has = { CSChat: chat, Conversation: chat.conversation('x'), Api: chat.api, Emitter: new source.Emitter() };
  for (const [name, object] of Object.entries(has)) {
    const body = types.match(new RegExp(`export class ${name}\\b[^{]*\\{\\n(.*?)\\n\\}`, 's'))[1];
    const members = [...body.matchAll(/^ {2}(?:readonly )?(\w+)(?:<.*?>)?[(:]/gm)].map(([, member]) => member);
    assert.ok(members.length > 2);
    for (const member of members) assert.ok(member === 'constructor' || member in object, `${name}.${member}`);
  }
});

test('the package holds what it names, and no address of a mirror', () => {
  const pack = JSON.parse(read('package.json'));
  for (const path of [pack.main, pack.types, pack.unpkg, ...pack.files]) {
    assert.ok(readdirSync(at('.')).includes(path.replace(/^\.\//, '').split('/')[0]), path);
  }
  const urls = read('package-lock.json').toString().match(/https?:\/\/[^/"]+/g) ?? [];
  const ours = new Set(['https://registry.npmjs.org', 'https://github.com', 'https://opencollective.com']);
  assert.deepEqual(urls.filter((url) => !ours.has(url)), []);
});

const skip = !WebSocket && 'no WebSocket in this Node, and no package ws';

test('the minified files talk to each other through a break', { skip }, async () => {
  const server = await startServer();
  const shared = storage();
  const min = await import(at('dist/cs-chat.min.js'));
  const global = script('dist/cs-chat.global.min.js');
  const common = { url: server.url, WebSocket, times: { backoffMin: 50, backoffMax: 500 } };
  const customer = new min.CSChat({ ...common, storage: shared });
  const agent = new global.CSChat({ ...common, credentials: { username: 'agent1', password: 'password123' } });

  await customer.login('customer1', 'password123');
  await Promise.all([customer.connect(), agent.connect()]);
  const ours = await (await customer.createChat()).follow();
  const theirs = await agent.conversation(ours.id).follow();
  const heard = [];
  theirs.on('message', ({ content }) => heard.push(content));
  await ours.send('one');
  await until(theirs, 'message', () => heard.length === 1);
  theirs.markRead();
  await until(ours, 'read', () => ours.reads.get(agent.userId) === 1);
  theirs.sendTyping();
  await until(ours, 'typing', () => ours.typing.size === 1);

  agent.disconnect();
  for (let i = 0; i < 60; i++) {
    await Promise.all(Array.from({ length: 10 }, (_, n) => customer.api.postMessage(ours.id, { content: `${i} ${n}` })));
  }
  const resynced = next(agent, 'resync');
  await agent.connect();
  await resynced;
  await until(theirs, 'message', () => heard.length === 601);
  assert.equal((await theirs.loadEarlier()).length, 0);
  theirs.unfollow();
  await theirs.follow();
  assert.equal(theirs.messages.length, 50);
  assert.equal((await theirs.loadEarlier()).length, 50);

  await server.breakAll();
  await theirs.send('two');
  await until(ours, 'message', () => ours.messages.at(-1).content === 'two');
  await customer.logout();
  agent.disconnect();
  await server.finish();
});
