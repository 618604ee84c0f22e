// A WebSocket that is kept: opened again after every break, and given up when it
// is silent where an answer is due.

import { backoff } from './backoff.js';
import { unreachable } from './error.js';
import { RELOADED, REPLACED, STABLE, TOKEN_ENDED, TOKEN_REVOKED } from './numbers.js';

export const ONLINE = 'online';
const WAITING = 'waiting';
export const ENDED = 'ended';


// open(attempts): a WebSocket, later; onStatus(status, detail); onEvent(event)
export const createConnection = (times, open, { onStatus, onEvent }) => {
  let status = 'idle';
  let socket;
  let turn = 0;      // what belongs to an earlier turn is void
  let attempts = 0;
  let since;         // when it went online
  let pingAfter;
  let timer;         // what comes next, if nothing happens: an attempt, a ping, or the end
  let expecting;     // an answer

  const set = (now, detail = {}) => {
    status = now;
    onStatus(status, detail);
  };

  const next = (ms, action) => {
    clearTimeout(timer);
    timer = setTimeout(action, ms);
  };

  // Something must come now, or the connection is dead.
  const expect = () => {
    if (!expecting) next(times.answer, lost);
    expecting = true;
  };

  const letGo = () => {
    turn++;
    clearTimeout(timer);
    expecting = false;
    socket?.close();
  };

  const attempt = async () => {
    letGo();
    const mine = turn;

    set('connecting');
    try {
      const opened = await open(attempts);
      opened.onerror = () => {};  // a close follows
      if (mine !== turn) return opened.close();
      socket = opened;
      socket.onclose = ({ code }) => mine === turn && lost(code);
      socket.onmessage = ({ data }) => mine === turn && receive(JSON.parse(data));
      expect();
    } catch (error) {
      if (mine === turn) lost(0, error);
    }
  };

  const receive = (event) => {
    const { type, data } = event;
    const connected = type === 'connected';

    if (connected) pingAfter = Math.min(times.ping, data.pingInterval);
    expecting = false;
    next(pingAfter, ping);
    if (connected) {
      since = Date.now();
      set(ONLINE);
    }
    onEvent(event);
    if (type === 'reconnect') lost(RELOADED);  // what is sent from now on is not read
  };

  const lost = (code, error = unreachable()) => {
    if (status === ONLINE && Date.now() - since > STABLE) attempts = 0;
    letGo();

    if (/40[13]/.test(error.status)) return stop('auth', error, code);
    if (code === REPLACED) return stop('replaced', error, code);

    const min = !attempts && [RELOADED, TOKEN_ENDED, TOKEN_REVOKED].includes(code) ? 100 : times.backoffMin;
    const retryIn = backoff(attempts++, error, min, times.backoffMax);
    next(retryIn, attempt);
    set(WAITING, { retryIn, error, code });
  };

  const start = () => {
    attempts = 0;
    if (/idle|ended|waiting/.test(status)) attempt();
  };

  const stop = (reason, error, code) => {
    letGo();
    if (status !== ENDED) set(ENDED, { reason, error, code });
  };

  // Sends an event: whether it went out.
  const send = (type, data, unanswered) => {
    if (status !== ONLINE) return false;
    socket.send(JSON.stringify({ type, data }));
    if (!unanswered) expect();
    return true;
  };

  const ping = () => send('ping', {});

  // Something happened that may have brought the network back, or taken it away.
  const check = () => {
    if (status === WAITING) attempt();
    ping();
  };

  return { _start: start, _stop: stop, _send: send, _check: check };
};
