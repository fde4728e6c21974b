/** What peers say of a room at their relay, for those who join it through the cast's tap. */
import { sha1 } from '@trystero-p2p/core';

/** How often whoever joins a room announces itself in the first seconds. */
const BURST_ANNOUNCES = 4;

/** How often it does then. */
const HEARTBEAT_MS = 60_000;

export class Signaling {
  #tap;
  #root;
  #selves;

  /** Attends to what `peers` say of `room`. */
  static async of(cast, room, peers) {
    const signaling = new Signaling();
    const root = `Trystero@${room.appId}@${room.roomId}`;
    const selves = peers.map(async ({ selfId }) => [selfId, await sha1(`${root}@${selfId}`)]);
    signaling.#tap = await cast.tap();
    signaling.#root = await sha1(root);
    signaling.#selves = new Map(await Promise.all(selves));
    return signaling;
  }

  /** With what a room has to be joined to be heard here. */
  get config() {
    return { relayUrls: [this.#tap.url] };
  }

  /** Everything said so far, oldest first: what is in the message, and `topic`. */
  get said() {
    const topics = new Set([this.#root, ...this.#selves.values()]);
    return this.#tap
      .past(({ type, topic }) => type === 'publish' && topics.has(topic))
      .map(read);
  }

  /** Everything said so far but announces: what makes connections. */
  get directed() {
    return this.said.filter((message) => !this.isAnnounce(message));
  }

  /** What `peer` said to `other` alone. */
  between(peer, other) {
    const topic = this.#selves.get(other.selfId);
    return this.said.filter((message) => message.topic === topic && message.peerId === peer.selfId);
  }

  isAnnounce({ topic }) {
    return topic === this.#root;
  }

  /** How often peers have subscribed to the room. */
  get subscriptions() {
    return this.#tap.past(this.#isSubscription).length;
  }

  /** Resolves when peers have subscribed to the room so often. */
  subscribed(times = 1) {
    return this.#tap.waitFor(this.#isSubscription, `subscription ${times}`, { nth: times });
  }

  /**
   * Resolves when all of `peers`, who have joined once, have heard the others announce themselves
   * for the last time before a minute.
   */
  async quiet(peers) {
    await Promise.all(peers.map((peer) => this.#burstHeard(peer, peers)));
    // What they do after they were told to do something they do after what they heard before.
    await Promise.all(peers.map((peer) => peer.do('relays')));
  }

  /**
   * Resolves when `peer`, whose burst was over, begins another after so much was `said`: it is
   * awaited for less than the pause between announces after a burst.
   */
  async announcesAgain(peer, said) {
    const before = this.said.slice(0, said).filter((message) => this.#isAnnounceOf(peer, message));
    await this.#announce(peer, before.length + 1, { deadlineMs: HEARTBEAT_MS / 2 });
  }

  async #burstHeard(peer, hearers) {
    const last = await this.#announce(peer, BURST_ANNOUNCES);
    const isHeardBy = (hearer) => (frame) =>
      frame.at > last.at &&
      frame.type === 'delivery' &&
      frame.peer.id === hearer.selfId &&
      this.#isAnnounceOf(peer, read(frame));
    const hear = (hearer) =>
      this.#tap.waitFor(isHeardBy(hearer), `${hearer.name} hear the last announce of ${peer.name}`);
    await Promise.all(hearers.map(hear));
  }

  #announce(peer, nth, options) {
    const matches = (frame) => frame.type === 'publish' && this.#isAnnounceOf(peer, read(frame));
    return this.#tap.waitFor(matches, `announce ${nth} of ${peer.name}`, { ...options, nth });
  }

  #isSubscription = ({ type, topic }) => type === 'subscribe' && topic === this.#root;

  #isAnnounceOf({ selfId }, { topic, peerId }) {
    return topic === this.#root && peerId === selfId;
  }
}

/** What is in the message of a frame, and its topic. */
const read = ({ topic, signal }) => ({ topic, ...signal });
