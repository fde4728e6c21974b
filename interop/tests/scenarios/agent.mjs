/** What every agent does by itself. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { join, newRoom } from '../rooms.mjs';

/** `start` gives `{cast, peer}`. */
export const defineAgent = (start) => {
  let cast;
  let peer;
  before(async () => ({ cast, peer } = await start()));
  after(() => cast?.end());

  test('has an id of 20 letters and digits', () => {
    assert.match(peer.selfId, /^[0-9A-Za-z]{20}$/);
  });

  test('answers an unknown command with an error and goes on', async () => {
    const reply = await peer.ask('dance');
    assert.deepEqual([reply.ok, reply.cmd], [false, 'dance']);
    assert.equal(typeof reply.error, 'string');
    assert.ok((await peer.do('stats')).ok);
  });

  test('refuses commands for a room that it is not in', async () => {
    const reply = await peer.ask('peers', { room: 'nowhere' });
    assert.equal(reply.ok, false);
  });

  test('joins at once though nobody is there, and leaves', async () => {
    const { room, appId, roomId } = newRoom();
    const reply = await join(cast, peer, { room, appId, roomId });
    assert.equal(reply.selfId, peer.selfId);
    const told = await peer.waitFor('joined', { room });
    assert.deepEqual([told.appId, told.roomId, told.passive], [appId, roomId, false]);
    const { relays } = await peer.do('relays');
    assert.equal(typeof relays[cast.relay.url].state, 'string');
    await peer.do('leave', { room });
    await peer.waitFor('left', { room });
  });

  test('waits for a command that says so before it takes the next', async () => {
    const slow = peer.do('sleep', { ms: 50, wait: true });
    const quick = await peer.do('stats');
    assert.ok((await slow).t <= quick.t);
  });

  test('ends with status 0 when its stdin does', async () => {
    assert.equal(await peer.stop(), 0);
  });
};
