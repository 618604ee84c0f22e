// The token: where it comes from, and a fresh one before it ends.

import { CSChatError } from './error.js';

// getToken(why): another one, from whoever uses the library; onToken(token, claims):
// there is another, or none
export const createAuth = (getToken, request, onToken) => {
  let token;
  let renewal;
  let renewAt;

  const ask = async (why) => {
    const before = token;
    let fresh;

    try {
      if (getToken) fresh = await getToken(why);
      else if (why === 'expired') fresh = (await request('POST', 'auth/refresh', {}, token)).token;
    } catch (error) {  // whatever a provider fails with may pass, unless it says otherwise
      throw error instanceof CSChatError ? error : new CSChatError('NETWORK', error.message);
    }
    if (token === before) {  // else a login came in between
      if (!fresh || fresh === before) throw new CSChatError('AUTH_REQUIRED', 'Please log in.', { status: 401 });
      set(fresh);
    }
    return token;
  };

  // All who ask at once get the same.
  const renew = (why) => (renewal ??= ask(why).finally(() => { renewal = null; }));

  // A token, fresh from the server or not; null forgets it.  It is renewed at four
  // fifths of its life.  How long that is the token says; how old it is, the clock
  // of this machine, or nobody where it is fresh.
  const set = (given, isFresh = true) => {
    const { exp, iat, ...claims } = read(given);
    const now = Date.now();

    token = given;
    renewAt = (isFresh ? now : Math.min(now, iat * 1000)) + (exp - iat) * 800;
    onToken(token, claims);
  };

  return {
    _set: set,

    // The token, or another one than was refused.
    _get: async (refused) => (token && token !== refused ? token : renew(token ? 'refused' : 'first')),

    // To be called every so many ms: a fresh token in time.  What fails is tried the
    // next time, if it may pass.
    _tend(every) {
      if (Date.now() + every > renewAt) renew('expired').catch((error) => { if (!error.temporary) renewAt = NaN; });
    },
  };
};

// What a JSON Web Token says; the server checks it, we only read.
const read = (token) => {
  try {
    return JSON.parse(atob(token.split('.')[1].replace(/-/g, '+').replace(/_/g, '/')));
  } catch {
    return {};
  }
};
