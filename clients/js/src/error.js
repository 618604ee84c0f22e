// What went wrong, by the server's codes and a few of ours.

export class CSChatError extends Error {
  name = 'CSChatError';
  status = 0;

  constructor(code, message, more) {
    super(message);
    Object.assign(this, { code }, more);
  }

  // Whether the same again may succeed.
  get temporary() {
    return /^(NETWORK|RATE|BACKEND)/.test(this.code) || /429|50[234]/.test(this.status);
  }
}

export const unreachable = () => new CSChatError('NETWORK', 'The server can\'t be reached.');
