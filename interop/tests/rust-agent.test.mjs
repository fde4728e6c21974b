import { Cast, describeWith, startRustRelay } from './harness.mjs';
import { defineAgent } from './scenarios/agent.mjs';
import { defineRelays } from './scenarios/relays.mjs';

const start = async () => {
  const cast = new Cast(await startRustRelay());
  return { cast, peer: await cast.start('rust') };
};

describeWith('the Rust agent', ['rust'], () => defineAgent(start));

describeWith('the Rust agent and its relay', ['rust'], () => defineRelays(start));
