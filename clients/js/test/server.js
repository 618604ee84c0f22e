// The product for a test file: started by test/server.pl, with clients of ours.

import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import assert from 'node:assert/strict';
import { AgentChat } from '../src/agent.js';
import { CSChat } from '../src/cs-chat.js';

export const WebSocket = findWebSocket();

// npm's or Debian's (node-ws), or Node's own.
function findWebSocket() {
  const require = createRequire(import.meta.url);
  for (const name of ['ws', '/usr/share/nodejs/ws']) {
    try {
      return require(name);
    } catch { /* the next */ }
  }
  return globalThis.WebSocket;
}

// Times that fit a test.
const times = { backoffMin: 50, backoffMax: 500, answer: 7000 };

export async function startServer(options = {}) {
  const script = fileURLToPath(new URL('server.pl', import.meta.url));
  const child = spawn('perl', [script, JSON.stringify(options)], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const clients = [];
  let turn = Promise.resolve();

  async function answer() {
    const { value, done } = await lines.next();
    assert.ok(!done, 'the server died');
    return JSON.parse(value);
  }

  // One after the other.
  function ask(command) {
    const asked = turn.then(async () => {
      child.stdin.write(JSON.stringify(command) + '\n');
      const { error, value } = await answer();
      assert.equal(error, undefined);
      return value;
    });
    turn = asked.catch(() => {});
    return asked;
  }

  const { url } = await answer();
  const server = {
    url: url + '/api',

    // A client of a sample user, not connected.
    client(username, more = {}) {
      const Client = more.credentials || /^agent/.test(username) ? AgentChat : CSChat;
      const chat = new Client({
        url: server.url, WebSocket, storage: null, times,
        getToken: username && (() => server.token(username)),  // hashing takes its time
        ...more,
      });
      clients.push(chat);
      return chat;
    },

    async connected(username, more) {
      const chat = server.client(username, more);
      await chat.connect();
      return chat;
    },

    reload: (more = {}) => ask({ do: 'reload', ...more }),
    stop: (part) => ask({ do: 'stop', part }),
    kill: (part) => ask({ do: 'kill', part }),
    start: (part, ready) => ask({ do: 'start', part, ready }),
    freeze: (part) => ask({ do: 'freeze', part }),
    thaw: (part) => ask({ do: 'thaw', part }),
    breakAll: () => ask({ do: 'break' }),
    sql: (sql) => ask({ do: 'sql', sql }),
    token: (username, claims) => ask({ do: 'token', username, claims }),

    // Ends it all: nothing may have complained.
    async finish() {
      for (const chat of clients) chat.disconnect();
      await turn;
      child.stdin.end();
      const { complaints } = await answer();
      assert.deepEqual(complaints, []);
    },
  };
  return server;
}

// The arguments of the next such event that fits; fails after a while.
export function next(emitter, event, fits = () => true, ms = 20000) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      off();
      reject(new Error(`no such event: ${event}`));
    }, ms);
    const off = emitter.on(event, (...args) => {
      if (!fits(...args)) return;
      clearTimeout(timer);
      off();
      resolve(args);
    });
  });
}

// Until it is true, at each event.
export async function until(emitter, event, fits, ms) {
  if (!fits()) await next(emitter, event, fits, ms);
}
