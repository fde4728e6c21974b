/** Meeting in rooms: every test has its own app and room, so none hears another. */
import { on, once } from 'node:events';
import { sha1 } from '@trystero-p2p/core';
import { WebSocket } from 'ws';

/**
 * How long two peers may take to meet. Mostly it is less than a second; but when an attempt fails,
 * as node-datachannel's do when the other is very quick, the next begins with the announce that
 * comes a minute later.
 */
export const MEET_MS = 75_000;

let rooms = 0;

/** A room nobody was in before. */
export const newRoom = () => {
  rooms += 1;
  return {
    room: `room-${rooms}`,
    appId: `interop-${process.pid}-${rooms}`,
    roomId: `Räume/${rooms}`,
  };
};

/** Another room of the same app. */
export const roomBeside = ({ appId }) => ({ ...newRoom(), appId });

/** What `room` is called by a peer that joins it again: its own name for it is not to be reused. */
export const again = (room) => ({ ...room, room: `${room.room} again` });

/** Joins `peer` to `room`, without waiting for anybody. */
export const join = ({ relay }, peer, room, config = {}) =>
  peer.do('join', {
    ...room,
    relayUrls: [relay.url],
    rtcConfig: { iceServers: [] },
    ...config,
  });

/** Joins `peer` to `room` and waits until the relay carries an announce of it. */
export const joinAndAnnounce = async (cast, peer, room, config) => {
  const signal = AbortSignal.timeout(MEET_MS);
  const topic = await sha1(`Trystero@${room.appId}@${room.roomId}`);
  const socket = new WebSocket(cast.relay.url);
  try {
    await once(socket, 'open', { signal });
    socket.send(JSON.stringify({ type: 'subscribe', topic }));
    const messages = on(socket, 'message', { signal });
    await join(cast, peer, room, config);
    for await (const [data] of messages) {
      if (JSON.parse(JSON.parse(data).payload).peerId === peer.selfId) {
        return;
      }
    }
  } catch (error) {
    throw signal.aborted ? cast.failure(`${peer.name} was not heard to announce itself`) : error;
  } finally {
    socket.terminate();
  }
};

/** Waits until both have seen the other join. */
export const joined = (peers, { room }) =>
  Promise.all(
    peers.flatMap((peer) =>
      peers
        .filter((other) => other !== peer)
        .map((other) =>
          peer.waitFor('peerJoin', { room, peer: other.selfId }, { deadlineMs: MEET_MS }),
        ),
    ),
  );

/** Joins one peer to `room`, then, once it is heard, the others; resolves when all have met. */
export const meet = async (cast, [first, ...others], room, config = {}) => {
  await joinAndAnnounce(cast, first, room, config);
  await Promise.all(others.map((peer) => join(cast, peer, room, config)));
  await joined([first, ...others], room);
};

/** Has every peer leave `room`, whether it is in it, or alive, or not. */
export const leaveAnyhow = (peers, { room }) =>
  Promise.allSettled(peers.map((peer) => peer.ask('leave', { room })));

/** Has one peer leave, and the other when it has seen that. */
export const part = async ([leaver, other], { room }) => {
  await leaver.do('leave', { room });
  await other.waitFor('peerLeave', { room, peer: leaver.selfId });
  await other.do('leave', { room });
};

/** Sends `payload` from one peer to another that listens, and returns what was sent and came. */
export const transfer = async ({ room }, [sender, receiver], action, payload, options) => {
  await receiver.do('register', { room, action });
  const came = receiver.waitFor('message', { room, action, peer: sender.selfId }, options);
  const [sent, message] = await Promise.all([
    sender.do('send', { room, action, ...payload }, options),
    came,
  ]);
  return { sent, message };
};
