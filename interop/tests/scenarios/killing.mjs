/** Peers that die without a word. */
import { after, before, test } from 'node:test';
import { join, joinAndAnnounce, joined, newRoom } from '../rooms.mjs';

/**
 * How long the loss of a killed peer may take to be noticed. Consent to send lasts 30 s;
 * node-datachannel was seen to take 42 s.
 */
const LOSS_MS = 60_000;

/** Of which kind the witness is and of which the victim: 0 is Rust. */
const PAIRS = [
  [0, 0],
  [0, 1],
  [1, 0],
];

/**
 * `start` gives `{cast, victims, witnesses}`, in both one of Rust and one of `kind`; the victims are
 * killed together and each has to be missed by each witness. Two of `kind` are asked nothing: how
 * they get on is none of our doing.
 */
export const defineKilling = (start, kind) => {
  const given = newRoom();
  let cast;
  let victims;
  let witnesses;
  let missed;
  before(async () => {
    ({ cast, victims, witnesses } = await start());
    await joinAndAnnounce(cast, witnesses[0], given);
    const others = [...witnesses.slice(1), ...victims];
    await Promise.all(others.map((peer) => join(cast, peer, given)));
    await Promise.all(PAIRS.map(([i, j]) => joined([witnesses[i], victims[j]], given)));
    await Promise.all(victims.map((victim) => victim.kill()));
    // Awaited by the tests, so that one that fails is not the end of the others.
    missed = PAIRS.map(([i, j]) => misses(witnesses[i], victims[j]));
    missed.forEach((miss) => miss.catch(() => {}));
  });
  after(() => cast?.end());

  const { room } = given;
  const misses = (witness, victim) =>
    witness.waitFor('peerLeave', { room, peer: victim.selfId }, { deadlineMs: LOSS_MS });

  const kinds = ['Rust', kind];
  PAIRS.forEach(([i, j], at) =>
    test(`${kinds[i]} sees a killed ${kinds[j]} leave`, () => missed[at]),
  );
};
