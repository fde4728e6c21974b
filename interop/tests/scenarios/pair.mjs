/** All that is asked of a pair. */
import { describe } from 'node:test';
import { defineActions, definePings } from './actions.mjs';
import { defineHandshakes, definePasswords } from './admission.mjs';
import { defineMeetings, definePartings } from './meetings.mjs';
import { definePassive } from './passive.mjs';
import { definePayloads } from './payloads.mjs';
import { defineDesertions, defineRequests } from './requests.mjs';
import { defineProofs, defineSharing } from './sharing.mjs';

/** Tests that mostly wait for timeouts, in rooms of their own, do so together. */
const WAITING = { concurrency: 4 };

/** Everything about a pair but killing, which takes processes of its own, and what takes long. */
export const definePair = (pair) => {
  defineAdmission(pair);
  describe('payloads', () => definePayloads(pair));
  describe('actions', () => defineActions(pair));
  describe('pings', () => definePings(pair));
  describe('requests', () => defineRequests(pair));
  describe('several rooms', () => defineSharing(pair));
  describe('requests of who leaves', () => defineDesertions(pair));
};

/** What goes differently for a pair depending on whose id is smaller. */
export const defineAdmission = (pair) => {
  describe('meeting', () => defineMeetings(pair));
  describe('passwords', () => definePasswords(pair));
  describe('handshakes', WAITING, () => defineHandshakes(pair));
  // All at the cast's tap: JavaScript stays with the relay of the first room that it joins.
  describe('at the tap', WAITING, () => {
    describe('parting', WAITING, () => definePartings(pair));
    describe('proofs of passwords', WAITING, () => defineProofs(pair));
    describe('passive peers', WAITING, () => definePassive(pair));
  });
};
