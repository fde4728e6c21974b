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

/** Everything about a pair but killing, which takes processes of its own, and what takes long. */
export const definePair = (pair) => {
  defineAdmission(pair);
  describe('payloads', () => definePayloads(pair));
  describe('actions', () => defineActions(pair));
  describe('several rooms', () => defineSharing(pair));
  describe('pings', () => definePings(pair));
  describe('requests', () => defineRequests(pair));
};

/** What goes differently for a pair depending on whose id is smaller. */
export const defineAdmission = (pair) => {
  describe('meeting', () => defineMeetings(pair));
  describe('passwords', () => definePasswords(pair));
  describe('proofs of passwords', WAITING, () => defineProofs(pair));
  describe('passive peers', WAITING, () => definePassive(pair));
  describe('handshakes', WAITING, () => defineHandshakes(pair));
};
