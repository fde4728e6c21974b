/** Who is let in: passwords, and the application's own handshake. */
import assert from 'node:assert/strict';
import { assertNeverMet, bothWays, bySelfId, testInRoom } from './behaviour.mjs';
import { assertCame } from './comparing.mjs';
import { JOIN_ERRORS, joinErrorTold } from './failing.mjs';
import { join, joinAndAnnounce, meet, MEET_MS } from '../rooms.mjs';

/**
 * How long whoever waits in vain waits. It has to be enough for the other to be reached.
 */
const TIMEOUT_MS = 2_000;

export const definePasswords = (pair) => {
  testInRoom(pair, 'peers with the same password meet', async (room) => {
    await meet(pair.cast, [pair.left, pair.right], room, { password: 'Schlüssel' });
  });

  const name = 'peers with different passwords do not meet, and the larger id is told';
  testInRoom(pair, name, async (given) => {
    const { cast } = pair;
    const [smaller, larger] = bySelfId(pair);
    await joinAndAnnounce(cast, smaller, given, { password: 'right' });
    await join(cast, larger, given, { password: 'wrong' });

    await joinErrorTold(larger, given, smaller, JOIN_ERRORS.wrongPassword);
    await assertNeverMet([smaller, larger], given);
  });
};

export const defineHandshakes = (pair) => {
  bothWays(pair, (who, order) => {
    testInRoom(pair, `a handshake that ${who} refuses keeps both out`, async (given) => {
      const { cast } = pair;
      const [refuser, other] = order();
      const handshake = { json: { hello: 1 }, metadata: ['meta'] };
      // The one that is refused learns of it by nothing coming.
      await join(cast, other, given, { handshake, handshakeTimeoutMs: TIMEOUT_MS });
      await join(cast, refuser, given, { handshake: { ...handshake, reject: 'not you' } });

      await joinErrorTold(refuser, given, other, 'not you');
      await joinErrorTold(other, given, refuser, JOIN_ERRORS.timeout(TIMEOUT_MS));
      await assertNeverMet([refuser, other], given);
    });

    testInRoom(pair, `a handshake that ${who} alone takes times out for both`, async (given) => {
      const { cast } = pair;
      const [asking, other] = order();
      const config = { handshakeTimeoutMs: TIMEOUT_MS };
      await join(cast, other, given, config);
      await join(cast, asking, given, { ...config, handshake: { text: 'anybody?' } });
      await joinErrorTold(asking, given, other, JOIN_ERRORS.timeout(TIMEOUT_MS));
      await joinErrorTold(other, given, asking, JOIN_ERRORS.timeout(TIMEOUT_MS));
      await assertNeverMet([asking, other], given);
    });

    for (const [what, config] of [
      ['a handshake', {}],
      ['a handshake after a password', { password: 'both' }],
    ]) {
      testInRoom(pair, `${what} in which ${who} sends a text lets both in`, async (given) => {
        const text = { text: 'Losung', metadata: { name: 'Zoë' } };
        const object = { json: [{ hello: 'back' }], metadata: null };
        await shakeHands(pair.cast, order(), given, [text, object], config);
      });
    }

    const large = `a handshake in which ${who} sends a large binary lets both in`;
    testInRoom(pair, large, (given) =>
      shakeHands(pair.cast, order(), given, [{ binary: 50_000 }, { text: '' }]),
    );
  });
};

/** Has two peers meet with a handshake and checks that each got what the other sent. */
export const shakeHands = async (cast, [one, two], given, [ofOne, ofTwo], config = {}) => {
  const { room } = given;
  await joinAndAnnounce(cast, one, given, { ...config, handshake: ofOne });
  await join(cast, two, given, { ...config, handshake: ofTwo });
  for (const [peer, other, sent] of [
    [one, two, ofTwo],
    [two, one, ofOne],
  ]) {
    const { selfId } = other;
    await peer.waitFor('peerJoin', { room, peer: selfId }, { deadlineMs: MEET_MS });
    const shaken = await peer.waitFor('handshake', { room, peer: selfId });
    assertCame(sent, shaken, shaken);
    assert.deepEqual(shaken.metadata, sent.metadata);
    assert.equal(shaken.isInitiator, peer.selfId < selfId);
  }
};
