/**
 * The audio and video of one room of an agent in a browser: what it sends, and what it is sent.
 *
 * What arrives is played by an element of the page, since a browser decodes nothing that nobody
 * plays.
 */
import { makeTrack } from './sources.mjs';

/** How long is listened for a level. */
const LISTEN_MS = 500;

export class AgentMedia {
  #room;
  #emit;
  /** Streams of ours by the names that commands give them. */
  #streams = new Map();
  /** What plays the streams of others, by their ids. */
  #players = new Map();
  #unnamed = 0;

  constructor({ room, emit }) {
    this.#room = room;
    this.#emit = emit;
  }

  /** Tells of streams and tracks of others. */
  watch() {
    this.#room.onPeerStream = (stream, peer, metadata) => {
      this.#play(stream);
      const tracks = stream.getTracks().map(describeTrack);
      this.#emit('stream', { peer, metadata, streamId: stream.id, tracks });
    };
    this.#room.onPeerTrack = (track, stream, peer, metadata) => {
      this.#play(stream);
      const { kind, id: trackId } = track;
      this.#emit('track', { peer, metadata, kind, trackId, streamId: stream.id });
    };
  }

  /** Stops all that was made here. */
  end() {
    this.#streams.forEach((stream) => stream.getTracks().forEach((track) => track.stop()));
    this.#streams.clear();
    this.#players.forEach((player) => player.remove());
    this.#players.clear();
  }

  /**
   * Adds a stream of tracks of these kinds, or one that has this name already. With `answered` it
   * waits until every target has answered the offer of it. With `hastily` it offers sections without
   * tracks first, and puts the tracks into them while nobody has answered.
   */
  async addStream(options) {
    const { kinds = ['video'], source, stream: name, as, target, metadata } = options;
    const tracks = await Promise.all(kinds.map((kind) => makeTrack(kind, source)));
    const stream = this.#streams.get(name) ?? new MediaStream(tracks);
    this.#streams.set(name ?? `stream-${(this.#unnamed += 1)}`, stream);
    const connections = this.#connections(target);
    if (options.hastily) {
      await Promise.all(connections.map((connection) => offerSections(connection, kinds)));
    }
    const answers = options.answered ? connections.map(nextAnswer) : [];
    if (as === 'tracks') {
      const add = (track) => this.#room.addTrack(track, stream, { target, metadata });
      stream.getTracks().forEach(add);
    } else {
      this.#room.addStream(stream, { target, metadata });
    }
    await Promise.all(answers);
    const result = { streamId: stream.id, tracks: stream.getTracks().map(describeTrack) };
    this.#emit('streamAdded', result);
    return { ...result, peers: connections.length };
  }

  /** Takes a stream away from targets, or from all, where it can be added again. */
  removeStream({ stream: name, target, as }) {
    const stream = this.#named(name);
    if (as === 'tracks') {
      stream.getTracks().forEach((track) => this.#room.removeTrack(track, { target }));
    } else {
      this.#room.removeStream(stream, { target });
    }
    this.#emit('streamRemoved', { streamId: stream.id });
    return {};
  }

  /** Puts a new track in the place of the first one of its kind. */
  async replaceTrack({ stream: name, kinds: [kind] = ['video'], source, target, metadata }) {
    const stream = this.#named(name);
    const old = stream.getTracks().find((track) => track.kind === kind);
    const track = await makeTrack(kind, source);
    await Promise.all(this.#room.replaceTrack(old, track, { target, metadata }));
    stream.removeTrack(old);
    stream.addTrack(track);
    const result = { oldTrackId: old.id, trackId: track.id };
    this.#emit('trackReplaced', result);
    return result;
  }

  /** What the connection to a peer has sent and received, as WebRTC counts it. */
  async mediaStats({ target }) {
    const connection = this.#room.getPeers()[target];
    const stats = [...(await connection.getStats()).values()];
    const codecs = new Map(stats.map((entry) => [entry.id, entry.mimeType]));
    const of = (type) =>
      stats
        .filter((entry) => entry.type === type)
        .map((entry) => ({ ...entry, codec: codecs.get(entry.codecId) }));
    return {
      signalingState: connection.signalingState,
      sections: connection.currentLocalDescription.sdp.match(/^m=/gm).length,
      sent: of('outbound-rtp'),
      received: of('inbound-rtp'),
    };
  }

  /** The colours at points of a stream of somebody else; `[0.5, 0.5]` is the middle. */
  async look({ streamId, points }) {
    const player = this.#player(streamId);
    const { videoWidth: width, videoHeight: height } = player;
    const canvas = new OffscreenCanvas(width || 1, height || 1);
    const context = canvas.getContext('2d');
    context.drawImage(player, 0, 0);
    const colours = points.map(([x, y]) => [
      ...context.getImageData(Math.floor(x * width), Math.floor(y * height), 1, 1).data.slice(0, 3),
    ]);
    return { width, height, colours };
  }

  /** How loud a stream of somebody else is, as a root mean square: 1 is the most. */
  async listen({ streamId }) {
    const context = new AudioContext();
    const analyser = new AnalyserNode(context);
    context.createMediaStreamSource(this.#player(streamId).srcObject).connect(analyser);
    await new Promise((resolve) => setTimeout(resolve, LISTEN_MS));
    const samples = new Float32Array(analyser.fftSize);
    analyser.getFloatTimeDomainData(samples);
    await context.close();
    return { rms: Math.hypot(...samples) / Math.sqrt(samples.length) };
  }

  #play(stream) {
    if (this.#players.has(stream.id)) {
      this.#players.get(stream.id).srcObject = stream;
      return;
    }
    const player = document.createElement('video');
    Object.assign(player, { srcObject: stream, muted: true, autoplay: true, playsInline: true });
    document.body.append(player);
    this.#players.set(stream.id, player);
  }

  #connections(target) {
    const peers = this.#room.getPeers();
    return target === undefined
      ? Object.values(peers)
      : [target].flat().map((peer) => peers[peer]);
  }

  #named(name) {
    const stream = this.#streams.get(name);
    if (!stream) {
      throw new Error(`there is no stream called ${name}`);
    }
    return stream;
  }

  #player(streamId) {
    const player = this.#players.get(streamId);
    if (!player) {
      throw new Error(`nobody sent a stream ${streamId}`);
    }
    return player;
  }
}

/** Resolves once an offer of `connection` that is about to be made was answered. */
export const nextAnswer = (connection) =>
  new Promise((resolve) => {
    connection.addEventListener('signalingstatechange', () => {
      if (connection.signalingState === 'stable') {
        resolve();
      }
    });
  });

/** Resolves while an offer of sections of these kinds waits for its answer. */
const offerSections = (connection, kinds) =>
  new Promise((resolve) => {
    connection.addEventListener('signalingstatechange', resolve, { once: true });
    kinds.forEach((kind) => connection.addTransceiver(kind, { direction: 'recvonly' }));
  });

const describeTrack = ({ kind, id }) => ({ kind, id });
