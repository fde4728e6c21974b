import { Cast, describeWith, startRustRelay } from './harness.mjs';
import { defineAgent } from './scenarios/agent.mjs';

describeWith('the Rust agent', ['rust'], () => {
  defineAgent(async () => {
    const cast = new Cast(await startRustRelay());
    return { cast, peer: await cast.start('rust') };
  });
});
