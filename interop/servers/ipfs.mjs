/** A service node of Waku: the program of `link-waku`'s example, which has no network behind it. */
import { randomInt } from 'node:crypto';
import { Links } from './links.mjs';
import { Program } from './program.mjs';

const PROGRAM = process.env.TRISTERO_WAKU_NODE;

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
  #program = new Program(PROGRAM, (said) => this.#onSaid(said));
  #links = new Links();

  /** The multiaddress at which clients reach it. */
  url;

  /** How many clients are subscribed to something: those that hear what is pushed. */
  get links() {
    return this.#links.count;
  }

  /** Resolves when so many clients are subscribed. */
  async connected(count) {
    await this.#links.reach(count);
  }

  /** Goes away at once: every link is cut, and nobody can connect. */
  async drop() {
    await this.#program.kill();
    this.#links.count = 0;
  }

  /** Comes back where it was, after a `drop` if it was not dropped before. */
  async restart() {
    await this.drop();
    await this.#program.start(this.#port, this.#seed);
  }

  /** Ends for good. */
  async stop() {
    await this.drop();
  }

  #onSaid({ address, subscribers = 0 }) {
    if (address) {
      this.url = address;
      [, this.#port] = address.match(/\/tcp\/(\d+)\//);
    }
    this.#links.count = subscribers;
  }
}
