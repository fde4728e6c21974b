/** Meeting, parting, and meeting again. */
import assert from 'node:assert/strict';
import { bothWays, testInRoom } from './behaviour.mjs';
import { again, join, joined, leaveAnyhow, meet, part, transfer } from '../rooms.mjs';
import { Signaling } from '../signaling.mjs';

export const defineMeetings = (pair) => {
  bothWays(pair, (who, order) => {
    for (const trickleIce of [true, false]) {
      const name = `${who} waits, the other comes, trickle ICE ${trickleIce ? 'on' : 'off'}`;
      testInRoom(pair, name, async (room) => {
        const [first, second] = order();
        await meet(pair.cast, [first, second], room, { trickleIce });
        for (const way of [
          [first, second],
          [second, first],
        ]) {
          const { message } = await transfer(room, way, 'greeting', { text: 'grüß dich' });
          assert.equal(message.text, 'grüß dich');
        }
      });
    }
  });
};

/** Leaving, when neither announces itself: who hears that while it leaves takes it for a newcomer. */
export const definePartings = (pair) => {
  bothWays(pair, (who, order) => {
    testInRoom(pair, `${who} leaves and the other sees it leave, once`, async (given) => {
      const { room } = given;
      const [leaver, other] = order();
      const signaling = await Signaling.of(pair.cast, given, [leaver, other]);
      await meet(pair.cast, [leaver, other], given, signaling.config);
      await signaling.quiet([leaver, other]);
      await part([leaver, other], given);
      assert.equal(other.past('peerLeave', { room }).length, 1);
      assert.equal(leaver.past('peerLeave', { room }).length, 0);
    });
  });
};

/**
 * Not for two of npm's Trystero: a peer of it that leaves while the other still announces itself
 * attaches the other anew in its last tenth of a second, and what that sends confuses the next
 * meeting. So the left peer, which leaves first here, has to be another.
 */
export const defineRejoining = (pair) => {
  testInRoom(pair, 'a room that both left is joined again', async (room) => {
    const { cast, left, right } = pair;
    await meet(cast, [left, right], room);
    await part([left, right], room);
    const rejoined = again(room);
    try {
      await join(cast, left, rejoined);
      await join(cast, right, rejoined);
      await joined([left, right], rejoined);
    } finally {
      await leaveAnyhow([left, right], rejoined);
    }
  });
};
