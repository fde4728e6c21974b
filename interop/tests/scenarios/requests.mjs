/** Requests and their responses. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { bothWays, everyone, meetForSuite, testInRoom } from './behaviour.mjs';
import { assertCame } from './comparing.mjs';
import { assertFailureTold, assertRequestFailed, REQUEST_FAILURES } from './failing.mjs';
import { meet } from '../rooms.mjs';

const OBJECT = { name: 'Zoë', list: [1, null, { emoji: '🎉' }] };

/** What is answered, how, to what, and as what it comes. */
const RESPONSES = [
  ['a text', { respond: 'upper' }, { text: 'größer' }, { text: 'GRÖSSER' }],
  ['an empty text', { respond: 'reverse' }, { text: '' }, { text: '' }],
  ['a number', { respond: 'sum' }, { json: [1, 2, 3.5] }, { json: 6.5 }],
  ['an object', { respond: 'echo' }, { json: OBJECT }, { json: OBJECT }],
  ['a constant', { reply: ['always', 'this'] }, { text: '?' }, { json: ['always', 'this'] }],
  ['null', { respond: 'null' }, { json: {} }, { json: null }],
  ['the length of a binary', { respond: 'length' }, { binary: 40_000 }, { json: 40_000 }],
  ['an empty binary', { respond: 'echo' }, { binary: 0 }, { binary: 0 }],
  ['a binary', { respond: 'echo' }, { binary: 200_001 }, { binary: 200_001 }],
];

const METADATA = { 'without metadata': undefined, 'with metadata': { a: [1] }, 'with null': null };

/** What a responder waits for its application before it answers in its stead. */
const HANDLER_WAIT_MS = 500;

/** What timers may be early. */
const TIMER_SLACK_MS = 10;

/** Nobody's. */
const ABSENT_ID = 'NobodyHasThisId12345';

export const defineRequests = (pair) => {
  describe('of two', () => {
    const room = meetForSuite(pair);
    bothWays(pair, (who, order) => {
      defineResponses(room, who, order);
      defineFailures(room, who, order);
    });
  });

  describe('to many', () => {
    const room = meetForSuite(pair, everyone);
    bothWays(pair, (who, order) => defineToMany(pair, room, who, order));
  });
};

/** Requests of peers that leave before they answer. */
export const defineDesertions = (pair) => {
  bothWays(pair, (who, order) => {
    testInRoom(pair, `a request of ${who} fails when the other leaves`, async (given) => {
      const { room } = given;
      const [caller, responder] = order();
      await meet(pair.cast, [caller, responder], given);
      const fields = { room, action: 'never' };
      await responder.do('register', { ...fields, kind: 'request', respond: 'never' });
      const target = responder.selfId;
      const asked = caller.ask('request', { ...fields, text: '', target });
      await responder.waitFor('request', fields);
      await responder.do('leave', { room });
      assertRequestFailed(caller, await asked, REQUEST_FAILURES.left);
    });
  });
};

/** Actions that are not yet used, for responders. */
const newActions = (room, who) => {
  let actions = 0;
  return async (responder, how) => {
    const fields = { room: room.room, action: `${who.replaceAll(' ', '-')}-${(actions += 1)}` };
    await responder.do('register', { ...fields, kind: 'request', ...how });
    return fields;
  };
};

const defineResponses = (room, who, order) => {
  const registered = newActions(room, who);

  for (const [what, how, payload, expected] of RESPONSES) {
    test(`${who} requests and gets ${what}`, async () => {
      const [caller, responder] = order();
      const fields = await registered(responder, how);
      const target = responder.selfId;
      const reply = await caller.do('request', { ...fields, ...payload, target });
      assertCame(expected, reply, reply);
      const request = await responder.waitFor('request', fields);
      assertCame(payload, request, request);
      assert.equal(request.peer, caller.selfId);
    });
  }

  for (const [how, metadata] of Object.entries(METADATA)) {
    test(`${who} requests ${how}`, async () => {
      const [caller, responder] = order();
      const fields = await registered(responder, { respond: 'echo' });
      const target = responder.selfId;
      await caller.do('request', { ...fields, text: 'text', target, metadata });
      const request = await responder.waitFor('request', fields);
      assert.deepEqual(request.metadata, metadata);
    });
  }

  test(`each of many requests of ${who} at once gets its own answer`, async () => {
    const [caller, responder] = order();
    const fields = await registered(responder, { respond: 'sum' });
    const target = responder.selfId;
    const numbers = Array.from({ length: 30 }, (_, i) => i);
    const replies = await Promise.all(
      numbers.map((i) => caller.do('request', { ...fields, json: [i, i], target })),
    );
    assert.deepEqual(
      replies.map(({ json }) => json),
      numbers.map((i) => 2 * i),
    );
  });

  test(`a request of ${who} waits for the other to register the action`, async () => {
    const [caller, responder] = order();
    const fields = { room: room.room, action: `late-${who.replaceAll(' ', '-')}` };
    const target = responder.selfId;
    const asked = caller.do('request', { ...fields, text: 'abc', target });
    // The channel keeps order: once this is answered, the other has what was sent before.
    await caller.do('ping', { room: room.room, target });
    await responder.do('register', { ...fields, kind: 'request', respond: 'reverse' });
    assert.equal((await asked).text, 'cba');
  });
};

const defineFailures = (room, who, order) => {
  const registered = newActions(room, `failures-${who}`);

  test(`a request of ${who} is rejected with the responder's words`, async () => {
    const [caller, responder] = order();
    const fields = await registered(responder, { respond: 'throw' });
    const reply = await caller.ask('request', { ...fields, text: '', target: responder.selfId });
    assertRequestFailed(caller, reply, REQUEST_FAILURES.refused);
  });

  test(`a request of ${who} that is not answered times out`, async () => {
    const [caller, responder] = order();
    const fields = await registered(responder, { respond: 'never' });
    const target = responder.selfId;
    const reply = await caller.ask('request', { ...fields, text: '', target, timeoutMs: 300 });
    assertRequestFailed(caller, reply, REQUEST_FAILURES.timeout);
  });

  test(`a request of ${who} that nobody handles is rejected after a moment`, async () => {
    const [caller, responder] = order();
    const fields = await registered(responder, {});
    const start = performance.now();
    const reply = await caller.ask('request', { ...fields, text: '', target: responder.selfId });
    assertRequestFailed(caller, reply, REQUEST_FAILURES.noHandler);
    assert.ok(performance.now() - start >= HANDLER_WAIT_MS - TIMER_SLACK_MS);
  });

  test(`${who} can't request of someone who is not there`, async () => {
    const [caller] = order();
    const fields = { room: room.room, action: 'absent', text: '', target: ABSENT_ID };
    const reply = await caller.ask('request', fields);
    assertRequestFailed(caller, reply, REQUEST_FAILURES.absent(ABSENT_ID));
  });
};

const defineToMany = (pair, room, who, order) => {
  const way = who.replaceAll(' ', '-');

  test(`${who} requests of a list and gets what became of each, in its order`, async () => {
    const [caller, other] = order();
    const { third } = pair;
    const fields = { room: room.room, action: `many-${way}` };
    const registerAt = (peer, respond) =>
      peer.do('register', { ...fields, kind: 'request', respond });
    await Promise.all([registerAt(other, 'reverse'), registerAt(third, 'throw')]);

    const targets = [third.selfId, ABSENT_ID, other.selfId];
    const { results } = await caller.do('request', {
      ...fields,
      text: 'abc',
      targets,
      metadata: { a: 1 },
    });
    assert.deepEqual(
      results.map(({ peer, status }) => [peer, status]),
      [
        [third.selfId, 'rejected'],
        [ABSENT_ID, 'disconnected'],
        [other.selfId, 'fulfilled'],
      ],
    );
    const [refused, , answered] = results;
    assertFailureTold(caller, refused.error, REQUEST_FAILURES.refused);
    assert.deepEqual([answered.type, answered.text], ['text', 'cba']);
    const { metadata } = await other.waitFor('request', fields);
    assert.deepEqual(metadata, { a: 1 });
  });

  test(`of those whom ${who} requests one that is silent does not keep the others`, async () => {
    const [caller, other] = order();
    const { third } = pair;
    const fields = { room: room.room, action: `silent-${way}` };
    await other.do('register', { ...fields, kind: 'request', respond: 'never' });
    await third.do('register', { ...fields, kind: 'request', respond: 'length' });
    const { results } = await caller.do('request', {
      ...fields,
      binary: 1_000,
      targets: [other.selfId, third.selfId],
      timeoutMs: 2_000,
    });
    assert.deepEqual(
      results.map(({ peer, status, json }) => [peer, status, json]),
      [
        [other.selfId, 'timeout', undefined],
        [third.selfId, 'fulfilled', 1_000],
      ],
    );
  });
};
