/** Measured peers as pages in headless Chromium. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';
import { ARGS, EXECUTABLE, REAL_ADDRESSES } from '../js/chromium.mjs';
import { memoryOf } from './proc.mjs';

/** Without these a page's clock has steps of 100 µs, as long as a ping may take. */
const ISOLATION = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
};

const HTML = '<!doctype html><title>bench</title><script type="module" src="/page.js"></script>';

/** Where the peers of one side run: a Chromium of its own, in which each is a page. */
export class ChromiumHost {
  #browser;
  #server;
  #session;

  static async open() {
    const host = new ChromiumHost();
    try {
      host.#server = await serve(await bundle());
      host.#browser = await chromium.launch({
        executablePath: EXECUTABLE,
        headless: true,
        args: [...ARGS, REAL_ADDRESSES],
      });
      host.#session = await host.#browser.newBrowserCDPSession();
    } catch (error) {
      await host.close();
      throw error;
    }
    host.version = `Chromium ${host.#browser.version()}`;
    return host;
  }

  /** A peer in a fresh page, which has loaded all that it needs and shares nothing with others. */
  async fresh() {
    const page = await this.#browser.newPage();
    page.on('console', (message) => process.stderr.write(`${message.text()}\n`));
    page.on('pageerror', (error) => process.stderr.write(`${error.stack ?? error}\n`));
    await page.goto(`http://127.0.0.1:${this.#server.address().port}/`);
    const [browser] = await this.#processes('browser');
    return new PagePeer(page, { root: browser.id, renderers: () => this.#processes('renderer') });
  }

  async close() {
    await this.#browser?.close();
    this.#server?.close();
  }

  async #processes(wanted) {
    const { processInfo } = await this.#session.send('SystemInfo.getProcessInfo');
    return processInfo.filter(({ type }) => type === wanted);
  }
}

/** A peer in a page; its methods are those of `Peer`. */
class PagePeer {
  #page;
  #renderers;

  constructor(page, { root, renderers }) {
    this.#page = page;
    this.#renderers = renderers;
    /** The process that started all others of this peer, and of nobody else. */
    this.root = root;
  }

  call(method, argument) {
    const body = ([name, value]) => globalThis.peer[name](value);
    return this.#page.evaluate(body, [method, argument]);
  }

  /** That of the page's process: of those that show pages, the others are spare and smaller. */
  async memory() {
    const memories = (await this.#renderers()).map(({ id }) => memoryOf(id));
    return memories.sort((a, b) => b.rss - a.rss)[0];
  }

  async end() {
    await this.#page.close();
  }
}

const bundle = async () => {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('page.mjs', import.meta.url))],
    bundle: true,
    format: 'esm',
    write: false,
  });
  return outputFiles[0].contents;
};

const serve = async (script) => {
  const server = createServer((request, response) => {
    const [type, body] =
      request.url === '/page.js' ? ['text/javascript', script] : ['text/html', HTML];
    response.writeHead(200, { 'content-type': type, ...ISOLATION });
    response.end(body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
};
