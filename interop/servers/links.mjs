/** Counting the clients of a server, for tests that wait until those they know of are there. */

/** Longer than a client waits before it comes back, ours and Trystero's 53 s at most, and may wait a second time. */
const CONNECT_MS = 120_000;

export class Links {
  #count = 0;
  #waiters = new Set();

  /** How many clients are connected. */
  get count() {
    return this.#count;
  }

  set count(count) {
    this.#count = count;
    for (const waiter of this.#waiters) {
      if (waiter.count <= count) {
        this.#waiters.delete(waiter);
        waiter.resolve();
      }
    }
  }

  /** Resolves when so many clients are connected. */
  async reach(count) {
    if (this.#count >= count) {
      return;
    }
    await new Promise((resolve, reject) => {
      const waiter = { count, resolve: () => (clearTimeout(timer), resolve()) };
      const giveUp = () => {
        this.#waiters.delete(waiter);
        reject(new Error(`${this.#count} clients came where ${count} should have`));
      };
      const timer = setTimeout(giveUp, CONNECT_MS);
      this.#waiters.add(waiter);
    });
  }
}
