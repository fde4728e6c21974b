//! Negotiations as one room sees them: who leads, glare, matching and expiry.

use super::*;
use crate::rng::Seed;
use crate::strategies::WsRelay;

const RELAY: RelayId = RelayId(1);
const OTHER_RELAY: RelayId = RelayId(2);

struct Room {
    signaling: Signaling,
    conns: Counter,
    candidates: Counter,
    rng: Rng,
    now: Time,
}

/// The room of a peer with this id; the peer on the other side is always `m`.
fn room_of(self_id: &str) -> Room {
    found(self_id, false)
}

fn found(self_id: &str, is_passive: bool) -> Room {
    let self_id = PeerId::new(self_id).unwrap();
    let names = RoomNames::new("app", "room", &Password::default(), &self_id);
    let options = ConnOptions::direct(true);
    let rng = Seed::from_number(1).rng("signaling");
    let limits = Limits::default();
    let terms = SignalingTerms { self_id, names, options, is_passive, limits, rng: rng.clone() };
    let mut signaling = Signaling::new(terms);
    signaling.add_relay(RELAY, &WsRelay);
    signaling.add_relay(OTHER_RELAY, &WsRelay);
    Room {
        signaling,
        conns: Counter::default(),
        candidates: Counter::default(),
        rng,
        now: Time::from_millis(1_000),
    }
}

fn peer() -> PeerId {
    PeerId::new("m").unwrap()
}

fn id(text: &str) -> OfferId {
    OfferId::from_wire(text).unwrap()
}

impl Room {
    fn seal(&mut self, text: &str) -> String {
        self.signaling.names.key.seal(text, &mut self.rng)
    }

    fn hear(&mut self, relay: RelayId, body: SignalBody) {
        self.hear_of(relay, peer(), body);
    }

    fn hear_of(&mut self, relay: RelayId, from: PeerId, body: SignalBody) {
        let signal = Signal { from, is_passive: false, body };
        self.signaling.on_signal(relay, signal, &mut self.conns, self.now);
    }

    fn hear_offer(&mut self, offer_id: &str) {
        let sealed = self.seal("offer");
        self.hear(RELAY, SignalBody::Offer { offer_id: id(offer_id), sealed });
    }

    fn hear_answer(&mut self, offer_id: Option<OfferId>) {
        let sealed = self.seal("answer");
        self.hear(RELAY, SignalBody::Answer { offer_id, sealed });
    }

    /// Hears a candidate that was not heard before.
    fn hear_candidate(&mut self, offer_id: Option<&str>) {
        let number = self.candidates.next();
        self.hear_candidate_number(number, offer_id);
    }

    fn hear_candidate_number(&mut self, number: u64, offer_id: Option<&str>) {
        let candidate = format!("candidate:{number}");
        let candidate = CandidateInit { candidate, ..Default::default() };
        let sealed = self.seal(&candidate.emit());
        self.hear(RELAY, SignalBody::Candidate { offer_id: offer_id.map(id), sealed });
    }

    /// An offer of ours is out; what was said on the way is dropped.
    fn offer(&mut self) -> OfferId {
        self.signaling.begin_offer(RELAY, &peer(), &mut self.conns, self.now);
        self.signaling.note_deadline(&peer());
        self.signaling.on_description(&peer(), "offer".into(), self.now);
        self.said();
        match &self.signaling.sessions[&peer()].phase {
            Phase::Offering(offering) => offering.offer_id.clone(),
            other => panic!("{other:?}"),
        }
    }

    fn wait(&mut self, time: std::time::Duration) {
        self.now = self.now + time;
        self.signaling.handle_timeout(&mut self.conns, self.now);
    }

    /// What it said since it was asked last, each as a word.
    fn said(&mut self) -> Vec<String> {
        let mut said = Vec::new();
        while let Some(output) = self.signaling.poll_output() {
            said.push(match output {
                SignalingOutput::Publish { relay, to, signal } => {
                    let kind = match signal.body {
                        SignalBody::Announce if to.is_none() => "announce",
                        SignalBody::Announce => "nudge",
                        SignalBody::Offer { .. } => "offer",
                        SignalBody::Answer { .. } => "answer",
                        SignalBody::Candidate { .. } => "candidate",
                        SignalBody::Standing { .. } => "standing",
                    };
                    let passively = if signal.is_passive { "passively " } else { "" };
                    format!("{passively}{kind} over {}", relay.0)
                }
                SignalingOutput::Trade { relay, offers, .. } => {
                    format!("trade {} over {}", offers.len(), relay.0)
                }
                SignalingOutput::OfferAnyone { conn } => format!("begin offer {}", conn.0),
                SignalingOutput::Offer { conn, .. } => format!("begin offer {}", conn.0),
                SignalingOutput::Answer { conn, .. } => format!("begin answer {}", conn.0),
                SignalingOutput::AcceptAnswer { conn, .. } => format!("accept {}", conn.0),
                SignalingOutput::AddCandidate { conn, .. } => format!("add to {}", conn.0),
                SignalingOutput::Close { conn } => format!("close {}", conn.0),
                SignalingOutput::SubscribeSelf { relay } => {
                    format!("subscribe self on {}", relay.0)
                }
                SignalingOutput::Woke => "woke".into(),
                SignalingOutput::FellAsleep => "fell asleep".into(),
                SignalingOutput::Failed { peer, failure, ask_over, .. } => {
                    // As the node does, unless the peer is connected by another room.
                    self.signaling.nudge(&peer, ask_over, self.now);
                    format!("{failure:?}")
                }
            });
        }
        said
    }
}

#[test]
fn the_smaller_id_offers_and_the_larger_one_nudges() {
    let mut smaller = room_of("a");
    smaller.hear(RELAY, SignalBody::Announce);
    assert_eq!(smaller.said(), ["begin offer 1"]);
    let mut larger = room_of("z");
    larger.hear(RELAY, SignalBody::Announce);
    assert_eq!(larger.said(), ["nudge over 1"]);
}

#[test]
fn one_offer_goes_over_every_relay_that_the_peer_is_heard_on_and_not_too_often() {
    let mut room = room_of("a");
    room.offer();
    room.hear(RELAY, SignalBody::Announce);
    assert_eq!(room.said(), [] as [&str; 0], "it was just sent there");
    room.hear(OTHER_RELAY, SignalBody::Announce);
    assert_eq!(room.said(), ["offer over 2"]);
    room.wait(std::time::Duration::from_millis(4_800));
    room.hear(RELAY, SignalBody::Announce);
    assert_eq!(room.said(), ["offer over 1"]);
}

#[test]
fn what_is_trickled_follows_the_offer_also_over_later_relays() {
    let mut room = room_of("a");
    room.offer();
    room.signaling.on_local_candidate(&peer(), &CandidateInit::default());
    assert_eq!(room.said(), ["candidate over 1"]);
    room.hear(OTHER_RELAY, SignalBody::Announce);
    assert_eq!(room.said(), ["offer over 2", "candidate over 2"]);
}

#[test]
fn when_both_offer_the_smaller_id_goes_on_and_the_larger_one_answers() {
    let mut smaller = room_of("a");
    smaller.offer();
    smaller.hear_offer("theirs");
    assert_eq!(smaller.said(), [] as [&str; 0]);
    let mut larger = room_of("z");
    larger.offer();
    larger.hear_offer("theirs");
    assert_eq!(larger.said(), ["close 1", "begin answer 2"]);
    larger.signaling.on_description(&peer(), "answer".into(), larger.now);
    assert_eq!(larger.said(), ["answer over 1"]);
}

#[test]
fn an_offer_that_does_not_decrypt_leaves_our_own_one_alone() {
    let mut room = room_of("z");
    let offer_id = room.offer();
    room.hear(RELAY, SignalBody::Offer { offer_id: id("theirs"), sealed: "x".into() });
    assert_eq!(room.said(), ["OfferPassword"]);
    room.hear_answer(Some(offer_id));
    assert_eq!(room.said(), ["accept 1"]);
}

#[test]
fn an_answer_is_taken_once_and_for_its_own_offer_or_for_none() {
    let mut room = room_of("a");
    let offer_id = room.offer();
    room.hear_answer(Some(id("another")));
    assert_eq!(room.said(), [] as [&str; 0]);
    room.hear_answer(Some(offer_id.clone()));
    assert_eq!(room.said(), ["accept 1"]);
    room.hear_answer(Some(offer_id));
    assert_eq!(room.said(), [] as [&str; 0]);
    let mut room = room_of("a");
    room.offer();
    room.hear_answer(None);
    assert_eq!(room.said(), ["accept 1"]);
}

#[test]
fn while_an_attempt_runs_announces_and_copies_of_its_offer_are_ignored() {
    let mut room = room_of("z");
    room.hear_offer("first");
    room.said();
    room.hear(RELAY, SignalBody::Announce);
    room.hear_offer("first");
    assert_eq!(room.said(), [] as [&str; 0]);
}

#[test]
fn a_new_offer_takes_the_place_of_the_one_that_is_being_answered_and_old_ones_do_not() {
    let mut room = room_of("z");
    room.hear_offer("first");
    room.said();
    room.hear_offer("second");
    assert_eq!(room.said(), ["close 1", "begin answer 2"], "the peer began anew");
    room.hear_offer("first");
    assert_eq!(room.said(), [] as [&str; 0], "a copy that took longer");
}

#[test]
fn a_connection_is_given_no_more_candidates_than_an_honest_peer_has() {
    let mut room = room_of("z");
    room.hear_offer("theirs");
    room.said();
    (0..1_000).for_each(|_| room.hear_candidate_number(0, Some("theirs")));
    assert_eq!(room.said(), ["add to 1"], "copies come over every relay");
    for _ in 1..limits::REMOTE_CANDIDATES_MAX + 10 {
        room.hear_candidate(Some("theirs"));
    }
    assert_eq!(room.said().len(), limits::REMOTE_CANDIDATES_MAX - 1);
    assert_eq!(room.signaling.dropped(), 10);
}

impl Room {
    /// Hears a signal as the node hands it on.
    fn overhear(&mut self, relay: RelayId, is_passive: bool, body: SignalBody) {
        let signal = Signal { from: peer(), is_passive, body };
        if self.signaling.wake(relay, &signal, self.now) {
            self.signaling.on_signal(relay, signal, &mut self.conns, self.now);
        }
        self.signaling.handle_timeout(&mut self.conns, self.now);
    }

    /// A passive room whose root subscriptions stand.
    fn passive(self_id: &str) -> Room {
        let mut room = found(self_id, true);
        let root = room.signaling.names.root_topic.clone();
        room.signaling.on_subscribed(RELAY, &root, room.now);
        room.signaling.on_subscribed(OTHER_RELAY, &root, room.now);
        room.wait(std::time::Duration::ZERO);
        room
    }
}

#[test]
fn a_passive_room_is_silent_until_an_active_peer_is_heard() {
    let mut room = Room::passive("z");
    room.wait(std::time::Duration::from_secs(600));
    room.overhear(RELAY, true, SignalBody::Announce);
    assert_eq!(room.said(), [] as [&str; 0], "two passive peers ignore each other");
    room.overhear(RELAY, false, SignalBody::Announce);
    let woke = ["subscribe self on 1", "woke", "nudge over 1"];
    let announces = ["passively announce over 1", "passively announce over 2"];
    assert_eq!(room.said(), [&woke[..], &announces[..]].concat());
    room.overhear(OTHER_RELAY, false, SignalBody::Announce);
    assert_eq!(room.said(), ["subscribe self on 2", "nudge over 2"]);
}

#[test]
fn a_passive_room_says_so_in_all_but_its_nudges() {
    let mut room = Room::passive("a");
    room.overhear(RELAY, false, SignalBody::Announce);
    room.signaling.on_description(&peer(), "offer".into(), room.now);
    room.signaling.on_local_candidate(&peer(), &CandidateInit::default());
    let said = room.said();
    for kind in ["passively offer over 1", "passively candidate over 1"] {
        assert!(said.iter().any(|word| word == kind), "{said:?}");
    }
}

#[test]
fn a_passive_room_that_meets_nobody_falls_asleep_again() {
    let mut room = Room::passive("z");
    room.overhear(RELAY, false, SignalBody::Announce);
    room.said();
    room.wait(std::time::Duration::from_millis(7_532));
    assert!(!room.signaling.is_dormant());
    room.said();
    room.wait(std::time::Duration::from_millis(1));
    assert_eq!(room.said(), ["fell asleep"]);
    room.wait(std::time::Duration::from_secs(600));
    assert_eq!(room.said(), [] as [&str; 0]);
}

#[test]
fn a_passive_room_falls_asleep_when_its_last_company_goes() {
    let mut room = Room::passive("z");
    room.overhear(RELAY, false, SignalBody::Announce);
    room.hear_offer("theirs");
    room.signaling.on_company(true, room.now);
    room.signaling.on_connected(&peer(), ConnId(1));
    room.wait(std::time::Duration::from_secs(600));
    assert!(!room.signaling.is_dormant(), "someone is there");
    room.said();
    room.signaling.on_company(false, room.now);
    assert_eq!(room.said(), ["fell asleep"]);
    room.overhear(RELAY, false, SignalBody::Announce);
    assert_eq!(room.said()[..2], ["woke", "nudge over 1"], "its own topic is still subscribed");
}

#[test]
fn candidates_find_their_attempt_or_wait_for_it() {
    let mut room = room_of("z");
    room.hear_candidate(Some("early"));
    room.hear_candidate(Some("never"));
    assert_eq!(room.said(), [] as [&str; 0]);
    room.hear_offer("early");
    assert_eq!(room.said(), ["begin answer 1", "add to 1"]);
    room.hear_candidate(Some("early"));
    room.hear_candidate(None);
    assert_eq!(room.said(), ["add to 1", "add to 1"]);
    let mut room = room_of("a");
    let offer_id = room.offer();
    room.hear_candidate(Some(offer_id.as_str()));
    room.hear_candidate(Some("another"));
    assert_eq!(room.said(), ["add to 1"], "before the answer too");
}

#[test]
fn a_relay_that_makes_peers_up_does_not_keep_out_those_that_another_brings() {
    let mut room = room_of("a");
    let sessions_max = room.signaling.limits.sessions_per_room;
    for stranger in 0..sessions_max + 10 {
        let stranger = PeerId::new(&format!("stranger {stranger:05}")).unwrap();
        room.now = room.now + std::time::Duration::from_millis(1);
        room.hear_of(RELAY, stranger, SignalBody::Announce);
    }
    assert_eq!(room.said().len(), sessions_max, "the relay itself gets no more than that");
    room.hear(OTHER_RELAY, SignalBody::Announce);
    let begun = format!("begin offer {}", sessions_max + 1);
    assert_eq!(room.said(), ["close 1".to_owned(), begun], "the oldest goes");
    assert_eq!(room.signaling.sessions.len(), sessions_max);
    let mut larger = room_of("z");
    larger.signaling.limits.sessions_per_room = 0;
    larger.hear(RELAY, SignalBody::Announce);
    assert_eq!(larger.said(), ["nudge over 1"], "that takes no session");
}

#[test]
fn what_leads_nowhere_expires() {
    let mut unanswered = room_of("a");
    unanswered.offer();
    unanswered.wait(std::time::Duration::from_millis(57_332));
    assert_eq!(unanswered.said(), [] as [&str; 0]);
    unanswered.wait(std::time::Duration::from_millis(1));
    assert_eq!(unanswered.said(), ["close 1"], "nobody is told of an offer without an answer");
    let mut answering = room_of("z");
    answering.hear_offer("theirs");
    answering.said();
    answering.wait(std::time::Duration::from_millis(23_333));
    let failed = "NotConnected { peer: \"m\", obstacle: None }";
    assert_eq!(answering.said(), [failed, "close 1", "nudge over 1"]);
    answering.hear_offer("again");
    answering.said();
    answering.wait(std::time::Duration::from_millis(23_333));
    assert_eq!(answering.said(), [failed, "close 2"], "it is asked for another attempt once");
    answering.wait(std::time::Duration::from_secs(60));
    assert!(answering.signaling.sessions.is_empty() && answering.said().is_empty());
}
