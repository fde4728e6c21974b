/** A WebSocket relay that is just enough, for tests that need nothing but this folder. */
import { Server } from './service.mjs';

export const start = (options) => Server.start(makeRelay, options);

const makeRelay = () => {
  const subscribers = new Map();
  return {
    connect: (socket) => {
      socket.on('message', (data) => handleFrame(subscribers, socket, JSON.parse(data)));
      socket.on('close', () => subscribers.forEach((sockets) => sockets.delete(socket)));
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
