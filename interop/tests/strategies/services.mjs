/** The strategies that are tested, each with a server to meet at and how a room is joined there. */
import * as firebase from '../../servers/firebase.mjs';
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
 * A relay that comes back this soon after somebody announced there hears of them that much later.
 * On a tracker, who is not there yet is not told of those who come.
 */
const RETURN_PAUSE_MS = 5_333;

/** By the name that `join` gives them: `{start, config}`, and how long they `settle`. */
export const SERVICES = {
  ws: { start: ws.start, config: byRelay('ws') },
  nostr: { start: nostr.start, config: byRelay('nostr') },
  mqtt: { start: mqtt.start, config: byRelay('mqtt') },
  torrent: { start: torrent.start, config: byRelay('torrent'), settleMs: RETURN_PAUSE_MS },
  supabase: {
    start: supabase.start,
    config: byApp('supabase', { supabaseKey: supabase.KEY }),
  },
  firebase: { start: firebase.start, config: byApp('firebase') },
};
