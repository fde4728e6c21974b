/**
 * The WebSocket relay strategy, on npm Trystero's own core.
 *
 * Frames are JSON text. A client sends `{type: "subscribe" | "unsubscribe", topic}` and
 * `{type: "publish", topic, payload}`; the relay sends `{topic, payload}` to every subscriber, the
 * publisher included. The payload is a signaling message as a JSON string.
 *
 * Works wherever `globalThis.WebSocket` does. Everything above the topics is core's business.
 */
import {
  createRelayManager,
  createTopicStrategy,
  fromJson,
  getRelays,
  makeSocket,
  toJson,
} from '@trystero-p2p/core';

export { pauseRelayReconnection, resumeRelayReconnection, selfId } from '@trystero-p2p/core';

const SOCKET_OPEN = 1;

const relays = createRelayManager((client) => client.socket);

/** Per relay, the handlers of each topic that is subscribed to. */
const subscriptions = relays.scoped();

/** The WebSocket of each relay, by the URL it was configured with. */
export const getRelaySockets = relays.getSockets;

/**
 * Joins a room. `relayConfig.urls` is required: there is no public relay of this kind.
 *
 * Core connects to the relays of the first room and uses them for every other room until all are
 * left, whatever URLs the others name.
 */
export const joinRoom = createTopicStrategy({
  init: (config) => {
    const urls = getRelays(config, [], 0);
    if (urls.length === 0) {
      throw new Error('the WebSocket relay strategy needs relayConfig.urls');
    }
    return urls.map((url) => relays.register(url, () => connect(url)).ready);
  },

  subscribeTopic: (relay, topic, onMessage) => {
    const topics = subscriptions.forRelay(relay);
    if (!topics[topic]) {
      topics[topic] = new Set();
      relay.send(toJson({ type: 'subscribe', topic }));
    }
    const handlers = topics[topic];
    handlers.add(onMessage);

    return () => {
      handlers.delete(onMessage);
      if (handlers.size === 0 && topics[topic] === handlers) {
        delete topics[topic];
        relay.send(toJson({ type: 'unsubscribe', topic }));
      }
    };
  },

  publishTopic: (relay, topic, message, { kind }) => {
    // A failed announce is retried by core after seconds, a silently lost one only after a minute.
    if (kind === 'announce' && relay.socket.readyState !== SOCKET_OPEN) {
      throw new Error(`the relay ${relay.url} is not connected`);
    }
    const payload = typeof message === 'string' ? message : toJson(message);
    relay.send(toJson({ type: 'publish', topic, payload }));
  },
});

const connect = (url) => {
  const topics = subscriptions.forKey(url);
  const client = makeSocket(
    url,
    (text) => deliver(topics, text),
    // A relay forgets the subscriptions of a connection that it lost.
    () => Object.keys(topics).forEach((topic) => client.send(toJson({ type: 'subscribe', topic }))),
  );
  return client;
};

const deliver = (topics, text) => {
  let frame;
  try {
    frame = fromJson(text);
  } catch {
    return;
  }
  if (typeof frame?.topic !== 'string' || frame.payload === undefined) {
    return;
  }
  topics[frame.topic]?.forEach((onMessage) => onMessage(frame.topic, frame.payload));
};
