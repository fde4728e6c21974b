/** Servers that others wrote in Rust: the program of `servers-rs`, with the name of one of them. */
import { spawnSync } from 'node:child_process';
import { Front } from './front.mjs';
import { Program } from './program.mjs';

const PROGRAM = process.env.TRISTERO_TEST_SERVERS;

/** A server by its name there: how it is started, and why it can't be, or nothing if it can. */
export const other = (name) => ({
  start: async () => {
    const server = new OthersServer(name);
    await server.restart();
    return server;
  },
  whyMissing: () => {
    if (!PROGRAM) {
      return 'TRISTERO_TEST_SERVERS does not name the program of the servers in Rust';
    }
    const { status, stderr } = spawnSync(PROGRAM, [name], { input: '', encoding: 'utf8' });
    return status === 0 ? undefined : `the server for ${name} does not start: ${stderr.trim()}`;
  },
});

class OthersServer {
  #name;
  #front = new Front();
  #program = new Program(PROGRAM, ({ url }) => (this.#target = new URL(url)));
  #target;

  constructor(name) {
    this.#name = name;
  }

  /** Where clients reach it. */
  get url() {
    return `ws://${this.#front.host}`;
  }

  /** How many clients are connected. */
  get links() {
    return this.#front.links.count;
  }

  /** Resolves when so many clients are connected. */
  async connected(count) {
    await this.#front.links.reach(count);
  }

  /** Goes away at once: every link is cut, and nobody can connect. */
  async drop() {
    await this.#front.close();
    await this.#program.kill();
  }

  /** Comes back where it was, after a `drop` if it was not dropped before. */
  async restart() {
    await this.drop();
    await this.#program.start(this.#name);
    await this.#front.open(this.#target);
  }

  /** Ends for good. */
  async stop() {
    await this.drop();
  }
}
