/** All that is asked of a pair. */
import { describe } from 'node:test';
import { defineActions, definePings } from './actions.mjs';
import { defineHandshakes, definePasswords } from './admission.mjs';
import { defineMeetings } from './meetings.mjs';
import { definePassive } from './passive.mjs';
import { definePayloads } from './payloads.mjs';
import { defineRequests } from './requests.mjs';
import { defineProofs, defineSharing } from './sharing.mjs';

/** Tests that mostly wait for timeouts, in rooms of their own, do so together. */
const WAITING = { concurrency: 4 };

/**
 * Everything about a pair but killing, which takes processes of its own, and what takes long.
 *
 * @param pair the peers; `pair.notBuilt` names what the left one and the third do not have yet, of
 *   `handshakes`, `passive`, `pings` and `requests`, which is not tested then
 */
export const definePair = (pair) => {
  defineAdmission(pair);
  describe('payloads', () => definePayloads(pair));
  describe('actions', () => defineActions(pair));
  describe('several rooms', () => defineSharing(pair));
  if (isBuilt(pair, 'pings')) {
    describe('pings', () => definePings(pair));
  }
  if (isBuilt(pair, 'requests')) {
    describe('requests', () => defineRequests(pair));
  }
};

/** What goes differently for a pair depending on whose id is smaller. */
export const defineAdmission = (pair) => {
  describe('meeting', () => defineMeetings(pair));
  describe('passwords', () => definePasswords(pair));
  describe('passive peers', WAITING, () => definePassive(pair, isBuilt(pair, 'passive')));
  const withHandshakes = isBuilt(pair, 'handshakes');
  describe('proofs of passwords', WAITING, () => defineProofs(pair, withHandshakes));
  if (withHandshakes) {
    describe('handshakes', WAITING, () => defineHandshakes(pair));
  }
};

const isBuilt = ({ notBuilt }, feature) => !notBuilt?.has(feature);
