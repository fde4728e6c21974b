/** Peers of one room that meet by several strategies at once. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Cast, describeWith } from './harness.mjs';
import { join, joined, leaveAnyhow, newRoom } from './rooms.mjs';
import { assertMetOnce, assertTalking } from './strategies/room.mjs';
import { SERVICES } from './strategies/services.mjs';

/**
 * How long nothing may change between peers that have met twice: longer than any of the waits after
 * which Trystero gives up, or tries again, what it began while they met.
 */
const WATCH_MS = 25_000;

/** Has a cast, and a server and a way to join by each of the two strategies, while tests run. */
const useTwoServers = (scene) => {
  before(async () => {
    const start = async (name) => {
      const server = await SERVICES[name].start();
      return { server, config: SERVICES[name].config(server) };
    };
    [scene.nostr, scene.mqtt] = await Promise.all([start('nostr'), start('mqtt')]);
    scene.both = { relayUrls: undefined, strategy: [scene.nostr.config, scene.mqtt.config] };
    scene.cast = new Cast(scene.nostr.server);
  });
  after(async () => {
    await scene.cast?.end();
    await scene.mqtt?.server.stop();
  });
};

const explaining =
  ({ cast }, body) =>
  async () => {
    try {
      await body();
    } catch (error) {
      throw await cast.explain(error);
    }
  };

const defineTogether = () => {
  const scene = {};
  const room = newRoom();
  let rust;
  let scripts;
  useTwoServers(scene);
  before(async () => {
    const { cast, nostr, mqtt, both } = scene;
    const [first, second, byNostr, byMqtt] = await Promise.all([
      cast.start('rust', { name: 'the first Rust' }),
      cast.start('rust', { name: 'the second Rust' }),
      cast.start('werift', { name: 'Node by Nostr', args: ['--strategies', 'nostr'] }),
      cast.start('werift', { name: 'Node by MQTT', args: ['--strategies', 'mqtt'] }),
    ]);
    rust = [first, second];
    scripts = [byNostr, byMqtt];
    await join(cast, first, room, both);
    await join(cast, byNostr, room, nostr.config);
    await join(cast, byMqtt, room, mqtt.config);
    await join(cast, second, room, both);
    await meetEachOther();
  });
  after(() => leaveAnyhow([...rust, ...scripts], room));

  const meetEachOther = () => Promise.all(scripts.map((script) => joined([...rust, script], room)));
  const assertTogether = async () => {
    await assertTalking(room, rust, scripts);
    await assertTalking(room, scripts, rust);
    await assertTalking(room, [rust[0]], [rust[1]]);
    scripts.forEach((script) => assertMetOnce(room, ...rust, script));
  };

  test('each meets everybody who can be met, once', explaining(scene, assertTogether));

  test(
    'all stay together when one of the servers goes',
    explaining(scene, async () => {
      await scene.nostr.server.drop();
      await assertTogether();
      await scene.nostr.server.restart();
    }),
  );
};

const defineTwice = (kind) => {
  const scene = {};
  const room = newRoom();
  const twice = { ...room, room: `${room.room} by MQTT` };
  let rust;
  let script;
  useTwoServers(scene);
  before(async () => {
    const { cast } = scene;
    [rust, script] = await Promise.all([
      cast.start('rust'),
      cast.start(kind, { args: ['--strategies', 'nostr,mqtt'] }),
    ]);
  });

  test(
    `${kind} that is in a room twice, by two strategies, comes once`,
    explaining(scene, async () => {
      const { cast, nostr, mqtt, both } = scene;
      await join(cast, script, room, nostr.config);
      await join(cast, script, twice, mqtt.config);
      await join(cast, rust, room, both);
      await rust.waitFor('peerJoin', { room: room.room, peer: script.selfId });
      const met = ({ room: name }) => script.waitFor('peerJoin', { room: name, peer: rust.selfId });
      const there = await Promise.race([room, twice].map((one) => met(one).then(() => one)));
      await assertBothHear(there);
      await rust.do('sleep', { ms: WATCH_MS }, { deadlineMs: 2 * WATCH_MS });
      await assertBothHear(there);
      assert.equal(rust.past('peerJoin', { peer: script.selfId }).length, 1);
      assert.equal(rust.past('peerLeave', { peer: script.selfId }).length, 0);
    }),
  );

  const assertBothHear = async ({ room: name }) => {
    const text = `after ${rust.past('message').length}`;
    await rust.do('register', { room: room.room, action: 'word' });
    await script.do('register', { room: name, action: 'word' });
    await rust.do('send', { room: room.room, action: 'word', text });
    await script.waitFor('message', { room: name, text });
    await script.do('send', { room: name, action: 'word', text });
    await rust.waitFor('message', { room: room.room, text });
  };
};

describeWith('several strategies', ['rust', 'werift'], () => {
  describe('at once', { concurrency: 3 }, () => {
    describe('some by both, some by one', () => defineTogether());
    describe('Node by two', () => defineTwice('werift'));
    describeWith('Chromium by two', ['chromium'], () => defineTwice('chromium'));
  });
});
