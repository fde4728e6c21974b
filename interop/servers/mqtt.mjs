/** An MQTT broker: npm's `aedes`, over WebSocket. */
import { Aedes } from 'aedes';
import { createWebSocketStream } from 'ws';
import { Server } from './service.mjs';

export const start = (options) => Server.start(makeBroker, { protocol: 'mqtt', ...options });

const makeBroker = async () => {
  const broker = await Aedes.createBroker();
  return {
    connect: (socket, request) => {
      const stream = createWebSocketStream(socket);
      stream.on('error', () => {});
      broker.handle(stream, request);
    },
    end: () => new Promise((resolve) => broker.close(resolve)),
  };
};
