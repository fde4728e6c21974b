/**
 * A peer of npm's Trystero driven by commands, in the JSON lines protocol of `tristero agent`.
 *
 * Pure of its surroundings: lines go in by `accept`, events come out by `emit`, and what differs
 * between Node and a page (WebRTC, files, process statistics) is asked of the `host`.
 */
import { AgentRoom } from './agent-room.mjs';
import { describePayload, readPayload } from './payload.mjs';

/**
 * What an agent needs of its surroundings.
 *
 * @typedef {object} Host
 * @property {Function} [rtcPolyfill] an `RTCPeerConnection` where there is no global one
 * @property {() => object | Promise<object>} stats the result of the `stats` command
 * @property {(path: string) => Promise<Uint8Array>} readFile
 * @property {(folder: string, name: string, bytes: Uint8Array) => Promise<string>} saveFile
 * @property {() => void} exit called once, after the reply to `exit`
 */

const SOCKET_STATES = ['connecting', 'open', 'closing', 'closed'];

export class Agent {
  #strategies;
  #host;
  #emit;
  #intake = Promise.resolve();
  #rooms = new Map();
  #lastJoined;

  /**
   * @param {object} options
   * @param {Record<string, object>} options.strategies Trystero modules (`joinRoom` and so on) by
   *   the name that `join` gives them
   * @param {Host} options.host
   * @param {(event: object) => void} options.emit
   */
  constructor({ strategies, host, emit }) {
    this.#strategies = strategies;
    this.#host = host;
    this.#emit = (event, fields) => emit({ event, t: Date.now(), ...fields });
  }

  /** Says that the agent is ready; to be called first. */
  start(version) {
    this.#emit('ready', { selfId: this.#strategy('ws').selfId, version });
  }

  /** Takes one line. Resolves when the next may be handled, which only `wait` delays. */
  accept(line) {
    this.#intake = this.#intake.then(() => {
      const command = parseCommand(line);
      const done = this.#run(command);
      return command.wait === true ? done : undefined;
    });
    return this.#intake;
  }

  /** Leaves every room. */
  async leaveAll() {
    await Promise.all([...this.#rooms.values()].map((room) => this.#leave(room)));
  }

  async #run(command) {
    const { id, cmd } = command;
    const wantsReply = Object.hasOwn(command, 'id');
    try {
      const result = await this.#perform(command);
      if (wantsReply) {
        this.#emit('reply', { id, cmd, ok: true, ...result });
      }
    } catch (reason) {
      const error = reason instanceof Error ? reason.message : String(reason);
      const failure = { cmd, error, kind: reason?.kind };
      this.#emit(...(wantsReply ? ['reply', { id, ok: false, ...failure }] : ['error', failure]));
      return;
    }
    if (cmd === 'exit') {
      this.#host.exit();
    }
  }

  #perform(command) {
    switch (command.cmd) {
      case 'join':
        return this.#join(command);
      case 'leave':
        return this.#leave(this.#room(command));
      case 'register':
        return this.#room(command).register(command);
      case 'count':
        return this.#room(command).count(command);
      case 'send':
        return this.#room(command).send(command);
      case 'sendMany':
        return this.#room(command).sendMany(command);
      case 'request':
        return this.#room(command).request(command);
      case 'ping':
        return this.#room(command).ping(command);
      case 'peers':
        return this.#room(command).peers();
      case 'addStream':
      case 'removeStream':
      case 'replaceTrack':
      case 'mediaStats':
      case 'look':
      case 'listen':
        return this.#room(command).media[command.cmd](command);
      case 'restartIce':
        return this.#room(command).restartIce(command);
      case 'pairs':
        return this.#room(command).pairs();
      case 'relays':
        return this.#relays();
      case 'pauseRelays':
        return this.#strategy('ws').pauseRelayReconnection();
      case 'resumeRelays':
        return this.#strategy('ws').resumeRelayReconnection();
      case 'stats':
        return this.#host.stats();
      case 'sleep':
        return new Promise((resolve) => setTimeout(() => resolve({}), command.ms));
      case 'exit':
        return this.leaveAll();
      case undefined:
        throw new Error(command.error ?? 'a command needs a cmd');
      default:
        throw new Error(`unknown command ${JSON.stringify(command.cmd)}`);
    }
  }

  #join(command) {
    const { appId, roomId, strategy = 'ws', room: name = roomId, passive = false } = command;
    if (this.#rooms.has(name)) {
      throw new Error(`there is a room called ${name} already`);
    }
    const t0 = Date.now();
    const { joinRoom, selfId } = this.#strategy(strategy);
    const emit = (event, fields) => this.#emit(event, { room: name, ...fields });
    const { handshake } = command;
    const joined = joinRoom(roomConfig(command, this.#host), roomId, {
      onJoinError: (details) => emit('joinError', details),
      ...(handshake && { onPeerHandshake: this.#handshake(handshake, emit) }),
      ...(command.handshakeTimeoutMs && { handshakeTimeoutMs: command.handshakeTimeoutMs }),
    });

    const room = new AgentRoom({ name, room: joined, host: this.#host, emit });
    this.#rooms.set(name, room);
    this.#lastJoined = name;
    emit('joined', { t0, appId, roomId, passive });
    room.watchPeers();
    return { t0, selfId };
  }

  async #leave(room) {
    // Until it is left the room keeps its name, for Trystero would return it to whoever joins it.
    await room.leave();
    this.#rooms.delete(room.name);
    return {};
  }

  /** The application's handshake: send one payload, await one, then accept or refuse. */
  #handshake(spec, emit) {
    return async (peer, send, receive, isInitiator) => {
      await send(await readPayload(spec, this.#host), spec.metadata);
      const { data, metadata } = await receive();
      emit('handshake', { peer, isInitiator, metadata, ...describePayload(data) });
      if (spec.reject !== undefined) {
        throw new Error(spec.reject);
      }
    };
  }

  #relays() {
    const sockets = Object.values(this.#strategies).flatMap(({ getRelaySockets }) =>
      // Not every strategy shows its sockets.
      Object.entries(getRelaySockets?.() ?? {}),
    );
    const states = sockets.map(([url, { readyState }]) => [
      url,
      { state: SOCKET_STATES[readyState] },
    ]);
    return { relays: Object.fromEntries(states) };
  }

  #strategy(name) {
    if (!Object.hasOwn(this.#strategies, name)) {
      throw new Error(`this agent has no strategy ${JSON.stringify(name)}`);
    }
    return this.#strategies[name];
  }

  #room({ room: name = this.#lastJoined }) {
    const room = this.#rooms.get(name);
    if (!room) {
      throw new Error(name === undefined ? 'no room was joined' : `there is no room ${name}`);
    }
    return room;
  }
}

/** A command, or an empty one that carries the reason why the line is none. */
const parseCommand = (line) => {
  let command;
  try {
    command = JSON.parse(line);
  } catch (error) {
    return { error: `not JSON: ${error.message}` };
  }
  return typeof command === 'object' && command !== null && !Array.isArray(command)
    ? command
    : { error: 'a command is a JSON object' };
};

const CONFIG_KEYS = ['appId', 'password', 'passive', 'trickleIce', 'rtcConfig', 'turnConfig'];

const roomConfig = (command, { rtcPolyfill }) => ({
  ...Object.fromEntries(
    CONFIG_KEYS.filter((key) => command[key] !== undefined).map((key) => [key, command[key]]),
  ),
  relayConfig: {
    ...command.relayConfig,
    ...(command.relayUrls && { urls: command.relayUrls }),
  },
  ...(rtcPolyfill && { rtcPolyfill }),
});
