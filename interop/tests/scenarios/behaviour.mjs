/**
 * How the scenarios define tests about a `pair`: `{cast, left, right}`, two peers that are started
 * before the tests run.
 *
 * Every test leaves its room, so that JavaScript's pool of offers, which all rooms of a process
 * share, takes the configuration of the next test.
 */
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
    } finally {
      await leaveAnyhow([pair.left, pair.right], room);
    }
  });

/** Has a pair meet for all the tests of a suite; the room is in what is returned, then. */
export const meetForSuite = (pair) => {
  const room = newRoom();
  before(() => meet(pair.cast, [pair.left, pair.right], room));
  after(() => leaveAnyhow([pair.left, pair.right], room));
  return room;
};
