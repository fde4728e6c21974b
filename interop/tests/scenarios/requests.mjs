/** Requests and their responses. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bothWays, meetForSuite } from './behaviour.mjs';
import { assertCame } from './comparing.mjs';

const REQUESTS = [
  ['a text', { respond: 'upper' }, { text: 'louder' }, { type: 'text', text: 'LOUDER' }],
  ['a list', { respond: 'sum' }, { json: [1, 2, 3.5] }, { type: 'json', json: 6.5 }],
  ['null', { respond: 'null' }, { text: '' }, { type: 'json', json: null }],
  ['its length', { respond: 'length' }, { binary: 40_000 }, { type: 'json', json: 40_000 }],
];

export const defineRequests = (pair) => {
  const room = meetForSuite(pair);
  const name = room.room;

  bothWays(pair, (who, order) => {
    const way = who.replaceAll(' ', '-');
    const registered = async (responder, action, how) => {
      const fields = { room: name, action: `${action}-${way}` };
      await responder.do('register', { ...fields, kind: 'request', ...how });
      return fields;
    };

    for (const [what, how, payload, expected] of REQUESTS) {
      test(`${who} requests and gets ${what}`, async () => {
        const [caller, responder] = order();
        const fields = await registered(responder, how.respond, how);
        const target = responder.selfId;
        const reply = await caller.do('request', {
          ...fields,
          ...payload,
          target,
          metadata: { a: 1 },
        });
        for (const [key, value] of Object.entries(expected)) {
          assert.deepEqual(reply[key], value);
        }
        const request = await responder.waitFor('request', fields);
        assert.deepEqual([request.peer, request.metadata], [caller.selfId, { a: 1 }]);
      });
    }

    test(`${who} requests and gets back a large binary`, async () => {
      const [caller, responder] = order();
      const fields = await registered(responder, 'echo', { respond: 'echo' });
      const target = responder.selfId;
      const reply = await caller.do('request', { ...fields, binary: 200_001, target });
      assertCame({ binary: 200_001 }, reply, reply);
    });

    test(`a request of ${who} is rejected with the responder's words`, async () => {
      const [caller, responder] = order();
      const fields = await registered(responder, 'throw', { respond: 'throw' });
      const reply = await caller.ask('request', { ...fields, text: '', target: responder.selfId });
      assert.deepEqual([reply.ok, reply.kind], [false, 'rejected']);
      assert.match(reply.error, /responder refused/);
    });

    test(`a request of ${who} that nobody answers times out`, async () => {
      const [caller, responder] = order();
      const fields = await registered(responder, 'never', { respond: 'never' });
      const target = responder.selfId;
      const reply = await caller.ask('request', { ...fields, text: '', target, timeoutMs: 300 });
      assert.deepEqual([reply.ok, reply.kind], [false, 'timeout']);
    });

    test(`${who} requests of a list of peers and gets each one's answer`, async () => {
      const [caller, responder] = order();
      const fields = await registered(responder, 'reverse', { respond: 'reverse' });
      const targets = [responder.selfId];
      const { results } = await caller.do('request', { ...fields, text: 'abc', targets });
      assert.equal(results.length, 1);
      const [{ peer, status, text }] = results;
      assert.deepEqual([peer, status, text], [responder.selfId, 'fulfilled', 'cba']);
    });
  });
};
