/**
 * The IPFS strategy, on npm Trystero's own core and Waku's client: its package is not to be had
 * where this was made, and knows public nodes alone. Whoever is in a room subscribes to a content
 * topic for each topic of Trystero's, and pushes what it has to say as ephemeral messages.
 */
import { createTopicStrategy, getRelays, selfId, toJson } from '@trystero-p2p/core';
import { openLightNode } from './waku.mjs';

export { selfId };

const nodes = new Map();

/** A light node at a service node, for all rooms, with what was last done to its subscriptions. */
const nodeAt = (url) => {
  if (!nodes.has(url)) {
    nodes.set(
      url,
      openLightNode(url).then((client) => ({ client, changed: Promise.resolve() })),
    );
  }
  return nodes.get(url);
};

const joinTopics = createTopicStrategy({
  init: (config) => {
    const urls = getRelays(config, [], 0);
    if (urls.length === 0) {
      throw new Error('the IPFS strategy needs relayConfig.urls');
    }
    return urls.map(nodeAt);
  },

  subscribeTopic: async (node, topic, onMessage) => {
    const { filter } = node.client;
    const decoder = node.client.createDecoder({ contentTopic: contentTopic(topic) });
    const onPushed = ({ payload }) => onMessage(topic, new TextDecoder().decode(payload));
    await change(node, () => filter.subscribe(decoder, onPushed));
    return () => change(node, () => filter.unsubscribe(decoder));
  },

  publishTopic: async (node, topic, message, { kind }) => {
    const text = typeof message === 'string' ? message : toJson(message);
    const { failures } = await node.client.lightPush.send(
      node.client.createEncoder({ contentTopic: contentTopic(topic), ephemeral: true }),
      { payload: new TextEncoder().encode(text) },
      { autoRetry: kind !== 'announce' },
    );
    // A failed announce is retried by core after seconds, a silently lost one only after a minute.
    if (kind === 'announce' && failures.length > 0) {
      throw new Error(`not announced: ${failures.map(({ error }) => error).join(', ')}`);
    }
  },
});

/** Joins a room. `relayConfig.urls` is required. Session descriptions are sent whole. */
export const joinRoom = (config, ...rest) =>
  joinTopics({ ...config, trickleIce: config.trickleIce ?? false }, ...rest);

const contentTopic = (topic) => `/trystero-${topic}/0/msg/json`;

/**
 * Changes a node's subscriptions, one after the other: the client loses one of two that begin at
 * once on a shard that has none yet.
 */
const change = (node, act) => {
  node.changed = node.changed.then(act).catch((error) => console.warn(`Waku: ${error.message}`));
  return node.changed;
};
