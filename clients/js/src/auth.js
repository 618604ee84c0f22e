// The token: where it comes from, and a fresh one before it ends.

import { backoff } from './backoff.js';
import { CSChatError } from './error.js';

const LONGEST = 2 ** 31 - 1;  // ms that setTimeout() takes

// options: getToken, credentials; onToken(token): there is another, or none
export function createAuth({ getToken, credentials }, api, onToken) {
  let refused;
  let renewal;
  let timer;
  let kept = false;
  let issued;

  const source = getToken ?? (credentials && (async () =>
    (await api.login(credentials.username, credentials.password)).token));

  // At four fifths of its life.  How long that is the token says; how old it
  // is, the clock of this machine, or nobody where it is fresh.
  function schedule() {
    const { exp, iat } = auth.claims;
    const wait = (exp - iat) * 800 - (Date.now() - issued);

    clearTimeout(timer);
    if (kept && wait < Infinity) timer = setTimeout(refresh, Math.min(Math.max(wait, 0), LONGEST), 0);
  }

  function refresh(attempt) {
    renew('expired').catch((error) => {
      if (error.temporary && kept) timer = setTimeout(refresh, backoff(attempt), attempt + 1);
    });
  }

  // All who ask at once get the same.
  function renew(why) {
    return (renewal ??= ask(why).finally(() => { renewal = null; }));
  }

  async function ask(why) {
    const before = auth.token;
    let token;

    try {
      if (source) token = await source(why);
      else if (why === 'expired') ({ token } = await api.refresh(before));
    } catch (error) {  // whatever a provider fails with may pass, unless it says otherwise
      throw error instanceof CSChatError ? error : new CSChatError('NETWORK', error.message);
    }
    if (auth.token !== before) return auth.token;  // a login came in between
    if (!token || token === before) throw new CSChatError('AUTH_REQUIRED', 'Please log in.', { status: 401 });
    auth.set(token);
    return token;
  }

  const auth = {
    token: null,
    claims: {},

    // A token, fresh from the server or not; null forgets it.
    set(token, fresh = true) {
      refused = null;
      auth.token = token;
      auth.claims = token ? claims(token) : {};
      issued = fresh ? Date.now() : Math.min(Date.now(), auth.claims.iat * 1000);
      schedule();
      onToken(token);
    },

    // The token, or another one than was refused.
    async get(bad = refused) {
      if (auth.token && auth.token !== bad) return auth.token;
      return renew(auth.token ? 'refused' : 'first');
    },

    // As get(), but null where there is none to be had.
    find: async (bad) => (auth.token || source ? auth.get(bad) : null),

    // The server closed a connection because of the token.
    refuse() {
      refused = auth.token;
    },

    // Whether to refresh it from now on.
    keep(keeps) {
      kept = keeps;
      schedule();
    },
  };
  return auth;
}

// What a JSON Web Token says; the server checks it, we only read.
function claims(token) {
  try {
    return JSON.parse(atob(token.split('.')[1].replace(/-/g, '+').replace(/_/g, '/')));
  } catch {
    return {};
  }
}
