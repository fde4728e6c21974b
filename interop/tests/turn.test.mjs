/** Peers that connect over a TURN server, coturn, and no other way. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Coturn, whyMissing } from '../servers/coturn.mjs';
import { Cast, describeUnless, startRustRelay, whyMissing as whyNoPeer } from './harness.mjs';
import { join, joined, newRoom } from './rooms.mjs';
import { assertTalking } from './strategies/room.mjs';

/** Over a TURN server and no other way. */
const relayed = (iceServers) => ({ rtcConfig: { iceServers, iceTransportPolicy: 'relay' } });

/** The type of the candidate that `peer` uses to `other`. */
const typeOf = async (peer, other, { room }) => {
  const { pairs } = await peer.do('pairs', { room });
  return pairs[other.selfId].local.type;
};

const define = (kind, transports) =>
  describeUnless(
    whyMissing() ?? whyNoPeer('rust') ?? whyNoPeer(kind),
    `TURN: Rust with ${kind}`,
    () => {
      let cast;
      let turn;
      let [rust, other] = [];
      before(async () => {
        turn = await Coturn.start();
        process.env.SSL_CERT_FILE = turn.roots;
        cast = new Cast(await startRustRelay());
        [rust, other] = await Promise.all([
          cast.start('rust'),
          cast.start(kind, { name: `the other ${kind}` }),
        ]);
      });
      after(async () => {
        await cast?.end();
        await turn?.stop();
      });

      const meetAndTalk = async (ours, theirs, guest = other) => {
        const room = newRoom();
        await join(cast, rust, room, ours);
        await join(cast, guest, room, theirs);
        await joined([rust, guest], room);
        await assertTalking(room, [rust], [guest]);
        await assertTalking(room, [guest], [rust]);
        return Promise.all([typeOf(rust, guest, room), typeOf(guest, rust, room)]);
      };

      for (const transport of transports) {
        test(`Rust is relayed over ${transport}`, async () => {
          const [ours] = await meetAndTalk(relayed(turn.servers(transport)), {});
          assert.equal(ours, 'relay');
        });
      }

      test('the server refuses wrong credentials, and who needs it not meets all the same', async () => {
        // One that has no allocation there yet: that serves whatever the credentials.
        const stranger = await cast.start('rust', { name: 'the stranger' });
        const wrong = turn.servers('udp', { username: 'me', credential: 'wrong' });
        const room = newRoom();
        await join(cast, stranger, room, { rtcConfig: { iceServers: wrong } });
        await join(cast, other, room);
        await joined([stranger, other], room);
        await assertTalking(room, [stranger], [other]);
        const { error, code } = await stranger.waitFor('iceServer', { room: room.room });
        assert.equal(code, 401, error);
      });

      if (kind === 'node-datachannel') {
        // It takes `iceTransportPolicy` and goes on to connect from its own addresses.
        return;
      }
      test(`${kind} is relayed`, async () => {
        // JavaScript keeps offers ready that were made as its first room wanted them.
        const guest = await cast.start(kind, { name: `the relayed ${kind}` });
        const [, theirs] = await meetAndTalk({}, relayed(turn.servers('udp')), guest);
        assert.equal(theirs, 'relay');
      });

      test('both are relayed', async () => {
        const config = relayed(turn.servers('udp'));
        const guest = await cast.start(kind, { name: `another relayed ${kind}` });
        assert.deepEqual(await meetAndTalk(config, config, guest), ['relay', 'relay']);
      });
    },
  );

describe('over TURN', { concurrency: 1 }, () => {
  define('rust', ['udp', 'tcp', 'tls']);
  define('node-datachannel', ['udp']);
  define('chromium', ['udp']);
});
