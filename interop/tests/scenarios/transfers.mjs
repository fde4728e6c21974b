/** What is large. */
import { test } from 'node:test';
import { bothWays, meetForSuite } from './behaviour.mjs';
import { assertCame } from './comparing.mjs';
import { transfer } from '../rooms.mjs';

const LARGE = { binary: { size: 64 * 1024 * 1024, seed: 64 } };

/** For the slowest library, werift, on a machine that has other things to do. */
const LARGE_MS = 180_000;

export const defineLargeTransfers = (pair) => {
  const room = meetForSuite(pair);
  bothWays(pair, (who, order) => {
    test(`64 MiB of ${who} come as they were sent`, async () => {
      const action = `large-${who.replaceAll(' ', '-')}`;
      const options = { deadlineMs: LARGE_MS };
      const { sent, message } = await transfer(room, order(), action, LARGE, options);
      assertCame(LARGE, sent, message);
    });
  });
};
