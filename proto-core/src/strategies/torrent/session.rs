//! One tracker: announces with offers, and what comes of them.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::wire::{Body, InfoHash, Request, Response};
use crate::crypto::Topic;
use crate::ids::PeerId;
use crate::signaling::{
    BulkOffers, LinkFrame, LinkTarget, Publication, RelaySession, RelayUrl, SessionInput,
    SessionOutput, SessionTerms,
};
use crate::time::{Deadline, Time};
use crate::wire::{OfferId, Signal, SignalBody};

/// How often a room is announced until the tracker says.
const INTERVAL_AT_FIRST: Duration = Duration::from_secs(10);
/// However often the tracker wants announces, they come no more often than this.
const INTERVAL_MIN: Duration = Duration::from_secs(10);
/// However seldom the tracker wants announces, they come as often as this. A dormant room makes no
/// more.
const INTERVAL_MAX: Duration = Duration::from_secs(120);

/// See the [module](self).
#[derive(Debug)]
pub(super) struct TorrentSession {
    url: RelayUrl,
    self_id: PeerId,
    torrents: BTreeMap<InfoHash, Torrent>,
    outputs: VecDeque<SessionOutput>,
}

/// A room that is announced.
#[derive(Debug)]
struct Torrent {
    root: Topic,
    /// How often the tracker wants to hear of it.
    interval: Duration,
    is_dormant: bool,
}

impl TorrentSession {
    pub(super) fn new(terms: SessionTerms) -> Self {
        let SessionTerms { url, self_id, .. } = terms;
        let (torrents, outputs) = (BTreeMap::new(), VecDeque::new());
        TorrentSession { url, self_id, torrents, outputs }
    }

    fn subscribe(&mut self, topic: &Topic, root: &Topic) {
        if topic == root {
            let interval = INTERVAL_AT_FIRST;
            let torrent = Torrent { root: root.clone(), interval, is_dormant: false };
            self.torrents.insert(InfoHash::of(root), torrent);
            self.outputs.push_back(SessionOutput::AnnounceEvery { root: root.clone(), interval });
        }
        self.outputs.push_back(SessionOutput::Subscribed(topic.clone()));
    }

    fn offer(&mut self, BulkOffers { root, offers, is_dormant }: BulkOffers<'_>) {
        let info_hash = InfoHash::of(root);
        let body = Body::announce(offers, is_dormant);
        let text = Request::new(&info_hash, &self.self_id, body).emit();
        self.outputs.push_back(SessionOutput::Send(LinkFrame::Text(text)));
        if let Some(torrent) = self.torrents.get_mut(&info_hash) {
            let was_dormant = std::mem::replace(&mut torrent.is_dormant, is_dormant);
            if was_dormant != is_dormant {
                let every = torrent.announce_every();
                self.outputs.push_back(every);
            }
        }
    }

    /// Only answers can be sent: others are found by offers, and nobody trickles here.
    fn publish(&mut self, Publication { root, to, signal, .. }: &Publication<'_>) {
        let (Some(to), SignalBody::Answer { offer_id: Some(offer_id), sealed }) =
            (to, &signal.body)
        else {
            return;
        };
        let body = Body::answer(to, offer_id, sealed);
        let text = Request::new(&InfoHash::of(root), &self.self_id, body).emit();
        self.outputs.push_back(SessionOutput::Send(LinkFrame::Text(text)));
    }

    fn on_frame(&mut self, frame: LinkFrame) {
        let response = match frame {
            LinkFrame::Text(text) => serde_json::from_str::<Response>(&text),
            // Some trackers send their JSON as bytes.
            LinkFrame::Binary(bytes) => serde_json::from_slice(&bytes),
        };
        let Ok(mut response) = response else {
            return self.malformed("a tracker sends objects");
        };
        if let Some(why) = response.failure.take() {
            return self.outputs.push_back(SessionOutput::Refusal(why));
        }
        if let Some(text) = response.warning.take() {
            self.outputs.push_back(SessionOutput::Notice(text));
        }
        let Some(info_hash) = response.info_hash.take() else {
            return self.malformed("a tracker names the torrent");
        };
        let Some(torrent) = self.torrents.get_mut(&InfoHash::from_wire(info_hash)) else {
            // The room was left.
            return;
        };
        if let Some(interval) = response.interval {
            let interval = Duration::try_from_secs_f64(interval).unwrap_or(INTERVAL_MAX);
            let interval = interval.clamp(INTERVAL_MIN, INTERVAL_MAX);
            if std::mem::replace(&mut torrent.interval, interval) != interval {
                let every = torrent.announce_every();
                self.outputs.push_back(every);
            }
        }
        if response.offer.is_some() || response.answer.is_some() {
            let topic = torrent.root.clone();
            match signal(response) {
                Some(signal) => {
                    let body = signal.emit();
                    self.outputs.push_back(SessionOutput::Message { topic, body });
                }
                None => self.malformed("offers and answers have a peer, a name and a description"),
            }
        }
    }

    fn malformed(&mut self, why: &'static str) {
        self.outputs.push_back(SessionOutput::Malformed(why));
    }
}

impl Torrent {
    fn announce_every(&self) -> SessionOutput {
        let interval = if self.is_dormant { INTERVAL_MAX } else { self.interval };
        SessionOutput::AnnounceEvery { root: self.root.clone(), interval }
    }
}

/// The signal that an offer or an answer stands for.
fn signal(response: Response) -> Option<Signal> {
    let from = PeerId::new(&response.peer_id?).ok()?;
    let offer_id = OfferId::from_wire(&response.offer_id?)?;
    let sealed = |received: super::wire::Received| received.sdp.filter(|sdp| !sdp.is_empty());
    let body = match (response.offer, response.answer) {
        (Some(offer), _) => SignalBody::Offer { offer_id, sealed: sealed(offer)? },
        (None, answer) => SignalBody::Answer { offer_id: Some(offer_id), sealed: sealed(answer?)? },
    };
    Some(Signal { from, is_passive: false, body })
}

impl RelaySession for TorrentSession {
    fn target(&self) -> LinkTarget {
        LinkTarget::WebSocket { url: self.url.clone(), protocol: None }
    }

    fn handle_input(&mut self, input: SessionInput<'_>, _now: Time) {
        match input {
            // A dormant room says so by an announce.
            SessionInput::Opened | SessionInput::WallClock(_) | SessionInput::Rest { .. } => {}
            SessionInput::Closed => {
                self.torrents.clear();
                self.outputs.clear();
            }
            SessionInput::Frame(frame) => self.on_frame(frame),
            SessionInput::Subscribe(subscription) => {
                self.subscribe(subscription.topic, subscription.root);
            }
            SessionInput::Unsubscribe(subscription) => {
                if subscription.topic == subscription.root {
                    self.torrents.remove(&InfoHash::of(subscription.root));
                }
            }
            SessionInput::Publish(publication) => self.publish(&publication),
            SessionInput::Offer(offers) => self.offer(offers),
        }
    }

    fn handle_timeout(&mut self, _now: Time) {}

    fn poll_output(&mut self) -> Option<SessionOutput> {
        self.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        None
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::signaling::Subscription;
    use crate::testing::session_terms;

    fn session() -> TorrentSession {
        let url = RelayUrl::web_socket("ws://localhost").unwrap();
        let mut session = TorrentSession::new(session_terms(url));
        session.handle_input(SessionInput::Opened, Time::ZERO);
        let root = &root();
        let subscription = Subscription { topic: root, root };
        session.handle_input(SessionInput::Subscribe(subscription), Time::ZERO);
        let told: Vec<_> = std::iter::from_fn(|| session.poll_output()).collect();
        assert_eq!(told, [every(10), SessionOutput::Subscribed(root.clone())]);
        session
    }

    fn root() -> Topic {
        Topic::root("wire-trace", "demo")
    }

    fn every(seconds: u64) -> SessionOutput {
        let interval = Duration::from_secs(seconds);
        SessionOutput::AnnounceEvery { root: root(), interval }
    }

    fn hear(session: &mut TorrentSession, mut frame: Value) -> Vec<SessionOutput> {
        frame["info_hash"] = "o173x5n12506v6b2c3f2".into();
        session.handle_input(SessionInput::Frame(LinkFrame::Text(frame.to_string())), Time::ZERO);
        std::iter::from_fn(|| session.poll_output()).collect()
    }

    fn offer(session: &mut TorrentSession, is_dormant: bool) -> Vec<SessionOutput> {
        let offers = BulkOffers { root: &root(), offers: &[], is_dormant };
        session.handle_input(SessionInput::Offer(offers), Time::ZERO);
        std::iter::from_fn(|| session.poll_output()).skip(1).collect()
    }

    #[test]
    fn a_tracker_names_the_interval_within_bounds() {
        let mut session = session();
        assert_eq!(hear(&mut session, json!({ "interval": 60 })), [every(60)]);
        assert_eq!(hear(&mut session, json!({ "interval": 60 })), []);
        assert_eq!(hear(&mut session, json!({ "interval": 1 })), [every(10)]);
        for much in [json!(1e300), json!(86_400), json!(-1), json!(121)] {
            hear(&mut session, json!({ "interval": 10 }));
            assert_eq!(hear(&mut session, json!({ "interval": much })), [every(120)], "{much}");
        }
    }

    #[test]
    fn a_dormant_room_is_announced_every_two_minutes_whatever_the_tracker_wants() {
        let mut session = session();
        assert_eq!(offer(&mut session, true), [every(120)]);
        assert_eq!(hear(&mut session, json!({ "interval": 30 })), [every(120)]);
        assert_eq!(offer(&mut session, false), [every(30)]);
    }

    #[test]
    fn failures_and_warnings_are_told() {
        let mut session = session();
        let refusal = SessionOutput::Refusal("unregistered torrent".into());
        assert_eq!(
            hear(&mut session, json!({ "failure reason": "unregistered torrent" })),
            [refusal]
        );
        let notice = SessionOutput::Notice("slow down".into());
        let told = hear(&mut session, json!({ "warning message": "slow down", "interval": 20 }));
        assert_eq!(told, [notice, every(20)]);
    }

    #[test]
    fn an_answer_without_a_description_is_dropped() {
        let mut session = session();
        let complete = json!({ "peer_id": "a", "offer_id": "o", "answer": { "sdp": "sealed" } });
        assert!(matches!(
            hear(&mut session, complete.clone())[..],
            [SessionOutput::Message { .. }]
        ));
        for (key, value) in [
            ("answer", json!({ "type": "answer" })),
            ("answer", json!({ "sdp": "" })),
            ("peer_id", json!("")),
            ("offer_id", Value::Null),
        ] {
            let mut broken = complete.clone();
            broken[key] = value;
            let told = hear(&mut session, broken);
            assert!(matches!(told[..], [SessionOutput::Malformed(_)]), "{key}: {told:?}");
        }
    }
}
