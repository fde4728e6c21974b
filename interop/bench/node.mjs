/** Measured peers as processes in Node. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { versionOf } from '../js/stdio.mjs';
import { keepUntilExit } from '../tests/processes.mjs';
import { memoryOf } from './proc.mjs';

const PROCESS = fileURLToPath(new URL('node-process.mjs', import.meta.url));

/** Where the peers of one side run; each in a process of its own. */
export class NodeHost {
  #library;

  constructor(library) {
    this.#library = library;
    this.version = versionOf(library);
  }

  static open(library) {
    return new NodeHost(library);
  }

  /** A peer in a fresh process, which has loaded all that it needs. */
  async fresh() {
    const peer = new NodePeer(this.#library);
    await peer.reply('ready');
    return peer;
  }

  close() {}
}

/** A peer in another process; its methods are those of `Peer`. */
class NodePeer {
  #process;
  #closed;
  #calls = 0;
  #waiters = new Map();

  constructor(library) {
    // What libraries print is not the figures.
    this.#process = fork(PROCESS, [library], { stdio: ['ignore', 2, 2, 'ipc'] });
    keepUntilExit(this.#process);
    /** The process that started all others of this peer: here there are none. */
    this.root = this.#process.pid;
    this.#process.on('message', ({ id, ...said }) => this.#waiters.get(id)?.(said));
    this.#process.on('error', (error) => this.#fail(error.message));
    this.#closed = new Promise((resolve) => {
      this.#process.on('close', (status, signal) => {
        this.#fail(`a peer ended: ${signal ?? status}`);
        resolve();
      });
    });
  }

  call(method, argument) {
    this.#calls += 1;
    const id = this.#calls;
    const replied = this.reply(id);
    this.#process.send({ id, method, argument }, (error) => error && this.#fail(error.message));
    return replied;
  }

  /** What is said to this call; nothing else that the process says is waited for. */
  async reply(id) {
    const { error, result } = await new Promise((resolve) => this.#waiters.set(id, resolve));
    this.#waiters.delete(id);
    if (error !== undefined) {
      throw new Error(error);
    }
    return result;
  }

  async memory() {
    return memoryOf(this.root);
  }

  async end() {
    this.#process.kill('SIGKILL');
    await this.#closed;
  }

  #fail(error) {
    this.#waiters.forEach((settle) => settle({ error }));
  }
}
