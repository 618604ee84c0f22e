// Listeners by event.  What one of them throws disturbs neither the others nor us.

export class Emitter {
  _listeners = {};

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
    for (const listener of [...this._listeners[event] ?? []]) {
      try {
        listener(...args);
      } catch (error) {
        queueMicrotask(() => { throw error; });
      }
    }
  }
}
