/** What peers do in a room, whatever the strategy. */
import assert from 'node:assert/strict';
import { join, joined, leaveAnyhow, newRoom, transfer } from '../rooms.mjs';

let words = 0;

/** A room nobody was in before, of the app that the configuration of a strategy may name. */
export const roomFor = ({ appId }) => {
  const room = newRoom();
  // Rooms of that app are told apart by their ids alone, and other tests are run beside this one.
  return appId ? { ...room, appId, roomId: `${room.roomId}/${process.pid}` } : room;
};

/** Does something in a room that `peers` leave however it ends; a failure tells what they said. */
export const inRoom = async (cast, peers, config, body) => {
  const room = roomFor(config);
  try {
    return await body(room);
  } catch (error) {
    throw await cast.explain(error);
  } finally {
    await leaveAnyhow(peers, room);
  }
};

/** Joins peers one after the other, and resolves when all have met. */
export const meetInTurn = async (cast, peers, room, config) => {
  for (const peer of peers) {
    await join(cast, peer, room, config);
  }
  await joined(peers, room);
};

/** Has each of `peers` say something to each of `others`. */
export const assertTalking = async (room, peers, others) => {
  for (const [sender, receiver] of peers.flatMap((peer) => others.map((other) => [peer, other]))) {
    words += 1;
    const text = `word ${words}`;
    const { message } = await transfer(room, [sender, receiver], `talk-${words}`, {
      text,
      target: receiver.selfId,
    });
    assert.equal(message.text, text);
  }
};

/** Has both talk. */
export const assertBothTalking = async (room, [left, right]) => {
  await assertTalking(room, [left], [right]);
  await assertTalking(room, [right], [left]);
};

/** That both have met once; has one leave, which the other sees. */
export const assertParting = async (room, [left, right]) => {
  assertMetOnce(room, left, right);
  await right.do('leave', { room: room.room });
  await left.waitFor('peerLeave', { room: room.room, peer: right.selfId });
  await left.do('leave', { room: room.room });
};

/** That each has seen the other come once, and not go. */
export const assertMetOnce = ({ room }, ...peers) => {
  for (const peer of peers) {
    for (const { selfId } of peers.filter((other) => other !== peer)) {
      const seen = ['peerJoin', 'peerLeave'].map((event) =>
        peer.past(event, { room, peer: selfId }),
      );
      assert.deepEqual(
        seen.map(({ length }) => length),
        [1, 0],
        `how often ${peer.name} saw ${selfId} come and go`,
      );
    }
  }
};
