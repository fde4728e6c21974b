/**
 * What two peers of npm's Trystero get through to each other on this machine, and what it costs:
 * `node interop/bench/pair.mjs --relay URL --webrtc node-datachannel|werift|chromium`.
 *
 * Prints one line of JSON. Its status is 0, or 1 if anything went wrong, which it then says.
 */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as after } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { WebSocket } from 'ws';
import { agentVersion } from '../js/stdio.mjs';
import { ChromiumHost } from './browser.mjs';
import { NodeHost } from './node.mjs';
import { cpuSeconds } from './proc.mjs';

const MIB = 2 ** 20;

/** Far more than a relay on this machine takes to answer. */
const RELAY_MS = 10_000;

/**
 * A transfer of which nothing new comes for so long has lost something. The slowest library takes
 * ten seconds for a payload. Trystero drops what it can't send for ten, and goes on.
 */
const STALL_MS = 60_000;

/**
 * What `--webrtc` may name; what is slow is given less to do by default. Of more messages than that
 * werift loses the connection or gets stuck, often after some thirty thousand.
 */
const KINDS = {
  'node-datachannel': { host: NodeHost, bulkBytes: 256 * MIB, messages: 200_000 },
  werift: { host: NodeHost, bulkBytes: 64 * MIB, messages: 10_000 },
  chromium: { host: ChromiumHost, bulkBytes: 64 * MIB, messages: 50_000 },
};

const USAGE = `node interop/bench/pair.mjs --relay URL --webrtc LIBRARY [options]
  --relay URL      a WebSocket relay where the peers meet
  --webrtc         ${Object.keys(KINDS).join(', ')}
  --bulk-bytes N   bytes in payloads of 16 MiB
  --messages N     messages of 100 bytes
  --pings N        pings (500)
  --joins N        pairs that meet (10)`;

const OPTIONS = {
  relay: { type: 'string' },
  webrtc: { type: 'string' },
  'bulk-bytes': { type: 'string' },
  messages: { type: 'string' },
  pings: { type: 'string', default: '500' },
  joins: { type: 'string', default: '10' },
};

const main = async () => {
  const options = parseOptions();
  await reach(options.relay);
  const hosts = [];
  try {
    for (let side = 0; side < 2; side++) {
      hosts.push(await KINDS[options.webrtc].host.open(options.webrtc));
    }
    const figures = await measure(hosts, options);
    const version = agentVersion(hosts[0].version);
    process.stdout.write(`${JSON.stringify({ peer: options.webrtc, version, ...figures })}\n`);
  } finally {
    await Promise.all(hosts.map((host) => host.close()));
  }
};

const parseOptions = () => {
  try {
    const { values } = parseArgs({ options: OPTIONS });
    const kind = Object.hasOwn(KINDS, values.webrtc ?? '') ? KINDS[values.webrtc] : undefined;
    if (!values.relay || !kind) {
      throw new Error('--relay and --webrtc are needed, with a value that they can have');
    }
    const number = (name, otherwise) => {
      const given = Number(values[name] ?? otherwise);
      if (!Number.isSafeInteger(given) || given < 1) {
        throw new Error(`--${name} is a number of 1 or more`);
      }
      return given;
    };
    return {
      ...values,
      bulkBytes: number('bulk-bytes', kind.bulkBytes),
      messages: number('messages', kind.messages),
      pings: number('pings'),
      joins: number('joins'),
    };
  } catch (error) {
    throw new Error(`${error.message}\n${USAGE}`);
  }
};

/** Fails where there is no relay, which peers would go on dialling. */
const reach = async (relay) => {
  try {
    const socket = new WebSocket(relay, { handshakeTimeout: RELAY_MS });
    await once(socket, 'open');
    socket.close();
  } catch (error) {
    throw new Error(`there is no relay at ${relay}: ${error.message || error.code}`);
  }
};

const measure = async (hosts, options) => {
  const { relay, bulkBytes, messages, pings, joins } = options;
  const joinMs = [];
  for (let i = 0; i < joins; i++) {
    const { peers, ms } = await meet(hosts, relay);
    joinMs.push(ms);
    await end(peers);
  }
  const { peers } = await meet(hosts, relay);
  const ping = spread(await peers[0].call('ping', { count: pings }));
  const idleRssBytes = await largest(peers, 'rss');
  const bulk = await transfer(peers, 'bulk', bulkBytes);
  const small = await transfer(peers, 'small', messages);
  const peakRssBytes = await largest(peers, 'peak');
  await end(peers);
  return {
    bulk: {
      bytes: bulkBytes,
      seconds: bulk.seconds,
      bytesPerSecond: bulkBytes / bulk.seconds,
      cpuSecondsPerGB: (bulk.cpuSeconds * 1e9) / bulkBytes,
    },
    small: { messages, seconds: small.seconds, perSecond: messages / small.seconds },
    ping,
    join: spread(joinMs),
    memory: { idleRssBytes, peakRssBytes },
  };
};

/** Two fresh peers in a room of their own, and how long it took until each had met the other. */
const meet = async (hosts, relay) => {
  const peers = await Promise.all(hosts.map((host) => host.fresh()));
  const room = { relay, roomId: randomUUID() };
  const joins = await Promise.all(peers.map((peer) => peer.call('join', room)));
  const began = Math.min(...joins.map(({ joinedAt }) => joinedAt));
  const ended = Math.max(...joins.map(({ metAt }) => metAt));
  return { peers, ms: ended - began };
};

const end = (peers) => Promise.all(peers.map((peer) => peer.end()));

/** Has the first send so much to the second by an action, and gives what that took of both. */
const transfer = async ([sender, receiver], action, total) => {
  const used = () => cpuSeconds(sender.root) + cpuSeconds(receiver.root);
  await receiver.call('expect', { action, total });
  const before = used();
  const over = new AbortController();
  const sent = sender.call('send', { action, total });
  try {
    const seconds = await Promise.race([sent, stall(receiver, over.signal)]);
    return { seconds, cpuSeconds: used() - before };
  } catch (error) {
    const tally = await receiver.call('received').catch(({ message }) => message);
    throw new Error(`${action}: ${error.message}; the receiver: ${JSON.stringify(tally)}`);
  } finally {
    over.abort();
  }
};

/** Fails when nothing new comes; nobody listens any more once all has come. */
const stall = async (receiver) => {
  for (let last; ;) {
    await after(STALL_MS);
    const { received } = await receiver.call('received');
    if (received === last) {
      throw new Error(`nothing came for ${STALL_MS / 1000} s`);
    }
    last = received;
  }
};

/** What the larger one of both has. */
const largest = async (peers, name) => {
  const memories = await Promise.all(peers.map((peer) => peer.memory()));
  return Math.max(...memories.map((memory) => memory[name]));
};

const spread = (times) => {
  const sorted = [...times].sort((a, b) => a - b);
  const percentile = (percent) => sorted[Math.ceil((sorted.length * percent) / 100) - 1];
  return { count: times.length, medianMs: percentile(50), p99Ms: percentile(99) };
};

// WebRTC libraries keep threads and timers, so the end is always explicit.
main().then(
  () => process.exit(0),
  (error) => {
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  },
);
