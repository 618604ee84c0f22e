// How long to wait before the next attempt: at random below a limit that
// doubles, so that a thousand clients that lost one server do not come back at
// the same moment.

export function backoff(attempt, min = 1000, max = 30000) {
  return Math.random() * Math.min(min * 2 ** attempt, max);
}

// Does something until it succeeds, fails for good, or is not wanted any more.
export async function persist(action, wanted) {
  for (let attempt = 0; ; attempt++) {
    try {
      return await action();
    } catch (error) {
      if (!error.temporary || !wanted()) throw error;
      const wait = (error.retryAfter ?? 0) * 1000 + backoff(attempt);
      await new Promise((resolve) => { setTimeout(resolve, wait); });
    }
  }
}
