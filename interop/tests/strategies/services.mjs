/** The strategies that are tested, each with a server to meet at and how a room is joined there. */
import * as firebase from '../../servers/firebase.mjs';
import * as ipfs from '../../servers/ipfs.mjs';
import * as mqtt from '../../servers/mqtt.mjs';
import * as nostr from '../../servers/nostr.mjs';
import * as supabase from '../../servers/supabase.mjs';
import * as torrent from '../../servers/torrent.mjs';
import * as ws from '../../servers/ws.mjs';

const byRelay =
  (strategy) =>
  ({ url }) => ({ strategy, relayUrls: [url] });

/** Where the app's id is the server's URL. */
const byApp =
  (strategy, relayConfig) =>
  ({ url }) => ({ strategy, appId: url, relayConfig });

/**
 * By the name that `join` gives them: `{start, config}`. Of those for which it is not the usual one,
 * the kind of Rust peer, as `rust`; of those that might not run here, what tells `whyMissing`.
 */
export const SERVICES = {
  ws: { start: ws.start, config: byRelay('ws') },
  nostr: { start: nostr.start, config: byRelay('nostr') },
  mqtt: { start: mqtt.start, config: byRelay('mqtt') },
  torrent: { start: torrent.start, config: byRelay('torrent') },
  supabase: {
    start: supabase.start,
    config: byApp('supabase', { supabaseKey: supabase.KEY }),
  },
  firebase: { start: firebase.start, config: byApp('firebase') },
  ipfs: {
    start: ipfs.start,
    config: byRelay('ipfs'),
    rust: 'rust-ipfs',
    whyMissing: ipfs.whyMissing,
  },
};
