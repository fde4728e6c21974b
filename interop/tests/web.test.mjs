/** The demo page in a browser, with a peer in Node. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { ARGS, EXECUTABLE, REAL_ADDRESSES } from '../js/chromium.mjs';
import { Cast, describeWith } from './harness.mjs';
import { start as startRelay } from '../servers/ws.mjs';
import { join, newRoom } from './rooms.mjs';

const FOLDER = fileURLToPath(new URL('..', import.meta.url));

const TYPES = { '/index.html': 'text/html', '/app.js': 'text/javascript' };

/** Serves the bundle and `config`, as `tristero demo --web` does. */
const serve = async (config) => {
  execFileSync('npm', ['run', '--silent', 'build:web'], { cwd: FOLDER, stdio: 'ignore' });
  const server = createServer(({ url }, response) => {
    const { pathname } = new URL(url, 'http://localhost');
    const path = pathname === '/' ? '/index.html' : pathname;
    if (path === '/config.json') {
      response.end(JSON.stringify(config));
    } else if (TYPES[path]) {
      response.setHeader('content-type', TYPES[path]);
      response.end(readFileSync(`${FOLDER}/web/dist${path}`));
    } else {
      response.writeHead(404).end();
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
};

describeWith('the demo page', ['werift', 'chromium'], () => {
  const { room, appId, roomId } = newRoom();
  let cast;
  let peer;
  let server;
  let browser;
  let page;

  before(async () => {
    cast = new Cast(await startRelay());
    server = await serve({ appId, roomId, relayUrl: cast.relay.url });
    const args = [...ARGS, REAL_ADDRESSES];
    browser = await chromium.launch({ executablePath: EXECUTABLE, args });
    page = await browser.newPage();
    peer = await cast.start('werift');
    await join(cast, peer, { room, appId, roomId });
    await peer.do('register', { room, action: 'chat' });
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
  });
  after(async () => {
    await browser?.close();
    server?.close();
    await cast?.end();
  });

  test('joins the room of its configuration and shows who is there', async () => {
    await peer.waitFor('peerJoin', { room });
    await page.locator('#peers li', { hasText: peer.selfId }).waitFor();
    await page.locator('#relay[data-state="open"]').waitFor();
  });

  test('sends what is written', async () => {
    await page.getByLabel('Message').fill('hello from the page');
    await page.keyboard.press('Enter');
    const { text } = await peer.waitFor('message', { room, action: 'chat' });
    assert.equal(text, 'hello from the page');
    await page.locator('#messages li', { hasText: 'hello from the page' }).waitFor();
  });

  test('shows what others write, as text', async () => {
    await peer.do('send', { room, action: 'chat', text: '<b id="bad">hello</b> from Node' });
    await page.locator('#messages li', { hasText: '<b id="bad">hello</b> from Node' }).waitFor();
    assert.equal(await page.locator('#bad').count(), 0);
  });

  test('sees a peer leave', async () => {
    await peer.do('leave', { room });
    await page.locator('#messages li', { hasText: 'has left' }).waitFor();
    await page.locator('#alone').waitFor();
  });

  test('takes a password and a room from the fragment of its address', async () => {
    const other = newRoom();
    await join(cast, peer, other, { password: 'open sesame' });
    const { port } = server.address();
    const given = new URLSearchParams({ ...other, password: 'open sesame' });
    // Another path, for a changed fragment alone does not load a page anew.
    await page.goto(`http://127.0.0.1:${port}/index.html#${given}`);
    await peer.waitFor('peerJoin', { room: other.room });
  });

  test('asks for what it was not told', async () => {
    const { port } = server.address();
    await page.goto(`http://127.0.0.1:${port}/?roomId=`);
    await page.getByLabel('Room').fill('elsewhere');
    await page.getByRole('button', { name: 'Join' }).click();
    await page.locator('#room-name', { hasText: 'elsewhere' }).waitFor();
  });
});
