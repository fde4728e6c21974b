/** How failures are told, in Trystero's words. */
import assert from 'node:assert/strict';
import { MEET_MS } from '../rooms.mjs';

/** What the application is told of a peer that is not let in. */
export const JOIN_ERRORS = {
  wrongPassword: 'incorrect room password when decrypting offer',
  wrongSharedPassword: 'Trystero: incorrect password for overlapping room',
  timeout: (ms) => `Trystero: handshake timed out after ${ms}ms`,
};

/** Libraries that fail to connect at first go on and do it. */
const NOT_CONNECTED = /^could not connect to peer /;

/** Waits until `peer` is told why `other` is not let in, and checks that it is for this reason. */
export const joinErrorTold = async (peer, { room, appId, roomId }, other, error) => {
  const about = { room, peerId: other.selfId };
  await peer.waitFor('joinError', { ...about, error }, { deadlineMs: MEET_MS });
  const [told] = peer
    .past('joinError', about)
    .filter((joinError) => !NOT_CONNECTED.test(joinError.error));
  assert.deepEqual([told.error, told.appId, told.roomId], [error, appId, roomId]);
};

/** Why a request got no answer: what kind of failure it is, and Trystero's words for it. */
export const REQUEST_FAILURES = {
  refused: { kind: 'rejected', words: 'responder refused' },
  noHandler: { kind: 'rejected', words: 'request handler unavailable' },
  timeout: { kind: 'timeout', words: 'request timed out' },
  left: { kind: 'disconnected', words: 'Trystero: peer left room' },
  absent: (id) => ({ kind: 'disconnected', words: `no active peer with id ${id}` }),
};

/** Checks the reply to a request that failed. */
export const assertRequestFailed = (caller, reply, failure) => {
  assert.deepEqual([reply.ok, reply.kind], [false, failure.kind]);
  assertFailureTold(caller, reply.error, failure);
};

/**
 * Checks how `caller` tells of a failure. Our own program has words of its own, but those of the
 * responder are among them.
 */
export const assertFailureTold = (caller, error, { kind, words }) => {
  if (caller.kind !== 'rust') {
    assert.equal(error, `Trystero: ${words}`);
  } else if (kind === 'rejected') {
    assert.ok(error.includes(words), error);
  } else {
    assert.match(error, /./);
  }
};
