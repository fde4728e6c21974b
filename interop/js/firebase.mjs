/**
 * The Firebase strategy, on npm Trystero's own core and Google's client: its package is not to be
 * had where this was made. It writes what that one does, in the same places.
 *
 * Whoever is in a room has `{_: announce}` under the room's topic, by a pushed key. A signal for a
 * peer is pushed, as a string, under the sender's id under the peer's own topic, which lies in the
 * room's, and is removed by whom it is for. All of it goes when the one who wrote it does.
 */
import { initializeApp } from '@firebase/app';
import {
  child,
  forceWebSockets,
  getDatabase,
  onChildAdded,
  onDisconnect,
  push,
  ref,
  remove,
  set,
} from '@firebase/database';
import { createTopicStrategy, selfId, toJson } from '@trystero-p2p/core';

export { selfId };

const DEFAULT_PATH = '__trystero__';

/** What this peer has announced, by room. */
const presences = new Map();

// A page that could not connect once would go on with long polling, which test servers don't have.
forceWebSockets();

const databases = new Map();

const openDatabase = (url) => {
  if (!databases.has(url)) {
    databases.set(url, getDatabase(initializeApp({ databaseURL: url }, url)));
  }
  return databases.get(url);
};

/** Joins a room of the database whose URL is the app's id. */
export const joinRoom = createTopicStrategy({
  init: ({ appId, relayConfig }) =>
    ref(openDatabase(appId), relayConfig?.firebasePath ?? DEFAULT_PATH),

  subscribeTopic: (base, topic, onMessage, { kind, rootTopic }) =>
    kind === 'root'
      ? watchRoom(child(base, topic), (announce) => onMessage(topic, announce))
      : watchSignals(child(base, `${rootTopic}/${topic}`), (signal) => onMessage(topic, signal)),

  publishTopic: (base, topic, message, { kind, rootTopic }) =>
    kind === 'announce'
      ? announce(child(base, topic), JSON.parse(message))
      : signal(child(base, `${rootTopic}/${topic}/${selfId}`), message),

  unpublishTopic: (base, topic) => withdraw(child(base, topic)),
});

const watchRoom = (room, onAnnounce) => {
  const stop = onChildAdded(room, (entry) => {
    const { _: announced } = entry.val() ?? {};
    if (announced) {
      onAnnounce(announced);
    }
  });
  return () => {
    stop();
    withdraw(room);
  };
};

const watchSignals = (own, onSignal) => {
  const stops = [
    onChildAdded(own, (sender) => {
      stops.push(
        onChildAdded(sender.ref, (entry) => {
          onSignal(entry.val());
          remove(entry.ref);
        }),
      );
    }),
  ];
  return () => {
    stops.forEach((stop) => stop());
    remove(own);
  };
};

const announce = (room, announced) => {
  const key = room.toString();
  const presence = presences.get(key) ?? push(room);
  presences.set(key, presence);
  set(presence, { _: announced });
  onDisconnect(presence).remove();
};

const withdraw = (room) => {
  const key = room.toString();
  if (presences.has(key)) {
    remove(presences.get(key));
    presences.delete(key);
  }
};

const signal = (outbox, message) => {
  const entry = push(outbox);
  onDisconnect(entry).remove();
  set(entry, typeof message === 'string' ? message : toJson(message));
};
