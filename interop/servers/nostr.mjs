/** A Nostr relay: npm's `@nostr-relay/core`, which keeps nothing here. */
import { EventRepository, LogLevel } from '@nostr-relay/common';
import { NostrRelay } from '@nostr-relay/core';
import { Validator } from '@nostr-relay/validator';
import { Server } from './service.mjs';

/** A store of events that keeps none: all that Trystero says is ephemeral. */
class Nowhere extends EventRepository {
  isSearchSupported = () => false;
  upsert = () => ({ isDuplicate: false });
  find = () => [];
  destroy = async () => {};
}

export const start = (options) => Server.start(makeRelay, options);

const makeRelay = () => {
  const relay = new NostrRelay(new Nowhere(), { logLevel: LogLevel.ERROR });
  const validator = new Validator();
  return {
    connect: (socket) => {
      relay.handleConnection(socket);
      socket.on('close', () => relay.handleDisconnect(socket));
      socket.on('message', (data) => handle(relay, validator, socket, data));
    },
    end: () => relay.destroy(),
  };
};

const handle = async (relay, validator, socket, data) => {
  try {
    await relay.handleMessage(socket, await validator.validateIncomingMessage(data));
  } catch (error) {
    socket.send(JSON.stringify(['NOTICE', error.message]));
  }
};
