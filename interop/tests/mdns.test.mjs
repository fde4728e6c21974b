/** Names in the place of addresses: Chromium's, which Rust resolves, and Rust's. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Cast, describeWith, startRustRelay } from './harness.mjs';
import { join, joined, newRoom } from './rooms.mjs';
import { assertTalking } from './strategies/room.mjs';

/** Names are known within 3 s or not at all. */
const LOOKS = 50;
const LOOK_EVERY_MS = 100;

/** Nobody but the two tells of an address. */
const ALONE = { rtcConfig: { iceServers: [] } };

describeWith('mDNS: Rust with chromium-mdns', ['rust', 'chromium-mdns'], () => {
  let cast;
  let chromium;
  before(async () => {
    cast = new Cast(await startRustRelay());
    chromium = await cast.start('chromium-mdns');
  });
  after(() => cast?.end());

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
