/** Sockets in a namespace, to see what gets through and what it looks like then. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { keepUntilExit } from '../tests/processes.mjs';

const PROCESS = fileURLToPath(new URL('probe-process.mjs', import.meta.url));

/** Far more than a command takes. */
const COMMAND_MS = 20_000;

/** How often a datagram is sent until it arrives, and how long each time is waited. */
const TRIES = 20;
const TRY_MS = 250;

export class Probe {
  #process;
  #closed;
  #replies = new Map();
  #commands = 0;
  #watchers = new Set();
  #arrived = [];

  constructor(namespace) {
    const { command, args } = namespace.inside(process.execPath, [PROCESS]);
    this.#process = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    keepUntilExit(this.#process);
    this.#closed = new Promise((resolve) => this.#process.on('close', resolve));
    this.#process.stdin.on('error', () => {});
    createInterface({ input: this.#process.stdout }).on('line', (line) =>
      this.#onLine(JSON.parse(line)),
    );
  }

  /** A UDP socket at an address of the namespace, whose datagrams pass `ttl` routers less one. */
  async bind(address, ttl) {
    this.#commands += 1;
    const name = `socket${this.#commands}`;
    const { port } = await this.#ask('bind', { name, address, ttl });
    return { probe: this, name, address, port };
  }

  /** Serves TCP; who connects is told how it looks from there. */
  async listen(address) {
    const { port } = await this.#ask('listen', { address });
    return { address, port };
  }

  /** How the server at `to`, of a `listen`, sees a TCP connection from here. */
  async connect(to, timeoutMs = COMMAND_MS) {
    return JSON.parse((await this.#ask('connect', { to, timeoutMs })).said);
  }

  /** Resolves when something at `to` takes TCP connections; fails if it does not in time. */
  async connectable(to) {
    const deadline = Date.now() + COMMAND_MS;
    for (;;) {
      try {
        return await this.#ask('connect', { to, timeoutMs: 1000, peek: true });
      } catch (error) {
        if (Date.now() > deadline) {
          throw new Error(`nothing serves TCP at ${to.address} port ${to.port}: ${error.message}`);
        }
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }

  send(socket, to, text) {
    return this.#ask('send', { name: socket.name, to, text });
  }

  /** The sender of the datagram of this text, if it has come to the socket so far. */
  arrived(socket, text) {
    return this.#arrived.find(isThat(socket, text))?.from;
  }

  /** The sender of the datagram of this text that comes to the socket, or nothing in time. */
  arrival(socket, text, timeoutMs) {
    const past = this.arrived(socket, text);
    if (past) {
      return Promise.resolve(past);
    }
    const matches = isThat(socket, text);
    return new Promise((resolve) => {
      const settle = (from) => {
        clearTimeout(timer);
        this.#watchers.delete(watch);
        resolve(from);
      };
      const watch = (datagram) => matches(datagram) && settle(datagram.from);
      const timer = setTimeout(settle, timeoutMs);
      this.#watchers.add(watch);
    });
  }

  async stop() {
    this.#process.stdin.end();
    await this.#closed;
  }

  async #ask(cmd, fields) {
    this.#commands += 1;
    const id = this.#commands;
    const reply = await new Promise((resolve) => {
      const timer = setTimeout(() => resolve({ error: `no reply to ${cmd}` }), COMMAND_MS + 1000);
      this.#replies.set(id, (line) => {
        clearTimeout(timer);
        resolve(line);
      });
      this.#process.stdin.write(`${JSON.stringify({ id, cmd, ...fields })}\n`);
    });
    this.#replies.delete(id);
    if (reply.error) {
      throw new Error(reply.error);
    }
    return reply;
  }

  #onLine(line) {
    if (line.event === 'datagram') {
      this.#arrived.push(line);
      this.#watchers.forEach((watch) => watch(line));
    } else {
      this.#replies.get(line.id)?.(line);
    }
  }
}

const isThat =
  ({ name }, text) =>
  (datagram) =>
    datagram.name === name && datagram.text === text;

let texts = 0;

/** A text that no datagram had before. */
export const newText = () => {
  texts += 1;
  return `datagram ${texts}`;
};

/**
 * Sends from one socket to where another is reached, until it arrives, and returns how the sender
 * looks there. It has to arrive.
 */
export const deliver = async (from, to, receiver) => {
  const text = newText();
  for (let tries = 0; tries < TRIES; tries += 1) {
    await from.probe.send(from, to, text);
    const seen = await receiver.probe.arrival(receiver, text, TRY_MS);
    if (seen) {
      return seen;
    }
  }
  throw new Error(`nothing from ${from.address} arrives at ${to.address} port ${to.port}`);
};
