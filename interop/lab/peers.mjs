/** Peers in namespaces: agents as in the other tests, and the relay that they meet at. */
import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Cast, KINDS } from '../tests/harness.mjs';
import { keepUntilExit } from '../tests/processes.mjs';
import { ADDRESSES } from './internet.mjs';

const file = (path) => fileURLToPath(new URL(path, import.meta.url));

/** The program under test. */
export const PROGRAM = resolve(process.env.TRISTERO_BIN ?? file('../../target/release/tristero'));

/**
 * What `--peers` may name. All but the program itself say what the lab is like for others' ICE,
 * and meet at a relay that needs nothing but this folder.
 */
export const PEERS = {
  rust: {
    agent: { command: PROGRAM, args: ['agent'] },
    relay: { command: PROGRAM, args: ['relay', '--listen', '[::]:0'] },
  },
  ...Object.fromEntries(
    ['werift', 'node-datachannel'].map((kind) => [
      kind,
      {
        agent: KINDS[kind],
        relay: { command: process.execPath, args: [file('relay-process.mjs')] },
      },
    ]),
  ),
};

/** A relay in the internet, which is there for both families of addresses. */
export class Relay {
  #process;
  #closed;
  #port;

  static async start(internet, kind) {
    const relay = new Relay();
    const { command, args } = PEERS[kind].relay;
    const inside = internet.namespace.inside(command, args);
    relay.#process = spawn(inside.command, inside.args, { stdio: ['pipe', 'pipe', 'inherit'] });
    keepUntilExit(relay.#process);
    relay.#closed = new Promise((closed) => relay.#process.on('close', closed));
    for await (const line of createInterface({ input: relay.#process.stdout })) {
      const port = line.match(/wss?:\/\/\S*:(\d+)/)?.[1];
      if (port) {
        relay.#process.stdout.resume();
        relay.#port = port;
        return relay;
      }
    }
    throw new Error('the relay ended without telling where it listens');
  }

  /** Where a host with addresses of this family reaches it. */
  url(family) {
    const { gateway } = ADDRESSES[family];
    return `ws://${family === 6 ? `[${gateway}]` : gateway}:${this.#port}`;
  }

  async stop() {
    this.#process.kill();
    await this.#closed;
  }
}

/** Starts a peer on each host, of one kind or of two; `cast.end()` ends them. */
export const startPeers = async (kinds, hosts, extraArgs = []) => {
  const cast = new Cast({ stop: async () => {} });
  const names = hosts.map(({ namespace }) => namespace.name);
  try {
    hosts.forEach(({ namespace }, index) => {
      const kind = Array.isArray(kinds) ? kinds[index] : kinds;
      const { command, args } = PEERS[kind]?.agent ?? KINDS[kind];
      // The harness starts what it has a kind of.
      KINDS[namespace.name] = namespace.inside(command, [...args, ...(extraArgs[index] ?? [])]);
    });
    const start = (name, index) => cast.start(name, { name: `peer ${index}` });
    return { cast, peers: await Promise.all(names.map(start)) };
  } catch (error) {
    await cast.end();
    throw error;
  } finally {
    names.forEach((name) => delete KINDS[name]);
  }
};

let rooms = 0;

/** Joins both to a room of their own, each with what its config adds, and gives their replies. */
export const join = (peers, configs) => {
  rooms += 1;
  const room = { ...ROOM, appId: `lab-${process.pid}`, roomId: `${rooms}` };
  return Promise.all(peers.map((peer, side) => peer.do('join', { ...room, ...configs[side] })));
};

/** What peers call the room that they were joined to. */
export const ROOM = { room: 'lab' };

/** The events by which both have seen the other join. */
export const met = (peers, deadlineMs) =>
  Promise.all(
    peers.map((peer, side) =>
      peer.waitFor('peerJoin', { peer: peers[1 - side].selfId }, { deadlineMs }),
    ),
  );

/** The time from when both had joined until both have met. */
export const elapsed = (joins, events) =>
  Math.max(...events.map(({ t }) => t)) - Math.max(...joins.map(({ t0 }) => t0));
