/**
 * The agents of this folder against each other, so that they and the harness can be trusted when
 * they are put to other programs.
 */
import { after, before, describe } from 'node:test';
import { start as startRelay } from '../servers/ws.mjs';
import { Cast, describeWith } from './harness.mjs';
import { defineAgent } from './scenarios/agent.mjs';
import { defineKilling } from './scenarios/killing.mjs';
import { defineMeetings } from './scenarios/meetings.mjs';
import { definePair } from './scenarios/pair.mjs';
import { defineRelays } from './scenarios/relays.mjs';
import { defineLargeTransfers } from './scenarios/transfers.mjs';

const KINDS = ['werift', 'node-datachannel', 'chromium', 'chromium-mdns'];

const startCast = async () => new Cast(await startRelay());

const withPair = (leftKind, rightKind, define) => {
  const pair = {};
  before(async () => {
    pair.cast = await startCast();
    [pair.left, pair.right, pair.third] = await Promise.all([
      pair.cast.start(leftKind, { name: `first ${leftKind}` }),
      pair.cast.start(rightKind, { name: `second ${rightKind}` }),
      pair.cast.start(leftKind, { name: `third ${leftKind}` }),
    ]);
  });
  after(() => pair.cast?.end());
  define(pair);
};

const startKilling = async (kinds) => {
  const cast = await startCast();
  const startAll = (role) =>
    Promise.all(kinds.map((kind) => cast.start(kind, { name: `${kind} ${role}` })));
  const [witnesses, victims] = await Promise.all([startAll('witness'), startAll('victim')]);
  return { cast, witnesses, victims };
};

for (const kind of KINDS) {
  describeWith(`an agent on ${kind}`, [kind], () => {
    defineAgent(async () => {
      const cast = await startCast();
      return { cast, peer: await cast.start(kind) };
    });
  });
}

describeWith('an agent on werift and its relay', ['werift'], () => {
  defineRelays(async () => {
    const cast = await startCast();
    return { cast, peer: await cast.start('werift') };
  });
});

describeWith('werift with werift', ['werift'], () => withPair('werift', 'werift', definePair));

// werift does not understand the candidates of node-datachannel.
describeWith('node-datachannel with node-datachannel', ['node-datachannel'], () =>
  withPair('node-datachannel', 'node-datachannel', (pair) => {
    definePair(pair);
    describe('large transfers', () => defineLargeTransfers(pair));
  }),
);

describeWith('werift with chromium', ['werift', 'chromium'], () => {
  describe('together', { concurrency: 2 }, () => {
    describe('alive', { concurrency: 1 }, () => withPair('werift', 'chromium', definePair));
    describe('killed', { concurrency: 1 }, () => {
      const kinds = ['werift', 'chromium'];
      defineKilling(() => startKilling(kinds), kinds);
    });
  });
});

describeWith('werift with chromium-mdns', ['werift', 'chromium-mdns'], () =>
  withPair('werift', 'chromium-mdns', defineMeetings),
);
