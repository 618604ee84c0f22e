// The words of widget and console, and what each of them loads; no browser is needed.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

const root = new URL('../../clients/web/', import.meta.url);
const read = (path) => readFileSync(new URL(path, root), 'utf8');
// As a module: before version 22 Node would not take it for one by itself.
const load = (path) => import(`data:text/javascript,${encodeURIComponent(read(path))}`);
const scripts = (folder) => readdirSync(new URL(folder, root)).filter((name) => name.endsWith('.js'));

// Those that are looked up by the name of a status, a tab, a mark or an action.
const BY_NAME = ['sent', 'read', 'all', 'mine', 'queue', 'active', 'closed', 'archived', 'toQueue'];

const languages = new Map();

for (const name of scripts('texts/')) {
  languages.set(name, (await load(`texts/${name}`)).texts);
}
const english = Object.entries(languages.get('en.js'));

test('every language says everything, and in the same way', () => {
  assert.ok(languages.size >= 3);
  for (const [name, texts] of languages) {
    assert.deepEqual(Object.keys(texts).sort(), english.map(([key]) => key).sort(), name);
    for (const [key, text] of english) {
      assert.equal(typeof texts[key], typeof text, `${name}: ${key}`);
      assert.ok(typeof text === 'string' ? texts[key].trim() : texts[key]('7').includes('7'), `${name}: ${key}`);
    }
  }
});

test('every sentence is said somewhere', () => {
  const code = ['ui', 'widget', 'console'].flatMap((folder) => scripts(`${folder}/`).map((name) => read(`${folder}/${name}`))).join('\n');
  const said = ([key]) => new RegExp(BY_NAME.includes(key) ? `'${key}'` : `\\btexts\\.${key}\\b`).test(code);

  assert.deepEqual(english.filter((text) => !said(text)).map(([key]) => key), []);
});

// The modules that a module loads, itself included.
function loaded(path, known = new Set()) {
  if (!known.has(path)) {
    known.add(path);
    for (const [, from] of read(path).matchAll(/^(?:import|export) .*from '(\..*)';$/gm)) {
      loaded(new URL(from, new URL(path, 'file:///')).pathname.slice(1), known);
    }
  }
  return known;
}

test('the widget loads the client alone, the console the one for agents', () => {
  const widget = loaded('widget/widget.js');
  const agents = ['client/agent.js', 'client/api.js'];

  assert.ok(widget.has('client/cs-chat.js') && widget.has('client/outbox.js'));
  assert.deepEqual(agents.filter((path) => widget.has(path)), []);
  assert.ok(agents.every((path) => loaded('console/console.js').has(path)));
});

test('all modules are asked for at once', () => {
  const folders = read('widget.js').matchAll(/^ {4}(\w+): '(.*)',$/gm);
  const widget = [...folders].flatMap(([, folder, names]) => names.split(' ').map((name) => `${folder}/${name}.js`));
  const links = read('console/index.html').matchAll(/<link rel="modulepreload" href="(.*)">/g);
  const consoles = [...links].map(([, href]) => new URL(href, 'file:///console/').pathname.slice(1));

  assert.deepEqual(widget.sort(), [...loaded('widget/widget.js')].sort());
  assert.deepEqual([...consoles, 'console/console.js'].sort(), [...loaded('console/console.js')].sort());
});

test('the conversation in which something happened last comes first', async () => {
  const { latestFirst } = await load('ui/activity.js');
  const at = (createdAt, timestamp) => ({ info: { createdAt }, lastMessage: timestamp ? { timestamp } : null });
  const [old, begun, said] = [at('2026-01-01', '2026-01-02'), at('2026-01-03'), at('2026-01-01', '2026-01-04')];

  assert.deepEqual(latestFirst([old, said, begun]), [said, begun, old]);
});
