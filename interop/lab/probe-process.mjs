/**
 * Sockets in a namespace, worked by JSON lines: started there by `probe.mjs`.
 *
 * Every command is answered by `{id, …result}` or `{id, error}`; datagrams are told as they come.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';

const sockets = new Map();

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

const commands = {
  /** A UDP socket called `name`; without a port, on one that the kernel chooses. */
  bind: async ({ name, address, port = 0, ttl }) => {
    const socket = createSocket({ type: address.includes(':') ? 'udp6' : 'udp4' });
    socket.on('message', (data, { address, port }) =>
      say({ event: 'datagram', name, from: { address, port }, text: data.toString() }),
    );
    socket.bind(port, address);
    await once(socket, 'listening');
    if (ttl !== undefined) {
      socket.setTTL(ttl);
    }
    // Of a port that is closed on the other side, which is nothing new here.
    socket.on('error', () => {});
    sockets.set(name, socket);
    return { port: socket.address().port };
  },

  send: ({ name, to, text }) =>
    new Promise((resolve, reject) =>
      sockets
        .get(name)
        .send(text, to.port, to.address, (error) => (error ? reject(error) : resolve({}))),
    ),

  /** A TCP server that tells each client how it sees it. */
  listen: async ({ address }) => {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.end(JSON.stringify({ address: socket.remoteAddress, port: socket.remotePort }));
    });
    server.listen(0, address);
    await once(server, 'listening');
    return { port: server.address().port };
  },

  /** Connects by TCP, and gives what the server says until it ends, or `peek`: not even that. */
  connect: async ({ to, timeoutMs, peek }) => {
    const socket = connect(to.port, to.address);
    const timer = setTimeout(() => socket.destroy(new Error('no answer')), timeoutMs);
    try {
      await once(socket, 'connect');
      return peek ? {} : { said: (await socket.toArray()).join('') };
    } finally {
      clearTimeout(timer);
      socket.destroy();
    }
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { id, cmd, ...fields } = JSON.parse(line);
  commands[cmd](fields).then(
    (result) => say({ id, ...result }),
    (error) => say({ id, error: error.message }),
  );
}
process.exit(0);
