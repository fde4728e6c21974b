//! One Nostr relay: subscriptions, events, and what the relay thinks of them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use serde_json::{Value, json};

use super::event::{Delivered, Key, kind_of};
use crate::crypto::Topic;
use crate::limits;
use crate::rng::Rng;
use crate::signaling::{
    LinkFrame, LinkTarget, Publication, RelaySession, RelayUrl, SessionInput, SessionOutput,
    SessionTerms,
};
use crate::time::{Clock, Deadline, Time};

/// Relays refuse subscriptions with more.
const TOPICS_PER_SUBSCRIPTION: usize = 250;
/// The length of a subscription's id, in characters.
const SUBSCRIPTION_ID_LENGTH: usize = 64;
/// What a relay says of an announce this long after it is not about it.
const ANNOUNCE_VERDICT_WITHIN: Duration = Duration::from_millis(5_333);
/// A subscription that is sent anew still wants what is this old, for it may be on its way. Signals
/// take no longer, as a rule, and of relays that keep events few come twice.
const ON_ITS_WAY_SECS: u64 = 5;
/// A relay that has enough of announces gets none for this long; each further time doubles it.
const HOLD_FIRST: Duration = Duration::from_secs(60);
/// The longest such pause.
const HOLD_MAX: Duration = Duration::from_secs(15 * 60);

/// See the [module](self).
#[derive(Debug)]
pub(super) struct NostrSession {
    url: RelayUrl,
    key: Key,
    rng: Rng,
    clock: Clock,
    subscriptions: Vec<Subscription>,
    /// Announces that the relay has not judged: which room, and until when it may.
    announced: BTreeMap<String, (Topic, Time)>,
    /// How long announces of a room are to be held next time.
    holds: BTreeMap<Topic, Duration>,
    /// Subscriptions are to be written then: topics that come together go together.
    write_at: Option<Time>,
    outputs: VecDeque<SessionOutput>,
}

#[derive(Debug)]
struct Subscription {
    id: String,
    topics: BTreeSet<Topic>,
    /// Topics that the relay does not know of yet.
    new: Vec<Topic>,
    /// When it was first sent, in seconds since 1970, if it was.
    first_sent: Option<u64>,
    is_changed: bool,
}

impl NostrSession {
    pub(super) fn new(terms: SessionTerms) -> Self {
        let SessionTerms { url, shared, rng, clock, self_id: _ } = terms;
        NostrSession {
            url,
            key: Key::generate(&mut shared.rng("key")),
            rng,
            clock,
            subscriptions: Vec::new(),
            announced: BTreeMap::new(),
            holds: BTreeMap::new(),
            write_at: None,
            outputs: VecDeque::new(),
        }
    }

    fn subscribe(&mut self, topic: &Topic, now: Time) {
        let has_room =
            |subscription: &&mut Subscription| subscription.topics.len() < TOPICS_PER_SUBSCRIPTION;
        if !self.subscriptions.iter_mut().any(|subscription| has_room(&subscription)) {
            let id = self.rng.alphanumeric(SUBSCRIPTION_ID_LENGTH);
            let (topics, new) = (BTreeSet::new(), Vec::new());
            let first_sent = None;
            let subscription = Subscription { id, topics, new, first_sent, is_changed: true };
            self.subscriptions.push(subscription);
        }
        if let Some(subscription) = self.subscriptions.iter_mut().find(has_room) {
            subscription.topics.insert(topic.clone());
            subscription.new.push(topic.clone());
            subscription.is_changed = true;
            self.write_at = Some(now);
        }
    }

    fn unsubscribe(&mut self, topic: &Topic, now: Time) {
        for subscription in &mut self.subscriptions {
            if subscription.topics.remove(topic) {
                subscription.new.retain(|new| new != topic);
                subscription.is_changed = true;
                self.write_at = Some(now);
            }
        }
        self.holds.remove(topic);
    }

    fn publish(&mut self, publication: &Publication<'_>, now: Time) {
        let unix_secs = self.unix_secs(now);
        let body = publication.signal.emit();
        let event = self.key.sign(publication.topic, &body, unix_secs, &mut self.rng);
        if publication.to.is_none() {
            self.announced.retain(|_, (_, until)| *until > now);
            if self.announced.len() >= limits::ROOMS_MAX {
                self.announced.pop_first();
            }
            let until = now + ANNOUNCE_VERDICT_WITHIN;
            self.announced.insert(event.id.clone(), (publication.root.clone(), until));
        }
        self.send(&json!(["EVENT", event]));
    }

    /// Writes the subscriptions that have changed.
    fn write(&mut self, now: Time) {
        let unix_secs = self.unix_secs(now);
        let mut written = Vec::new();
        for subscription in self.subscriptions.iter_mut().filter(|s| s.is_changed) {
            subscription.is_changed = false;
            let Subscription { id, topics, first_sent, .. } = subscription;
            if topics.is_empty() {
                written.push(json!(["CLOSE", id]));
            } else {
                let kinds: BTreeSet<u32> = topics.iter().map(kind_of).collect();
                let topics: Vec<&str> = topics.iter().map(Topic::as_str).collect();
                let first_sent = *first_sent.get_or_insert(unix_secs);
                let since = first_sent.max(unix_secs.saturating_sub(ON_ITS_WAY_SECS));
                let filter = json!({ "kinds": kinds, "since": since, "#x": topics });
                written.push(json!(["REQ", id, filter]));
            }
        }
        written.iter().for_each(|message| self.send(message));
        for subscription in &mut self.subscriptions {
            let new = subscription.new.drain(..);
            self.outputs.extend(new.map(SessionOutput::Subscribed));
        }
        self.subscriptions.retain(|subscription| !subscription.topics.is_empty());
    }

    fn on_frame(&mut self, frame: &LinkFrame, now: Time) {
        let LinkFrame::Text(text) = frame else {
            return self.malformed("a relay sends text");
        };
        let Ok(Value::Array(mut parts)) = serde_json::from_str(text) else {
            return self.malformed("a relay sends lists");
        };
        let text = |parts: &[Value], at: usize| -> Option<String> {
            Some(parts.get(at)?.as_str()?.to_owned())
        };
        match text(&parts, 0).as_deref() {
            Some("EVENT") if parts.len() >= 3 => self.on_event(parts.swap_remove(2)),
            Some("OK") => match (text(&parts, 1), parts.get(2).and_then(Value::as_bool)) {
                (Some(id), Some(is_taken)) => {
                    let why = text(&parts, 3).unwrap_or_default();
                    self.on_ok(&id, is_taken, why, now);
                }
                _ => self.malformed("an OK names an event and says whether it was taken"),
            },
            Some("CLOSED") => {
                let why = text(&parts, 2).unwrap_or_default();
                self.outputs.push_back(SessionOutput::Retire(why));
            }
            Some("NOTICE") => {
                let said = text(&parts, 1).unwrap_or_default();
                self.outputs.push_back(SessionOutput::Notice(said));
            }
            Some(_) => {}
            None => self.malformed("a relay says first what it sends"),
        }
    }

    fn on_event(&mut self, event: Value) {
        let delivered = serde_json::from_value::<Delivered>(event).ok();
        match delivered.and_then(Delivered::into_signal) {
            Some((topic, body)) => {
                self.outputs.push_back(SessionOutput::Message { topic, body });
            }
            None => self.malformed("an event has a content and its topic as a tag"),
        }
    }

    fn on_ok(&mut self, id: &str, is_taken: bool, why: String, now: Time) {
        let announced = self.announced.remove(id).filter(|(_, until)| *until > now);
        if is_taken {
            if let Some((root, _)) = announced {
                self.holds.remove(&root);
            }
        } else if why.starts_with("rate-limited:") {
            if let Some((root, _)) = announced {
                let pause = self.holds.get(&root).copied().unwrap_or(HOLD_FIRST);
                self.holds.insert(root.clone(), (pause * 2).min(HOLD_MAX));
                self.outputs.push_back(SessionOutput::HoldAnnounces { root, pause });
            }
            self.outputs.push_back(SessionOutput::Notice(why));
        } else if !why.starts_with("duplicate:") {
            self.outputs.push_back(SessionOutput::Retire(why));
        }
    }

    fn send(&mut self, message: &Value) {
        self.outputs.push_back(SessionOutput::Send(LinkFrame::Text(message.to_string())));
    }

    fn malformed(&mut self, why: &'static str) {
        self.outputs.push_back(SessionOutput::Malformed(why));
    }

    fn unix_secs(&self, now: Time) -> u64 {
        (self.clock.unix + now.since(self.clock.now)).as_secs()
    }
}

impl RelaySession for NostrSession {
    fn target(&self) -> LinkTarget {
        LinkTarget::WebSocket { url: self.url.clone(), protocol: None }
    }

    fn handle_input(&mut self, input: SessionInput<'_>, now: Time) {
        match input {
            SessionInput::Opened | SessionInput::Rest { .. } | SessionInput::Offer(_) => {}
            SessionInput::WallClock(clock) => self.clock = clock,
            SessionInput::Closed => {
                self.subscriptions.clear();
                self.announced.clear();
                self.write_at = None;
                self.outputs.clear();
            }
            SessionInput::Frame(frame) => self.on_frame(&frame, now),
            SessionInput::Subscribe(subscription) => self.subscribe(subscription.topic, now),
            SessionInput::Unsubscribe(subscription) => self.unsubscribe(subscription.topic, now),
            SessionInput::Publish(publication) => self.publish(&publication, now),
        }
    }

    fn handle_timeout(&mut self, now: Time) {
        if self.write_at.take_if(|at| *at <= now).is_some() {
            self.write(now);
        }
    }

    fn poll_output(&mut self) -> Option<SessionOutput> {
        self.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        self.write_at.map(|at| Deadline::new(at, "subscribe on Nostr"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::PeerId;
    use crate::testing::session_terms;
    use crate::wire::{Signal, SignalBody};

    fn session() -> NostrSession {
        let url = RelayUrl::web_socket("wss://relay.example").unwrap();
        let mut session = NostrSession::new(session_terms(url));
        session.handle_input(SessionInput::Opened, Time::ZERO);
        session
    }

    fn subscribe(session: &mut NostrSession, topics: &[Topic], now: Time) {
        for topic in topics {
            let root = &topics[0];
            let subscription = crate::signaling::Subscription { topic, root };
            session.handle_input(SessionInput::Subscribe(subscription), now);
        }
        session.handle_timeout(now);
    }

    fn announce(session: &mut NostrSession, now: Time) -> String {
        let topic = &Topic::from_wire("root");
        let from = PeerId::new("a").unwrap();
        let signal = &Signal { from, is_passive: false, body: SignalBody::Announce };
        let publication = Publication { topic, root: topic, to: None, signal };
        session.handle_input(SessionInput::Publish(publication), now);
        sent(session).pop().unwrap()[1]["id"].as_str().unwrap().to_owned()
    }

    fn hear(session: &mut NostrSession, message: &Value, now: Time) -> Vec<SessionOutput> {
        let frame = LinkFrame::Text(message.to_string());
        session.handle_input(SessionInput::Frame(frame), now);
        std::iter::from_fn(|| session.poll_output()).collect()
    }

    fn sent(session: &mut NostrSession) -> Vec<Value> {
        let outputs = std::iter::from_fn(|| session.poll_output());
        let message = |output| match output {
            SessionOutput::Send(LinkFrame::Text(text)) => serde_json::from_str(&text).ok(),
            _ => None,
        };
        outputs.filter_map(message).collect()
    }

    #[test]
    fn topics_share_a_subscription_until_it_is_full_and_are_sent_anew_under_its_id() {
        let mut session = session();
        let topics: Vec<Topic> = (0..=250).map(|n| Topic::from_wire(&format!("{n:03}"))).collect();
        subscribe(&mut session, &topics[..2], Time::ZERO);
        let first = sent(&mut session);
        assert_eq!(first.len(), 1, "{first:?}");
        assert_eq!(first[0][2]["#x"], json!(["000", "001"]));
        assert_eq!(first[0][2]["since"], 1_700_000_000);
        subscribe(&mut session, &topics[2..], Time::from_millis(5_000));
        let then = sent(&mut session);
        assert_eq!(then.len(), 2);
        assert_eq!(then[0][1], first[0][1]);
        assert_eq!(then[0][2]["#x"].as_array().unwrap().len(), 250);
        assert_eq!(then[1][2]["#x"], json!(["250"]));
        assert_eq!(then[1][2]["since"], 1_700_000_005);
        let gone = crate::signaling::Subscription { topic: &topics[250], root: &topics[250] };
        session.handle_input(SessionInput::Unsubscribe(gone), Time::ZERO);
        session.handle_timeout(Time::ZERO);
        assert_eq!(sent(&mut session), [json!(["CLOSE", then[1][1]])]);
    }

    #[test]
    fn what_is_on_its_way_is_still_wanted_when_a_subscription_is_sent_anew() {
        let mut session = session();
        let topics = ["a", "b", "c"].map(Topic::from_wire);
        let since = |session: &mut NostrSession, count: usize, at_millis: u64| {
            subscribe(session, &topics[..count], Time::from_millis(at_millis));
            sent(session)[0][2]["since"].as_u64().unwrap() - 1_700_000_000
        };
        assert_eq!(since(&mut session, 1, 2_000), 2);
        assert_eq!(since(&mut session, 2, 3_000), 2, "nothing before it was first sent");
        assert_eq!(since(&mut session, 3, 60_000), 55, "not all that a relay may have kept");
        session.handle_input(SessionInput::Closed, Time::from_millis(60_000));
        session.handle_input(SessionInput::Opened, Time::from_millis(61_000));
        assert_eq!(since(&mut session, 1, 61_000), 61, "on a new link it is new");
    }

    #[test]
    fn a_relay_with_enough_announces_gets_fewer_and_fewer() {
        let mut session = session();
        for seconds in [60, 120, 240, 480, 900, 900] {
            let id = announce(&mut session, Time::ZERO);
            let told =
                hear(&mut session, &json!(["OK", id, false, "rate-limited: no"]), Time::ZERO);
            let root = Topic::from_wire("root");
            let hold = SessionOutput::HoldAnnounces { root, pause: Duration::from_secs(seconds) };
            assert_eq!(told[0], hold);
        }
        let id = announce(&mut session, Time::ZERO);
        assert_eq!(hear(&mut session, &json!(["OK", id, true, ""]), Time::ZERO), []);
        let id = announce(&mut session, Time::ZERO);
        let late = Time::from_millis(5_334);
        let told = hear(&mut session, &json!(["OK", id, false, "rate-limited: no"]), late);
        assert_eq!(told.len(), 1, "that is not about the announce: {told:?}");
    }

    #[test]
    fn a_relay_that_refuses_us_is_retired_and_one_that_has_heard_it_already_is_not() {
        let mut session = session();
        let id = announce(&mut session, Time::ZERO);
        assert_eq!(
            hear(&mut session, &json!(["OK", id, false, "duplicate: seen"]), Time::ZERO),
            []
        );
        let why = "restricted: pay first";
        let retire = [SessionOutput::Retire(why.to_owned())];
        assert_eq!(hear(&mut session, &json!(["OK", id, false, why]), Time::ZERO), retire);
        assert_eq!(hear(&mut session, &json!(["CLOSED", "sub", why]), Time::ZERO), retire);
        let notice = [SessionOutput::Notice("hello".to_owned())];
        assert_eq!(hear(&mut session, &json!(["NOTICE", "hello"]), Time::ZERO), notice);
    }

    #[test]
    fn events_are_signals_and_other_things_are_nothing() {
        let mut session = session();
        let event = json!({ "content": "{}", "tags": [["p", "y"], ["x", "t"]], "kind": 7 });
        let told = hear(&mut session, &json!(["EVENT", "sub", event]), Time::ZERO);
        let message = SessionOutput::Message { topic: Topic::from_wire("t"), body: "{}".into() };
        assert_eq!(told, [message]);
        assert_eq!(hear(&mut session, &json!(["EOSE", "sub"]), Time::ZERO), []);
        for broken in [json!([]), json!({}), json!(["EVENT", "sub", {}]), json!(["OK", 1, 2])] {
            let told = hear(&mut session, &broken, Time::ZERO);
            assert!(matches!(told[..], [SessionOutput::Malformed(_)]), "{broken} {told:?}");
        }
    }
}
