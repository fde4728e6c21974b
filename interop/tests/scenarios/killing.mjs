/** Peers that die without a word. */
import { after, before, test } from 'node:test';
import { meet, newRoom } from '../rooms.mjs';

/**
 * How long the loss of a killed peer may take to be noticed. Consent to send lasts 30 s;
 * node-datachannel was seen to take 42 s.
 */
const LOSS_MS = 60_000;

/**
 * `start` gives `{cast, victims, witnesses}`, one of each kind in both; the victims are killed
 * together and each has to be missed by each witness.
 */
export const defineKilling = (start, kinds) => {
  const given = newRoom();
  let cast;
  let victims;
  let witnesses;
  let missed;
  before(async () => {
    ({ cast, victims, witnesses } = await start());
    await meet(cast, [...witnesses, ...victims], given);
    await Promise.all(victims.map((victim) => victim.kill()));
    // Awaited by the tests, so that one that fails is not the end of the others.
    missed = witnesses.map((witness) => victims.map((victim) => misses(witness, victim)));
    missed.flat().forEach((miss) => miss.catch(() => {}));
  });
  after(() => cast?.end());

  const { room } = given;
  const misses = (witness, victim) =>
    witness.waitFor('peerLeave', { room, peer: victim.selfId }, { deadlineMs: LOSS_MS });

  kinds.forEach((witnessKind, i) =>
    kinds.forEach((victimKind, j) =>
      test(`${witnessKind} sees a killed ${victimKind} leave`, () => missed[i][j]),
    ),
  );
};
