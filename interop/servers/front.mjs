/**
 * The port at which clients find a server that is a program. It stays the same wherever the program
 * listens after a restart, and shows how many clients there are, whatever the program tells.
 */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { Links } from './links.mjs';

/** How the answer begins that makes a connection a WebSocket. */
const UPGRADED = 'HTTP/1.1 101';

export class Front {
  #port = 0;
  #listener;
  #sockets = new Set();
  #upgraded = new Set();

  /** How many clients have a WebSocket. */
  links = new Links();

  /** Where clients connect, once it was opened. */
  get host() {
    return `127.0.0.1:${this.#port}`;
  }

  /** Lets clients through to where the server listens, at the port that it had before. */
  async open(target) {
    this.#listener = createServer((client) => this.#join(client, target));
    this.#listener.listen(this.#port, '127.0.0.1');
    await once(this.#listener, 'listening');
    this.#port = this.#listener.address().port;
  }

  /** Cuts every link and lets nobody in. */
  async close() {
    const listener = this.#listener;
    if (!listener) {
      return;
    }
    this.#listener = undefined;
    listener.close();
    this.#sockets.forEach((socket) => socket.resetAndDestroy());
    await once(listener, 'close');
    // The links to the server may end a moment later.
    this.#upgraded.clear();
    this.#count();
  }

  #join(client, target) {
    const server = connect(target.port, target.hostname);
    server.once('data', (data) => this.#onAnswer(server, data));
    this.#tie(client, server);
    this.#tie(server, client);
  }

  /** Passes on what `from` says, and its end. */
  #tie(from, to) {
    this.#sockets.add(from);
    from.setNoDelay();
    from.pipe(to);
    // An error is followed by the close that ends both.
    from.on('error', () => {});
    from.on('close', () => {
      this.#sockets.delete(from);
      to.destroy();
      if (this.#upgraded.delete(from)) {
        this.#count();
      }
    });
  }

  #onAnswer(server, data) {
    if (data.toString('latin1').startsWith(UPGRADED)) {
      this.#upgraded.add(server);
      this.#count();
    }
  }

  #count() {
    this.links.count = this.#upgraded.size;
  }
}
