/**
 * The agents of this folder by themselves, and one pair of them, so that they and the harness can be
 * trusted when they are put to other programs. None of ours takes part, so nothing is asked here that
 * npm's Trystero does not always do: of a peer that leaves the others may think that it comes anew.
 */
import { after, before, describe } from 'node:test';
import { start as startRelay } from '../servers/ws.mjs';
import { Cast, describeWith } from './harness.mjs';
import { defineAgent } from './scenarios/agent.mjs';
import { defineTogether } from './scenarios/pair.mjs';
import { defineRelays } from './scenarios/relays.mjs';

const KINDS = ['werift', 'node-datachannel', 'chromium', 'chromium-mdns'];

const startAgent = async (kind) => {
  const cast = new Cast(await startRelay());
  return { cast, peer: await cast.start(kind) };
};

for (const kind of KINDS) {
  describeWith(`an agent on ${kind}`, [kind], () => defineAgent(() => startAgent(kind)));
}

describeWith('an agent on werift and its relay', ['werift'], () =>
  defineRelays(() => startAgent('werift')),
);

describeWith('werift with werift', ['werift'], () => {
  const pair = {};
  before(async () => {
    pair.cast = new Cast(await startRelay());
    const start = (name) => pair.cast.start('werift', { name: `${name} werift` });
    [pair.left, pair.right, pair.third] = await Promise.all(
      ['first', 'second', 'third'].map(start),
    );
  });
  after(() => pair.cast?.end());
  defineTogether(pair);
});
