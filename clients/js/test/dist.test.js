// Protects what is published: dist/ is made of src/ and nothing else, small, and
// does the same; the types name what there is.

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { execFileSync } from 'node:child_process';
import * as agents from '../src/agent.js';
import * as source from '../src/cs-chat.js';
import { next, startServer, until, WebSocket } from './server.js';
import { storage } from './storage.js';

const at = (path) => fileURLToPath(new URL('../' + path, import.meta.url));
const read = (path) => readFileSync(at(path));
const esbuild = await import('esbuild').catch(() => null);
const suffixes = ['.min.js', '.global.min.js'];
const modules = [['cs-chat', source, 'cs-chat.d.ts'], ['cs-chat-agent', agents, 'agent.d.ts']];
const files = modules.flatMap(([name]) => suffixes.map((suffix) => name + suffix));

// What a page has after a plain script.
const script = (path) => new Function(`${read(path)}; return CSChat;`)();

test('a build gives the same bytes', { skip: !esbuild && 'esbuild is not installed (npm ci)' }, () => {
  const dir = mkdtempSync(join(tmpdir(), 'cs-chat-dist-'));
  execFileSync(process.execPath, [at('build.js'), dir]);
  assert.deepEqual(readdirSync(at('dist')).sort(), [...files].sort());
  for (const file of files) assert.ok(readFileSync(join(dir, file)).equals(read('dist/' + file)), `${file}: npm run build`);
  rmSync(dir, { recursive: true });
});

test('the client is below 12 KB, minified, and what agents need beside it is not in it', () => {
  for (const [file, limit] of [['cs-chat', 12 * 1024], ['cs-chat-agent', 15 * 1024]]) {
    for (const suffix of suffixes) {
      const bytes = read('dist/' + file + suffix);
      assert.ok(bytes.length < limit, `${file}${suffix} has ${bytes.length} bytes`);
      assert.ok(gzipSync(bytes, { level: 9 }).length < limit / 2, `${file}${suffix}, compressed`);
    }
  }
});

test('everything is exported everywhere, under the names that the types say', async () => {
  assert.deepEqual(Object.keys(source).sort(), ['CSChat', 'CSChatError', 'Conversation', 'Emitter']);
  assert.deepEqual(Object.keys(agents).sort(), ['AgentChat', 'AgentConversation', 'Api', ...Object.keys(source)].sort());
  for (const [name, exported] of modules) {
    for (const suffix of suffixes) {
      const file = name + suffix;
      const made = file.includes('global') ? script('dist/' + file) : await import(at('dist/' + file));
      assert.deepEqual(Object.keys(made).sort(), Object.keys(exported).sort(), file);
    }
  }

  const chat = new source.CSChat({ storage: null });
  const agent = new agents.AgentChat({ storage: null });
  const has = {
    CSChat: chat, Conversation: chat.conversation('x'), Emitter: new source.Emitter(),
    AgentChat: agent, AgentConversation: agent.conversation('x'), Api: new agents.Api(),
  };
  const types = modules.map(([, , path]) => read(path)).join('');
  for (const [name, object] of Object.entries(has)) {
    const body = types.match(new RegExp(`export class ${name}\\b[^{]*\\{\\n(.*?)\\n\\}`, 's'))[1];
    const members = [...body.matchAll(/^ {2}(?:readonly )?(\w+)(?:<.*?>)?[(:]/gm)].map(([, member]) => member);
    assert.ok(members.length > 2);
    for (const member of members) assert.ok(member === 'constructor' || member in object, `${name}.${member}`);
  }
});

test('the package holds what it names, and its lock file no address', async () => {
  const pack = JSON.parse(read('package.json'));
  for (const path of [pack.main, pack.types, pack.unpkg, ...Object.values(pack.exports['./agent']), ...pack.files]) {
    assert.ok(existsSync(at(path)), path);
  }
  assert.equal(await import('cs-chat-client'), source);
  assert.equal(await import('cs-chat-client/agent'), agents);
  assert.deepEqual(read('package-lock.json').toString().match(/\w+:\/\/[^"]*/g) ?? [], []);
});

const skip = !WebSocket && 'no WebSocket in this Node, and no package ws';

test('the minified files talk to each other through a break', { skip }, async () => {
  const server = await startServer();
  const shared = storage();
  const min = await import(at('dist/cs-chat.min.js'));
  const global = script('dist/cs-chat-agent.global.min.js');
  const common = { url: server.url, WebSocket, times: { backoffMin: 50, backoffMax: 500 } };
  const customer = new min.CSChat({ ...common, storage: shared });
  const agent = new global.AgentChat({ ...common, credentials: { username: 'agent1', password: 'password123' } });

  await customer.login('customer1', 'password123');
  await Promise.all([customer.connect(), agent.connect()]);
  const ours = await (await customer.createChat()).follow();
  const theirs = await (await agent.conversation(ours.id).follow()).take();
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
    await Promise.all(Array.from({ length: 10 }, (_, n) => customer.request('POST', `chats/${ours.id}/messages`, { content: `${i} ${n}` })));
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
