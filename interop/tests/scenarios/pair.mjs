/** All that is asked of a pair. */
import { describe } from 'node:test';
import { defineActions, definePings } from './actions.mjs';
import { defineHandshakes, definePasswords } from './admission.mjs';
import { defineMeetings } from './meetings.mjs';
import { definePayloads } from './payloads.mjs';
import { defineRequests } from './requests.mjs';

/**
 * Everything about a pair but killing, which takes processes of its own.
 *
 * @param pair the peers; `pair.notBuilt` names what the left one does not have yet, of
 *   `handshakes`, `requests` and `pings`, which is not tested then
 */
export const definePair = (pair) => {
  const isBuilt = (feature) => !pair.notBuilt?.has(feature);
  describe('meeting', () => defineMeetings(pair));
  describe('passwords', () => definePasswords(pair));
  describe('payloads', () => definePayloads(pair));
  describe('actions', () => defineActions(pair));
  describe('pings', () => definePings(pair, isBuilt('pings')));
  if (isBuilt('handshakes')) {
    describe('handshakes', () => defineHandshakes(pair));
  }
  if (isBuilt('requests')) {
    describe('requests', () => defineRequests(pair));
  }
};
