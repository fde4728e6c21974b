/**
 * A WebSocket relay that is just enough for the tests of JavaScript against JavaScript, so that
 * those need nothing but this folder.
 */
import { once } from 'node:events';
import { WebSocketServer } from 'ws';

/** Starts a relay on a free port of loopback. */
export const startMiniRelay = async () => {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  const subscribers = new Map();
  server.on('connection', (socket) => {
    socket.on('message', (data) => handleFrame(subscribers, socket, JSON.parse(data)));
    socket.on('close', () => subscribers.forEach((sockets) => sockets.delete(socket)));
  });
  await once(server, 'listening');

  return {
    url: `ws://127.0.0.1:${server.address().port}`,
    stop: async () => {
      server.clients.forEach((socket) => socket.terminate());
      server.close();
    },
  };
};

const handleFrame = (subscribers, socket, { type, topic, payload }) => {
  const sockets = subscribers.get(topic) ?? new Set();
  subscribers.set(topic, sockets);
  switch (type) {
    case 'subscribe':
      sockets.add(socket);
      break;
    case 'unsubscribe':
      sockets.delete(socket);
      break;
    case 'publish':
      sockets.forEach((subscriber) => subscriber.send(JSON.stringify({ topic, payload })));
      break;
  }
};
