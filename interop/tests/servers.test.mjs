/** The servers that had to be written, with the clients that they have to please. */
import assert from 'node:assert/strict';
import { EventEmitter, on, once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { deleteApp, initializeApp } from '@firebase/app';
import {
  get,
  getDatabase,
  goOffline,
  onChildAdded,
  onDisconnect,
  onValue,
  push,
  ref,
  remove,
  set,
  update,
} from '@firebase/database';
import { createClient } from '@supabase/supabase-js';
import { WebSocket } from 'ws';
import { openLightNode } from '../js/waku.mjs';
import * as firebase from '../servers/firebase.mjs';
import * as ipfs from '../servers/ipfs.mjs';
import * as supabase from '../servers/supabase.mjs';
import { describeUnless } from './harness.mjs';

describe('the Supabase emulator with supabase-js', () => defineSupabase());
describe('the Supabase emulator is strict', () => defineStrictness());
describe('the Firebase emulator with its client', () => defineFirebase());
describe('the Firebase emulator on the wire', () => defineFirebaseWire());
describeUnless(ipfs.whyMissing(), 'the Waku node with js-waku', () => defineWaku());

/** How long the client waits for an answer, and this process for the client in the end. */
const CLIENT_TIMEOUT_MS = 2_000;

const TOPIC = 'realtime:room:1:messages';
const JOIN = { config: { broadcast: { self: false }, presence: {}, private: false } };

function defineSupabase() {
  let server;
  const clients = [];
  before(async () => (server = await supabase.start()));
  after(async () => {
    await Promise.all(clients.map((client) => client.realtime.disconnect()));
    await server.stop();
  });

  const connect = (realtime = {}) => {
    const client = createClient(server.url, supabase.KEY, {
      realtime: { transport: WebSocket, timeout: CLIENT_TIMEOUT_MS, ...realtime },
    });
    clients.push(client);
    return client;
  };
  const subscribe = (client, name, config = {}) =>
    new Promise((resolve, reject) => {
      const channel = client.channel(name, { config });
      channel.subscribe((status, error) =>
        status === 'SUBSCRIBED' ? resolve(channel) : reject(error ?? new Error(status)),
      );
    });
  const next = (channel, event) =>
    new Promise((resolve) => channel.on('broadcast', { event }, resolve));

  for (const [sender, receiver] of [
    ['2.0.0', '2.0.0'],
    ['1.0.0', '2.0.0'],
    ['2.0.0', '1.0.0'],
    ['1.0.0', '1.0.0'],
  ]) {
    test(`passes a broadcast from version ${sender} to version ${receiver}`, async () => {
      const name = `room:${sender}:${receiver}`;
      const from = await subscribe(connect({ vsn: sender }), name);
      const to = await subscribe(connect({ vsn: receiver }), name);
      const came = next(to, 'sdp');
      const own = next(from, 'sdp').then(() => 'own');
      const payload = 'grüß dich';
      assert.equal(await from.send({ type: 'broadcast', event: 'sdp', payload }), 'ok');
      assert.equal((await came).payload, payload);
      // What the other answers comes after what would have come back.
      const answer = next(from, 'answer');
      await to.send({ type: 'broadcast', event: 'answer', payload: { n: 1 } });
      assert.deepEqual((await Promise.race([own, answer])).payload, { n: 1 });
    });
  }

  test('gives a sender its own broadcasts, and word of them, if it wants those', async () => {
    const config = { broadcast: { self: true, ack: true } };
    const channel = await subscribe(connect(), 'room:own', config);
    const came = next(channel, 'join');
    assert.equal(await channel.send({ type: 'broadcast', event: 'join', payload: { n: 1 } }), 'ok');
    assert.deepEqual((await came).payload, { n: 1 });
  });

  test('says nothing more of a channel that was left', async () => {
    const client = connect();
    const channel = await subscribe(client, 'room:left');
    assert.equal(await client.removeChannel(channel), 'ok');
  });

  test('refuses a private channel', () =>
    assert.rejects(subscribe(connect(), 'room:private', { private: true }), /Unauthorized/));

  test('takes a client back after a restart', async () => {
    const client = connect();
    const channel = client.channel('room:restart');
    const statuses = [];
    let notify;
    channel.subscribe((status) => (statuses.push(status), notify?.()));
    const subscribed = async (times) => {
      while (statuses.filter((status) => status === 'SUBSCRIBED').length < times) {
        await new Promise((resolve) => (notify = resolve));
      }
    };
    await subscribed(1);
    await server.restart();
    await subscribed(2);
  });
}

function defineStrictness() {
  let server;
  before(async () => (server = await supabase.start()));
  after(() => server.stop());

  const open = (query) =>
    new WebSocket(`ws://${new URL(server.url).host}/realtime/v1/websocket?${query}`);
  const status = async (query) => {
    const [, { statusCode }] = await once(open(query), 'unexpected-response');
    return statusCode;
  };
  const connect = async (vsn = '2.0.0') => {
    const socket = open(`apikey=${supabase.KEY}&vsn=${vsn}`);
    await once(socket, 'open');
    after(() => socket.terminate());
    return socket;
  };
  const ask = async (socket, frame) => {
    socket.send(JSON.stringify(frame));
    return JSON.parse((await once(socket, 'message'))[0]);
  };

  test('a wrong key, or none', async () => {
    assert.equal(await status('apikey=wrong&vsn=2.0.0'), 401);
    assert.equal(await status('vsn=2.0.0'), 401);
  });

  test('a version that it does not speak', async () =>
    assert.equal(await status(`apikey=${supabase.KEY}&vsn=3.0.0`), 403));

  test('events before a topic was joined, in either version', async () => {
    const list = await ask(await connect(), ['1', '2', TOPIC, 'broadcast', {}]);
    const error = { status: 'error', response: { reason: 'unmatched topic' } };
    assert.deepEqual(list, ['1', '2', TOPIC, 'phx_reply', error]);
    const frame = { topic: TOPIC, event: 'sdp', payload: {}, ref: '2', join_ref: '1' };
    const object = await ask(await connect('1.0.0'), frame);
    assert.deepEqual(object, { topic: TOPIC, event: 'phx_reply', payload: error, ref: '2' });
  });

  test('joining what is no topic, with no configuration, or with a strange token', async () => {
    const socket = await connect();
    const reasonOf = async (topic, payload) => {
      const reply = await ask(socket, ['1', '1', topic, 'phx_join', payload]);
      assert.equal(reply[4].status, 'error');
      return reply[4].response.reason;
    };
    assert.match(await reasonOf('room:1', JOIN), /unmatched topic/);
    assert.match(await reasonOf(TOPIC, {}), /no config/);
    assert.match(await reasonOf(TOPIC, { ...JOIN, access_token: 'x' }), /MalformedJWT/);
  });

  test('more channels of a client than a project allows', async () => {
    const socket = await connect();
    const replies = [];
    for (let number = 0; number <= 100; number += 1) {
      const ref = String(number);
      replies.push(await ask(socket, [ref, ref, `realtime:room:${number}`, 'phx_join', JOIN]));
    }
    const refused = replies.filter(([, , , , { status }]) => status !== 'ok');
    assert.deepEqual(
      refused.map((reply) => reply[4].response.reason),
      ['ChannelRateLimitReached: Too many channels'],
    );
  });

  test('more broadcasts than a project allows, by ending the channel', async () => {
    const crowded = await supabase.start();
    after(() => crowded.stop());
    const endpoint = `ws://${new URL(crowded.url).host}/realtime/v1/websocket`;
    const socket = new WebSocket(`${endpoint}?apikey=${supabase.KEY}&vsn=2.0.0`);
    await once(socket, 'open');
    after(() => socket.terminate());
    await ask(socket, ['1', '1', TOPIC, 'phx_join', JOIN]);
    const payload = { type: 'broadcast', event: 'sdp', payload: {} };
    for (let number = 0; number <= 6_000; number += 1) {
      socket.send(JSON.stringify(['1', null, TOPIC, 'broadcast', payload]));
    }
    const [first] = await once(socket, 'message');
    const [, , topic, event, said] = JSON.parse(first);
    assert.deepEqual([topic, event, said.status], [TOPIC, 'system', 'error']);
    assert.equal(said.message, 'Too many messages per second');
  });

  test('a second join closes the first', async () => {
    const socket = await connect();
    await ask(socket, ['1', '1', TOPIC, 'phx_join', JOIN]);
    const closed = await ask(socket, ['2', '2', TOPIC, 'phx_join', JOIN]);
    assert.deepEqual(closed, ['1', '1', TOPIC, 'phx_close', {}]);
  });

  for (const [name, frame, vsn] of [
    ['text that is not JSON', 'hello', '2.0.0'],
    ['an object in version 2.0.0', '{"topic":"a","event":"b","payload":{},"ref":"1"}', '2.0.0'],
    ['a list in version 1.0.0', '["1","1","a","b",{}]', '1.0.0'],
    ['a list that is too short', '["1","1","a","b"]', '2.0.0'],
    ['a binary frame in version 1.0.0', Buffer.from([3, 0, 0, 0, 0, 0, 1]), '1.0.0'],
    ['a binary frame of another kind', Buffer.from([4, 0, 0, 0, 0, 0, 1]), '2.0.0'],
    ['a binary frame that is too short', Buffer.from([3, 9, 9, 9, 9, 9, 1]), '2.0.0'],
  ]) {
    test(`${name} ends the connection`, async () => {
      const socket = await connect(vsn);
      socket.send(frame);
      assert.equal((await once(socket, 'close'))[0], 1011);
    });
  }
}

function defineFirebase() {
  let server;
  const apps = [];
  before(async () => (server = await firebase.start()));
  after(async () => {
    await Promise.all(apps.map((app) => deleteApp(app)));
    await server.stop();
  });

  const connect = (databaseURL = server.url) => {
    const app = initializeApp({ databaseURL }, `app ${apps.length}`);
    apps.push(app);
    return getDatabase(app);
  };
  const nextValue = (reference, isIt) =>
    new Promise((resolve) => {
      const stop = onValue(reference, (snapshot) => {
        if (isIt(snapshot.val())) {
          // Not within the call that is to return it.
          queueMicrotask(() => stop());
          resolve(snapshot.val());
        }
      });
    });

  test('tells another of what is set, updated and removed', async () => {
    const [writer, reader] = [connect(), connect()];
    await set(ref(writer, 'a/b'), { c: 1, d: { e: 'ü' } });
    assert.deepEqual(await nextValue(ref(reader, 'a'), Boolean), { b: { c: 1, d: { e: 'ü' } } });
    const updated = nextValue(ref(reader, 'a/b'), (value) => value?.c === 2);
    await update(ref(writer, 'a/b'), { c: 2, 'd/e': null });
    assert.deepEqual(await updated, { c: 2 });
    const removed = nextValue(ref(reader, 'a'), (value) => value === null);
    await remove(ref(writer, 'a/b'));
    await removed;
  });

  test('tells of children one by one, of those that were there too', async () => {
    const [writer, reader] = [connect(), connect()];
    const list = ref(reader, 'list');
    const seen = [];
    let notify;
    await push(ref(writer, 'list'), 'one');
    onChildAdded(list, (child) => (seen.push(child.val()), notify?.()));
    await push(ref(writer, 'list'), 'two');
    while (seen.length < 2) {
      await new Promise((resolve) => (notify = resolve));
    }
    assert.deepEqual(seen, ['one', 'two']);
  });

  test('does what was asked for when a client goes, and not what was taken back', async () => {
    const [goer, reader] = [connect(), connect()];
    await set(ref(goer, 'gone/removed'), 1);
    await set(ref(goer, 'gone/kept'), 1);
    await onDisconnect(ref(goer, 'gone/removed')).remove();
    await onDisconnect(ref(goer, 'gone/kept')).remove();
    await onDisconnect(ref(goer, 'gone/kept')).cancel();
    await onDisconnect(ref(goer, 'gone/updated')).update({ now: 2 });
    const gone = nextValue(ref(reader, 'gone'), (value) => value?.updated);
    goOffline(goer);
    assert.deepEqual(await gone, { kept: 1, updated: { now: 2 } });
  });

  test('refuses to write and to read where it was told to', async () => {
    server.service.deny('/closed', { read: true });
    server.service.deny('/sealed', { write: true });
    const database = connect();
    await assert.rejects(get(ref(database, 'closed/a')), /denied/i);
    await assert.rejects(set(ref(database, 'sealed'), 1), /PERMISSION_DENIED/);
    await assert.rejects(onDisconnect(ref(database, 'sealed/b')).remove(), /PERMISSION_DENIED/);
    await set(ref(database, 'closed/a'), 1);
  });

  test('takes and gives messages in several frames', async () => {
    // Their client splits characters beyond the first plane in two.
    const long = 'äé'.repeat(30_000);
    await set(ref(connect(), 'long'), long);
    assert.equal(await nextValue(ref(connect(), 'long'), Boolean), long);
  });

  test('sends clients to another host', async () => {
    const other = await firebase.start();
    after(() => other.stop());
    await set(ref(connect(other.url), 'here'), 'the other');
    server.service.redirect(new URL(other.url).host);
    assert.equal(await nextValue(ref(connect(), 'here'), Boolean), 'the other');
    server.service.redirect(undefined);
  });

  test('takes a client back after a restart, with its data', async () => {
    const database = connect();
    await set(ref(database, 'before'), 1);
    await server.restart();
    await set(ref(database, 'later'), 2);
    assert.equal(await nextValue(ref(connect(), 'before'), Boolean), 1);
  });
}

function defineFirebaseWire() {
  let server;
  before(async () => (server = await firebase.start()));
  after(() => server.stop());

  const open = (query) => new WebSocket(`ws://${new URL(server.url).host}/.ws?${query}`);
  const connect = async () => {
    const socket = open('v=5&ns=interop');
    after(() => socket.terminate());
    const [hello] = await once(socket, 'message');
    assert.equal(JSON.parse(hello).d.t, 'h');
    return socket;
  };
  const ask = async (socket, action, body) => {
    socket.send(JSON.stringify({ t: 'd', d: { r: 1, a: action, b: body } }));
    return JSON.parse((await once(socket, 'message'))[0]).d.b;
  };

  test('another version, or no database, is refused', async () => {
    for (const query of ['v=4&ns=interop', 'v=5']) {
      const [, { statusCode }] = await once(open(query), 'unexpected-response');
      assert.ok(statusCode >= 400);
    }
  });

  test('paths and data with forbidden keys are refused', async () => {
    const socket = await connect();
    assert.equal((await ask(socket, 'p', { p: '/a.b', d: 1 })).s, 'error');
    assert.equal((await ask(socket, 'p', { p: '/a', d: { 'b/c': 1 } })).s, 'error');
    assert.equal((await ask(socket, 'x', { p: '/a' })).s, 'error');
  });

  test('a keep-alive is no message, and what is no JSON ends the connection', async () => {
    const socket = await connect();
    socket.send('0');
    assert.equal((await ask(socket, 's', { c: {} })).s, 'ok');
    socket.send('{');
    await once(socket, 'close');
  });
}

function defineWaku() {
  let server;
  const nodes = [];
  before(async () => (server = await ipfs.start()));
  after(async () => {
    // Subscriptions have timers that do not end with their node.
    nodes.forEach(({ filter }) => filter.unsubscribeAll());
    await Promise.all(nodes.map((node) => node.stop()));
    await server.stop();
  });

  const connect = async () => {
    const node = await openLightNode(server.url);
    nodes.push(node);
    return node;
  };
  /** Subscribes, and returns what gives the next text that is pushed. */
  const listen = async (node, contentTopic) => {
    const pushed = new EventEmitter();
    const texts = on(pushed, 'text');
    const decoder = node.createDecoder({ contentTopic });
    const toText = ({ payload }) => pushed.emit('text', new TextDecoder().decode(payload));
    assert.ok(await node.filter.subscribe(decoder, toText));
    return async () => (await texts.next()).value[0];
  };
  const send = async (node, contentTopic, text) => {
    const encoder = node.createEncoder({ contentTopic, ephemeral: true });
    const payload = new TextEncoder().encode(text);
    const { failures } = await node.lightPush.send(encoder, { payload }, { autoRetry: false });
    assert.deepEqual(failures, []);
  };

  test('pushes what is said on a topic to those who subscribed to it, who said it too', async () => {
    const [one, other] = await Promise.all([connect(), connect()]);
    const ones = await listen(one, '/trystero-a/0/msg/json');
    const others = await listen(other, '/trystero-b/0/msg/json');
    await send(one, '/trystero-b/0/msg/json', 'grüß dich');
    assert.equal(await others(), 'grüß dich');
    await send(other, '/trystero-a/0/msg/json', 'for one');
    assert.equal(await ones(), 'for one');
    await send(other, '/trystero-b/0/msg/json', 'for myself');
    assert.equal(await others(), 'for myself');
  });

  test('takes clients back after a restart, with their subscriptions', async () => {
    const [one, other] = await Promise.all([connect(), connect()]);
    const [ones, others] = await Promise.all([one, other].map((node) => listen(node, '/a/0/b/c')));
    await server.connected(nodes.length);
    await server.restart();
    await server.connected(nodes.length);
    await send(one, '/a/0/b/c', 'again');
    assert.deepEqual(await Promise.all([ones(), others()]), ['again', 'again']);
  });
}
