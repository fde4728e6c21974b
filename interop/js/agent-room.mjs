/**
 * One room of an agent: its actions, and the commands that concern it.
 *
 * Commands come checked for their room only; what they lack beyond that fails in Trystero, whose
 * error is the answer.
 */
import { AgentMedia, nextAnswer } from './agent-media.mjs';
import { describePair } from './pairs.mjs';
import { describePayload, isBinary, payloadBytes, readPayload } from './payload.mjs';
import { makeResponder } from './responders.mjs';

/** What `sendMany` puts around its padding, by the protocol's count. */
const MANY_OVERHEAD = 24;
const MANY_SIZE = 100;
const MANY_FIRST = 1_000_000;

export class AgentRoom {
  #room;
  #host;
  #emit;
  #actions = new Map();
  #saved = 0;
  #leaving;

  constructor({ name, room, host, emit }) {
    this.name = name;
    this.#room = room;
    this.#host = host;
    this.#emit = emit;
    this.media = new AgentMedia({ room, emit });
  }

  /** Tells of peers, those who are here already included. */
  watchPeers() {
    this.#room.onPeerJoin = (peer) => this.#emit('peerJoin', { peer });
    this.#room.onPeerLeave = (peer) => this.#emit('peerLeave', { peer });
    this.media.watch();
  }

  /** Leaves, once for all who ask. */
  leave() {
    this.#leaving ??= this.#room.leave().then(() => {
      this.media.end();
      this.#emit('left');
    });
    return this.#leaving;
  }

  peers() {
    return { peers: Object.keys(this.#room.getPeers()) };
  }

  /** The addresses by which the peers are connected. */
  async pairs() {
    const described = Object.entries(this.#room.getPeers()).map(async ([peer, connection]) => [
      peer,
      await describePair(connection),
    ]);
    return { pairs: Object.fromEntries(await Promise.all(described)) };
  }

  /** Restarts ICE as an application of a browser would, and waits until the peer has answered. */
  async restartIce({ target }) {
    const connection = this.#room.getPeers()[target];
    const answer = nextAnswer(connection);
    connection.restartIce();
    await answer;
    return {};
  }

  /** Registers an action, or changes how a registered one is told of. */
  register(command) {
    const { action, kind = 'message', expect } = command;
    const entry = this.#action(action, kind);
    entry.register = command;
    entry.tally = newTally();
    entry.expect = expect;

    entry.action.onReceiveProgress = command.progress
      ? (progress, { peerId, metadata }) =>
          this.#emit('receiveProgress', { action, progress, peer: peerId, metadata })
      : null;
    if (kind === 'request') {
      this.#respond(entry);
    } else {
      entry.action.onMessage = (value, context) => this.#onMessage(entry, value, context);
    }
    return {};
  }

  count({ action }) {
    return { received: this.#actions.get(action)?.tally.count ?? 0 };
  }

  async send(command) {
    const { action, hash } = command;
    const value = await readPayload(command, this.#host);
    const entry = this.#action(action, 'message');
    const t0 = Date.now();
    await entry.action.send(value, this.#sendOptions(command));
    const result = { t0, t1: Date.now(), ...(isBinary(value) && describePayload(value, { hash })) };
    this.#emit('sent', { action, ...result });
    return result;
  }

  async sendMany({ action, count, size = MANY_SIZE, await: inTurn = true, target }) {
    const entry = this.#action(action, 'message');
    const pad = 'x'.repeat(Math.max(0, size - MANY_OVERHEAD));
    const message = (i) => ({ n: MANY_FIRST + i, pad });
    const pending = [];
    const t0 = Date.now();
    for (let i = 0; i < count; i++) {
      const sent = entry.action.send(message(i), { target });
      if (inTurn) {
        await sent;
      } else {
        pending.push(sent);
      }
    }
    await Promise.all(pending);
    const result = { t0, t1: Date.now(), count, messageBytes: payloadBytes(message(0)) };
    this.#emit('sentMany', { action, ...result });
    return result;
  }

  async request(command) {
    const value = await readPayload(command, this.#host);
    const { action: requests } = this.#action(command.action, 'request');
    return command.targets
      ? this.#requestMany(requests, value, command)
      : this.#requestOne(requests, value, command);
  }

  async ping({ target, count = 1 }) {
    const result = { peer: target, reported: [], ms: [] };
    for (let i = 0; i < count; i++) {
      const start = performance.now();
      result.reported.push(await this.#room.ping(target));
      result.ms.push(performance.now() - start);
    }
    this.#emit('pong', result);
    return result;
  }

  async #requestOne(requests, value, command) {
    const { action, target, hash } = command;
    const start = performance.now();
    const response = await requests.request(value, {
      ...this.#sendOptions(command),
      timeoutMs: command.timeoutMs,
    });
    const ms = performance.now() - start;
    const result = { peer: target, ms, ...describePayload(response, { hash }) };
    this.#emit('response', { action, ...result });
    return result;
  }

  async #requestMany(requests, value, command) {
    const { action, targets, hash } = command;
    const outcomes = await requests.requestMany(value, {
      ...this.#sendOptions(command),
      targets,
      timeoutMs: command.timeoutMs,
    });
    const results = outcomes.map(({ peerId, status, value: response, error }) => ({
      peer: peerId,
      status,
      ...(status === 'fulfilled' && describePayload(response, { hash })),
      ...(error && { error: error.message }),
    }));
    this.#emit('responses', { action, results });
    return { results };
  }

  #sendOptions({ action, target, metadata, progress }) {
    const onProgress = (sent, { peerId, metadata: sentMetadata }) =>
      this.#emit('sendProgress', { action, progress: sent, peer: peerId, metadata: sentMetadata });
    return { target, metadata, ...(progress && { onProgress }) };
  }

  #respond(entry) {
    const { register, action } = entry;
    const responder = makeResponder(register);
    if (!responder) {
      action.onRequest = null;
      return;
    }
    action.onRequest = async (value, context) => {
      await this.#tell('request', entry, value, context);
      return responder(value);
    };
  }

  async #onMessage(entry, value, context) {
    await this.#tell('message', entry, value, context);
    const { tally, expect, register } = entry;
    const now = Date.now();
    tally.tFirst ??= now;
    tally.tLast = now;
    tally.count += 1;
    if (expect === undefined) {
      return;
    }
    tally.bytes += payloadBytes(value);
    if (tally.count === expect) {
      entry.tally = newTally();
      this.#emit('countDone', { action: register.action, ...tally });
    }
  }

  /** Tells of a message or request, unless `print` is off. */
  async #tell(event, { register }, value, { peerId, metadata }) {
    const { action, print, hash, save } = register;
    const file = save && isBinary(value) ? await this.#save(save, action, value) : undefined;
    if (print !== false) {
      this.#emit(event, {
        action,
        peer: peerId,
        metadata,
        ...describePayload(value, { hash }),
        file,
      });
    }
  }

  #save(folder, action, bytes) {
    this.#saved += 1;
    return this.#host.saveFile(folder, `${encodeURIComponent(action)}-${this.#saved}`, bytes);
  }

  #action(name, kind) {
    const known = this.#actions.get(name);
    if (known?.kind === kind) {
      return known;
    }
    // Trystero refuses an action that has the other kind already.
    const action = this.#room.makeAction(name, { kind });
    const entry = { kind, action, tally: newTally() };
    this.#actions.set(name, entry);
    return entry;
  }
}

const newTally = () => ({ count: 0, bytes: 0, tFirst: undefined, tLast: undefined });
