/**
 * How the scenarios define tests about a `pair`: `{cast, left, right, third}`, peers that are
 * started before the tests run. Most tests are about the first two.
 *
 * Every test leaves its room, so that JavaScript's pool of offers, which all rooms of a process
 * share, takes the configuration of the next test.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { leaveAnyhow, meet, newRoom } from '../rooms.mjs';

/** Both ways round a pair, with words for them. */
export const bothWays = (pair, define) => {
  define('the first peer', () => [pair.left, pair.right]);
  define('the second peer', () => [pair.right, pair.left]);
};

/** A test in a room of its own, which all leave however it ends. */
export const testInRoom = (pair, name, body) =>
  test(name, async () => {
    const room = newRoom();
    try {
      await body(room);
    } catch (error) {
      throw await pair.cast.explain(error);
    } finally {
      await leaveAnyhow(everyone(pair), room);
    }
  });

/**
 * Has peers meet for all the tests of a suite, the two unless `choose` tells others; the room is
 * in what is returned, then.
 */
export const meetForSuite = (pair, choose = two) => {
  const room = newRoom();
  before(() => meet(pair.cast, choose(pair), room));
  after(() => leaveAnyhow(choose(pair), room));
  return room;
};

/** Those whom most tests are about. */
export const two = ({ left, right }) => [left, right];

/** Everyone who was started for the tests; not all have a third. */
export const everyone = ({ left, right, third }) => [left, right, third].filter(Boolean);

/** The two in the order of their ids, which decides who offers, challenges and initiates. */
export const bySelfId = (pair) => two(pair).toSorted((a, b) => (a.selfId < b.selfId ? -1 : 1));

/** Has peers leave a room, after which it says nothing more, and checks that none met there. */
export const assertNeverMet = async (peers, { room }) => {
  await Promise.all(peers.map((peer) => peer.do('leave', { room })));
  assert.deepEqual(
    peers.flatMap((peer) => peer.past('peerJoin', { room })),
    [],
  );
};
