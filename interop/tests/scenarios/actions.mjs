/** Actions beyond their payloads, pings, and who is there. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bothWays, meetForSuite } from './behaviour.mjs';
import { transfer } from '../rooms.mjs';

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
      assert.deepEqual(receiver.past('message', { action: early }), []);

      await receiver.do('register', { room: name, action: early });
      await receiver.waitFor('message', { action: early, type: 'text' });
      await receiver.waitFor('message', { action: early, type: 'json' });
      const [one, two, ...more] = receiver.past('message', { room: name, action: early });
      assert.equal(one.text, 'one');
      assert.deepEqual([two.json, two.metadata], [[2], 'second']);
      assert.deepEqual(more, []);
    });

    test(`many messages of ${who} all come, in order of sending`, async () => {
      const [sender, receiver] = order();
      const many = { room: name, action: `many-${way}` };
      await receiver.do('register', { ...many, expect: 300 });
      const sent = await sender.do('sendMany', { ...many, count: 300, size: 200 });
      const done = await receiver.waitFor('countDone', many);
      assert.equal(done.count, 300);
      assert.equal(done.bytes, 300 * sent.messageBytes);
      const numbers = receiver.past('message', many).map(({ json }) => json.n);
      assert.deepEqual(
        numbers,
        Array.from({ length: 300 }, (_, i) => 1_000_000 + i),
      );
    });

    test(`${who} tells how a transfer goes on, and so does the other`, async () => {
      const [sender, receiver] = order();
      const transferred = { room: name, action: `progress-${way}` };
      await receiver.do('register', { ...transferred, progress: true });
      await sender.do('send', { ...transferred, binary: 100_000, progress: true });
      await receiver.waitFor('message', transferred);
      for (const [peer, event] of [
        [sender, 'sendProgress'],
        [receiver, 'receiveProgress'],
      ]) {
        const steps = peer.past(event, transferred).map(({ progress }) => progress);
        assert.equal(steps.at(-1), 1);
        assert.deepEqual(
          steps,
          steps.toSorted((a, b) => a - b),
        );
      }
    });

    test(`${who} lists the other as its only peer`, async () => {
      const [peer, other] = order();
      assert.deepEqual((await peer.do('peers', { room: name })).peers, [other.selfId]);
    });
  });
};

/** Pings of the second peer, and of the first one too if it can send them. */
export const definePings = (pair, isBuilt) => {
  const room = meetForSuite(pair);
  const name = room.room;

  bothWays(pair, (who, order) => {
    if (who === 'the first peer' && !isBuilt) {
      return;
    }
    test(`${who} pings the other`, async () => {
      const [pinger, other] = order();
      const pong = await pinger.do('ping', { room: name, target: other.selfId, count: 3 });
      assert.equal(pong.ms.length, 3);
      assert.ok(pong.ms.every((ms) => ms >= 0 && ms < 10_000));
    });
  });
};
