// Listeners by event.  What one of them throws disturbs neither the others nor us:
// it ends as the rejection of a promise that nobody awaits, which is reported.

export class Emitter {
  _listeners = {};
  _client;  // hears it too, where there is one

  on(event, listener) {
    (this._listeners[event] ??= new Set()).add(listener);
    return () => this.off(event, listener);
  }

  once(event, listener) {
    const off = this.on(event, (...args) => {
      off();
      listener(...args);
    });
    return off;
  }

  off(event, listener) {
    this._listeners[event]?.delete(listener);
  }

  _emit(event, ...args) {
    for (const listener of [...this._listeners[event] ?? []]) (async () => listener(...args))();
    this._client?._emit(event, ...args);
  }
}
