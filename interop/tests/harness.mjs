/**
 * Peers as processes, for tests: start them, give them commands, wait for their events.
 *
 * Nothing here sleeps: a test waits for an event, and when that does not come within its deadline
 * the test fails with what every peer of its cast said and heard.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { EXECUTABLE } from '../js/chromium.mjs';
import { keepUntilExit, killTree } from './processes.mjs';
import { Tap } from './tap.mjs';

/** Far more than anything takes on an idle machine, for machines that are not idle. */
const DEADLINE_MS = 30_000;

/** How long a peer may take to end when its stdin does, before it is killed. */
const STOP_MS = 5_000;

/** Lines of a peer's transcript that a failure shows, and characters of each. */
const SHOWN_LINES = 60;
const SHOWN_CHARACTERS = 400;

const script = (name) => fileURLToPath(new URL(`../js/${name}`, import.meta.url));
const node = (name, ...args) => ({ command: process.execPath, args: [script(name), ...args] });

const { TRISTERO_BIN, TRISTERO_IPFS_BIN = TRISTERO_BIN, TRISTERO_EVENT_LOOP } = process.env;

/** The kinds of peer, and how each is started. */
export const KINDS = {
  werift: node('agent.mjs', '--webrtc', 'werift'),
  'node-datachannel': node('agent.mjs', '--webrtc', 'node-datachannel'),
  chromium: node('browser.mjs'),
  'chromium-mdns': node('browser.mjs', '--mdns'),
  rust: { command: TRISTERO_BIN, args: ['agent'] },
  'rust-ipfs': { command: TRISTERO_IPFS_BIN, args: ['agent'] },
  'rust-smol': { command: TRISTERO_BIN, args: ['agent'], env: { TRISTERO_RUNTIME: 'smol' } },
  'rust-loop': { command: TRISTERO_EVENT_LOOP, args: [] },
};

/** Peers that are tested together, the relay they meet at, and what they leave behind. */
export class Cast {
  #peers = [];
  #tap;
  #folder = mkdtempSync(join(tmpdir(), 'tristero-interop-'));

  /** @param {{url: string, stop: () => Promise<void>}} relay stopped with the cast */
  constructor(relay) {
    this.relay = relay;
  }

  /** Starts a peer of `kind` and waits until it is ready. */
  async start(kind, { name = kind, args = [] } = {}) {
    const peer = new Peer(this, { name, kind, args, folder: this.#folder });
    this.#peers.push(peer);
    peer.selfId = (await peer.waitFor('ready')).selfId;
    return peer;
  }

  /** What may be joined at in place of the relay, and tells what passes; one for all who ask. */
  tap() {
    this.#tap ??= Tap.start(this.relay.url);
    return this.#tap;
  }

  /** Ends every peer, then the relay. */
  async end() {
    await Promise.all(this.#peers.map((peer) => peer.stop()));
    await (await this.#tap)?.stop();
    await this.relay.stop();
    // A killed browser may still be letting go of its profile.
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  }

  /** An error that shows what every peer said and heard. */
  failure(message) {
    return new Failure([message, ...this.#peers.map((peer) => peer.transcript())].join('\n'));
  }

  /** The error of a test, which then shows what every peer said and heard, at the tap too. */
  async explain(error) {
    const said = error instanceof Failure ? error : this.failure(error.stack);
    const tap = await this.#tap;
    return tap ? new Failure(`${said.message}\n${tap.transcript()}`) : said;
  }
}

/** An error whose message shows what every peer said and heard. */
class Failure extends Error {}

/** One agent process. */
class Peer {
  #cast;
  #process;
  #closed;
  #lines = [];
  #events = [];
  #waiters = new Set();
  #commands = 0;
  #ended = false;

  constructor(cast, { name, kind, args: extraArgs, folder }) {
    this.name = name;
    this.kind = kind;
    this.#cast = cast;
    const { command, args, env: ownEnv } = KINDS[kind];
    // A browser keeps its profile in the cast's folder, which goes when the cast ends.
    const env = { ...process.env, ...ownEnv, TMPDIR: folder };
    this.#process = spawn(command, [...args, ...extraArgs], { env });
    keepUntilExit(this.#process);
    this.#closed = new Promise((resolve) => {
      this.#process.on('error', (error) => this.#log('!', String(error)));
      this.#process.on('close', (status, signal) => this.#onEnd(signal ?? status, resolve));
    });
    // A command to a peer that has just died is answered by its end.
    this.#process.stdin.on('error', () => {});
    createInterface({ input: this.#process.stdout }).on('line', (line) => this.#onLine(line));
    createInterface({ input: this.#process.stderr }).on('line', (line) => this.#log('!', line));
  }

  /** Gives a command and waits for its reply, whatever that is. */
  async ask(cmd, fields = {}, { deadlineMs } = {}) {
    this.#commands += 1;
    const id = this.#commands;
    const line = JSON.stringify({ cmd, id, ...fields });
    this.#log('>', line);
    this.#process.stdin.write(`${line}\n`);
    return this.waitFor('reply', { id }, { deadlineMs });
  }

  /** Gives a command that has to succeed. */
  async do(cmd, fields, options) {
    const reply = await this.ask(cmd, fields, options);
    if (!reply.ok) {
      throw this.#cast.failure(`${this.name} could not ${cmd}: ${reply.error}`);
    }
    return reply;
  }

  /** The `nth` event of this name, past or to come, whose fields are those of `where`. */
  waitFor(event, where = {}, { nth = 1, deadlineMs = DEADLINE_MS } = {}) {
    const past = this.past(event, where);
    if (past.length >= nth) {
      return Promise.resolve(past[nth - 1]);
    }
    let missing = nth - past.length;
    const isLast = (candidate) => matching(event, where)(candidate) && (missing -= 1) === 0;
    const what = `${this.name} did not say ${event} ${JSON.stringify(where)}`;
    return new Promise((resolve, reject) => {
      const settle = (how) => (result) => {
        this.#waiters.delete(waiter);
        clearTimeout(timer);
        how(result);
      };
      const fail = settle((why) => reject(this.#cast.failure(`${what}: ${why}`)));
      const timer = setTimeout(() => fail(`not within ${deadlineMs} ms`), deadlineMs);
      const waiter = { matches: isLast, found: settle(resolve), fail };
      if (this.#ended) {
        fail('it has ended');
      } else {
        this.#waiters.add(waiter);
      }
    });
  }

  /** Every event of this name so far whose fields are those of `where`. */
  past(event, where = {}) {
    return this.#events.filter(matching(event, where));
  }

  /** Kills the process and all that it started, so that none can say goodbye. */
  async kill() {
    this.#log('!', 'killed by the test');
    killTree(this.#process.pid);
    await this.#closed;
  }

  /** Closes its stdin, at which it leaves and ends by itself, and returns its exit status. */
  async stop() {
    const timer = setTimeout(() => killTree(this.#process.pid), STOP_MS);
    this.#process.stdin.end();
    const status = await this.#closed;
    clearTimeout(timer);
    return status;
  }

  transcript() {
    const leftOut = Math.max(0, this.#lines.length - SHOWN_LINES);
    const lines = this.#lines.slice(leftOut).map((line) => line.slice(0, SHOWN_CHARACTERS));
    return [`--- ${this.name} ${this.selfId ?? ''} (${leftOut} lines left out)`, ...lines].join(
      '\n',
    );
  }

  #onLine(line) {
    this.#log('<', line);
    const event = JSON.parse(line);
    this.#events.push(event);
    this.#waiters.forEach((waiter) => waiter.matches(event) && waiter.found(event));
  }

  #onEnd(status, resolve) {
    this.#log('!', `ended: ${status}`);
    this.#ended = true;
    this.#waiters.forEach((waiter) => waiter.fail('it has ended'));
    resolve(status);
  }

  #log(mark, line) {
    this.#lines.push(`${mark} ${line}`);
  }
}

const matching = (event, where) => (candidate) =>
  candidate.event === event &&
  Object.entries(where).every(([key, value]) => candidate[key] === value);

/** Starts the relay of the program under test, in a namespace if there is one. */
export const startRustRelay = async (namespace = HERE) => {
  const { command, args } = namespace.inside(TRISTERO_BIN, ['relay', '--listen', '127.0.0.1:0']);
  const relay = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  keepUntilExit(relay);
  const closed = new Promise((resolve) => relay.on('close', resolve));
  for await (const line of createInterface({ input: relay.stdout })) {
    const url = line.match(/wss?:\/\/[^\s"',]+/)?.[0];
    if (url) {
      relay.stdout.resume();
      return {
        url,
        stop: async () => {
          relay.kill();
          await closed;
        },
      };
    }
  }
  throw new Error('the relay ended without telling where it listens');
};

/** Where programs run as they are. */
const HERE = { inside: (command, args) => ({ command, args }) };

/** Why peers of this kind can't run here, or nothing if they can. */
export const whyMissing = (kind) => {
  const { command, args } = KINDS[kind];
  if (kind.startsWith('rust')) {
    return command ? undefined : `${kind} needs a program that the environment does not name`;
  }
  if (kind.startsWith('chromium')) {
    return existsSync(EXECUTABLE) ? undefined : `there is no Chromium at ${EXECUTABLE}`;
  }
  const { status, stderr } = spawnSync(command, args, { input: '', encoding: 'utf8' });
  return status === 0 ? undefined : `${kind} does not start: ${stderr.trim()}`;
};

/**
 * `describe` for tests that need peers of these kinds. Where one can't run the suite is skipped,
 * with the reason; in CI that is a failure.
 */
export const describeWith = (name, kinds, body) =>
  describeUnless(kinds.map(whyMissing).find(Boolean), name, body);

/** `describe`, unless there is a reason not to: then as where peers can't run. */
export const describeUnless = (reason, name, ...rest) => {
  if (!reason) {
    describe(name, ...rest);
  } else if (process.env.CI === 'true') {
    test(name, () => {
      throw new Error(reason);
    });
  } else {
    test(name, { skip: reason }, () => {});
  }
};
