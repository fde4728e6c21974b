/** Several rooms of one app, which share the connection of two peers. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { shakeHands } from './admission.mjs';
import { assertNeverMet, bothWays, bySelfId, everyone, two } from './behaviour.mjs';
import { assertCame } from './comparing.mjs';
import { JOIN_ERRORS, joinErrorTold } from './failing.mjs';
import {
  again,
  join,
  joinAndAnnounce,
  leaveAnyhow,
  meet,
  newRoom,
  roomBeside,
  transfer,
} from '../rooms.mjs';
import { Signaling } from '../signaling.mjs';

/** How long whoever waits for a proof in vain waits. It has to be enough for the other's. */
const TIMEOUT_MS = 2_000;

export const defineSharing = (pair) => {
  const first = meetTapped(pair);

  testBeside(pair, first, 'a second room needs no second connection', async (second) => {
    await meet(pair.cast, two(pair), second.given, second.config);
    assert.deepEqual(second.signaling.directed, []);
    for (const peer of two(pair)) {
      assert.deepEqual(await pathOf(peer, second.given), await pathOf(peer, first));
    }
  });

  bothWays(pair, (who, order) => {
    const way = who.replaceAll(' ', '-');

    testBeside(pair, first, `what ${who} sends stays in its room`, async ({ given, config }) => {
      await meet(pair.cast, order(), given, config);
      await sendInBoth([first, given], order(), `note-${way}`);
    });

    testBeside(pair, first, `${who} leaves one room and stays`, async ({ given, config }) => {
      const [leaver, other] = order();
      await meet(pair.cast, [other, leaver], given, config);
      await leaver.do('leave', { room: given.room });
      await other.waitFor('peerLeave', { room: given.room, peer: leaver.selfId });
      await assertTogether(first, order(), `left-${way}`);
    });

    testBeside(pair, first, `${who} leaves a room and comes back`, async (second) => {
      const { given, config, signaling } = second;
      const [leaver, other] = order();
      await meet(pair.cast, order(), given, config);
      // Who announces itself while the other leaves is taken for a newcomer.
      await signaling.quiet(order());
      await leaver.do('leave', { room: given.room });
      await other.waitFor('peerLeave', { room: given.room, peer: leaver.selfId });

      const { room } = again(given);
      await join(pair.cast, leaver, { ...given, room }, config);
      try {
        await leaver.waitFor('peerJoin', { room, peer: other.selfId });
        const returned = { room: given.room, peer: leaver.selfId };
        await other.waitFor('peerJoin', returned, { nth: 2 });
        assert.deepEqual(signaling.directed, []);
        await other.do('register', { room: given.room, action: 'back' });
        await leaver.do('send', { room, action: 'back', text: 'again' });
        await other.waitFor('message', { room: given.room, action: 'back', text: 'again' });
      } finally {
        await leaveAnyhow([leaver], { room });
      }
    });
  });
};

/** The proofs that the rooms on a connection ask for, whose first room has no password. */
export const defineProofs = (pair) => {
  const first = meetTapped(pair);

  testBeside(pair, first, 'the same password lets both in', async ({ given, config }) => {
    await meet(pair.cast, two(pair), given, { ...config, password: 'Schlüssel' });
  });

  const handshaken = 'a password and a handshake let both in';
  testBeside(pair, first, handshaken, async ({ given, config }) => {
    const payloads = [{ text: 'one', metadata: [1] }, { json: { n: 2 } }];
    await shakeHands(pair.cast, two(pair), given, payloads, { ...config, password: 'both' });
  });

  const different = 'different passwords let nobody in, and the smaller id is told';
  testBeside(pair, first, different, async ({ given, config }) => {
    const [smaller, larger] = bySelfId(pair);
    await joinAndAnnounce(pair.cast, smaller, given, { ...config, password: 'right' });
    await join(pair.cast, larger, given, {
      ...config,
      password: 'wrong',
      handshakeTimeoutMs: TIMEOUT_MS,
    });
    await joinErrorTold(smaller, given, larger, JOIN_ERRORS.wrongSharedPassword);
    await joinErrorTold(larger, given, smaller, JOIN_ERRORS.timeout(TIMEOUT_MS));
    await assertNeverMet([smaller, larger], given);
    await assertTogether(first, two(pair), 'different');
  });

  bothWays(pair, (who, order) => {
    const alone = `a password that ${who} alone has lets nobody in`;
    testBeside(pair, first, alone, async ({ given, config: tapped }) => {
      const [having, other] = order();
      const config = { ...tapped, handshakeTimeoutMs: TIMEOUT_MS };
      await join(pair.cast, other, given, config);
      await join(pair.cast, having, given, { ...config, password: 'mine' });
      await joinErrorTold(having, given, other, JOIN_ERRORS.timeout(TIMEOUT_MS));
      await joinErrorTold(other, given, having, JOIN_ERRORS.timeout(TIMEOUT_MS));
      await assertNeverMet(order(), given);
      await assertTogether(first, order(), `alone-${who.replaceAll(' ', '-')}`);
    });
  });
};

/** Has the two meet for a suite at the cast's tap, where they then are in all rooms. */
const meetTapped = (pair) => {
  const room = newRoom();
  before(async () => {
    const { url } = await pair.cast.tap();
    await meet(pair.cast, two(pair), room, { relayUrls: [url] });
  });
  after(() => leaveAnyhow(two(pair), room));
  return room;
};

/** A test about a room of its own beside the `first`. */
const testBeside = (pair, first, name, body) =>
  test(name, async () => {
    const given = roomBeside(first);
    const signaling = await Signaling.of(pair.cast, given, everyone(pair));
    try {
      await body({ given, signaling, config: signaling.config });
    } catch (error) {
      throw await pair.cast.explain(error);
    } finally {
      await leaveAnyhow(two(pair), given);
    }
  });

/** Where from and where to the one connection of a peer goes. */
const pathOf = async (peer, { room }) => {
  const { pairs } = await peer.do('pairs', { room });
  const [[id, { local, remote }], ...more] = Object.entries(pairs);
  assert.ok(local.port > 0 && remote.port > 0);
  assert.deepEqual(more, []);
  return { id, local, remote };
};

/** Sends under one name in two rooms at once and checks what came where. */
const sendInBoth = async (rooms, [sender, receiver], action) => {
  const payloads = rooms.map((_, i) => ({ binary: { size: 300_000, seed: 5 + i } }));
  await Promise.all(rooms.map(({ room }) => receiver.do('register', { room, action })));
  await Promise.all(
    rooms.map(async (room, i) => {
      const { sent, message } = await transfer(room, [sender, receiver], action, payloads[i]);
      assertCame(payloads[i], sent, message);
    }),
  );
  rooms.forEach(({ room }) => assert.equal(receiver.past('message', { room, action }).length, 1));
};

/** Checks that two are, and always were, together in a room. */
const assertTogether = async (given, peers, action) => {
  const { room } = given;
  for (const [sender, receiver] of [peers, peers.toReversed()]) {
    const { message } = await transfer(given, [sender, receiver], action, { text: 'still here' });
    assert.equal(message.text, 'still here');
    assert.deepEqual(receiver.past('peerLeave', { room }), []);
    assert.deepEqual((await receiver.do('peers', { room })).peers, [sender.selfId]);
  }
};
