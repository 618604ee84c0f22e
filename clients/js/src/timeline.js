// The order of one chat's messages: each `seq` once, none before the one below
// it.  All up to `position` is there; until that is known everything waits.

export class Timeline {
  position;
  _early = new Map();

  // Whether something waits for what is missing before it.
  get gap() {
    return this.position >= 0 && this._early.size > 0;
  }

  // Takes one in: those that come next now, in order.
  take(message) {
    this._early.set(message.seq, message);
    return this.reset(this.position);
  }

  // All up to `position` is there: those that waited and come next now.
  reset(position) {
    const next = [];

    this.position = position;
    for (const seq of this._early.keys()) if (seq <= position) this._early.delete(seq);
    for (let message; (message = this._early.get(this.position + 1)); next.push(message)) {
      this._early.delete(++this.position);
    }
    return next;
  }
}
