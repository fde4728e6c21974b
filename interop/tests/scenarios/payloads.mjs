/** What can be sent, and that it comes as it was. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bothWays, meetForSuite } from './behaviour.mjs';
import { assertCame } from './comparing.mjs';
import { transfer } from '../rooms.mjs';

const PAYLOADS = {
  'a text': { text: 'hello' },
  'a text of many scripts': { text: 'Ünïcödé 漢字 🦀 \u0000 end' },
  'an empty text': { text: '' },
  'a JSON object': { json: { name: 'Zoë', list: [1, -2.5, true, null], nested: { emoji: '🎉' } } },
  'a JSON null': { json: null },
  'a JSON number': { json: 0 },
  'an empty binary': { binary: 0 },
  'a binary of 1 byte': { binary: 1 },
  'a binary that fills one chunk': { binary: 16_348 },
  'a binary one byte longer than a chunk': { binary: 16_349 },
  'a binary of 1000003 bytes': { binary: { size: 1_000_003, seed: 7 } },
};

const METADATA = {
  'without metadata': undefined,
  'with metadata': { name: 'Datei.bin', size: 1, tags: ['ä', null] },
  'with null as metadata': null,
};

export const definePayloads = (pair) => {
  const room = meetForSuite(pair);
  let actions = 0;

  bothWays(pair, (who, order) => {
    for (const [what, payload] of Object.entries(PAYLOADS)) {
      for (const [how, metadata] of Object.entries(METADATA)) {
        test(`${who} sends ${what} ${how}`, async () => {
          const action = `payload-${(actions += 1)}`;
          const { sent, message } = await transfer(room, order(), action, { ...payload, metadata });
          assertCame(payload, sent, message);
          assert.deepEqual(message.metadata, metadata);
        });
      }
    }
  });
};
