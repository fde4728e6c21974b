/** A WebTorrent tracker: npm's `bittorrent-tracker`. */
import Tracker from 'bittorrent-tracker/server';
import { Server } from './service.mjs';

export const start = (options) => Server.start(makeTracker, options);

const makeTracker = () => {
  const tracker = new Tracker({ udp: false, http: false, ws: { noServer: true }, stats: false });
  // It warns of links that are cut, which is what tests do.
  tracker.on('warning', () => {});
  return {
    connect: (socket, request) => tracker.ws.emit('connection', socket, request),
    end: () => new Promise((resolve) => tracker.close(resolve)),
  };
};
