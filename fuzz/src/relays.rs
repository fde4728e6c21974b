//! What relays send: whatever it is, a session neither panics, nor says more than it was told, nor
//! wants to be woken for ever.

use std::time::Duration;

use arbitrary::Arbitrary;
use tristero_proto::crypto::Topic;
use tristero_proto::signaling::{
    BulkOffers, LinkFrame, Publication, RelaySession, SessionInput, SessionOutput, Strategy,
    Subscription,
};
use tristero_proto::strategies::{Firebase, Ipfs, Mqtt, Nostr, Supabase, Torrent, WsRelay};
use tristero_proto::testing::session_terms;
use tristero_proto::wire::{OfferId, Signal, SignalBody};
use tristero_proto::{PeerId, Time};

/// A session may answer with this many times as many bytes as it got, and with [`WORDY_BYTES`].
const AMPLIFICATION_MAX: usize = 64;
/// What a session may say at any time, in bytes.
const WORDY_BYTES: usize = 256 * 1024;
/// How often a session may want to be woken again at once.
const HASTE_MAX: usize = 64;

/// What happens to a session.
#[derive(Arbitrary, Clone, Debug)]
pub enum Step {
    /// The relay sends a text.
    Text(String),
    /// The relay sends bytes.
    Bytes(Vec<u8>),
    /// Time passes, in milliseconds.
    Wait(u32),
    /// A room is joined, or joined again.
    Join(u8),
    /// A room is left.
    Leave(u8),
    /// Something is said in a room: announced, or sent to a peer.
    Say {
        /// Where.
        room: u8,
        /// To whom, unless it is for everyone.
        to: Option<u8>,
    },
    /// Offers for anyone are made in a room, unless it is dormant.
    Offer {
        /// Where.
        room: u8,
        /// Whether it is dormant.
        is_dormant: bool,
    },
    /// A passive room falls asleep.
    Rest(u8),
    /// The link is lost and made again.
    Reopen,
}

/// All strategies, each with a relay of its kind.
pub fn strategies() -> Vec<(Box<dyn Strategy>, &'static str)> {
    vec![
        (Box::new(WsRelay), "ws://localhost"),
        (Box::new(Nostr), "ws://localhost"),
        (Box::new(Mqtt), "ws://user:password@localhost"),
        (Box::new(Torrent), "ws://localhost"),
        (Box::new(Supabase::new("key")), "http://localhost"),
        (Box::new(Firebase::default()), "http://localhost/?ns=room"),
        (Box::new(Ipfs), "/ip4/127.0.0.1/tcp/1/ws/p2p/16Uiu2"),
    ]
}

/// Runs a session of a strategy through what happens.
pub fn run(strategy: &dyn Strategy, url: &str, steps: &[Step]) {
    let url = strategy.relay_url(url).expect("it is a URL of this strategy");
    let session = strategy.session(session_terms(url));
    let mut relay = Relay { session, now: Time::ZERO, said: 0, heard: 0 };
    relay.input(SessionInput::Opened);
    for step in steps {
        relay.step(step);
    }
    let _ = relay.session.target();
}

struct Relay {
    session: Box<dyn RelaySession>,
    now: Time,
    /// Bytes that it said and heard.
    said: usize,
    heard: usize,
}

impl Relay {
    fn step(&mut self, step: &Step) {
        match step {
            Step::Text(text) => self.hear(LinkFrame::Text(text.clone())),
            Step::Bytes(bytes) => self.hear(LinkFrame::Binary(bytes.clone().into())),
            Step::Wait(millis) => self.wait(Duration::from_millis((*millis).into())),
            Step::Join(room) => {
                let root = &root(*room);
                for topic in [&self_topic(*room), root] {
                    self.input(SessionInput::Subscribe(Subscription { topic, root }));
                }
            }
            Step::Leave(room) => {
                let root = &root(*room);
                for topic in [&self_topic(*room), root] {
                    self.input(SessionInput::Unsubscribe(Subscription { topic, root }));
                }
            }
            Step::Say { room, to } => self.say(*room, *to),
            Step::Offer { room, is_dormant } => {
                let offer_id = OfferId::from_wire("offer").expect("this is an id");
                let offers = &[(offer_id, "1$AA==".to_owned())];
                let (root, is_dormant) = (&root(*room), *is_dormant);
                self.input(SessionInput::Offer(BulkOffers { root, offers, is_dormant }));
            }
            Step::Rest(room) => self.input(SessionInput::Rest { root: &root(*room) }),
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
        let root = &root(room);
        let of_peer = peer.as_ref().map(|peer| Topic::of_peer("app", &room.to_string(), peer));
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
}

fn root(room: u8) -> Topic {
    Topic::root("app", &room.to_string())
}

fn self_topic(room: u8) -> Topic {
    let self_id = PeerId::new("self").expect("this is an id");
    Topic::of_peer("app", &room.to_string(), &self_id)
}

fn peer(number: u8) -> PeerId {
    PeerId::new(&format!("peer {number}")).expect("this is an id")
}
