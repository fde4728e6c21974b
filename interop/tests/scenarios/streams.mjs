/** Audio and video between Rust, on the left, and a browser, on the right. */
import assert from 'node:assert/strict';
import { testInRoom } from './behaviour.mjs';
import { BAR_COLOURS, BAR_POINTS, FRAMES_PER_SECOND, HEIGHT, WIDTH } from '../material.mjs';
import { again, join, joined, meet, roomBeside, transfer } from '../rooms.mjs';

/** How far a colour may be off after an encoder and a decoder, of 255. */
const COLOUR_TOLERANCE = 32;
/** What silence never has. */
const LOUD = 0.01;
/** How often and how long it is looked whether something has come about. */
const LOOKS = 200;
const LOOK_EVERY_MS = 100;
/** Over how long frames are counted. */
const COUNT_MS = 4_000;
const ROUNDS = 20;
/** Sections of a description that has none too many, after as many rounds as anyone likes. */
const SECTIONS_MAX = 14;

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Asks until the answer is as wanted, and returns it. */
const until = async (ask, isWanted) => {
  let answer;
  for (let looks = 0; looks < LOOKS; looks += 1) {
    answer = await ask();
    if (isWanted(answer)) {
      return answer;
    }
    await pause(LOOK_EVERY_MS);
  }
  throw new Error(`it has not come to that: ${JSON.stringify(answer)}`);
};

/** What the browser has received over its connection to `peer`, of one kind. */
const received = async (browser, peer, { room }, kind) => {
  const { received: all } = await browser.do('mediaStats', { room, target: peer.selfId });
  return all.filter((entry) => entry.kind === kind).at(-1) ?? {};
};

const assertColours = async (browser, { room }, streamId) => {
  const look = () => browser.do('look', { room, streamId, points: BAR_POINTS });
  const differs = ({ colours }) =>
    BAR_COLOURS.flatMap((wanted, column) =>
      wanted.map((value, channel) => Math.abs(value - colours[column][channel])),
    ).some((difference) => difference > COLOUR_TOLERANCE);
  const { width, height } = await until(look, (seen) => !differs(seen));
  assert.deepEqual([width, height], [WIDTH, HEIGHT]);
};

const assertLoud = (browser, { room }, streamId) =>
  until(() => browser.do('listen', { room, streamId }), ({ rms }) => rms > LOUD);

/** Waits until frames that Rust is sent grow in number. */
const assertFlowing = async (rust, { room }, where, { from = 0 } = {}) => {
  const count = () => rust.past('videoFrames', { room, ...where }).at(-1)?.framesReceived ?? 0;
  await until(async () => count(), (frames) => frames > from);
};

/** `files` has paths by the names of codecs. */
export const defineStreams = (pair, files) => {
  testInRoom(pair, 'a browser sees and hears files that Rust plays', async (room) => {
    const { cast, left, right } = pair;
    await meet(cast, [left, right], room);
    const metadata = { name: 'Testbild', n: null };
    const came = right.waitFor('stream', { room: room.room, peer: left.selfId });
    await left.do('addStream', { room: room.room, files: [files.VP8, files.opus], metadata });
    const { streamId, metadata: told, tracks } = await came;
    assert.deepEqual(told, metadata);
    const kinds = tracks.map(({ kind }) => kind);
    assert.ok(kinds.includes('video') || kinds.includes('audio'), `${kinds}`);

    const video = () => received(right, left, room, 'video');
    const { framesDecoded: before } = await until(video, (seen) => seen.framesDecoded > 0);
    const began = Date.now();
    await pause(COUNT_MS);
    const { framesDecoded: after, codec } = await video();
    const rate = ((after - before) * 1000) / (Date.now() - began);
    assert.equal(codec, 'video/VP8');
    assert.ok(Math.abs(rate - FRAMES_PER_SECOND) < 4, `${rate} frames a second`);
    await assertColours(right, room, streamId);
    await assertLoud(right, room, streamId);
  });

  testInRoom(pair, 'Rust is sent what a browser adds, takes away and adds again', async (room) => {
    const { cast, left, right } = pair;
    await meet(cast, [right, left], room);
    for (const n of [1, 2]) {
      const came = left.waitFor('stream', { room: room.room, peer: right.selfId }, { nth: n });
      const options = { kinds: ['video', 'audio'], metadata: { n }, stream: 'camera' };
      await right.do('addStream', { room: room.room, ...options, source: 'device' });
      const { metadata, tracks } = await came;
      assert.deepEqual(metadata, { n });
      assert.deepEqual(tracks.map(({ kind }) => kind).toSorted(), ['audio', 'video']);
      const { id: trackId } = tracks.find(({ kind }) => kind === 'video');
      await assertFlowing(left, room, { trackId });
      const ended = left.waitFor('trackEnded', { room: room.room, trackId });
      await right.do('removeStream', { room: room.room, stream: 'camera' });
      await ended;
    }
  });

  testInRoom(pair, 'Rust is sent what is added while an offer is not answered', async (room) => {
    const { cast, left, right } = pair;
    await meet(cast, [right, left], room);
    // The first section of a kind is never refused.
    await right.do('addStream', { room: room.room, metadata: 'first' });
    await left.waitFor('stream', { room: room.room, metadata: 'first' });
    const came = left.waitFor('stream', { room: room.room, metadata: 'hasty' });
    await right.do('addStream', { room: room.room, metadata: 'hasty', hastily: true });
    const [{ id: trackId }] = (await came).tracks;
    await assertFlowing(left, room, { trackId });
  });

  testInRoom(pair, 'tracks by themselves and in the place of others', async (room) => {
    const { cast, left, right } = pair;
    await meet(cast, [left, right], room);
    const own = { room: room.room, stream: 'mine' };
    const atRight = right.waitFor('track', { room: room.room, kind: 'video' });
    const atLeft = left.waitFor('track', { room: room.room, kind: 'video' });
    await left.do('addStream', { ...own, files: [files.opus] });
    await left.do('addStream', { ...own, files: [files.VP8], as: 'tracks', metadata: 1 });
    await right.do('addStream', { ...own, as: 'tracks', metadata: 2 });
    assert.deepEqual([(await atRight).metadata, (await atLeft).metadata], [1, 2]);
    const { trackId } = await atLeft;
    await assertFlowing(left, room, { trackId });

    const replaced = left.waitFor('trackReplaced', { room: room.room, peer: right.selfId });
    await right.do('replaceTrack', { ...own, metadata: 'another' });
    assert.equal((await replaced).metadata, 'another');
    await left.do('replaceTrack', { ...own, files: [files.VP8] });
    const video = () => received(right, left, room, 'video');
    const { framesDecoded } = await video();
    await until(video, (seen) => seen.framesDecoded > framesDecoded + FRAMES_PER_SECOND);
  });

  testInRoom(pair, `${ROUNDS} rounds of both at once leave nothing stuck`, async (room) => {
    const { cast, left, right } = pair;
    await meet(cast, [left, right], room);
    const names = ['one', 'two'];
    for (let round = 0; round < ROUNDS; round += 1) {
      const stream = names[round % 2];
      const own = { room: room.room, stream: `${stream}-${round >> 1}` };
      const before = { room: room.room, stream: `${names[(round + 1) % 2]}-${(round - 1) >> 1}` };
      await Promise.all([
        left.do('addStream', { ...own, files: [files.VP8], metadata: round }),
        right.do('addStream', { ...own, kinds: round % 3 ? ['video'] : ['audio', 'video'] }),
        round > 0 && left.do('removeStream', before),
        round > 0 && right.do('removeStream', before),
      ]);
      if (round % 3 === 1) {
        await Promise.all([
          left.do('replaceTrack', { ...own, files: [files.VP8] }),
          right.do('replaceTrack', own),
        ]);
      }
    }
    const last = { room: room.room, metadata: ROUNDS - 1 };
    const { streamId } = await right.waitFor('stream', last);
    await assertColours(right, room, streamId);
    const stats = () => right.do('mediaStats', { room: room.room, target: left.selfId });
    const { sections } = await until(stats, (seen) => seen.signalingState === 'stable');
    assert.ok(sections <= SECTIONS_MAX, `${sections} sections`);
    const seen = left.past('videoFrames', { room: room.room }).length;
    await until(
      async () => left.past('videoFrames', { room: room.room }).slice(seen),
      (events) => events.some(({ framesReceived }) => framesReceived > 0),
    );
    const { message } = await transfer(room, [right, left], 'after', { text: 'noch da' });
    assert.equal(message.text, 'noch da');
  });

  testInRoom(pair, 'a stream is sent to one of three', async (room) => {
    const { cast, left, right, third } = pair;
    await meet(cast, [left, right, third], room);
    const came = right.waitFor('stream', { room: room.room, peer: left.selfId });
    const target = right.selfId;
    await left.do('addStream', { room: room.room, files: [files.VP8], target, metadata: 'du' });
    assert.equal((await came).metadata, 'du');
    // What is told in order after it: the third was told nothing.
    await transfer(room, [left, third], 'after', { text: 'noch da' });
    assert.deepEqual(third.past('stream', { room: room.room }), []);
  });

  testInRoom(pair, 'a second room has the stream over the same connection', async (room) => {
    const { cast, left, right } = pair;
    const other = roomBeside(room);
    await meet(cast, [left, right], room);
    await meet(cast, [left, right], other);
    const own = { files: [files.VP8], stream: 'shared' };
    const first = right.waitFor('stream', { room: room.room, metadata: 'here' });
    await left.do('addStream', { room: room.room, ...own, metadata: 'here' });
    const { streamId } = await first;
    await assertColours(right, room, streamId);
    const stats = () => right.do('mediaStats', { room: room.room, target: left.selfId });
    const { sections } = await stats();
    const second = right.waitFor('stream', { room: other.room, metadata: 'there' });
    await left.do('addStream', { room: other.room, stream: 'shared', of: room.room, metadata: 'there' });
    assert.equal((await second).streamId, streamId);
    assert.equal((await stats()).sections, sections, 'it is sent once');
    await Promise.all([left, right].map((peer) => peer.do('leave', { room: other.room })));
  });

  testInRoom(pair, 'who comes later gets the stream, and leaves in the middle of it', async (room) => {
    const { cast, left, right } = pair;
    await join(cast, left, room);
    await left.do('addStream', { room: room.room, files: [files.VP8], metadata: 'standing' });
    for (const visit of [room, again(room)]) {
      const came = right.waitFor('stream', { room: visit.room, metadata: 'standing' });
      await join(cast, right, visit);
      const { streamId } = await came;
      await assertColours(right, visit, streamId);
      await right.do('addStream', { room: visit.room });
      await left.waitFor('stream', { room: room.room, peer: right.selfId });
      await right.do('leave', { room: visit.room });
      await left.waitFor('peerLeave', { room: room.room, peer: right.selfId });
    }
  });
};

/** A room that takes no codec takes no media. */
const refusing = { codecs: [] };

/** A peer that takes no media answers, and all else goes on. */
export const defineRefusedMedia = (pair) => {
  for (const isFirst of [true, false]) {
    const name = `a stream of a browser that came ${isFirst ? 'first' : 'second'} is refused`;
    testInRoom(pair, name, async (room) => {
      const { cast, left, right } = pair;
      const [first, second] = isFirst ? [right, left] : [left, right];
      const config = (peer) => (peer === left ? refusing : {});
      await join(cast, first, room, config(first));
      await join(cast, second, room, config(second));
      await joined([left, right], room);
      // A browser whose offer is not answered can't make another.
      const mixes = [['video'], ['video', 'audio'], ['audio']];
      for (const [round, kinds] of mixes.entries()) {
        await right.do('addStream', { room: room.room, kinds, answered: true });
        for (const way of [
          [left, right],
          [right, left],
        ]) {
          const { message } = await transfer(room, way, `after-${round}`, { text: 'noch da' });
          assert.equal(message.text, 'noch da');
        }
      }
      assert.deepEqual(left.past('stream', { room: room.room }), []);
    });
  }
};
