/** Audio and video between Rust and a browser. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { Cast, describeUnless, startRustRelay, whyMissing as whyNoPeer } from './harness.mjs';
import { makeFile, whyMissing } from './material.mjs';
import { defineRecordings } from './scenarios/recordings.mjs';
import { defineRefusedMedia, defineStreams } from './scenarios/streams.mjs';

/** Long enough for what is looked at while it plays; all of it begins anew at its end. */
const SECONDS = 5;

/** Ids before and after all that a browser draws; whose is smaller offers, and so leads. */
const IDS = { leads: '00000000000000000000', follows: 'zzzzzzzzzzzzzzzzzzzz' };

const reason = whyMissing() ?? whyNoPeer('rust') ?? whyNoPeer('chromium');

for (const [role, id] of Object.entries(IDS)) {
  describeUnless(reason, `media: Rust ${role} with chromium`, () => {
    const pair = {};
    const files = {};
    const folder = mkdtempSync(join(tmpdir(), 'tristero-media-'));
    before(async () => {
      pair.cast = new Cast(await startRustRelay());
      [pair.left, pair.third, pair.right, files.VP8, files.opus] = await Promise.all([
        pair.cast.start('rust', { args: ['--self-id', id] }),
        pair.cast.start('rust', { name: 'another Rust' }),
        pair.cast.start('chromium'),
        makeFile(folder, 'VP8', SECONDS),
        makeFile(folder, 'opus', SECONDS),
      ]);
    });
    after(async () => {
      await pair.cast?.end();
      rmSync(folder, { recursive: true, force: true });
    });
    defineStreams(pair, files);
    defineRefusedMedia(pair);
    if (role === 'leads') {
      defineRecordings(pair, folder);
    }
  });
}
