/** How an agent keeps to its relay. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { join, newRoom } from '../rooms.mjs';
import { Signaling } from '../signaling.mjs';

/** The longest that anybody waits before it connects again for the first time. */
const RECONNECT_MS = 3_333;

/** What timers may be late. */
const TIMER_SLACK_MS = 300;

/** `start` gives `{cast, peer}`. */
export const defineRelays = (start) => {
  let cast;
  let peer;
  before(async () => ({ cast, peer } = await start()));
  after(() => cast?.end());

  const testWhenSubscribed = (name, body) =>
    test(name, async () => {
      const given = newRoom();
      const tap = await cast.tap();
      const signaling = await Signaling.of(cast, given, [peer]);
      await join(cast, peer, given, signaling.config);
      await signaling.subscribed();
      await body(signaling, tap);
      await peer.do('leave', { room: given.room });
    });

  const comesBack = 'comes back to a relay that it lost, and subscribes again';
  testWhenSubscribed(comesBack, async (signaling, tap) => {
    tap.cut();
    await signaling.subscribed(2);
  });

  const staysAway = 'stays away from a relay that it lost for as long as it is told to';
  testWhenSubscribed(staysAway, async (signaling, tap) => {
    await peer.do('pauseRelays');
    tap.cut();
    // Its own clock tells when it would have come back.
    await peer.do('sleep', { ms: RECONNECT_MS + TIMER_SLACK_MS });
    assert.equal(signaling.subscriptions, 1);
    await peer.do('resumeRelays');
    await signaling.subscribed(2);
  });
};
