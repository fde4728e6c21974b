/**
 * Names in the place of addresses: Chromium's, which Rust resolves, and Rust's.
 *
 * All is in a network namespace of its own: what is asked for by multicast is not to leave the
 * machine, and Chromium names no address where there is no way out.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Namespaces, whyNotPermitted } from '../lab/namespaces.mjs';
import { Cast, KINDS, describeUnless, startRustRelay, whyMissing } from './harness.mjs';
import { join, joined, newRoom } from './rooms.mjs';
import { assertTalking } from './strategies/room.mjs';

/** Names are known within 3 s or not at all. */
const LOOKS = 50;
const LOOK_EVERY_MS = 100;

/** Nobody but the two tells of an address. */
const ALONE = { rtcConfig: { iceServers: [] } };

/** A host on a network with nobody else. */
const addHost = async (namespaces) => {
  const [host, router] = [await namespaces.add('host'), await namespaces.add('router')];
  await host.ip(
    `link add lan type veth peer name lan netns ${router.name}`,
    'addr add 192.168.1.2/24 dev lan',
    'link set lan up',
  );
  await router.ip('addr add 192.168.1.1/24 dev lan', 'link set lan up');
  await host.ip('route add default via 192.168.1.1');
  return host;
};

const reason = ['rust', 'chromium-mdns'].map(whyMissing).find(Boolean) ?? whyNotPermitted();

describeUnless(reason, 'mDNS: Rust with chromium-mdns', () => {
  let namespaces;
  let cast;
  let chromium;
  before(async () => {
    namespaces = new Namespaces();
    const host = await addHost(namespaces);
    // The harness starts what it has a kind of.
    for (const kind of ['rust', 'chromium-mdns']) {
      KINDS[kind] = host.inside(KINDS[kind].command, KINDS[kind].args);
    }
    cast = new Cast(await startRustRelay(host));
    chromium = await cast.start('chromium-mdns');
  });
  after(async () => {
    await cast?.end();
    namespaces?.close();
  });

  /** Whose id is smaller decides who offers. */
  const roles = [
    ['with the smaller id', '0000000000000000000'],
    ['with the larger id', 'zzzzzzzzzzzzzzzzzzz'],
  ];
  for (const [role, id] of roles) {
    const meet = async (name, selfId, config) => {
      const rust = await cast.start('rust', { name, args: ['--self-id', selfId] });
      const room = newRoom();
      await join(cast, rust, room, config);
      await join(cast, chromium, room, ALONE);
      await joined([rust, chromium], room);
      return [rust, room];
    };

    test(`Rust ${role} resolves the name of Chromium`, async () => {
      const [rust, room] = await meet(`Rust ${role}`, `${id}1`, ALONE);
      // Without the name it would stay what the checks made of it: prflx.
      assert.equal(await remoteType(rust, chromium, room), 'host');
    });

    test(`Rust ${role} hides its addresses, and meets Chromium`, async () => {
      const hidden = { ...ALONE, hostCandidates: 'mdns' };
      const [rust, room] = await meet(`Rust ${role}, hidden`, `${id}2`, hidden);
      await assertTalking(room, [rust], [chromium]);
      await assertTalking(room, [chromium], [rust]);
    });
  }

  test('two Rust peers that hide their addresses resolve them', async () => {
    const hidden = { ...ALONE, hostCandidates: 'mdns' };
    const start = (name) => cast.start('rust', { name });
    const [alice, bob] = await Promise.all([start('Alice'), start('Bob')]);
    const room = newRoom();
    await join(cast, alice, room, hidden);
    await join(cast, bob, room, hidden);
    await joined([alice, bob], room);
    assert.equal(await remoteType(alice, bob, room), 'host');
    assert.equal(await remoteType(bob, alice, room), 'host');
  });
});

/** The type that `other`'s candidate has for `peer`, once its name had time to be resolved. */
const remoteType = async (peer, other, { room }) => {
  for (let looks = 1; ; looks += 1) {
    const { pairs } = await peer.do('pairs', { room });
    const { type } = pairs[other.selfId].remote;
    if (type === 'host' || looks === LOOKS) {
      return type;
    }
    await peer.do('sleep', { ms: LOOK_EVERY_MS });
  }
};
