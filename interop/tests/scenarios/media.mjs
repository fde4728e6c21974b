/** Audio and video that one side can't take: refused, and all else goes on. */
import assert from 'node:assert/strict';
import { testInRoom } from './behaviour.mjs';
import { meet, transfer } from '../rooms.mjs';

/** `right` is a browser. */
export const defineRefusedMedia = (pair) => {
  for (const isFirst of [true, false]) {
    const name = `a stream of a browser that came ${isFirst ? 'first' : 'second'} is answered`;
    testInRoom(pair, name, async (room) => {
      const { cast, left, right } = pair;
      await meet(cast, isFirst ? [right, left] : [left, right], room);
      // A browser whose offer is not answered can't make another.
      const mixes = [['video'], ['video', 'audio'], ['audio']];
      for (const [round, kinds] of mixes.entries()) {
        const { peers } = await right.do('addStream', { room: room.room, kinds, answered: true });
        assert.equal(peers, 1);
        for (const way of [
          [left, right],
          [right, left],
        ]) {
          const { message } = await transfer(room, way, `after-${round}`, { text: 'noch da' });
          assert.equal(message.text, 'noch da');
        }
      }
    });
  }
};
