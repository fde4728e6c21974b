/** What the agents share as programs: options, lines in, lines out, and when to end. */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';

const { dependencies } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url)));

/** The agent's version as its `ready` event tells it: Trystero's and that of its WebRTC. */
export const agentVersion = (webrtc) =>
  `@trystero-p2p/core ${dependencies['@trystero-p2p/core']}, ${webrtc}`;

/** The exact version of a dependency. */
export const versionOf = (name) => `${name} ${dependencies[name]}`;

/** Parses the options that every agent has, and `extra` ones. */
export const parseOptions = (extra) =>
  parseArgs({
    options: {
      cmd: { type: 'string', multiple: true, default: [] },
      linger: { type: 'string', default: '0' },
      ...extra,
    },
  }).values;

/** Writes one event. */
export const emitLine = (line) => process.stdout.write(`${line}\n`);

/** Feeds the commands of the options, then those of stdin; resolves when the agent should end. */
export const feedLines = async ({ cmd, linger }, accept) => {
  let taken = Promise.resolve();
  cmd.forEach((line) => (taken = accept(line)));
  for await (const line of createInterface({ input: process.stdin })) {
    if (line.trim() !== '') {
      taken = accept(line);
    }
  }
  await taken;
  await new Promise((resolve) => setTimeout(resolve, Number(linger) * 1000));
};
