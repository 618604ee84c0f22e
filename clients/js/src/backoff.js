// How long to wait before the next attempt: as long as an error says, and at random
// below a limit that doubles, so that a thousand clients that lost one server do
// not come back at the same moment.

export const backoff = (attempt, { retryAfter = 0 }, min = 1000, max = 30000) =>
  retryAfter * 1000 + Math.random() * Math.min(min * 2 ** attempt, max);
