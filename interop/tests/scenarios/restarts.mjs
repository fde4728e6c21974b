/** ICE restarts of connections that live: paths are looked for anew, and nothing is lost. */
import assert from 'node:assert/strict';
import { testInRoom } from './behaviour.mjs';
import { meet, transfer } from '../rooms.mjs';

/** A round trip over `@_signal`, and a few checks. */
const LOOKS = 100;
const LOOK_EVERY_MS = 50;

/** Whether both offer at the same moment is a matter of luck, so it is tried. */
const ROUNDS = 6;

/** `right` is a browser, and `left` is Rust. */
export const defineRestarts = (pair) => {
  testInRoom(pair, 'a browser takes a restart', async (room) => {
    const { cast, left, right } = pair;
    await meet(cast, [left, right], room);
    const before = await ufrags(pair, room);
    for (const restarts of [1, 2]) {
      await left.do('restartIce', { room: room.room, target: right.selfId });
      await restarted(pair, room, restarts);
      await assertTalking(pair, room, restarts);
    }
    await assertNew(pair, room, before);
  });

  testInRoom(pair, 'a restart of a browser is answered', async (room) => {
    const { cast, left, right } = pair;
    await meet(cast, [right, left], room);
    const before = await ufrags(pair, room);
    await right.do('restartIce', { room: room.room, target: left.selfId });
    await restarted(pair, room, 1);
    await assertTalking(pair, room, 1);
    await assertNew(pair, room, before);
  });

  testInRoom(pair, 'both offer something at the same moment', async (room) => {
    const { cast, left, right } = pair;
    await meet(cast, [left, right], room);
    const before = await ufrags(pair, room);
    for (let round = 1; round <= ROUNDS; round += 1) {
      const streaming = right.do('addStream', { room: room.room, answered: true });
      await left.do('restartIce', { room: room.room, target: right.selfId });
      await streaming;
      await restarted(pair, room, round);
      await assertTalking(pair, room, round);
    }
    await assertNew(pair, room, before);
  });

  testInRoom(pair, 'both restart at the same moment', async (room) => {
    const { cast, left, right } = pair;
    await meet(cast, [left, right], room);
    const before = await ufrags(pair, room);
    await Promise.all([
      left.do('restartIce', { room: room.room, target: right.selfId }),
      right.do('restartIce', { room: room.room, target: left.selfId }),
    ]);
    await restarted(pair, room, 1);
    await assertTalking(pair, room, 1);
    await assertNew(pair, room, before);
  });
};

/** `right` has a WebRTC that can't. */
export const defineNoRestarts = (pair) => {
  testInRoom(pair, 'no restart is begun with a peer that would lose the connection', async (room) => {
    const { cast, left, right } = pair;
    await meet(cast, [left, right], room);
    const reply = await left.ask('restartIce', { room: room.room, target: right.selfId });
    assert.deepEqual([reply.ok, reply.error], [false, "its WebRTC can't restart ICE"]);
    await assertTalking(pair, room, 1);
  });
};

/** Waits until Rust has restarted so often at least. */
const restarted = async ({ cast, left, right }, { room }, least) => {
  for (let looks = 0; looks < LOOKS; looks += 1) {
    const { pairs } = await left.do('pairs', { room });
    if (pairs[right.selfId].iceRestarts >= least) {
      return;
    }
    await left.do('sleep', { ms: LOOK_EVERY_MS });
  }
  throw cast.failure(`there were fewer than ${least} restarts`);
};

const ufrags = async ({ left, right }, { room }) => {
  const { pairs } = await right.do('pairs', { room });
  return pairs[left.selfId].ufrags;
};

const assertNew = async (pair, room, before) => {
  const after = await ufrags(pair, room);
  const [ours, theirs] = after.map((ufrag, side) => ufrag !== before[side]);
  assert.ok(ours && theirs, `${before} became ${after}`);
};

/** Both ways, and neither has said that the other was gone. */
const assertTalking = async ({ left, right }, room, round) => {
  for (const [from, to] of [
    [left, right],
    [right, left],
  ]) {
    const { message } = await transfer(room, [from, to], `after-${round}`, { text: 'noch da' });
    assert.equal(message.text, 'noch da');
    assert.deepEqual(to.past('peerLeave', { room: room.room }), []);
  }
};
