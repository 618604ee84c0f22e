// The agents' console: signing in, and what comes after it.

import { AgentChat } from '../client/agent.js';
import { h } from '../ui/dom.js';
import { Session } from '../ui/session.js';
import { SignIn } from '../ui/sign-in.js';
import { loadTexts } from '../ui/texts.js';
import { Clock } from '../ui/time.js';
import { App } from './app.js';

// Where the API is: ?api=…, else on the same server.
const parameters = new URLSearchParams(location.search);
const api = parameters.get('api') ?? new URL('/api', location.href).href;

const session = new Session('cs-chat-console');
const { language, direction, texts } = await loadTexts(parameters.get('lang') ?? navigator.language);
const context = { texts, clock: new Clock(language), session };

let app = null;

document.documentElement.lang = language;
document.documentElement.dir = direction;
document.title = texts.consoleTitle;

// Another tab has signed in as somebody else, or out.
session.onChange((token) => token !== (context.chat.token ?? undefined) && location.reload());

start();

// Everybody who signs in gets a connection of their own.
function start(note) {
  const chat = new AgentChat({ url: api, prefix: 'cs-chat-console', token: session.token });

  context.chat = chat;
  chat.on('token', (token) => (session.token = token));
  chat.on('status', (status, { reason } = {}) => {
    if (status === 'ended' && reason !== 'replaced' && context.chat === chat) {
      session.token = undefined; // before the library says so
      stop(reason === 'auth' ? texts.signedOutByServer : '');
    }
  });
  if (session.token) {
    enter();
  } else {
    askWho(note);
  }
}

function stop(note) {
  app?.destroy();
  app = null;
  start(note);
}

function askWho(note) {
  const view = new SignIn(context, { title: texts.consoleTitle, heading: 'h1', note }, enter);

  document.body.replaceChildren(h('main', { class: 'door' }, view.element));
  view.focus();
}

function enter() {
  if (context.chat.role === 'customer') {
    context.chat.logout().catch(() => {});
    askWho(texts.agentsOnly);
    return;
  }
  app = new App(context);
  document.body.replaceChildren(app.element);
}
