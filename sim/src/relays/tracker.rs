//! A `WebTorrent` tracker: swarms by info hash, whose members' offers it hands to one another.
//!
//! It answers an announce with its interval, gives each offer of it to another member of the swarm,
//! drawn at random as real trackers do, and carries answers to whom they are for. Whoever has not
//! announced itself for a while is forgotten.
//!
//! spec: docs/protocol.md, section 9, "BitTorrent"

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tristero_proto::signaling::{LinkFrame, RelayUrl, Strategy};
use tristero_proto::strategies::Torrent;
use tristero_proto::{Rng, Seed, Time};

use super::service::{ClientId, Message, Service, ServiceOutput};

/// A relay of the torrent strategy.
#[derive(Debug)]
pub struct TrackerService {
    rng: Rng,
    swarms: BTreeMap<String, Swarm>,
    outputs: VecDeque<ServiceOutput>,
}

/// The members of a torrent, by peer id.
type Swarm = BTreeMap<String, Member>;

#[derive(Debug)]
struct Member {
    client: ClientId,
    /// Whether it has all of the file, as it says.
    is_seeder: bool,
    expires: Time,
}

impl TrackerService {
    /// A tracker that nobody has announced anything to. It draws from the seed who gets an offer.
    pub fn new(seed: u64) -> Self {
        let rng = Seed::from_number(seed).rng("tracker");
        TrackerService { rng, swarms: BTreeMap::new(), outputs: VecDeque::new() }
    }

    fn on_request(&mut self, client: ClientId, said: &Value, now: Time) {
        let is_hash = |text: &&str| text.chars().count() == HASH_LENGTH;
        let text = |key: &str| said[key].as_str();
        if text("action") != Some("announce") {
            return self.fail(client, None, "invalid action");
        }
        let Some(info_hash) = text("info_hash").filter(is_hash) else {
            return self.fail(client, None, "invalid info_hash");
        };
        let Some(peer_id) = text("peer_id").filter(is_hash) else {
            return self.fail(client, Some(info_hash), "invalid peer_id");
        };
        if text("event") == Some("stopped") {
            if let Some(swarm) = self.swarms.get_mut(info_hash) {
                swarm.remove(peer_id);
            }
            return;
        }
        self.enter(client, info_hash, peer_id, said, now);
        if said["answer"].is_null() {
            self.on_announce(client, info_hash, peer_id, said);
        } else {
            self.on_answer(client, info_hash, peer_id, said);
        }
    }

    /// Whoever says anything of a torrent belongs to its swarm.
    fn enter(&mut self, client: ClientId, info_hash: &str, id: &str, said: &Value, now: Time) {
        if self.swarms.len() >= SWARMS_MAX && !self.swarms.contains_key(info_hash) {
            return self.fail(client, Some(info_hash), "too many torrents");
        }
        let swarm = self.swarms.entry(info_hash.to_owned()).or_default();
        let is_seeder = said["left"].as_u64() == Some(0);
        let member = Member { client, is_seeder, expires: now + MEMBER_TTL };
        swarm.insert(id.to_owned(), member);
    }

    fn on_announce(&mut self, client: ClientId, info_hash: &str, id: &str, said: &Value) {
        self.outputs.push_back(ServiceOutput::Announced(client, info_hash.to_owned()));
        let Some(swarm) = self.swarms.get(info_hash) else { return };
        let complete = swarm.values().filter(|member| member.is_seeder).count();
        let answer = json!({
            "complete": complete, "incomplete": swarm.len() - complete, "action": "announce",
            "interval": INTERVAL.as_secs(), "info_hash": info_hash,
        });
        self.outputs.push_back(ServiceOutput::Send(client, LinkFrame::Text(answer.to_string())));
        let mut others: Vec<ClientId> = swarm
            .iter()
            .filter(|(other, _)| *other != id)
            .map(|(_, member)| member.client)
            .collect();
        let wanted = said["numwant"].as_u64().unwrap_or(0).min(OFFERS_MAX);
        let offers = said["offers"].as_array().into_iter().flatten();
        for offered in offers.take(usize::try_from(wanted).unwrap_or(0)) {
            if others.is_empty() {
                break;
            }
            let picked = usize::try_from(self.rng.below(others.len() as u64)).unwrap_or(0);
            let to = others.swap_remove(picked);
            let body = json!({
                "action": "announce", "offer": offered["offer"], "offer_id": offered["offer_id"],
                "peer_id": id, "info_hash": info_hash,
            });
            let message = self.invent(info_hash, &body.to_string());
            self.outputs.push_back(ServiceOutput::Deliver(to, message));
        }
    }

    fn on_answer(&mut self, client: ClientId, info_hash: &str, id: &str, said: &Value) {
        let to = said["to_peer_id"].as_str().unwrap_or_default();
        let member = self.swarms.get(info_hash).and_then(|swarm| swarm.get(to));
        let Some(to) = member.map(|member| member.client) else {
            let warning = json!({
                "action": "announce", "warning message": "no peer with that to_peer_id",
                "info_hash": info_hash,
            });
            let frame = LinkFrame::Text(warning.to_string());
            return self.outputs.push_back(ServiceOutput::Send(client, frame));
        };
        let body = json!({
            "action": "announce", "answer": said["answer"], "offer_id": said["offer_id"],
            "peer_id": id, "info_hash": info_hash,
        });
        let message = self.invent(info_hash, &body.to_string());
        self.outputs.push_back(ServiceOutput::Deliver(to, message));
    }

    fn fail(&mut self, client: ClientId, info_hash: Option<&str>, why: &str) {
        let mut failure = json!({ "action": "announce", "failure reason": why });
        if let Some(info_hash) = info_hash {
            failure["info_hash"] = info_hash.into();
        }
        self.outputs.push_back(ServiceOutput::Send(client, LinkFrame::Text(failure.to_string())));
    }
}

impl Service for TrackerService {
    fn strategy(&self) -> Arc<dyn Strategy> {
        Arc::new(Torrent)
    }

    fn url(&self, host: &str) -> RelayUrl {
        RelayUrl::web_socket(&format!("ws://{host}/announce")).expect("a host makes a URL")
    }

    fn on_open(&mut self, _: ClientId, _: Time) {}

    fn on_frame(&mut self, client: ClientId, frame: LinkFrame, now: Time) {
        if frame.len() > FRAME_BYTES_MAX {
            return self.outputs.push_back(ServiceOutput::Close(client, "a frame was too large"));
        }
        let said = match &frame {
            LinkFrame::Text(text) => serde_json::from_str::<Value>(text),
            LinkFrame::Binary(bytes) => serde_json::from_slice(bytes),
        };
        match said {
            Ok(said) => self.on_request(client, &said, now),
            Err(_) => self.outputs.push_back(ServiceOutput::Close(client, "a frame was not JSON")),
        }
    }

    fn on_close(&mut self, client: ClientId) {
        for swarm in self.swarms.values_mut() {
            swarm.retain(|_, member| member.client != client);
        }
        self.swarms.retain(|_, swarm| !swarm.is_empty());
    }

    fn forget(&mut self) {
        self.swarms.clear();
        self.outputs.clear();
    }

    fn invent(&mut self, topic: &str, body: &str) -> Message {
        let frames = vec![LinkFrame::Text(body.to_owned())];
        Message { topic: topic.to_owned(), body: body.to_owned(), frames }
    }

    fn poll_output(&mut self) -> Option<ServiceOutput> {
        self.outputs.pop_front()
    }

    fn handle_timeout(&mut self, now: Time) {
        for swarm in self.swarms.values_mut() {
            swarm.retain(|_, member| member.expires > now);
        }
        self.swarms.retain(|_, swarm| !swarm.is_empty());
    }

    fn poll_timeout(&self) -> Option<Time> {
        self.swarms.values().flat_map(BTreeMap::values).map(|member| member.expires).min()
    }
}

/// What the trackers of the captures name.
const INTERVAL: Duration = Duration::from_secs(120);

/// `aquatic_ws` forgets a peer that was silent for this long.
const MEMBER_TTL: Duration = Duration::from_secs(180);

/// `aquatic_ws` takes no larger frame.
const FRAME_BYTES_MAX: usize = 16 * 1024;

/// The length of an info hash and of a peer id.
const HASH_LENGTH: usize = 20;

/// Trackers pass on no more offers of one announce, whatever is wanted.
const OFFERS_MAX: u64 = 10;

/// Torrents that are kept. One more is refused.
const SWARMS_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbb";
    const SWARM: &str = "ssssssssssssssssssss";

    /// What is sent, and to whom.
    fn say(tracker: &mut TrackerService, from: u64, said: &Value, now: Time) -> Vec<(u64, Value)> {
        tracker.on_frame(ClientId(from), LinkFrame::Text(said.to_string()), now);
        let outputs = std::iter::from_fn(|| tracker.poll_output());
        let sent = outputs.filter_map(|output| match output {
            ServiceOutput::Send(to, LinkFrame::Text(text)) => Some((to.0, text)),
            ServiceOutput::Deliver(to, message) => Some((to.0, message.body)),
            _ => None,
        });
        sent.map(|(to, text)| (to, serde_json::from_str(&text).unwrap_or_default())).collect()
    }

    fn announce(id: &str) -> Value {
        let offers = ["o1", "o2", "o3"].map(|id| json!({ "offer_id": id, "offer": { "sdp": id } }));
        json!({
            "action": "announce", "info_hash": SWARM, "peer_id": id, "numwant": 3, "offers": offers,
        })
    }

    #[test]
    fn an_offer_goes_to_another_member_and_its_answer_comes_back() {
        let mut tracker = TrackerService::new(1);
        let told = say(&mut tracker, 1, &announce(A), Time::ZERO);
        assert_eq!(told.len(), 1);
        assert_eq!((told[0].0, &told[0].1["interval"]), (1, &json!(120)));
        let told = say(&mut tracker, 2, &announce(B), Time::ZERO);
        assert_eq!(told.len(), 2, "one offer for each of the others: {told:?}");
        assert_eq!((told[1].0, &told[1].1["offer_id"]), (1, &json!("o1")));
        let answer = json!({
            "action": "announce", "info_hash": SWARM, "peer_id": A, "to_peer_id": B,
            "offer_id": "o1", "answer": { "sdp": "x" },
        });
        let told = say(&mut tracker, 1, &answer, Time::ZERO);
        assert_eq!((told[0].0, &told[0].1["answer"]["sdp"]), (2, &json!("x")));
        assert_eq!(told[0].1["peer_id"], A);
    }

    #[test]
    fn who_is_silent_or_gone_gets_no_offers() {
        let mut tracker = TrackerService::new(1);
        say(&mut tracker, 1, &announce(A), Time::ZERO);
        tracker.handle_timeout(Time::ZERO + MEMBER_TTL);
        assert_eq!(say(&mut tracker, 2, &announce(B), Time::ZERO + MEMBER_TTL).len(), 1);
        tracker.on_close(ClientId(2));
        assert_eq!(say(&mut tracker, 1, &announce(A), Time::ZERO + MEMBER_TTL).len(), 1);
    }

    #[test]
    fn what_is_no_request_is_refused() {
        let mut tracker = TrackerService::new(1);
        for (key, value) in [("action", "scrape"), ("info_hash", "short"), ("peer_id", "short")] {
            let mut said = announce(A);
            said[key] = value.into();
            let told = say(&mut tracker, 1, &said, Time::ZERO);
            assert!(told[0].1["failure reason"].is_string(), "{key}: {told:?}");
        }
        let large = LinkFrame::Text("x".repeat(FRAME_BYTES_MAX + 1));
        tracker.on_frame(ClientId(1), large, Time::ZERO);
        assert!(matches!(tracker.poll_output(), Some(ServiceOutput::Close(..))));
    }
}
