/** Passive peers, who keep silent until they hear somebody who is not. */
import assert from 'node:assert/strict';
import { bothWays, everyone, testInRoom } from './behaviour.mjs';
import { join, joined, transfer } from '../rooms.mjs';
import { Signaling } from '../signaling.mjs';

/**
 * Trystero looks this long after a passive peer woke whether anybody is left for whom to be awake.
 * It does so again when a connection is lost, but not when somebody leaves.
 */
const AWAKE_MS = 7_533;

/** What timers may be late. */
const TIMER_SLACK_MS = 300;

export const definePassive = (pair) => {
  bothWays(pair, (who, order) => {
    testInRoom(pair, `${who} is passive and wakes whenever another comes`, async (room) => {
      const [passive, active] = order();
      await assertWakes(pair, { passive, active, next: pair.third }, room);
    });
  });

  testInRoom(pair, 'two passive peers meet another and not each other', (room) =>
    assertPassiveApart(pair, room),
  );
};

const assertWakes = async ({ cast }, { passive, active, next }, given) => {
  const { room } = given;
  const signaling = await Signaling.of(cast, given, [passive, active, next]);
  const { config } = signaling;
  await join(cast, passive, given, { ...config, passive: true });
  assert.equal((await passive.waitFor('joined', { room })).passive, true);
  await signaling.subscribed();
  await join(cast, active, given, config);
  await joined([active, passive], given);
  // Its own clock tells when it looks whether to sleep.
  const tired = passive.do('sleep', { ms: AWAKE_MS + TIMER_SLACK_MS });
  assert.equal(signaling.said[0].peerId, active.selfId);
  await assertTalking(given, [active, passive]);

  await signaling.quiet([active, passive]);
  await active.do('leave', { room });
  await passive.waitFor('peerLeave', { room, peer: active.selfId });
  await tired;
  const silence = signaling.said.length;
  await join(cast, next, given, config);
  await joined([next, passive], given);
  await assertTalking(given, [next, passive]);
  await signaling.announcesAgain(passive, silence);
  const sinceThen = signaling.said.slice(silence);
  const wakeUp = sinceThen.findIndex(({ peerId }) => peerId === next.selfId);
  assert.deepEqual(sinceThen.slice(0, wakeUp), []);
  assertSaysSo(signaling, passive, true);
  assertSaysSo(signaling, active, undefined);
};

const assertPassiveApart = async (pair, given) => {
  const { cast, left, right, third } = pair;
  const { room } = given;
  const signaling = await Signaling.of(cast, given, everyone(pair));
  const { config } = signaling;
  await join(cast, left, given, { ...config, passive: true });
  await join(cast, right, given, { ...config, passive: true });
  await signaling.subscribed(2);
  await join(cast, third, given, config);
  await Promise.all([joined([third, left], given), joined([third, right], given)]);
  assert.equal(signaling.said[0].peerId, third.selfId);

  await signaling.quiet(everyone(pair));
  await assertTalking(given, [third, left]);
  await assertTalking(given, [third, right]);
  assert.deepEqual([...signaling.between(left, right), ...signaling.between(right, left)], []);
  for (const peer of [left, right]) {
    assert.deepEqual((await peer.do('peers', { room })).peers, [third.selfId]);
    assertSaysSo(signaling, peer, true);
  }
};

/** Checks that all that says who a peer is says whether it is passive. */
const assertSaysSo = (signaling, peer, passive) => {
  const said = signaling.said.filter(({ peerId }) => peerId === peer.selfId);
  const isNudge = (message) =>
    !signaling.isAnnounce(message) &&
    ['offer', 'answer', 'candidate'].every((key) => message[key] === undefined);
  assert.deepEqual(
    said.filter((message) => !isNudge(message) && message.passive !== passive),
    [],
  );
};

let talks = 0;

const assertTalking = async (room, peers) => {
  for (const way of [peers, peers.toReversed()]) {
    talks += 1;
    const text = `word ${talks}`;
    const { message } = await transfer(room, way, `talk-${talks}`, { text });
    assert.equal(message.text, text);
  }
};
