//! The suite that every engine runs.
//!
//! Each function takes a way to make engines and panics where one breaks the contract of
//! [`Engine`]. [`run_all`] runs them all; call them one by one for a test each. The network
//! between the two engines is in memory, in virtual time, with 5 ms of latency and no loss.

mod tracks;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

pub use tracks::{
    ends_all_tracks_before_the_connection, gives_up_what_it_proposed, sends_tracks_and_ends_them,
};

use crate::engine::{
    CloseReason, ConnOptions, Datagram, DescriptionError, DescriptionKind, Engine, EngineEvent,
    EngineInput, EngineOutput, Lane, Path, SendOutcome, Transmit,
};
use crate::ids::ConnId;
use crate::rng::Seed;
use crate::time::Time;
use tracks::Tracks;

const LATENCY: Duration = Duration::from_millis(5);
/// Longer than any engine needs to connect, and than it needs to notice that a peer is gone.
const PATIENCE: Duration = Duration::from_secs(30);
const CONN_A: ConnId = ConnId(1);
const CONN_B: ConnId = ConnId(2);

/// Runs the whole suite.
pub fn run_all<E: Engine>(make: impl Fn(&Seed) -> E) {
    connects_and_exchanges_messages(&make, true);
    connects_and_exchanges_messages(&make, false);
    trickles_an_address_that_is_found_later(&make);
    waits_for_an_address_without_trickle(&make);
    pushes_back_and_says_when_it_is_drained(&make);
    closes_audibly_and_once(&make);
    notices_a_silent_peer(&make);
    refuses_what_is_no_description(&make);
    ignores_ids_that_name_nothing(&make);
    survives_datagrams_from_strangers(&make);
    sends_tracks_and_ends_them(&make);
    gives_up_what_it_proposed(&make);
    ends_all_tracks_before_the_connection(&make);
}

/// Two engines connect, messages of many sizes arrive whole and in order, both ways.
pub fn connects_and_exchanges_messages<E: Engine>(make: impl Fn(&Seed) -> E, trickle: bool) {
    let mut pair = Pair::new(make);
    pair.connect(trickle);
    assert_eq!(pair.send(Side::A, &[]), SendOutcome::Refused, "no message is empty");
    let sizes = [1, 103, 1_200, 16_451, 60_000];
    for size in sizes {
        let message = vec![u8::try_from(size % 251).unwrap_or_default(); size];
        for side in [Side::A, Side::B] {
            assert_eq!(pair.send(side, &message), SendOutcome::Taken, "{size} bytes");
            pair.run_until(|pair| !pair.side(side.other()).messages.is_empty());
            let arrived = pair.side_mut(side.other()).messages.pop_front();
            assert!(arrived.as_deref() == Some(&message[..]), "{size} bytes arrive as sent");
        }
    }
    let counted: Vec<Bytes> = (0..100u8).map(|n| Bytes::from(vec![n; 10])).collect();
    for message in &counted {
        pair.send_when_drained(Side::A, message);
    }
    pair.run_until(|pair| pair.side(Side::B).messages.len() >= counted.len());
    assert!(pair.b.messages.iter().eq(counted.iter()), "in order and each once");
}

/// With trickle on, a description does not wait for addresses, and candidates follow.
pub fn trickles_an_address_that_is_found_later<E: Engine>(make: impl Fn(&Seed) -> E) {
    let mut pair = Pair::without_addresses(make);
    pair.a.engine.offer(CONN_A, ConnOptions::direct(true), pair.now);
    pair.drain();
    let (kind, offer) = pair.a.descriptions.pop_front().expect("trickle does not wait");
    assert_eq!(kind, DescriptionKind::Offer);
    let answered = pair.b.engine.answer(CONN_B, &offer, ConnOptions::direct(true), pair.now);
    assert_eq!(answered, Ok(()));
    pair.drain();
    let (_, answer) = pair.b.descriptions.pop_front().expect("trickle does not wait");
    assert_eq!(pair.a.engine.accept_answer(CONN_A, &answer, pair.now), Ok(()));
    pair.add_addresses();
    pair.run_until(|pair| pair.a.opened == 1 && pair.b.opened == 1);
    assert!(pair.a.candidates + pair.b.candidates >= 2, "each side had something to trickle");
}

/// With trickle off, the description waits until there is an address to name.
pub fn waits_for_an_address_without_trickle<E: Engine>(make: impl Fn(&Seed) -> E) {
    let mut pair = Pair::without_addresses(make);
    pair.a.engine.offer(CONN_A, ConnOptions::direct(false), pair.now);
    pair.drain();
    assert!(pair.a.descriptions.is_empty(), "nobody could reach us with that");
    pair.add_addresses();
    assert_eq!(pair.a.descriptions.len(), 1);
    pair.finish_connecting(false);
    assert_eq!(pair.a.candidates, 0, "all candidates are in the description");
}

/// A flood is refused at some point, and nothing of what was taken is lost.
pub fn pushes_back_and_says_when_it_is_drained<E: Engine>(make: impl Fn(&Seed) -> E) {
    let mut pair = Pair::new(make);
    pair.connect(true);
    let message = vec![7; 16_384];
    let mut taken = 0;
    while pair.send(Side::A, &message) == SendOutcome::Taken {
        taken += 1;
        assert!(taken < 100_000, "an engine has a bound");
    }
    assert!(taken > 0, "an open channel takes something");
    let drained = pair.a.drained;
    pair.run_until(|pair| pair.a.drained > drained);
    assert_eq!(pair.send(Side::A, &message), SendOutcome::Taken);
    pair.run_until(|pair| pair.b.messages.len() > taken);
    assert_eq!(pair.b.messages.len(), taken + 1);
}

/// `close` is heard by the other side; each side says so once.
pub fn closes_audibly_and_once<E: Engine>(make: impl Fn(&Seed) -> E) {
    let mut pair = Pair::new(make);
    pair.connect(true);
    pair.a.engine.close(CONN_A, pair.now);
    pair.run_until(|pair| !pair.b.closed.is_empty());
    pair.a.engine.close(CONN_A, pair.now);
    pair.run_for(PATIENCE);
    assert_eq!(pair.a.closed, [CloseReason::Local]);
    assert_eq!(pair.b.closed, [CloseReason::Remote]);
    assert_eq!(pair.send(Side::A, b"late"), SendOutcome::Refused);
}

/// A peer that says nothing any more is given up.
pub fn notices_a_silent_peer<E: Engine>(make: impl Fn(&Seed) -> E) {
    let mut pair = Pair::new(make);
    pair.connect(true);
    pair.run_for(Duration::from_secs(60));
    assert!(pair.a.closed.is_empty() && pair.b.closed.is_empty(), "idle is not silent");
    pair.is_cut = true;
    pair.run_for(PATIENCE);
    assert_eq!(pair.a.closed, [CloseReason::Silent]);
    assert_eq!(pair.b.closed, [CloseReason::Silent]);
}

/// What is no description is an error, and leaves no connection behind.
pub fn refuses_what_is_no_description<E: Engine>(make: impl Fn(&Seed) -> E) {
    let mut pair = Pair::new(make);
    let options = ConnOptions::direct(true);
    for nonsense in ["", "nonsense", "v=0\r\n", "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"]
    {
        let answer = pair.b.engine.answer(CONN_B, nonsense, options.clone(), pair.now);
        assert!(matches!(answer, Err(DescriptionError::Invalid(_))), "{nonsense:?}: {answer:?}");
        pair.drain();
        assert!(pair.b.is_silent(), "no event follows an error");
    }
    pair.a.engine.offer(CONN_A, options, pair.now);
    pair.drain();
    let accepted = pair.a.engine.accept_answer(CONN_A, "nonsense", pair.now);
    assert!(matches!(accepted, Err(DescriptionError::Invalid(_))), "{accepted:?}");
    pair.a.engine.close(CONN_A, pair.now);
    pair.drain();
    assert_eq!(pair.a.closed, [CloseReason::Local]);
}

/// Calls that name no connection do nothing.
pub fn ignores_ids_that_name_nothing<E: Engine>(make: impl Fn(&Seed) -> E) {
    let mut pair = Pair::new(make);
    let nothing = ConnId(99);
    assert_eq!(pair.a.engine.send(nothing, Lane::Control, b"x", pair.now), SendOutcome::Refused);
    let accepted = pair.a.engine.accept_answer(nothing, "v=0", pair.now);
    assert!(accepted.is_err());
    pair.a.engine.add_remote_candidate(nothing, &Default::default(), pair.now);
    pair.a.engine.close(nothing, pair.now);
    assert_eq!(pair.a.engine.connection_info(nothing), None);
    pair.drain();
    assert!(pair.a.is_silent());
}

/// Random and truncated datagrams change nothing.
pub fn survives_datagrams_from_strangers<E: Engine>(make: impl Fn(&Seed) -> E) {
    let mut pair = Pair::new(make);
    pair.connect(true);
    let mut rng = Seed::from_number(3).rng("strangers");
    let stranger: SocketAddr = "192.0.2.66:6666".parse().expect("an address");
    for round in 0..2_000u64 {
        let length = usize::try_from(rng.below(200)).unwrap_or_default();
        let mut bytes = vec![0; length];
        rng.fill(&mut bytes);
        if let Some(first) = bytes.first_mut().filter(|_| round % 2 == 0) {
            // As often as not it looks like STUN, DTLS or RTP.
            *first = [0, 1, 20, 22, 23, 63, 128, 191][usize::try_from(round / 2 % 8).unwrap_or(0)];
        }
        let remote = if round % 3 == 0 { Side::A.address() } else { stranger };
        let path = Path { local: Side::B.address(), remote };
        let datagram = Datagram { path, ecn: None, bytes: &bytes };
        pair.b.engine.handle_input(EngineInput::Datagram(datagram), pair.now);
        pair.drain();
    }
    assert!(pair.b.closed.is_empty(), "a stranger can't end a connection");
    assert_eq!(pair.send(Side::A, b"still here"), SendOutcome::Taken);
    pair.run_until(|pair| !pair.b.messages.is_empty());
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    A,
    B,
}

impl Side {
    fn other(self) -> Side {
        match self {
            Side::A => Side::B,
            Side::B => Side::A,
        }
    }

    fn address(self) -> SocketAddr {
        match self {
            Side::A => ([192, 0, 2, 1], 1111).into(),
            Side::B => ([192, 0, 2, 2], 2222).into(),
        }
    }

    fn conn(self) -> ConnId {
        match self {
            Side::A => CONN_A,
            Side::B => CONN_B,
        }
    }
}

/// One engine and what it said.
struct Half<E> {
    engine: E,
    descriptions: VecDeque<(DescriptionKind, String)>,
    candidates: usize,
    opened: usize,
    messages: VecDeque<Bytes>,
    drained: usize,
    closed: Vec<CloseReason>,
    tracks: Tracks,
}

impl<E: Engine> Half<E> {
    fn new(engine: E) -> Self {
        Half {
            engine,
            descriptions: VecDeque::new(),
            candidates: 0,
            opened: 0,
            messages: VecDeque::new(),
            drained: 0,
            closed: Vec::new(),
            tracks: Tracks::default(),
        }
    }

    fn is_silent(&self) -> bool {
        self.descriptions.is_empty() && self.opened == 0 && self.closed.is_empty()
    }
}

/// Two engines and the network between them.
struct Pair<E> {
    now: Time,
    a: Half<E>,
    b: Half<E>,
    network: VecDeque<(Time, Side, Transmit)>,
    is_cut: bool,
}

impl<E: Engine> Pair<E> {
    fn new(make: impl Fn(&Seed) -> E) -> Self {
        let mut pair = Self::without_addresses(make);
        pair.add_addresses();
        pair
    }

    fn without_addresses(make: impl Fn(&Seed) -> E) -> Self {
        Pair {
            now: Time::from_millis(1_000),
            a: Half::new(make(&Seed::from_number(1))),
            b: Half::new(make(&Seed::from_number(2))),
            network: VecDeque::new(),
            is_cut: false,
        }
    }

    fn add_addresses(&mut self) {
        for side in [Side::A, Side::B] {
            let now = self.now;
            let added = EngineInput::AddressAdded(side.address());
            self.side_mut(side).engine.handle_input(added, now);
        }
        self.drain();
    }

    fn side(&self, side: Side) -> &Half<E> {
        match side {
            Side::A => &self.a,
            Side::B => &self.b,
        }
    }

    fn side_mut(&mut self, side: Side) -> &mut Half<E> {
        match side {
            Side::A => &mut self.a,
            Side::B => &mut self.b,
        }
    }

    fn connect(&mut self, trickle: bool) {
        self.a.engine.offer(CONN_A, ConnOptions::direct(trickle), self.now);
        self.drain();
        self.finish_connecting(trickle);
    }

    fn finish_connecting(&mut self, trickle: bool) {
        let (_, offer) = self.a.descriptions.pop_front().expect("the offer is there");
        let answered = self.b.engine.answer(CONN_B, &offer, ConnOptions::direct(trickle), self.now);
        assert_eq!(answered, Ok(()));
        self.drain();
        let (kind, answer) = self.b.descriptions.pop_front().expect("the answer is there");
        assert_eq!(kind, DescriptionKind::Answer);
        assert_eq!(self.a.engine.accept_answer(CONN_A, &answer, self.now), Ok(()));
        self.run_until(|pair| pair.a.opened == 1 && pair.b.opened == 1);
    }

    fn send(&mut self, from: Side, message: &[u8]) -> SendOutcome {
        let now = self.now;
        let outcome = self.side_mut(from).engine.send(from.conn(), Lane::Control, message, now);
        self.drain();
        outcome
    }

    fn send_when_drained(&mut self, from: Side, message: &[u8]) {
        while self.send(from, message) == SendOutcome::Full {
            let drained = self.side(from).drained;
            self.run_until(|pair| pair.side(from).drained > drained);
        }
    }

    /// Empties both engines, and carries candidates across as signaling would.
    fn drain(&mut self) {
        for side in [Side::A, Side::B] {
            while let Some(output) = self.side_mut(side).engine.poll_output() {
                match output {
                    EngineOutput::Transmit(_) if self.is_cut => {}
                    EngineOutput::Transmit(transmit) => {
                        self.network.push_back((self.now + LATENCY, side.other(), transmit));
                    }
                    EngineOutput::Event(event) => self.on_event(side, event),
                    EngineOutput::Network(request) => panic!("without servers: {request:?}"),
                }
            }
        }
    }

    fn on_event(&mut self, side: Side, event: EngineEvent) {
        let now = self.now;
        let half = self.side_mut(side);
        match event {
            EngineEvent::Description { kind, sdp, .. } => half.descriptions.push_back((kind, sdp)),
            EngineEvent::Candidate { candidate, .. } => {
                half.candidates += 1;
                let other = side.other();
                self.side_mut(other).engine.add_remote_candidate(other.conn(), &candidate, now);
                self.drain();
            }
            EngineEvent::Open { .. } => {
                half.opened += 1;
                assert_eq!(half.opened, 1, "a connection opens once");
            }
            EngineEvent::Message { bytes, .. } => {
                assert_eq!(half.opened, 1, "no message before the channel is open");
                assert!(half.closed.is_empty(), "no message after the end");
                half.messages.push_back(bytes);
            }
            EngineEvent::Drained { .. } => half.drained += 1,
            EngineEvent::Closed { reason, .. } => half.closed.push(reason),
            EngineEvent::Stranded { conn } => panic!("no address is taken away: {conn:?}"),
            EngineEvent::ServerFailed { url, .. } => panic!("without servers: {url}"),
            media => {
                assert!(half.closed.is_empty(), "no tracks after the end");
                half.tracks.on_event(media);
            }
        }
    }

    fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while self.step(end) {}
        self.now = end;
    }

    fn run_until(&mut self, is_done: impl Fn(&Self) -> bool) {
        let end = self.now + PATIENCE;
        self.drain();
        while !is_done(self) {
            assert!(self.step(end), "nothing more happened within {PATIENCE:?}");
        }
    }

    /// Does the next thing that is due before `end`; false if there is none.
    fn step(&mut self, end: Time) -> bool {
        let arrival = self.network.front().map(|(at, ..)| *at);
        let timeouts = [Side::A, Side::B].map(|side| self.side(side).engine.poll_timeout());
        let next = timeouts.iter().flatten().map(|deadline| deadline.at).chain(arrival).min();
        let Some(at) = next.filter(|at| *at <= end) else { return false };
        self.now = self.now.max(at);
        let now = self.now;
        if arrival == Some(at) {
            let (_, to, transmit) = self.network.pop_front().expect("it was just looked at");
            let path = Path { local: transmit.path.remote, remote: transmit.path.local };
            if !self.is_cut && path.local == to.address() {
                let datagram = Datagram { path, ecn: None, bytes: &transmit.bytes };
                self.side_mut(to).engine.handle_input(EngineInput::Datagram(datagram), now);
            }
        } else {
            for (side, timeout) in [Side::A, Side::B].into_iter().zip(timeouts) {
                if timeout.is_some_and(|deadline| deadline.at <= now) {
                    self.side_mut(side).engine.handle_timeout(now);
                }
            }
        }
        self.drain();
        true
    }
}
