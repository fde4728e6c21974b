/** Who is let in: passwords, and the application's own handshake. */
import assert from 'node:assert/strict';
import { bothWays, testInRoom } from './behaviour.mjs';
import { join, joinAndAnnounce, meet } from '../rooms.mjs';

export const definePasswords = (pair) => {
  testInRoom(pair, 'peers with the same password meet', async (room) => {
    await meet(pair.cast, [pair.left, pair.right], room, { password: 'Schlüssel' });
  });

  const name = 'peers with different passwords do not meet, and the larger id is told';
  testInRoom(pair, name, async (given) => {
    const { cast, left, right } = pair;
    const [smaller, larger] = left.selfId < right.selfId ? [left, right] : [right, left];
    await joinAndAnnounce(cast, smaller, given, { password: 'right' });
    await join(cast, larger, given, { password: 'wrong' });

    const { room } = given;
    const failure = await larger.waitFor('joinError', { room, peerId: smaller.selfId });
    assert.match(failure.error, /password/);
    assert.deepEqual([failure.appId, failure.roomId], [given.appId, given.roomId]);
    await assertNeverMet([left, right], given);
  });
};

export const defineHandshakes = (pair) => {
  bothWays(pair, (who, order) => {
    testInRoom(pair, `a handshake that ${who} refuses keeps both out`, async (given) => {
      const { cast } = pair;
      const [refuser, other] = order();
      const { room } = given;
      const handshake = { json: { hello: 1 }, metadata: ['meta'] };
      // The one that is refused learns of it by nothing coming.
      await join(cast, other, given, { handshake, handshakeTimeoutMs: 2_000 });
      await join(cast, refuser, given, { handshake: { ...handshake, reject: 'not you' } });

      const shaken = await refuser.waitFor('handshake', { room, peer: other.selfId });
      assert.deepEqual([shaken.json, shaken.metadata], [{ hello: 1 }, ['meta']]);
      assert.equal(shaken.isInitiator, refuser.selfId < other.selfId);
      const refused = await refuser.waitFor('joinError', { room, peerId: other.selfId });
      assert.match(refused.error, /not you/);
      await other.waitFor('joinError', { room, peerId: refuser.selfId });
      await assertNeverMet([refuser, other], given);
    });
  });

  testInRoom(pair, 'a handshake that both accept lets both in', async (given) => {
    const { cast, left, right } = pair;
    await meet(cast, [left, right], given, { handshake: { text: 'open' }, password: 'both' });
    const { text } = await left.waitFor('handshake', { room: given.room, peer: right.selfId });
    assert.equal(text, 'open');
  });
};

/** Leaves, after which a room says nothing more, and looks back. */
const assertNeverMet = async (peers, { room }) => {
  await Promise.all(peers.map((peer) => peer.do('leave', { room })));
  assert.deepEqual(
    peers.flatMap((peer) => peer.past('peerJoin', { room })),
    [],
  );
};
