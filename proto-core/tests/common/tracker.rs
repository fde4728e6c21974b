//! A tracker as the public ones are: each offer of an announce goes to one other member.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tristero_proto::LinkId;

use super::Who;

/// How often a tracker wants announces, in seconds.
const INTERVAL: u64 = 120;

#[derive(Default)]
pub struct Tracker {
    torrents: BTreeMap<String, BTreeMap<String, (Who, LinkId)>>,
    /// Every announce, by who made it.
    pub announces: Vec<(Who, Value)>,
}

impl Tracker {
    /// Takes a frame, and gives those that follow from it.
    pub fn on_frame(&mut self, who: Who, link: LinkId, frame: &Value) -> Vec<(Who, LinkId, Value)> {
        let text = |key: &str| frame[key].as_str().unwrap().to_owned();
        let (info_hash, from) = (text("info_hash"), text("peer_id"));
        let torrent = self.torrents.entry(info_hash.clone()).or_default();
        if frame["answer"].is_object() {
            let answer = json!({ "action": "announce", "info_hash": info_hash, "peer_id": from,
                "offer_id": frame["offer_id"], "answer": frame["answer"] });
            let to = torrent.get(frame["to_peer_id"].as_str().unwrap());
            return to.map(|(who, link)| (*who, *link, answer)).into_iter().collect();
        }
        self.announces.push((who, frame.clone()));
        torrent.insert(from.clone(), (who, link));
        let reply = json!({ "action": "announce", "info_hash": info_hash, "interval": INTERVAL,
            "complete": 0, "incomplete": torrent.len() });
        // Real ones choose at random. This one takes turns, so that each gets some.
        let mut others: Vec<_> = torrent.iter().filter(|(id, _)| **id != from).collect();
        let turn = self.announces.len() % others.len().max(1);
        others.rotate_left(turn);
        let others = others.into_iter().map(|(_, place)| *place);
        let offers = frame["offers"].as_array().unwrap().iter();
        let passed = others.zip(offers).map(|((to, to_link), offer)| {
            let offer = json!({ "action": "announce", "info_hash": info_hash, "peer_id": from,
                "offer_id": offer["offer_id"], "offer": offer["offer"] });
            (to, to_link, offer)
        });
        [(who, link, reply)].into_iter().chain(passed).collect()
    }

    /// A link is gone.
    pub fn forget(&mut self, who: Who, link: LinkId) {
        for torrent in self.torrents.values_mut() {
            torrent.retain(|_, place| *place != (who, link));
        }
    }
}
