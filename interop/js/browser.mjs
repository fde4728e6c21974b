/**
 * A peer on npm's Trystero in headless Chromium: `node js/browser.mjs [--mdns]`.
 *
 * The agent runs in a page; this process serves the page from loopback, hands it the lines of
 * stdin and prints its events, so that a browser is driven exactly like a peer in Node. With
 * `--mdns` Chromium hides its addresses behind mDNS names, as it does for people.
 */
import { createServer } from 'node:http';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';
import { ARGS, EXECUTABLE, EXPOSE_GC, NOT_ARGS, REAL_ADDRESSES } from './chromium.mjs';
import { agentVersion, emitLine, feedLines, parseOptions } from './stdio.mjs';
import { STRATEGIES_OPTION, strategiesSource } from './strategies.mjs';

const main = async () => {
  const options = parseOptions({
    mdns: { type: 'boolean', default: false },
    ...STRATEGIES_OPTION,
  });
  const [server, browser] = await Promise.all([servePage(options), launch(options)]);
  try {
    await run(options, browser, `http://127.0.0.1:${server.address().port}/`);
  } finally {
    await browser.close();
    server.close();
  }
};

const run = async (options, browser, url) => {
  const page = await browser.newPage();
  const exited = new Promise((resolve) => page.exposeFunction('agentExit', resolve));
  const lost = new Promise((_, reject) => {
    page.on('crash', () => reject(new Error('the page crashed')));
    page.on('close', () => reject(new Error('the page was closed')));
  });
  lost.catch(() => {});
  await page.exposeFunction('agentEmit', emitLine);
  page.on('console', (message) => process.stderr.write(`${message.text()}\n`));
  page.on('pageerror', (error) => process.stderr.write(`${error.stack ?? error}\n`));
  await page.goto(url);

  const version = agentVersion(`Chromium ${browser.version()}`);
  await page.evaluate((text) => globalThis.agent.start(text), version);
  const accept = (line) => page.evaluate((text) => globalThis.agent.accept(text), line);
  const fed = feedLines(options, (line) => accept(line).catch(() => {}));
  const leave = () => page.evaluate(() => globalThis.agent.leaveAll());
  await Promise.race([exited, lost, fed.then(leave)]);
};

const launch = ({ mdns }) =>
  chromium.launch({
    executablePath: EXECUTABLE,
    headless: true,
    ignoreDefaultArgs: NOT_ARGS,
    args: [...ARGS, EXPOSE_GC, ...(mdns ? [] : [REAL_ADDRESSES])],
  });

/** Serves the page, bundled afresh: that takes less time than finding out whether it has to. */
const servePage = async ({ strategies }) => {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('page.mjs', import.meta.url))],
    bundle: true,
    format: 'esm',
    write: false,
    plugins: [provideStrategies(strategiesSource(strategies))],
  });
  const [script] = outputFiles;
  const server = createServer((request, response) => {
    if (request.url === '/page.js') {
      response.setHeader('content-type', 'text/javascript');
      response.end(script.contents);
    } else {
      response.setHeader('content-type', 'text/html');
      response.end(
        '<!doctype html><title>agent</title><script type="module" src="/page.js"></script>',
      );
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
};

/** Has the page import from `strategies` what was asked for. */
const provideStrategies = (contents) => ({
  name: 'strategies',
  setup: ({ onResolve, onLoad }) => {
    onResolve({ filter: /^strategies$/ }, ({ path }) => ({ path, namespace: 'strategies' }));
    onLoad({ filter: /.*/, namespace: 'strategies' }, () => ({
      contents,
      resolveDir: fileURLToPath(new URL('.', import.meta.url)),
    }));
  },
});

main().then(
  () => process.exit(0),
  (error) => {
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  },
);
