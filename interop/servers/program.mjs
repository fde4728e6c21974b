/** A server that is a program: it can be killed and come back, and tells of itself in JSON lines. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

export class Program {
  #path;
  #onLine;
  #process;

  /** A program that has not been started; `onLine` gets what its lines say. */
  constructor(path, onLine) {
    this.#path = path;
    this.#onLine = onLine;
  }

  /** Starts it, after it was killed if it runs, and resolves when it has said something. */
  async start(...args) {
    await this.kill();
    // It ends with its stdin, and so with whoever started it.
    const started = spawn(this.#path, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#process = started;
    await new Promise((resolve, reject) => {
      started.once('error', reject);
      started.once('close', (status) => reject(new Error(`${this.#path} ended with ${status}`)));
      createInterface({ input: started.stdout }).on('line', (line) => {
        this.#onLine(JSON.parse(line));
        resolve();
      });
    });
  }

  /** Ends it at once, if it runs. */
  async kill() {
    const killed = this.#process;
    this.#process = undefined;
    if (killed && killed.exitCode === null && killed.signalCode === null) {
      killed.kill('SIGKILL');
      await once(killed, 'close');
    }
  }
}
