/**
 * Every strategy, at each of its servers, with every kind of peer. What came of it is printed as a
 * table and kept for `npm run matrix`.
 */
import { after, before, describe, test } from 'node:test';
import { Cast, describeUnless, describeWith, whyMissing } from './harness.mjs';
import { COLUMNS, Restart, runAlone } from './strategies/cells.mjs';
import { SERVICES } from './strategies/services.mjs';
import { Table } from './strategies/table.mjs';

/** Ids before and after all that a JavaScript peer draws; whose is smaller decides who offers. */
const SMALLER_ID = '00000000000000000001';
const LARGER_ID = 'zzzzzzzzzzzzzzzzzzzz';

/**
 * Who comes late is in between: at a tracker JavaScript peers with smaller ids ignore what it offers
 * until it is for them to announce again, which may take two minutes.
 */
const LATE_ID = '00000000000000000002';

/**
 * Who fills which row, by what `startEveryone` calls them: who is passive, and who is not. The open
 * cell is filled with the other Rust peer too, and for passwords the second comes first.
 */
const RUST_PAIRS = {
  'Rust – Rust': ['smaller', 'larger'],
  'Rust – Node': ['smaller', 'node'],
  'Rust – Chromium': ['larger', 'chromium'],
};

const OTHER_RUST = { smaller: 'larger', larger: 'smaller' };

/** The same among JavaScript peers, so that a failure of theirs is known for what it is. */
const SCRIPT_PAIR = { 'Node – Chromium': ['node', 'chromium'] };

/** What the table says of what is not run. */
const NOT_RUN = [
  'Two JavaScript peers only show that the server works for them: they meet, and no more.',
  'At a tracker two of them did not always meet while a test waits, so they are not asked to.',
  'Of five peers aquatic never passes an offer of the last two to the other of them, and that ' +
    'of npm not always, so there the server is restarted under three, and one comes.',
  'At a tracker who comes after the restart has a smaller id than the JavaScript peers. Those ' +
    'ignore the offers of larger ones until they announce again, two minutes later.',
];

const table = new Table(COLUMNS);

const hasRust = !whyMissing('rust');
const hasChromium = !whyMissing('chromium');

const startEveryone = async (cast, { strategy, rust = 'rust' }) => {
  const args = ['--strategies', strategy];
  const start = (wanted, kind, name, more) =>
    wanted ? cast.start(kind, { name, args: more }) : undefined;
  const [smaller, larger, late, node, chromium] = await Promise.all([
    start(hasRust, rust, 'Rust with the smaller id', ['--self-id', SMALLER_ID]),
    start(hasRust, rust, 'Rust with the larger id', ['--self-id', LARGER_ID]),
    start(hasRust, rust, 'Rust that is late', ['--self-id', LATE_ID]),
    start(true, 'werift', 'Node', args),
    start(hasChromium, 'chromium', 'Chromium', args),
  ]);
  return { smaller, larger, late, node, chromium };
};

const pairsHere = ({ strategy }) => {
  const scripts = strategy === 'torrent' ? {} : SCRIPT_PAIR;
  const pairs = Object.entries({ ...(hasRust && RUST_PAIRS), ...scripts });
  return pairs.filter(([, names]) => hasChromium || !names.includes('chromium'));
};

const defineService = (name, service) => {
  const scene = {};
  before(async () => {
    scene.server = await service.start();
    scene.config = service.config(scene.server);
    scene.cast = new Cast(scene.server);
    Object.assign(scene, await startEveryone(scene.cast, service));
  });
  after(() => scene.cast?.end());

  const pairs = pairsHere(service);
  const [rustPairs, scriptPairs] = [true, false].map((isRust) =>
    pairs.filter(([pair]) => pair in RUST_PAIRS === isRust),
  );
  const define = ([pair, names]) =>
    describe(pair, { concurrency: 1 }, () => definePair(scene, name, pair, names));
  describe('two peers', { concurrency: 3 }, () => rustPairs.forEach(define));
  // Not beside the others: for one more room a JavaScript peer subscribes anew at Nostr relays, from
  // that second on, and what is on its way to it in its first room is lost.
  scriptPairs.forEach(define);
  for (const [names, ownPairs] of restartsHere(service, rustPairs)) {
    const among = names.join(', ');
    describe(`its server is restarted, among ${among}`, () =>
      defineRestart(scene, name, names, ownPairs));
  }
};

/** Who is there when a server is restarted, as often as that is done, and the pairs that fill cells. */
const restartsHere = ({ peersMax = Infinity }, pairs) => {
  const rust = ['smaller', 'larger'];
  const scripts = hasChromium ? ['node', 'chromium'] : ['node'];
  const together = [...rust, ...scripts];
  // One more comes when it is back.
  const groups = together.length < peersMax ? [together] : scripts.map((name) => [...rust, name]);
  const groupOf = (names) => groups.find((group) => names.every((name) => group.includes(name)));
  return groups
    .map((group) => [group, pairs.filter(([, names]) => groupOf(names) === group)])
    .filter(([, ownPairs]) => ownPairs.length > 0);
};

const definePair = (scene, service, pair, names) => {
  const peers = () => names.map((name) => scene[name]);
  const otherPeers = () => names.map((name) => scene[OTHER_RUST[name] ?? name]);
  const cell = (column, body) => testCell(service, pair, column, body);
  const parting = pair in RUST_PAIRS;
  const run = (column, order) =>
    runAlone(scene.cast, column, order, { config: scene.config, parting });
  cell('open', async () => {
    await run('open', peers());
    await run('open', otherPeers());
  });
  if (!parting) {
    return;
  }
  cell('password', () => run('password', peers().toReversed()));
  cell('passive', () => run('passive', peers()));
};

const defineRestart = (scene, service, names, pairs) => {
  let restart;
  before(async () => {
    const { cast, server, config, late } = scene;
    const peers = names.map((name) => scene[name]);
    restart = await Restart.under(cast, { peers, late, server, config });
  });
  after(() => restart?.end());
  for (const [pair, pairNames] of pairs) {
    testCell(service, pair, 'restart', () => restart.check(pairNames.map((name) => scene[name])));
  }
};

const testCell = (service, pair, column, body) => {
  const row = `${service}, ${pair}`;
  table.set(row, column, false);
  test(`${service}, ${column}, ${pair}`, async () => {
    await body();
    table.set(row, column, true);
  });
};

describeWith('strategies', ['werift'], () => {
  describe('every strategy', { concurrency: 2 }, () => {
    for (const [name, service] of Object.entries(SERVICES)) {
      pairsHere(service).forEach(([pair]) => table.add(`${name}, ${pair}`));
      const reason = service.whyMissing?.();
      describeUnless(reason, name, { concurrency: 1 }, () => defineService(name, service));
    }
  });
  after(() => {
    NOT_RUN.forEach((reason) => table.explain(reason));
    console.log(table.toMarkdown());
    table.save();
  });
});
