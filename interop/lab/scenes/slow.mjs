/** A line with a round trip of 100 ms that loses 2 % each way: peers meet, and a file arrives. */
import { transfer } from '../../tests/rooms.mjs';
import { ROOM, elapsed, join, met, startPeers } from '../peers.mjs';
import { Sites } from '../sites.mjs';

const LINE = { delayMs: 50, lossPercent: 2 };

/** A lost packet of the handshakes costs a second or more, and there may be several. */
const MEET_MS = 30_000;

const BYTES = 4 * 1024 * 1024;

/** TCP would take forty seconds for as much with such losses. */
const TRANSFER_MS = 120_000;

export const runSlow = async ({ internet, relay, kind }) => {
  const sites = await Sites.buildSlow(internet, 'port-restricted', LINE);
  try {
    const { cast, peers } = await startPeers(kind, sites.hosts);
    try {
      const config = { relayUrls: [relay.url(4)], rtcConfig: { iceServers: [] } };
      const joins = await join(peers, [config, config]);
      const ms = elapsed(joins, await met(peers, MEET_MS));
      const begun = Date.now();
      const payload = { binary: { size: BYTES, seed: 5 } };
      const { sent, message } = await transfer(ROOM, peers, 'file', payload, {
        deadlineMs: TRANSFER_MS,
      });
      const seconds = ((Date.now() - begun) / 1000).toFixed(1);
      return {
        said: `met after ${(ms / 1000).toFixed(1)} s, 4 MiB in ${seconds} s`,
        differences: [...differing('size', sent, message), ...differing('sha256', sent, message)],
      };
    } finally {
      await cast.end();
    }
  } finally {
    await sites.remove();
  }
};

const differing = (field, sent, message) =>
  sent[field] === message[field]
    ? []
    : [{ what: 'payload', text: `the ${field} is ${message[field]} and was ${sent[field]}` }];
