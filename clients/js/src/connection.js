// A WebSocket that is kept: opened again after every break, and given up when it
// is silent where an answer is due.

import { backoff } from './backoff.js';
import { CSChatError } from './error.js';

const SOON = [1012, 4001, 4002];  // a reload; a token that ended or was revoked
const REPLACED = 4003;
const STABLE = 10000;             // ms after which a connection counts as good

// open(): a WebSocket, later; onStatus(status, detail); onEvent(event);
// onLost(code): before anything else is made of the end of a connection
export function createConnection({ open, onStatus, onEvent, onLost, times }) {
  let socket;
  let turn = 0;          // what belongs to an earlier turn is void
  let attempts = 0;
  let since;
  let draining;
  let retryTimer;
  let answerTimer;
  let pingTimer;
  let pingAfter;

  function set(status, detail = {}) {
    connection.status = status;
    onStatus(status, detail);
  }

  async function attempt() {
    letGo();
    const mine = turn;

    set('connecting');
    try {
      const opened = await open();
      opened.onerror = () => {};  // a close follows
      if (mine !== turn) return opened.close();
      socket = opened;
      socket.onclose = ({ code }) => lost(code);
      socket.onmessage = ({ data }) => receive(JSON.parse(data));
      expect();
    } catch (error) {
      if (mine === turn) lost(0, error);
    }
  }

  function receive(event) {
    if (event.type === 'connected') {
      since = Date.now();
      pingAfter = Math.min(times.ping, event.data.pingInterval);
    }
    draining ||= event.type === 'reconnect';  // what is sent from now on is not read, and a close follows

    clearTimeout(answerTimer);
    clearTimeout(pingTimer);
    answerTimer = undefined;
    pingTimer = setTimeout(connection.send, pingAfter, 'ping', {});
    if (draining) expect();

    if (event.type === 'connected') set('online');
    onEvent(event);
  }

  // Something must come now, or the connection is dead.
  function expect() {
    answerTimer ??= setTimeout(lost, times.answer, 0);
  }

  function lost(code, error = new CSChatError('NETWORK', 'The connection broke.')) {
    if (Date.now() - since > STABLE) attempts = 0;
    letGo();
    onLost(code);

    if (error.status === 401 || error.status === 403) return connection.stop('auth', error, code);
    if (code === REPLACED) return connection.stop('replaced', error, code);

    const min = attempts || !SOON.includes(code) ? times.backoffMin : 100;
    const retryIn = (error.retryAfter ?? 0) * 1000 + backoff(attempts++, min, times.backoffMax);
    retryTimer = setTimeout(attempt, retryIn);
    set('waiting', { retryIn, error, code });
  }

  // Lets go of the socket and of every timer.
  function letGo() {
    turn++;
    [retryTimer, answerTimer, pingTimer].forEach(clearTimeout);
    answerTimer = since = undefined;
    draining = false;
    if (socket) socket.onclose = socket.onmessage = null;
    socket?.close();
    socket = null;
  }

  const connection = {
    status: 'idle',

    start() {
      attempts = 0;
      if (/idle|ended|waiting/.test(connection.status)) attempt();
    },

    stop(reason, error, code) {
      letGo();
      if (connection.status !== 'ended') set('ended', { reason, error, code });
    },

    // Sends an event, which is to be answered: whether it went out.
    send(type, data, unanswered) {
      if (connection.status !== 'online' || draining || socket?.readyState !== 1) return false;
      socket.send(JSON.stringify({ type, data }));
      if (!unanswered) expect();
      return true;
    },

    // Something happened that may have brought the network back, or taken it away.
    check() {
      if (connection.status === 'waiting') attempt();
      connection.send('ping', {});
    },
  };
  return connection;
}
