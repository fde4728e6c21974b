/**
 * The agents of this folder, each alone with a relay, so that they and the harness can be trusted when
 * they are put to other programs. Two of them are not put to each other: none of ours would take
 * part, and now and then npm's Trystero drops a peer that it has just met.
 */
import { start as startRelay } from '../servers/ws.mjs';
import { Cast, describeWith } from './harness.mjs';
import { defineAgent } from './scenarios/agent.mjs';
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
