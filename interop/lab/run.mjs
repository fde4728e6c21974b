/**
 * The NAT lab: `node interop/lab/run.mjs [--all] [--only REGEX] [--json] [--write]`, as root.
 *
 * Proves first that the NATs are what their names say, then has peers meet behind them and compares
 * what becomes of it with the theory. Its status is 0 if all is as expected, 1 if not, 2 for wrong
 * options and 77 where there can be no lab.
 */
import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { CELLS, isSelected, runCell } from './cells.mjs';
import { Internet } from './internet.mjs';
import { Namespaces, whyNotPermitted } from './namespaces.mjs';
import { PEERS, PROGRAM, Relay } from './peers.mjs';
import { Proof } from './prove.mjs';
import { line, sceneTable, table, words, writeDocument } from './report.mjs';
import { SCENES } from './scenes/index.mjs';
import { TurnServer } from './turn.mjs';

const SKIPPED = 77;

/** Cells mostly wait, so there are more at once than processors. */
const JOBS = '6';

const USAGE = `node interop/lab/run.mjs [options]
  --all           every cell, not a selection
  --only REGEX    what has a name like this
  --jobs N        how many at once (${JOBS})
  --peers KIND    ${Object.keys(PEERS).join(', ')}
  --prove         no more than that the NATs are what their names say
  --json          a line of JSON for everything that was run
  --write         puts the table into docs/connectivity.md`;

const OPTIONS = {
  all: { type: 'boolean', default: false },
  only: { type: 'string', default: '' },
  jobs: { type: 'string', default: JOBS },
  peers: { type: 'string', default: 'rust' },
  prove: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  write: { type: 'boolean', default: false },
};

const main = async () => {
  const options = parseOptions();
  const reason = whyNotPermitted();
  if (reason) {
    process.stdout.write(`skipped: ${reason}\n`);
    return SKIPPED;
  }
  if (!options.prove && options.peers === 'rust' && !existsSync(PROGRAM)) {
    throw new Error(`there is no program at ${PROGRAM}; TRISTERO_BIN names another`);
  }
  const namespaces = new Namespaces();
  try {
    const internet = await Internet.open(namespaces);
    const results = [...(await prove(internet, options))];
    if (!options.prove && results.every(isAsExpected)) {
      results.push(...(await runPeers(internet, options)));
    }
    return conclude(results, options);
  } finally {
    namespaces.close();
  }
};

const parseOptions = () => {
  try {
    const { values } = parseArgs({ options: OPTIONS });
    if (!Object.hasOwn(PEERS, values.peers) || !(Number(values.jobs) >= 1)) {
      throw new Error('--peers or --jobs has a value that it can’t have');
    }
    return { ...values, only: new RegExp(values.only) };
  } catch (error) {
    process.stderr.write(`${error.message}\n${USAGE}\n`);
    process.exit(2);
  }
};

/** Nothing else means anything where this fails, so it is not selected from. */
const prove = async (internet, options) => {
  const proof = await Proof.open(internet);
  try {
    const steps = proof.steps.map(({ name, run }) => ({
      name: `NAT: ${name}`,
      run: async () => {
        const { expected, measured } = await run();
        const [named, found] = [expected, measured].map((behaviour) => JSON.stringify(behaviour));
        const differences = named === found ? [] : [{ text: `is ${found} instead of ${named}` }];
        return { differences };
      },
    }));
    return await runAll(steps, options);
  } finally {
    await proof.close();
  }
};

const runPeers = async (internet, options) => {
  const turn = await TurnServer.start(internet);
  // What the agents take for roots of certificates, beside those of the system.
  Object.assign(process.env, { SSL_CERT_FILE: turn.roots, NODE_EXTRA_CA_CERTS: turn.roots });
  process.env.TMPDIR = internet.namespaces.folder;
  const relay = await Relay.start(internet, options.peers);
  try {
    const lab = { internet, relay, kind: options.peers };
    const cells = CELLS.filter(
      (cell) => options.only.test(cell.name) && (options.all || isSelected(cell)),
    );
    const scenes = SCENES.filter(({ name }) => options.only.test(name));
    const steps = (chosen) =>
      chosen.map(({ name, run }) => ({ name, fields: { isScene: true }, run: () => run(lab) }));
    // What is held to a time has the processors for itself.
    const alone = await runAll(steps(scenes.filter(({ isTimed }) => isTimed)), {
      ...options,
      jobs: 1,
    });
    // Of the others the scenes are first: they take longest.
    const others = await runAll(
      [
        ...steps(scenes.filter(({ isTimed }) => !isTimed)),
        ...cells.map((cell) => stepOfCell(lab, cell)),
      ],
      options,
    );
    return [...alone, ...others];
  } finally {
    await relay.stop();
    await turn.stop();
  }
};

const stepOfCell = (lab, cell) => ({
  name: cell.name,
  fields: { pair: cell.pair.name, servers: cell.servers },
  run: async () => {
    const result = await runCell(lab, cell);
    return { ...result, said: words(result) };
  },
});

/** Runs all steps, several at once, and tells of each when it has ended. */
const runAll = async (steps, { jobs, json }) => {
  const waiting = [...steps];
  const results = [];
  const work = async () => {
    for (let step = waiting.shift(); step; step = waiting.shift()) {
      const result = judge({ name: step.name, ...step.fields, ...(await attempt(step)) });
      results.push(result);
      process.stdout.write(`${json ? JSON.stringify(result, setsAsLists) : line(result)}\n`);
      if (result.verdict === 'FAILED' && result.transcript) {
        process.stderr.write(`${result.transcript}\n`);
      }
    }
  };
  await Promise.all(Array.from({ length: Number(jobs) }, work));
  return results;
};

const attempt = async ({ run }) => {
  try {
    return await run();
  } catch (error) {
    // A failure of peers goes on with all that they said.
    const [text, ...transcript] = error.message.split('\n');
    return {
      said: 'error',
      differences: [{ what: 'error', text }],
      transcript: transcript.join('\n'),
    };
  }
};

const judge = (result) => {
  const verdict = result.differences.length === 0 ? 'ok' : 'FAILED';
  return { ...result, verdict };
};

const isAsExpected = ({ verdict }) => verdict !== 'FAILED';

const conclude = (results, { json, write }) => {
  const cells = results.filter(({ servers }) => servers);
  const count = (verdict) => results.filter((result) => result.verdict === verdict).length;
  if (!json && cells.length > 0) {
    process.stdout.write(`\n${table(cells)}\n`);
  }
  if (!json) {
    process.stdout.write(`\n${count('ok')} as expected, ${count('FAILED')} not\n`);
  }
  if (write) {
    const scenes = results.filter(({ isScene }) => isScene);
    writeDocument(`${table(cells)}\n\n${sceneTable(scenes)}`);
  }
  return results.every(isAsExpected) ? 0 : 1;
};

const setsAsLists = (key, value) =>
  key === 'transcript' ? undefined : value instanceof Set ? [...value] : value;

main().then(
  (status) => process.exit(status),
  (error) => {
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  },
);
