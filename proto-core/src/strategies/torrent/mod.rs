//! BitTorrent trackers that speak WebSocket, as for `WebTorrent`: a room is a torrent, and its
//! members are who announces it.
//!
//! A tracker knows no topics. Whoever announces leaves offers there that are for anyone, and the
//! tracker passes each of them to one of the others, who sends an answer back through it. There is
//! no way to send a candidate, so descriptions are complete.
//!
//! spec: docs/protocol.md, section 9, "BitTorrent"

mod session;
mod wire;

use crate::signaling::{RelaySession, RelayUrl, SessionTerms, Strategy};
use session::TorrentSession;

/// Trystero's list, in its order.
const URLS: [&str; 5] = [
    "wss://open.ftorrent.com",
    "wss://tracker.webtorrent.dev",
    "wss://tracker.openwebtorrent.com",
    "wss://tracker.btorrent.xyz",
    "wss://tracker.files.fm:7073/announce",
];

/// How many of them are used.
const REDUNDANCY: usize = 3;

/// The strategy `torrent`: public BitTorrent trackers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Torrent;

impl Strategy for Torrent {
    fn name(&self) -> &'static str {
        "torrent"
    }

    fn session(&self, terms: SessionTerms) -> Box<dyn RelaySession> {
        Box::new(TorrentSession::new(terms))
    }

    fn trickles(&self) -> bool {
        false
    }

    fn trades_offers(&self) -> bool {
        true
    }

    fn default_relays(&self, _app_id: &str) -> Vec<RelayUrl> {
        let urls = URLS.iter();
        urls.map(|url| RelayUrl::web_socket(url).expect("the list holds URLs")).collect()
    }

    fn redundancy(&self) -> usize {
        REDUNDANCY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_relays_are_those_of_javascript() {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../../tests/wire/vectors.json")).unwrap();
        assert_eq!(vectors["relays"]["torrentDefaults"], serde_json::json!(URLS));
        assert_eq!(vectors["relays"]["torrentUsed"], serde_json::json!(URLS[..REDUNDANCY]));
    }
}
