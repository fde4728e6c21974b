/**
 * What stands between peers and their relay, passes everything on, and remembers it, so that a test
 * can tell who said what, and in which order, and who has heard it.
 */
import { once } from 'node:events';
import { WebSocket, WebSocketServer } from 'ws';

/** As long as peers may take to meet. */
const DEADLINE_MS = 75_000;

/** Frames that a failure shows, and characters of each. */
const SHOWN_FRAMES = 80;
const SHOWN_CHARACTERS = 200;

export class Tap {
  #server;
  #frames = [];
  #waiters = new Set();

  /** Starts a tap on a free port of loopback. */
  static async start(relayUrl) {
    const tap = new Tap();
    tap.#server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
    tap.#server.on('connection', (peer) => tap.#connect(peer, new WebSocket(relayUrl)));
    await once(tap.#server, 'listening');
    return tap;
  }

  /** Where peers reach the relay through it. */
  get url() {
    return `ws://127.0.0.1:${this.#server.address().port}`;
  }

  /**
   * The frames so far that match, oldest first: `{at, t, type, topic, signal?, peer}`. They are
   * numbered by `at`. The type is that of what a peer sent, or `delivery` for what it was sent. The
   * `peer` has an `id` from the moment that it says who it is.
   */
  past(matches) {
    return this.#frames.filter(matches);
  }

  /** The `nth` frame that matches, past or to come. */
  waitFor(matches, what, { nth = 1, deadlineMs = DEADLINE_MS } = {}) {
    const find = () => this.past(matches)[nth - 1];
    if (find()) {
      return Promise.resolve(find());
    }
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiters.delete(check);
        reject(new Error(`the tap did not see ${what}`));
      }, deadlineMs);
      const check = () => {
        const found = find();
        if (found) {
          clearTimeout(timer);
          this.#waiters.delete(check);
          resolve(found);
        }
      };
      this.#waiters.add(check);
    });
  }

  transcript() {
    const leftOut = Math.max(0, this.#frames.length - SHOWN_FRAMES);
    const shown = this.#frames.slice(leftOut).map((frame) => JSON.stringify(frame));
    const lines = shown.map((line) => line.slice(0, SHOWN_CHARACTERS));
    return [`--- the relay (${leftOut} frames left out)`, ...lines].join('\n');
  }

  /** Loses every connection that it has; peers may connect anew. */
  cut() {
    this.#server.clients.forEach((socket) => socket.terminate());
  }

  async stop() {
    this.cut();
    this.#server.close();
  }

  #connect(socket, relay) {
    const peer = {};
    const opened = new Promise((resolve) => relay.on('open', resolve));
    socket.on('message', async (data) => {
      const text = String(data);
      this.#hear(peer, JSON.parse(text));
      await opened;
      relay.send(text);
    });
    relay.on('message', (data) => {
      const text = String(data);
      socket.send(text);
      this.#hear(peer, { type: 'delivery', ...JSON.parse(text) });
    });
    socket.on('close', () => relay.terminate());
    relay.on('close', () => socket.terminate());
    // An error is followed by the close that ends both.
    [socket, relay].forEach((end) => end.on('error', () => {}));
  }

  #hear(peer, { type, topic, payload }) {
    const signal = typeof payload === 'string' ? JSON.parse(payload) : payload;
    if (type === 'publish') {
      peer.id = signal.peerId;
    }
    this.#frames.push({ at: this.#frames.length, t: Date.now(), type, topic, signal, peer });
    this.#waiters.forEach((check) => check());
  }
}
