/**
 * Supabase Realtime as far as broadcasts need it, for there is none to install: Phoenix channels
 * with both serializers. It is strict: what the service refuses is refused in the same way, in its
 * words where those are known, and within the limits that a project has where nobody sets others.
 *
 * Not here: presence, changes of tables, private channels, and limits of joins and of connections.
 */
import { decodeFrame, encodeBroadcast, encodeText } from './supabase-frames.mjs';
import { Server } from './service.mjs';

/** The only key that it takes. */
export const KEY = 'anon-key';

const ENDPOINT = '/realtime/v1/websocket';
const VERSIONS = ['1.0.0', '2.0.0'];

/** Channels of one client. */
const CHANNELS_MAX = 100;

/** Broadcasts of all clients together, by the second; the service takes the average of a minute. */
const EVENTS_PER_SECOND_MAX = 100;
const AVERAGED_SECONDS = 60;

/** How Phoenix closes a connection on which it could not read a frame. */
const CLOSE_CRASHED = 1011;

/** Its URL is that of the project, which Trystero takes as the app's id. */
export const start = (options) =>
  Server.start(() => new Realtime(), { scheme: 'http', ...options });

class Realtime {
  /** Who listens to each topic. */
  #members = new Map();
  #events = new Rate();

  refuse({ url }) {
    const { pathname, searchParams } = new URL(url, 'ws://localhost');
    if (pathname !== ENDPOINT) {
      return 404;
    }
    if (searchParams.get('apikey') !== KEY) {
      return 401;
    }
    return VERSIONS.includes(searchParams.get('vsn') ?? '1.0.0') ? undefined : 403;
  }

  connect(socket, { url }) {
    const version = new URL(url, 'ws://localhost').searchParams.get('vsn') ?? '1.0.0';
    new Connection(socket, version, this.#members, this.#events);
  }
}

/** How often something happens. */
class Rate {
  #begun = Date.now();
  #count = 0;

  /** Counts one more, and says whether it is one too many. */
  isTooHigh() {
    if (Date.now() - this.#begun > AVERAGED_SECONDS * 1_000) {
      this.#begun = Date.now();
      this.#count = 0;
    }
    this.#count += 1;
    return this.#count > EVENTS_PER_SECOND_MAX * AVERAGED_SECONDS;
  }
}

class Connection {
  #socket;
  #version;
  #members;
  #events;
  /** What was joined, by topic: `{joinRef, self, ack}`. */
  #joined = new Map();

  constructor(socket, version, members, events) {
    this.#socket = socket;
    this.#version = version;
    this.#members = members;
    this.#events = events;
    socket.on('message', (data, isBinary) => this.#onFrame(data, isBinary));
    socket.on('close', () => [...this.#joined.keys()].forEach((topic) => this.#forget(topic)));
  }

  /** Passes on a broadcast of another, or of itself if it asked for those. */
  deliver(topic, broadcast, isOwn) {
    if (isOwn && !this.#joined.get(topic).self) {
      return;
    }
    this.#socket.send(encodeBroadcast(this.#version, topic, broadcast));
  }

  #onFrame(data, isBinary) {
    let message;
    try {
      message = decodeFrame(this.#version, data, isBinary);
    } catch {
      this.#socket.close(CLOSE_CRASHED);
      return;
    }
    const { topic, event } = message;
    if (topic === 'phoenix' && event === 'heartbeat') {
      this.#reply(message, 'ok', {});
    } else if (event === 'phx_join') {
      this.#join(message);
    } else if (!this.#joined.has(topic)) {
      this.#reply(message, 'error', { reason: 'unmatched topic' });
    } else {
      this.#onJoinedEvent(message);
    }
  }

  #onJoinedEvent(message) {
    const { topic, event } = message;
    switch (event) {
      case 'phx_leave':
        this.#reply(message, 'ok', {});
        this.#close(topic);
        break;
      case 'broadcast':
        this.#broadcast(message);
        break;
      case 'access_token':
        if (message.payload.access_token !== KEY) {
          this.#close(topic);
        }
        break;
    }
  }

  #join(message) {
    const { topic, joinRef, payload } = message;
    const isOneMore = !this.#joined.has(topic) && this.#joined.size >= CHANNELS_MAX;
    const refusal = isOneMore
      ? 'ChannelRateLimitReached: Too many channels'
      : whyNotJoined(message);
    if (refusal) {
      this.#reply(message, 'error', { reason: refusal });
      return;
    }
    // Phoenix ends the channel that a second join replaces.
    if (this.#joined.has(topic)) {
      this.#close(topic);
    }
    const { self = false, ack = false } = payload.config.broadcast ?? {};
    this.#joined.set(topic, { joinRef, self, ack });
    this.#members.set(topic, (this.#members.get(topic) ?? new Set()).add(this));
    this.#reply(message, 'ok', { postgres_changes: [] });
  }

  #broadcast(message) {
    const { topic, joinRef, broadcast } = message;
    const channel = this.#joined.get(topic);
    // A frame of a channel that was closed since is late.
    if (joinRef !== channel.joinRef || !broadcast) {
      return;
    }
    if (this.#events.isTooHigh()) {
      this.#shutDown(topic, 'Too many messages per second');
      return;
    }
    this.#members.get(topic).forEach((member) => member.deliver(topic, broadcast, member === this));
    if (channel.ack) {
      this.#reply(message, 'ok', {});
    }
  }

  /** Ends a channel that a client may have again. */
  #shutDown(topic, message) {
    const { joinRef } = this.#joined.get(topic);
    const channel = topic.replace('realtime:', '');
    const payload = { status: 'error', extension: 'system', channel, message };
    this.#send({ joinRef, ref: null, topic, event: 'system', payload });
    this.#close(topic);
  }

  #close(topic) {
    const { joinRef } = this.#joined.get(topic);
    this.#forget(topic);
    this.#send({ joinRef, ref: joinRef, topic, event: 'phx_close', payload: {} });
  }

  #forget(topic) {
    this.#joined.delete(topic);
    this.#members.get(topic).delete(this);
  }

  #reply({ joinRef, ref, topic }, status, response) {
    this.#send({ joinRef, ref, topic, event: 'phx_reply', payload: { status, response } });
  }

  #send(message) {
    this.#socket.send(encodeText(this.#version, message));
  }
}

const whyNotJoined = ({ topic, joinRef, payload }) => {
  if (!topic.startsWith('realtime:') || topic === 'realtime:') {
    return 'unmatched topic';
  }
  if (typeof joinRef !== 'string' || typeof payload.config !== 'object' || !payload.config) {
    return 'InvalidJoinPayload: the join has no config';
  }
  if (payload.config.private) {
    return 'Unauthorized: You do not have permissions to read from this Channel topic';
  }
  const { access_token: token = KEY } = payload;
  return token === KEY ? undefined : 'MalformedJWT: The token provided is not a valid JWT';
};
