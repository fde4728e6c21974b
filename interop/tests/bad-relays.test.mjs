/** Peers some of whose relays are bad. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startDead, startSilent } from '../servers/bad.mjs';
import { start as startNostr } from '../servers/nostr.mjs';
import { Cast, describeWith } from './harness.mjs';
import { join, joined, newRoom } from './rooms.mjs';
import { assertTalking } from './strategies/room.mjs';

/** How long the relays that work think before they let anybody in. */
const SLOW = { upgradeDelayMs: 1_000 };

/** How many times as long peers may take that have bad relays. */
const DELAY_MAX = 1.5;

const times = (count, make) => Promise.all(Array.from({ length: count }, make));

/** How long two new peers took to meet at `servers`, in ms, by their own clocks. */
const timeToMeet = async (cast, servers) => {
  const room = newRoom();
  const peers = await times(2, () => cast.start('rust'));
  const config = { strategy: 'nostr', relayUrls: servers.map(({ url }) => url) };
  const { t0 } = await join(cast, peers[0], room, config);
  await join(cast, peers[1], room, config);
  const events = await joined(peers, room);
  await assertTalking(room, peers.slice(0, 1), peers.slice(1));
  return Math.max(...events.map(({ t }) => t)) - t0;
};

describeWith('bad relays', ['rust'], () => {
  const running = [];
  let cast;
  let good;
  let bad;
  before(async () => {
    good = await times(5, () => startNostr(SLOW));
    bad = [...(await times(3, startDead)), await startSilent()];
    running.push(...good, ...bad);
    cast = new Cast({ stop: () => Promise.all(running.map((server) => server.stop())) });
  });
  after(() => cast?.end());

  describe('three are dead, one is silent, one is slow', () => {
    test('two peers meet by the slow one', async () => {
      const allGood = await timeToMeet(cast, good);
      const mostBad = await timeToMeet(cast, [...bad, good[0]]);
      const ratio = (mostBad / allGood).toFixed(2);
      const told = `met in ${mostBad} ms, ${ratio} of the ${allGood} ms where all five are slow`;
      console.log(told);
      assert.ok(mostBad <= DELAY_MAX * allGood, told);
    });
  });
});
