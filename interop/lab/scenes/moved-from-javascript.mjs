/**
 * A host with Rust loses its interface and gets another, with another address, and the other peer is
 * JavaScript's. That heeds no relay while it thinks that it is connected, so nobody can tell it: the
 * checks from the new address have to find it, or the connection is replaced. They talk again within
 * a bound.
 */
import { setTimeout } from 'node:timers/promises';
import { whyMissing } from '../../tests/harness.mjs';
import { ROOM, join, met, startPeers } from '../peers.mjs';
import { Sites } from '../sites.mjs';

const MEET_MS = 30_000;

/**
 * Until both hear the other again after the change. A connection that is lost takes 25 s of it, and
 * an attempt that fails then is made again at the announce that comes a minute later.
 */
const AGAIN_MS = 100_000;

/** How often each says something. */
const SAY_EVERY_MS = 250;

/** Rust's id is before or after all others, which decides who offers the connection. */
const IDS = { offered: '00000000000000000000', answered: 'zzzzzzzzzzzzzzzzzzzz' };

const OTHERS = ['chromium', 'werift'];

export const JAVASCRIPT_SCENES = OTHERS.flatMap((other) =>
  Object.entries(IDS).map(([role, id]) => ({
    name: `moved, with ${other}, after Rust has ${role}`,
    run: (lab) => runMoved(lab, other, id),
  })),
);

const runMoved = async ({ internet, relay }, other, id) => {
  const reason = whyMissing(other);
  if (reason) {
    const differences = process.env.CI === 'true' ? [{ what: 'peer', text: reason }] : [];
    return { said: `skipped: ${reason}`, differences };
  }
  const sites = await Sites.build(internet, { kinds: ['public', 'public'] });
  try {
    const { cast, peers } = await startPeers(['rust', other], sites.hosts, [['--self-id', id]]);
    try {
      const config = { relayUrls: [relay.url(4)], rtcConfig: { iceServers: [] } };
      await join(peers, [config, config]);
      await met(peers, MEET_MS);
      return await move(sites, peers);
    } finally {
      await cast.end();
    }
  } finally {
    await sites.remove();
  }
};

const move = async (sites, peers) => {
  await Promise.all(peers.map((peer) => peer.do('register', { ...ROOM, action: 'again' })));
  await sites.move(sites.hosts[0]);
  const moved = Date.now();
  await talkAgain(peers);
  const seconds = ((Date.now() - moved) / 1000).toFixed(1);
  const isReplaced = peers.some((peer) => peer.past('peerLeave').length > 0);
  const how = isReplaced ? 'another connection' : 'the same connection';
  return { said: `talk again after ${seconds} s, over ${how}`, differences: [] };
};

/** Has both talk until both have heard something that was said after the change. */
const talkAgain = async (peers) => {
  let isOver = false;
  const talk = async (speaker) => {
    while (!isOver) {
      // While nobody is there it goes nowhere.
      await speaker.ask('send', { ...ROOM, action: 'again', text: 'noch da' });
      await setTimeout(SAY_EVERY_MS);
    }
  };
  const talking = peers.map((peer) => talk(peer).catch(() => {}));
  const heard = peers.map((peer) =>
    peer.waitFor('message', { action: 'again' }, { deadlineMs: AGAIN_MS }),
  );
  try {
    await Promise.all(heard);
  } finally {
    isOver = true;
    await Promise.all(talking);
  }
};
