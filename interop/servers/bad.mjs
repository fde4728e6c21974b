/** Relays that are none. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import { Server } from './service.mjs';

/** The URL of a server that has gone: whoever connects is refused. */
export const startDead = async () => {
  const server = await Server.start(() => ({ connect: () => {} }));
  await server.drop();
  return server;
};

/** One that takes connections and never says anything. */
export const startSilent = async () => {
  const sockets = new Set();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.resume();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `ws://127.0.0.1:${server.address().port}`,
    stop: async () => {
      sockets.forEach((socket) => socket.destroy());
      server.close();
      await once(server, 'close');
    },
  };
};
