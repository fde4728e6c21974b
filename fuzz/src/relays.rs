//! What relays send: whatever it is, a session neither panics, nor says more than it was told, nor
//! wants to be woken for ever.

use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use tristero_proto::crypto::Topic;
use tristero_proto::signaling::{
    BulkOffers, LinkFrame, Publication, RelaySession, SessionInput, SessionOutput, Strategy,
    Subscription,
};
use tristero_proto::strategies::{Firebase, Ipfs, Mqtt, Nostr, Supabase, Torrent, WsRelay};
use tristero_proto::testing::session_terms;
use tristero_proto::wire::{OfferId, Signal, SignalBody};
use tristero_proto::{PeerId, Time};

use crate::script::{self, blob, emit_blob, text};

/// A session may answer with this many times as many bytes as it got, and with [`WORDY_BYTES`].
const AMPLIFICATION_MAX: usize = 64;
/// What a session may say at any time, in bytes.
const WORDY_BYTES: usize = 256 * 1024;
/// How often a session may want to be woken again at once.
const HASTE_MAX: usize = 64;
/// Steps of one run.
const STEPS_MAX: usize = 128;

/// What happens to a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The relay sends a text.
    Text(String),
    /// The relay sends bytes.
    Bytes(Vec<u8>),
    /// Time passes, in tenths of a second.
    Wait(u16),
    /// A room is joined, or joined again.
    Join(u8),
    /// A room is left.
    Leave(u8),
    /// Something is said in a room to everyone.
    Announce(u8),
    /// Something is said in a room to a peer.
    Answer(u8, u8),
    /// Offers for anyone are made in a room, unless it is dormant.
    Offer(u8, bool),
    /// A passive room falls asleep.
    Rest(u8),
    /// The link is lost and made again.
    Reopen,
}

impl From<LinkFrame> for Step {
    fn from(frame: LinkFrame) -> Self {
        match frame {
            LinkFrame::Text(text) => Step::Text(text),
            LinkFrame::Binary(bytes) => Step::Bytes(bytes.into()),
        }
    }
}

impl<'a> Arbitrary<'a> for Step {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let kind = bytes.arbitrary::<u8>()? % 10;
        Ok(match kind {
            0 => Step::Text(text(bytes)?),
            1 => Step::Bytes(blob(bytes)?),
            2 => Step::Wait(bytes.arbitrary()?),
            3 => Step::Join(bytes.arbitrary()?),
            4 => Step::Leave(bytes.arbitrary()?),
            5 => Step::Announce(bytes.arbitrary()?),
            6 => Step::Answer(bytes.arbitrary()?, bytes.arbitrary()?),
            7 => Step::Offer(bytes.arbitrary()?, bytes.arbitrary()?),
            8 => Step::Rest(bytes.arbitrary()?),
            _ => Step::Reopen,
        })
    }
}

impl Step {
    /// Writes the step as it is read.
    pub fn emit(&self, out: &mut Vec<u8>) {
        match self {
            Step::Text(text) => {
                out.push(0);
                emit_blob(text.as_bytes(), out);
            }
            Step::Bytes(bytes) => {
                out.push(1);
                emit_blob(bytes, out);
            }
            Step::Wait(tenths) => {
                out.push(2);
                out.extend(tenths.to_le_bytes());
            }
            Step::Join(room) => out.extend([3, *room]),
            Step::Leave(room) => out.extend([4, *room]),
            Step::Announce(room) => out.extend([5, *room]),
            Step::Answer(room, to) => out.extend([6, *room, *to]),
            Step::Offer(room, is_dormant) => out.extend([7, *room, u8::from(*is_dormant)]),
            Step::Rest(room) => out.extend([8, *room]),
            Step::Reopen => out.push(9),
        }
    }
}

/// A relay that speaks Trystero's own protocol.
pub fn ws(bytes: &[u8]) {
    run(&Kind::of("ws"), bytes);
}

/// A Nostr relay.
pub fn nostr(bytes: &[u8]) {
    run(&Kind::of("nostr"), bytes);
}

/// An MQTT broker.
pub fn mqtt(bytes: &[u8]) {
    run(&Kind::of("mqtt"), bytes);
}

/// A tracker.
pub fn torrent(bytes: &[u8]) {
    run(&Kind::of("torrent"), bytes);
}

/// Supabase Realtime.
pub fn supabase(bytes: &[u8]) {
    run(&Kind::of("supabase"), bytes);
}

/// A Firebase database.
pub fn firebase(bytes: &[u8]) {
    run(&Kind::of("firebase"), bytes);
}

/// A Waku node.
pub fn ipfs(bytes: &[u8]) {
    run(&Kind::of("ipfs"), bytes);
}

/// A strategy, a relay of its kind, and the app whose rooms are used: that of the captures, so that
/// what was sent in them is of the first room.
pub(crate) struct Kind {
    strategy: Box<dyn Strategy>,
    url: &'static str,
    app: &'static str,
}

impl Kind {
    pub(crate) fn of(name: &str) -> Self {
        let (strategy, url): (Box<dyn Strategy>, _) = match name {
            "ws" => (Box::new(WsRelay), "ws://localhost"),
            "nostr" => (Box::new(Nostr), "ws://localhost"),
            "mqtt" => (Box::new(Mqtt), "ws://user:password@localhost"),
            "torrent" => (Box::new(Torrent), "ws://localhost"),
            "supabase" => (Box::new(Supabase::new("key")), "http://localhost"),
            "firebase" => (Box::new(Firebase::default()), "http://localhost/?ns=room"),
            "ipfs" => (Box::new(Ipfs), "/ip4/127.0.0.1/tcp/1/ws/p2p/16Uiu2"),
            other => unreachable!("no strategy is called {other}"),
        };
        let app = match name {
            "supabase" => "http://127.0.0.1:9106",
            "firebase" => "http://127.0.0.1:9107?ns=wire-trace",
            _ => "wire-trace",
        };
        Kind { strategy, url, app }
    }

    pub(crate) fn session(&self) -> Box<dyn RelaySession> {
        let url = self.strategy.relay_url(self.url).expect("it is a URL of this strategy");
        self.strategy.session(session_terms(url))
    }
}

/// The signals that a session hears in frames.
pub(crate) fn bodies(session: &mut dyn RelaySession, frames: Vec<LinkFrame>) -> Vec<String> {
    let mut bodies = Vec::new();
    for frame in frames {
        session.handle_input(SessionInput::Frame(frame), Time::ZERO);
        while let Some(output) = session.poll_output() {
            if let SessionOutput::Message { body, .. } = output {
                bodies.push(body);
            }
        }
    }
    bodies
}

/// Runs a session of a strategy through what happens.
fn run(kind: &Kind, bytes: &[u8]) {
    let (session, app) = (kind.session(), kind.app);
    let mut relay = Relay { session, app, now: Time::ZERO, said: 0, heard: 0 };
    relay.input(SessionInput::Opened);
    for step in script::steps(bytes, STEPS_MAX) {
        relay.step(step);
    }
    let _ = relay.session.target();
}

struct Relay {
    session: Box<dyn RelaySession>,
    app: &'static str,
    now: Time,
    /// Bytes that it said and heard.
    said: usize,
    heard: usize,
}

impl Relay {
    fn step(&mut self, step: Step) {
        match step {
            Step::Text(text) => self.hear(LinkFrame::Text(text)),
            Step::Bytes(bytes) => self.hear(LinkFrame::Binary(bytes.into())),
            Step::Wait(tenths) => self.wait(Duration::from_millis(u64::from(tenths) * 100)),
            Step::Join(room) => {
                let (root, own) = (&self.root(room), &self.self_topic(room));
                for topic in [own, root] {
                    self.input(SessionInput::Subscribe(Subscription { topic, root }));
                }
            }
            Step::Leave(room) => {
                let (root, own) = (&self.root(room), &self.self_topic(room));
                for topic in [own, root] {
                    self.input(SessionInput::Unsubscribe(Subscription { topic, root }));
                }
            }
            Step::Announce(room) => self.say(room, None),
            Step::Answer(room, to) => self.say(room, Some(to)),
            Step::Offer(room, is_dormant) => {
                let offer_id = OfferId::from_wire("offer").expect("this is an id");
                let offers = &[(offer_id, "1$AA==".to_owned())];
                let root = &self.root(room);
                self.input(SessionInput::Offer(BulkOffers { root, offers, is_dormant }));
            }
            Step::Rest(room) => {
                let root = &self.root(room);
                self.input(SessionInput::Rest { root });
            }
            Step::Reopen => {
                self.input(SessionInput::Closed);
                self.input(SessionInput::Opened);
            }
        }
    }

    fn hear(&mut self, frame: LinkFrame) {
        self.heard += frame.len();
        self.input(SessionInput::Frame(frame));
    }

    fn say(&mut self, room: u8, to: Option<u8>) {
        let from = PeerId::new("self").expect("this is an id");
        let offer_id = OfferId::from_wire("offer");
        let body = match to {
            None => SignalBody::Announce,
            Some(_) => SignalBody::Answer { offer_id, sealed: "1$AA==".to_owned() },
        };
        let signal = &Signal { from, is_passive: false, body };
        let peer = to.map(peer);
        let root = &self.root(room);
        let of_peer = peer.as_ref().map(|peer| Topic::of_peer(self.app, &room_id(room), peer));
        let topic = of_peer.as_ref().unwrap_or(root);
        self.input(SessionInput::Publish(Publication { topic, root, to: peer.as_ref(), signal }));
    }

    fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        let mut haste = 0;
        while let Some(deadline) = self.session.poll_timeout().filter(|next| next.at <= end) {
            haste = if deadline.at > self.now { 0 } else { haste + 1 };
            assert!(haste < HASTE_MAX, "it wants to be woken again and again: {deadline:?}");
            self.now = self.now.max(deadline.at);
            self.session.handle_timeout(self.now);
            self.drain();
            // What is said in time is not caused by what was heard.
            self.said = 0;
        }
        self.now = end;
    }

    fn input(&mut self, input: SessionInput<'_>) {
        self.session.handle_input(input, self.now);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.session.poll_output() {
            self.said += match output {
                SessionOutput::Send(frame) => frame.len(),
                SessionOutput::Message { body, .. } => body.len(),
                SessionOutput::Notice(text)
                | SessionOutput::Refusal(text)
                | SessionOutput::Fail(text)
                | SessionOutput::Retire(text) => text.len(),
                _ => 1,
            };
        }
        let bound = WORDY_BYTES + AMPLIFICATION_MAX * self.heard;
        assert!(self.said <= bound, "it said {} bytes after {}", self.said, self.heard);
    }

    fn root(&self, room: u8) -> Topic {
        Topic::root(self.app, &room_id(room))
    }

    fn self_topic(&self, room: u8) -> Topic {
        let self_id = PeerId::new("self").expect("this is an id");
        Topic::of_peer(self.app, &room_id(room), &self_id)
    }
}

/// The first room is that of the captures.
fn room_id(room: u8) -> String {
    if room == 0 { "demo".to_owned() } else { room.to_string() }
}

fn peer(number: u8) -> PeerId {
    PeerId::new(&format!("peer {number}")).expect("this is an id")
}
