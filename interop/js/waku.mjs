/** Waku's own client, for Node and browsers, at a node that is named: it asks nobody for others. */
import './node20.mjs';
import { Protocols, createLightNode } from '@waku/sdk';

/**
 * When a node that was lost, or could not be reached, is dialled again, in seconds. Else it would
 * be let alone for a minute, which is right where there are many, and here there is one.
 */
const REDIAL = { dialCooldown: 1, failedDialCooldown: 1 };

/** A light node with the service node of a multiaddress, once that serves it. */
export const openLightNode = async (address) => {
  const node = await createLightNode({
    bootstrapPeers: [address],
    defaultBootstrap: false,
    networkConfig: { clusterId: 1, numShardsInCluster: 8 },
    connectionManager: REDIAL,
    // Without the first, plain `ws` is never dialled.
    libp2p: { filterMultiaddrs: false, hideWebSocketInfo: true },
  });
  await node.waitForPeers([Protocols.Filter, Protocols.LightPush]);
  return node;
};
