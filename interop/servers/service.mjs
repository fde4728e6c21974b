/**
 * What the test servers have in common: a WebSocket service on a free port of loopback that can be
 * dropped and come back at the same port, knowing nothing of what was before.
 *
 * A service itself is an object made anew for every start:
 *
 * - `connect(socket, request)` takes a connection;
 * - `refuse(request)`, if it has that, gives the HTTP status by which a connection is refused;
 * - `end()`, if it has that, is called when it stops.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { setTimeout as after } from 'node:timers/promises';
import { WebSocketServer } from 'ws';
import { Links } from './links.mjs';

export class Server {
  #make;
  #options;
  #port = 0;
  #http;
  #sockets;
  #service;
  #links = new Links();

  /**
   * Starts the service that `make` makes.
   *
   * @param {() => object | Promise<object>} make
   * @param {object} [options]
   * @param {string} [options.path] what its URL has after the port
   * @param {string} [options.scheme] `ws`, or `http` where clients are given that
   * @param {string} [options.protocol] the sub-protocol that clients have to ask for
   * @param {number} [options.upgradeDelayMs] how long it thinks before it answers an upgrade
   */
  static async start(make, options = {}) {
    const server = new Server();
    server.#make = make;
    server.#options = options;
    await server.restart();
    return server;
  }

  /** Where clients reach it. */
  get url() {
    const { scheme = 'ws', path = '' } = this.#options;
    return `${scheme}://127.0.0.1:${this.#port}${path}`;
  }

  /** The service that runs now, for tests that tell it what to do. */
  get service() {
    return this.#service;
  }

  /** How many clients are connected. */
  get links() {
    return this.#links.count;
  }

  /** Resolves when so many clients are connected. */
  async connected(count) {
    await this.#links.reach(count);
  }

  /** Goes away at once: every link is cut, and nobody can connect. */
  async drop() {
    if (!this.#http) {
      return;
    }
    const http = this.#http;
    this.#http = undefined;
    this.#sockets.clients.forEach((socket) => socket.terminate());
    this.#sockets.close();
    http.closeAllConnections();
    http.close();
    await Promise.all([once(http, 'close'), this.#service.end?.()]);
  }

  /** Comes back where it was, after a `drop` if it was not dropped before. */
  async restart() {
    await this.drop();
    this.#service = await this.#make();
    const { protocol } = this.#options;
    this.#sockets = new WebSocketServer({
      noServer: true,
      ...(protocol && { handleProtocols: (asked) => asked.has(protocol) && protocol }),
    });
    this.#count();
    this.#http = createServer((_, response) => response.writeHead(426).end());
    this.#http.on('upgrade', (...upgrade) => this.#upgrade(...upgrade));
    this.#http.listen(this.#port, '127.0.0.1');
    await once(this.#http, 'listening');
    this.#port = this.#http.address().port;
  }

  /** Ends for good. */
  async stop() {
    await this.drop();
  }

  async #upgrade(request, stream, head) {
    const [sockets, service] = [this.#sockets, this.#service];
    stream.on('error', () => {});
    await after(this.#options.upgradeDelayMs ?? 0);
    const status = this.#refusal(request, service);
    if (status) {
      stream.end(`HTTP/1.1 ${status} Refused\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    sockets.handleUpgrade(request, stream, head, (socket) => {
      // An error is followed by the close that ends the connection.
      socket.on('error', () => {});
      service.connect(socket, request);
      this.#count();
      socket.on('close', () => this.#count());
    });
  }

  #count() {
    this.#links.count = this.#sockets.clients.size;
  }

  #refusal(request, service) {
    const { protocol } = this.#options;
    const asked = request.headers['sec-websocket-protocol']?.split(/, ?/) ?? [];
    return protocol && !asked.includes(protocol) ? 400 : service.refuse?.(request);
  }
}
