/** What a browser, on the right, sends is recorded by Rust, on the left, and FFmpeg decodes it. */
import assert from 'node:assert/strict';
import { join as pathOf } from 'node:path';
import { testInRoom } from './behaviour.mjs';
import { decode } from '../material.mjs';
import { join, joined } from '../rooms.mjs';

const SECONDS = 10;
/** Of the frames that were sent so many may be missing, at the beginning most of all. */
const MISSING_MAX = 0.05;

/** As the agent names them, and as FFmpeg does. */
const CODECS = { VP8: 'vp8', VP9: 'vp9', H264: 'h264', AV1: 'av1' };

export const defineRecordings = (pair, folder) => {
  for (const [codec, name] of Object.entries(CODECS)) {
    testInRoom(pair, `${SECONDS} s of ${codec} and Opus are recorded`, async (room) => {
      const { cast, left, right } = pair;
      await join(cast, left, room, { codecs: [codec, 'opus'] });
      await join(cast, right, room);
      await joined([left, right], room);
      await left.do('record', { room: room.room, dir: pathOf(folder, codec) });
      const metadata = { name: codec, n: [1, null] };
      const came = left.waitFor('stream', { room: room.room });
      const own = { room: room.room, stream: 'camera' };
      const kinds = ['video', 'audio'];
      await right.do('addStream', { ...own, kinds, source: 'device', metadata });
      assert.deepEqual((await came).metadata, metadata);
      await new Promise((resolve) => setTimeout(resolve, SECONDS * 1000));

      const recorded = left.waitFor('recorded', { room: room.room });
      const { sent } = await right.do('mediaStats', { room: room.room, target: left.selfId });
      await right.do('removeStream', own);
      const { files, tracks } = await recorded;
      assert.equal(files.length, 2);
      const { framesSent, codec: mime } = sent.find(({ kind }) => kind === 'video');
      assert.equal(mime, `video/${codec}`, 'the browser sends what the room wants');
      for (const file of files) {
        const { codec: found, frames, errors } = await decode(file);
        assert.equal(errors, '', `${file} is without errors`);
        if (found === name) {
          assert.ok(frames >= framesSent * (1 - MISSING_MAX), `${frames} of ${framesSent} frames`);
        } else {
          assert.equal(found, 'opus');
          // Opus has 50 frames a second here.
          assert.ok(frames >= SECONDS * 50 * (1 - MISSING_MAX), `${frames} frames of Opus`);
        }
      }
      assert.deepEqual(tracks.map((track) => track.codec).toSorted(), [codec, 'opus'].toSorted());
    });
  }
};
