// What went wrong, by the server's codes and a few of ours.

export class CSChatError extends Error {
  constructor(code, message, more) {
    super(message);
    Object.assign(this, { name: 'CSChatError', code, status: 0, ...more });
  }

  // Whether the same again may succeed.
  get temporary() {
    return /^(NETWORK|RATE|BACKEND)/.test(this.code) || this.status === 429 || this.status > 501;
  }
}
