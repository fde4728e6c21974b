/** A pair with a set of servers: what becomes of it, and whether that is what the theory says. */
import { PAIRS } from './kinds.mjs';
import { elapsed, join, met, startPeers } from './peers.mjs';
import { Sites } from './sites.mjs';
import { SERVERS, predict } from './theory.mjs';
import { iceServers } from './turn.mjs';

/** Within this a pair has to connect that can: checks take less than two seconds. */
const CONNECT_MS = 15_000;

/** So long a pair that can't connect is watched; it has to say why meanwhile. */
const GIVE_UP_MS = 30_000;

/** A connection begins with the path that was found first; by then it uses the best. */
const SETTLE_MS = 5_000;
const ASK_AGAIN_MS = 500;

/** Every cell there is. */
export const CELLS = PAIRS.flatMap((pair) =>
  Object.keys(SERVERS).map((servers) => ({ name: `${pair.name}, ${servers}`, pair, servers })),
);

/** Runs a cell: `{connects, ms, sides, expected, differences, transcript?}`. */
export const runCell = async ({ internet, relay, kind }, { pair, servers }) => {
  const expected = predict(pair, servers);
  const sites = await Sites.build(internet, pair);
  try {
    const { cast, peers } = await startPeers(kind, sites.hosts);
    try {
      const configs = sites.hosts.map(({ family }) => ({
        relayUrls: [relay.url(family)],
        rtcConfig: { iceServers: iceServers(servers, family) },
      }));
      const outcome = await meet(peers, configs, expected);
      const differences = compare(expected, outcome);
      const transcript = differences.length > 0 ? cast.failure('').message : undefined;
      return { ...outcome, expected, differences, transcript };
    } finally {
      await cast.end();
    }
  } finally {
    await sites.remove();
  }
};

/**
 * Which cells are run when not all are. To see that a pair can't connect takes as long as that is
 * tried; two NATs without a server are all alike in that, so it is seen of each with itself.
 */
export const isSelected = ({ pair: { shared, kinds }, servers }) =>
  servers !== 'no STUN' || shared !== undefined || kinds[0] === kinds[1] || kinds[0] === 'public';

const meet = async (peers, configs, expected) => {
  const joins = await join(peers, configs);
  const deadlineMs = expected.connects ? CONNECT_MS : GIVE_UP_MS;
  const refused = Promise.all(peers.map((peer) => peer.waitFor('joinError', {}, { deadlineMs })));
  // Whichever comes first; if neither does, neither did. One that connects may be refused before.
  const ways = [met(peers, deadlineMs), ...(expected.connects ? [] : [refused])];
  refused.catch(() => {});
  const events = await Promise.any(ways).catch(() => []);
  return events[0]?.event === 'peerJoin'
    ? { connects: true, ms: elapsed(joins, events), sides: await settle(peers, expected) }
    : { connects: false, sides: peers.map(reasonOf) };
};

/** The types of candidates that both tell, once these are as expected, or in the end. */
const settle = async (peers, expected) => {
  const deadline = Date.now() + SETTLE_MS;
  for (;;) {
    const sides = await Promise.all(peers.map((peer, side) => typesOf(peer, peers[1 - side])));
    if (compareTypes(expected, sides).length === 0 || Date.now() > deadline) {
      return sides;
    }
    await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
  }
};

const typesOf = async (peer, other) => {
  const { pairs } = await peer.do('pairs');
  const { local, remote } = pairs[other.selfId] ?? {};
  return { local: local?.type, remote: remote?.type };
};

/** What a peer said last of why it does not connect. */
const reasonOf = (peer) => {
  const said = peer.past('joinError').at(-1);
  return { reason: said?.reason ?? said?.code ?? said?.error };
};

/** What is not as the theory says, as `{what, text}`. */
const compare = (expected, outcome) => {
  if (expected.connects !== outcome.connects) {
    const text = outcome.connects ? 'connects, which it can’t' : 'does not connect';
    return [{ what: 'outcome', text }];
  }
  const reasons = expected.sides.map((side) => side.reasons);
  return expected.connects
    ? compareTypes(expected, outcome.sides)
    : outcome.sides.flatMap(({ reason }, side) =>
        reasons[side].has(reason)
          ? []
          : [{ what: 'reason', text: differs(side, 'reason', reasons[side], reason) }],
      );
};

const compareTypes = ({ connects, sides: expected }, sides) =>
  !connects
    ? []
    : sides.flatMap((side, index) =>
        ['local', 'remote']
          .filter((end) => !expected[index][end].has(side[end]))
          .map((end) => ({
            what: 'path',
            text: differs(index, end, expected[index][end], side[end]),
          })),
      );

const differs = (side, what, allowed, is) =>
  `peer ${side} has the ${what} ${is ?? 'none'} instead of ${[...allowed].join(' or ')}`;
