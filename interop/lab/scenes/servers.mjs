/** Servers that are no good: peers that can do without them meet as soon as with none. */
import { ADDRESSES } from '../internet.mjs';
import { elapsed, join, met, startPeers } from '../peers.mjs';
import { Sites } from '../sites.mjs';
import { CREDENTIALS } from '../turn.mjs';

const MEET_MS = 15_000;

/** How much later than without servers they may meet. */
const DELAY_MS = 1_000;

/** An address whose packets are lost, as everything private is in the internet. */
const BLACK_HOLE = '10.0.0.1';

const overAll = (at, credentials) => [
  { urls: `stun:${at}:3478` },
  { urls: `turn:${at}:3478?transport=udp`, ...credentials },
  { urls: `turn:${at}:3478?transport=tcp`, ...credentials },
  { urls: `turns:${at}:5349?transport=tcp`, ...credentials },
];

const many = () =>
  Array.from({ length: 30 }, (_, index) => ({ urls: `stun:10.0.1.${index + 1}:3478` }));

const SERVERS = {
  'black holes': overAll(BLACK_HOLE, CREDENTIALS),
  'wrong credentials': overAll(ADDRESSES[4].turn, { ...CREDENTIALS, credential: 'wrong' }),
  '30 servers': many(),
};

export const SERVER_SCENES = Object.entries(SERVERS).map(([name, iceServers]) => ({
  name: `servers: ${name}`,
  run: (lab) => runServers(lab, iceServers),
}));

const runServers = async ({ internet, relay, kind }, iceServers) => {
  const sites = await Sites.build(internet, { kinds: ['public', 'public'] });
  const time = async (servers) => {
    const { cast, peers } = await startPeers(kind, sites.hosts);
    try {
      const config = { relayUrls: [relay.url(4)], rtcConfig: { iceServers: servers } };
      const joins = await join(peers, [config, config]);
      return elapsed(joins, await met(peers, MEET_MS));
    } finally {
      await cast.end();
    }
  };
  try {
    const without = await time([]);
    const ms = await time(iceServers);
    const text = `met ${ms - without} ms later than without servers`;
    return {
      said: `${ms} ms, ${without} ms without`,
      differences: ms - without > DELAY_MS ? [{ what: 'delay', text }] : [],
    };
  } finally {
    await sites.remove();
  }
};
