/** The strategies that are tested, each with the servers to meet at and how a room is joined there. */
import * as firebase from '../../servers/firebase.mjs';
import * as firebaseServer from '../../servers/firebase-server/index.mjs';
import * as ipfs from '../../servers/ipfs.mjs';
import * as mqtt from '../../servers/mqtt.mjs';
import * as nostr from '../../servers/nostr.mjs';
import { other } from '../../servers/others.mjs';
import * as supabase from '../../servers/supabase.mjs';
import * as torrent from '../../servers/torrent.mjs';
import * as ws from '../../servers/ws.mjs';

const byRelay = (strategy, start, more) => ({
  strategy,
  start,
  config: ({ url }) => ({ strategy, relayUrls: [url] }),
  ...more,
});

/** Where the app's id is the server's URL. */
const byApp = (strategy, start, { relayConfig, ...more } = {}) => ({
  strategy,
  start,
  config: ({ url }) => ({ strategy, appId: url, relayConfig }),
  ...more,
});

/** At another server than npm's. */
const atOther = (strategy, more) => {
  const { start, whyMissing } = other(strategy);
  return byRelay(strategy, start, { whyMissing, ...more });
};

/**
 * By what the matrix calls them: `{strategy, start, config}`, the strategy by the name that `join`
 * gives it. Of those for which it is not the usual one, the kind of Rust peer, as `rust`; of those
 * that might not run here, what tells `whyMissing`; of those that don't bring as many together as
 * there are, how many they do, as `peersMax`.
 */
export const SERVICES = {
  ws: byRelay('ws', ws.start),
  nostr: byRelay('nostr', nostr.start),
  'nostr at nostr-relay-builder': atOther('nostr'),
  mqtt: byRelay('mqtt', mqtt.start),
  'mqtt at rumqttd': atOther('mqtt'),
  // It passes the three offers of an announce to any three: of five, two may wait for the next.
  torrent: byRelay('torrent', torrent.start, { peersMax: 4 }),
  // Of five that announce three offers each, the last two never get one of each other's.
  'torrent at aquatic': atOther('torrent', { peersMax: 4 }),
  supabase: byApp('supabase', supabase.start, { relayConfig: { supabaseKey: supabase.KEY } }),
  firebase: byApp('firebase', firebase.start),
  'firebase at firebase-server': byApp('firebase', firebaseServer.start, {
    whyMissing: firebaseServer.whyMissing,
  }),
  ipfs: byRelay('ipfs', ipfs.start, { rust: 'rust-ipfs', whyMissing: ipfs.whyMissing }),
};
