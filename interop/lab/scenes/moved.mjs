/**
 * A host loses its interface during a transfer and gets another, with another address: the transfer
 * completes, and neither peer says that the other left.
 */
import { ROOM, join, met, startPeers } from '../peers.mjs';
import { Sites } from '../sites.mjs';

const MEET_MS = 15_000;

/** Enough that the transfer is under way when the interface goes. */
const BYTES = 32 * 1024 * 1024;

/** From the change until the transfer has completed. */
const MOVED_MS = 15_000;

export const runMoved = async ({ internet, relay, kind }) => {
  const sites = await Sites.build(internet, { kinds: ['public', 'public'] });
  try {
    const { cast, peers } = await startPeers(kind, sites.hosts);
    try {
      const config = { relayUrls: [relay.url(4)], rtcConfig: { iceServers: [] } };
      await join(peers, [config, config]);
      await met(peers, MEET_MS);
      return await moveDuringTransfer(cast, sites, peers);
    } finally {
      await cast.end();
    }
  } finally {
    await sites.remove();
  }
};

const moveDuringTransfer = async (cast, sites, [sender, receiver]) => {
  await receiver.do('register', { ...ROOM, action: 'file', progress: true });
  const sending = sender.ask('send', { ...ROOM, action: 'file', binary: { size: BYTES, seed: 6 } });
  // Whether it succeeds is seen by what arrives.
  sending.catch(() => {});
  await receiver.waitFor('receiveProgress', { action: 'file' });
  await sites.move(sites.hosts[0]);
  if (receiver.past('message', { action: 'file' }).length > 0) {
    throw cast.failure('the transfer was over before the interface had changed');
  }
  const moved = Date.now();
  const message = await receiver.waitFor('message', { action: 'file' }, { deadlineMs: MOVED_MS });
  const { sha256 } = await sending;
  const left = [sender, receiver].filter((peer) => peer.past('peerLeave').length > 0);
  return {
    said: `32 MiB complete ${((Date.now() - moved) / 1000).toFixed(1)} s after the change`,
    differences: [
      ...(message.sha256 === sha256 ? [] : [{ what: 'payload', text: 'other bytes arrived' }]),
      ...left.map(({ name }) => ({ what: 'leave', text: `${name} says that the other left` })),
    ],
  };
};
