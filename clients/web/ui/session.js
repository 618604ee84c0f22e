// Keeps the token of who is signed in over a reload of the page, for all tabs
// of the browser, and tells the others when it changes.

export class Session {
  /** `key`: one for each kind of user, so that a customer and an agent may be signed in side by side. */
  constructor(key) {
    this.key = key;
  }

  get token() {
    try {
      return localStorage.getItem(this.key) ?? undefined;
    } catch {
      return undefined; // storage is switched off: this page only
    }
  }

  set token(token) {
    try {
      if (token) {
        localStorage.setItem(this.key, token);
      } else {
        localStorage.removeItem(this.key);
      }
    } catch {
      // this page only
    }
  }

  /** Calls back when another tab signs in or out. */
  onChange(listener) {
    addEventListener('storage', (event) => {
      if (event.key === this.key && event.newValue !== event.oldValue) {
        listener(event.newValue ?? undefined);
      }
    });
  }
}
