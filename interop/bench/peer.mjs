/**
 * A peer of npm's Trystero that is measured, in Node or in a page.
 *
 * Its methods take and give JSON, for they are called from another process. It meets one other in
 * one room, once: whoever wants another connection makes another peer, in a fresh process or page.
 */
import { joinRoom } from '../js/ws-relay.mjs';

const APP_ID = 'tristero-bench';

/** What bulk is sent in; the last payload may be smaller. */
const PAYLOAD_BYTES = 16 * 2 ** 20;

/** A string that is 100 bytes as JSON. */
const TEXT = 'x'.repeat(98);

/** Far more than two peers take to meet on one machine, and Trystero to announce itself again. */
const MEET_MS = 60_000;

/** Far more than a ping takes. */
const PING_MS = 10_000;

/** How each action sends so much in all, one send awaited after another. */
const SENDERS = {
  bulk: async (action, bytes) => {
    const payload = new Uint8Array(PAYLOAD_BYTES).fill(7);
    for (let left = bytes; left > 0; left -= PAYLOAD_BYTES) {
      await action.send(left < PAYLOAD_BYTES ? payload.subarray(0, left) : payload);
    }
  },
  small: async (action, messages) => {
    for (let sent = 0; sent < messages; sent++) {
      await action.send(TEXT);
    }
  },
};

/** What a payload counts for, and whether it is one that was sent. */
const MEASURES = {
  bulk: (payload) => payload.byteLength,
  small: (payload) => Number(payload === TEXT),
};

export class Peer {
  #rtcPolyfill;
  #room;
  #remote;
  #actions = {};
  #tally = { received: 0, wrong: 0 };
  #done = deferred();
  #left = deferred();

  /** @param {Function} [rtcPolyfill] an `RTCPeerConnection` where there is no global one */
  constructor(rtcPolyfill) {
    this.#rtcPolyfill = rtcPolyfill;
    // Nobody may be waiting when the other leaves.
    this.#left.promise.catch(() => {});
  }

  /** Joins, and gives when it did and when it met the other, in milliseconds since the epoch. */
  async join({ relay, roomId }) {
    const config = {
      appId: APP_ID,
      relayConfig: { urls: [relay] },
      rtcConfig: { iceServers: [] },
      ...(this.#rtcPolyfill && { rtcPolyfill: this.#rtcPolyfill }),
    };
    const met = deferred();
    // Trystero tells so of every attempt that fails, also when the next one succeeds.
    let failure = 'no attempt has failed';
    const onJoinError = ({ error }) => (failure = error);
    const joinedAt = now();
    this.#room = joinRoom(config, roomId, { onJoinError });
    this.#room.onPeerJoin = (peer) => met.resolve({ peer, metAt: now() });
    this.#room.onPeerLeave = () => this.#left.reject(new Error('the other peer left'));
    this.#listen();
    const { peer, metAt } = await within(MEET_MS, met.promise, () => `no peer came (${failure})`);
    this.#remote = peer;
    return { joinedAt, metAt };
  }

  /** Pings so often, one after another, and gives how long each took, in milliseconds. */
  async ping({ count }) {
    const times = [];
    for (let i = 0; i < count; i++) {
      const start = performance.now();
      await within(PING_MS, this.#room.ping(this.#remote), () => 'no answer to a ping');
      times.push(performance.now() - start);
    }
    return times;
  }

  /** Has this peer say when it has so much by the action, bytes or messages; before `send`. */
  expect({ action, total }) {
    this.#tally = { action, total, received: 0, wrong: 0 };
  }

  /** How much of what was expected has come, and how many payloads that nobody sent. */
  received() {
    return this.#tally;
  }

  /**
   * Sends, and gives the seconds until the other says that it has all. What is lost is for the
   * caller to see: Trystero says nothing of what it drops.
   */
  async send({ action, total }) {
    this.#done = deferred();
    const start = performance.now();
    await SENDERS[action](this.#actions[action], total);
    const said = await Promise.race([this.#done.promise, this.#left.promise]);
    const seconds = (performance.now() - start) / 1000;
    if (said !== total) {
      throw new Error(`the receiver says that it has ${said} of ${total}`);
    }
    return seconds;
  }

  #listen() {
    for (const name of [...Object.keys(SENDERS), 'done']) {
      this.#actions[name] = this.#room.makeAction(name);
    }
    for (const [name, measure] of Object.entries(MEASURES)) {
      this.#actions[name].onMessage = (payload) => this.#take(name, measure(payload));
    }
    this.#actions.done.onMessage = (total) => this.#done.resolve(total);
  }

  /** Counts; what is wrong is told by `received`, and the total is never reached then. */
  #take(action, amount) {
    const tally = this.#tally;
    if (!(amount > 0) || tally.action !== action) {
      tally.wrong += 1;
      return undefined;
    }
    tally.received += amount;
    return tally.received === tally.total ? this.#actions.done.send(tally.total) : undefined;
  }
}

/** The time that peers on one machine have in common. */
const now = () => performance.timeOrigin + performance.now();

const deferred = () => {
  const parts = {};
  parts.promise = new Promise((resolve, reject) => Object.assign(parts, { resolve, reject }));
  return parts;
};

const within = (ms, promise, complaint) => {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${complaint()} within ${ms / 1000} s`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
};
