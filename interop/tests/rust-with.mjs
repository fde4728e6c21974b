/** The program under test with one kind of JavaScript peer, at the program's own relay. */
import { before, after, describe } from 'node:test';
import { Cast, describeWith, startRustRelay } from './harness.mjs';
import { defineKilling } from './scenarios/killing.mjs';
import { defineMeetings, defineRejoining } from './scenarios/meetings.mjs';
import { defineAdmission, definePair } from './scenarios/pair.mjs';
import { defineLargeTransfers } from './scenarios/transfers.mjs';

/** Ids before and after all that a JavaScript peer draws; whose is smaller decides who offers. */
const SMALLER_ID = '00000000000000000000';
const LARGER_ID = 'zzzzzzzzzzzzzzzzzzzz';

/** Everything that Rust and `kind` must do together, and what `define` adds. */
export const defineRustWith = (kind, define = () => {}) =>
  describeWith(`Rust with ${kind}`, ['rust', kind], () => {
    describe('together', { concurrency: 2 }, () => {
      describe('alive', { concurrency: 1 }, () => defineAlive(kind, define));
      describe('killed', { concurrency: 1 }, () =>
        defineKilling(() => startKilling(kind), kind),
      );
    });
  });

/** That Rust and `kind` meet and talk, and no more. */
export const defineRustMeets = (kind) =>
  describeWith(`Rust meets ${kind}`, ['rust', kind], () => {
    const pair = {};
    useCast(pair, kind, async (cast) => (pair.left = await cast.start('rust')));
    defineMeetings(pair);
  });

const defineAlive = (kind, define) => {
  const smaller = {};
  const larger = {};
  useCast(smaller, kind, async (cast) => {
    const start = (name, id) => cast.start('rust', { name, args: ['--self-id', id] });
    smaller.left = await start('Rust with the smaller id', SMALLER_ID);
    larger.left = await start('Rust with the larger id', LARGER_ID);
    smaller.third = larger.left;
    Object.assign(larger, { cast, right: smaller.right, third: smaller.left });
  });

  describe('Rust has the smaller id', () => {
    definePair(smaller);
    describe('meeting again', () => defineRejoining(smaller));
    describe('large transfers', () => defineLargeTransfers(smaller));
    define(smaller);
  });
  describe('Rust has the larger id', () => {
    defineAdmission(larger);
    define(larger);
  });
};

/** Gives `pair` a cast with a JavaScript peer on the right, and what else `start` starts. */
const useCast = (pair, kind, start) => {
  before(async () => {
    pair.cast = new Cast(await startRustRelay());
    pair.right = await pair.cast.start(kind);
    await start(pair.cast);
  });
  after(() => pair.cast?.end());
};

const startKilling = async (kind) => {
  const cast = new Cast(await startRustRelay());
  const startBoth = (role) =>
    Promise.all([
      cast.start('rust', { name: `Rust ${role}` }),
      cast.start(kind, { name: `${kind} ${role}` }),
    ]);
  const [witnesses, victims] = await Promise.all([startBoth('witness'), startBoth('victim')]);
  return { cast, witnesses, victims };
};
