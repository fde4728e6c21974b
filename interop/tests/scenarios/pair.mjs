/** All that is asked of a pair. */
import { describe } from 'node:test';
import { defineActions } from './actions.mjs';
import { defineHandshakes, definePasswords } from './admission.mjs';
import { defineMeetings } from './meetings.mjs';
import { definePayloads } from './payloads.mjs';
import { defineRequests } from './requests.mjs';

/** Everything about a pair but killing, which takes processes of its own. */
export const definePair = (pair) => {
  describe('meeting', () => defineMeetings(pair));
  describe('passwords', () => definePasswords(pair));
  describe('handshakes', () => defineHandshakes(pair));
  describe('payloads', () => definePayloads(pair));
  describe('actions', () => defineActions(pair));
  describe('requests', () => defineRequests(pair));
};
