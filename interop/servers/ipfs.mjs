/** A service node of Waku: the program of `link-waku`'s example, which has no network behind it. */
import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

const PROGRAM = process.env.TRISTERO_WAKU_NODE;

/** Longer than any client waits before it comes back to a node that was away for a moment. */
const CONNECT_MS = 30_000;

/** Why it can't run here, or nothing if it can. */
export const whyMissing = () =>
  PROGRAM ? undefined : 'TRISTERO_WAKU_NODE does not name the service node';

export const start = async () => {
  const node = new ServiceNode();
  await node.restart();
  return node;
};

/** A process that can be killed and come back, with its port and its id. */
class ServiceNode {
  #seed = String(randomInt(2 ** 47));
  #port = '0';
  #process;
  #awaited = new Set();

  /** The multiaddress at which clients reach it. */
  url;

  /** How many clients are subscribed to something: those that hear what is pushed. */
  links = 0;

  /** Resolves when so many clients are subscribed. */
  async connected(count) {
    if (this.links < count) {
      await new Promise((resolve, reject) => {
        const why = new Error(`fewer than ${count} clients came to ${this.url}`);
        const waiter = { count, resolve: () => (clearTimeout(timer), resolve()) };
        const timer = setTimeout(() => (this.#awaited.delete(waiter), reject(why)), CONNECT_MS);
        this.#awaited.add(waiter);
      });
    }
  }

  /** Goes away at once: every link is cut, and nobody can connect. */
  async drop() {
    if (!this.#process) {
      return;
    }
    const killed = this.#process;
    this.#process = undefined;
    killed.kill('SIGKILL');
    await once(killed, 'close');
    this.links = 0;
  }

  /** Comes back where it was, after a `drop` if it was not dropped before. */
  async restart() {
    await this.drop();
    // It ends with its stdin, and so with whoever started it.
    const stdio = ['pipe', 'pipe', 'inherit'];
    const started = spawn(PROGRAM, [this.#port, this.#seed], { stdio });
    this.#process = started;
    await new Promise((resolve, reject) => {
      started.once('error', reject);
      started.once('close', (status) => reject(new Error(`the service node ended with ${status}`)));
      createInterface({ input: started.stdout }).on('line', (line) => {
        this.#onLine(JSON.parse(line));
        resolve();
      });
    });
  }

  /** Ends for good. */
  async stop() {
    await this.drop();
  }

  #onLine({ address, subscribers = 0 }) {
    if (address) {
      this.url = address;
      [, this.#port] = address.match(/\/tcp\/(\d+)\//);
    }
    this.links = subscribers;
    for (const waiter of this.#awaited) {
      if (waiter.count <= subscribers) {
        this.#awaited.delete(waiter);
        waiter.resolve();
      }
    }
  }
}
