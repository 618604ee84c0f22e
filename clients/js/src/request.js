// Requests to the REST API.

import { CSChatError, unreachable } from './error.js';
import { REQUEST_TIMEOUT } from './numbers.js';

// getToken(refused): the token, or another one than was refused
export const createRequest = (base, send = fetch, getToken) => {
  // `data`: the body, or the query of a GET.  A token that is refused is
  // exchanged once, unless one was given, or null for none.
  const request = async (method, path, data, given) => {
    const token = given === undefined ? await getToken() : given;
    const query = method === 'GET' && data;
    const body = JSON.stringify(data);
    const answer = await send(base + path + (query ? '?' + new URLSearchParams(JSON.parse(body)) : ''), {
      method,
      body: query ? undefined : body,
      headers: { 'Content-Type': 'application/json', ...token && { Authorization: 'Bearer ' + token } },
      signal: AbortSignal.timeout(REQUEST_TIMEOUT),
    }).catch(() => {
      throw unreachable();
    });
    const { status, headers } = answer;
    const { success, data: result, code = 'BAD_ANSWER', error = `Status ${status}.`, field } =
      await answer.json().catch(() => ({}));

    if (success) return result;
    if (status === 401 && given === undefined) return request(method, path, data, await getToken(token));
    throw new CSChatError(code, error, { status, field, retryAfter: +headers.get('Retry-After') || undefined });
  };
  return request;
};
