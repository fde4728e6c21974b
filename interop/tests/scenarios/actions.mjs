/** Actions beyond their payloads: order, holding and progress; pings; and who is there. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bothWays, meetForSuite } from './behaviour.mjs';
import { transfer } from '../rooms.mjs';

/** Messages that are sent in a row. */
const MANY = 1_000;

export const defineActions = (pair) => {
  const room = meetForSuite(pair);
  const name = room.room;

  bothWays(pair, (who, order) => {
    const way = who.replaceAll(' ', '-');

    test(`what ${who} sends before the other registers the action is delivered then`, async () => {
      const [sender, receiver] = order();
      const early = `early-${way}`;
      await sender.do('send', { room: name, action: early, text: 'one' });
      await sender.do('send', { room: name, action: early, json: [2], metadata: 'second' });
      // The channel keeps order: when this has come, the others have.
      await transfer(room, [sender, receiver], `mark-${way}`, { text: 'mark' });
      assert.deepEqual(receiver.past('message', { room: name, action: early }), []);

      await receiver.do('register', { room: name, action: early });
      await receiver.waitFor('message', { room: name, action: early, type: 'text' });
      await receiver.waitFor('message', { room: name, action: early, type: 'json' });
      const [one, two, ...more] = receiver.past('message', { room: name, action: early });
      assert.equal(one.text, 'one');
      assert.deepEqual([two.json, two.metadata], [[2], 'second']);
      assert.deepEqual(more, []);
    });

    test(`many messages of ${who} all come, in order of sending`, async () => {
      const [sender, receiver] = order();
      const many = { room: name, action: `many-${way}` };
      await receiver.do('register', { ...many, expect: MANY });
      const sent = await sender.do('sendMany', { ...many, count: MANY, size: 200 });
      const done = await receiver.waitFor('countDone', many);
      assert.deepEqual([done.count, done.bytes], [MANY, MANY * sent.messageBytes]);
      const numbers = receiver.past('message', many).map(({ json }) => json.n);
      assert.deepEqual(
        numbers,
        Array.from({ length: MANY }, (_, i) => 1_000_000 + i),
      );
      assert.equal((await receiver.do('count', many)).received, 0);
    });

    for (const [how, metadata] of [
      ['without', undefined],
      ['with', { file: 'große Datei.bin' }],
    ]) {
      test(`both are told how a transfer of ${who} goes on, ${how} metadata`, async () => {
        const [sender, receiver] = order();
        const fields = { room: name, action: `parts-${how}-${way}` };
        await receiver.do('register', { ...fields, progress: true });
        await sender.do('send', { ...fields, binary: 200_000, progress: true, metadata });
        await receiver.waitFor('message', fields);
        assertProgress(sender.past('sendProgress', fields), receiver, metadata);
        assertProgress(receiver.past('receiveProgress', fields), sender, metadata);
      });
    }

    test(`${who} lists the other as its only peer`, async () => {
      const [peer, other] = order();
      assert.deepEqual((await peer.do('peers', { room: name })).peers, [other.selfId]);
    });
  });
};

export const definePings = (pair) => {
  const room = meetForSuite(pair);
  const name = room.room;

  bothWays(pair, (who, order) => {
    test(`${who} pings the other`, async () => {
      const [pinger, other] = order();
      const pong = await pinger.do('ping', { room: name, target: other.selfId, count: 3 });
      for (const times of [pong.ms, pong.reported]) {
        assert.equal(times.length, 3);
        assert.ok(times.every((ms) => ms >= 0 && ms < 10_000));
      }
    });

    test(`${who} can't ping someone who is not there`, async () => {
      const [pinger] = order();
      const reply = await pinger.ask('ping', { room: name, target: 'NobodyHasThisId12345' });
      assert.equal(reply.ok, false);
    });
  });
};

/** Checks that progress grows in several steps to 1, and names `other` and the metadata. */
const assertProgress = (events, other, metadata) => {
  const steps = events.map(({ progress }) => progress);
  assert.ok(steps.length > 1);
  assert.ok(steps[0] >= 0);
  assert.equal(steps.at(-1), 1);
  assert.deepEqual(
    steps,
    steps.toSorted((a, b) => a - b),
  );
  for (const event of events) {
    assert.equal(event.peer, other.selfId);
    assert.deepEqual(event.metadata, metadata);
  }
};
