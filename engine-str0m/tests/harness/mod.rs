//! Engines and the network between them, in virtual time.

#![allow(dead_code, clippy::disallowed_methods, clippy::unwrap_used)]

pub(crate) mod foreign;
pub(crate) mod media;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tristero_proto::engine::{
    CloseReason, ConnOptions, Datagram, Engine, EngineEvent, EngineInput, EngineOutput,
    IncomingTrack, Lane, NetworkRequest, Path, SendOutcome, Transmit,
};
use tristero_proto::media::{Codec, MediaFrame, MediaKind, Msid, RtpPacket};
use tristero_proto::wire::CandidateInit;
use tristero_proto::{ConnId, Seed, Time, TrackId};
use tristero_str0m::{Config, Str0mEngine};

pub(crate) const LATENCY: Duration = Duration::from_millis(5);
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
pub(crate) fn trickle() -> ConnOptions {
    ConnOptions::direct(true)
}

/// A connection's id.
pub(crate) fn conn(number: u64) -> ConnId {
    ConnId::from_number(number)
}

/// One engine and what it said.
pub(crate) struct Host {
    pub(crate) engine: Str0mEngine,
    pub(crate) address: SocketAddr,
    pub(crate) conns: BTreeMap<ConnId, Log>,
    /// What it asked for of the network beside datagrams, and nobody looked at yet.
    pub(crate) requests: VecDeque<NetworkRequest>,
}

/// What an engine said of one connection.
#[derive(Default, Debug)]
pub(crate) struct Log {
    pub(crate) descriptions: Vec<String>,
    pub(crate) candidates: Vec<CandidateInit>,
    pub(crate) is_open: bool,
    pub(crate) messages: VecDeque<Bytes>,
    pub(crate) drained: usize,
    pub(crate) stranded: usize,
    /// Tracks of the other side that began, with what it calls them.
    pub(crate) began: Vec<(IncomingTrack, MediaKind, Option<Msid>)>,
    pub(crate) ended: Vec<IncomingTrack>,
    pub(crate) frames: Vec<(IncomingTrack, MediaFrame)>,
    pub(crate) packets: Vec<(IncomingTrack, RtpPacket)>,
    pub(crate) agreed: Vec<(TrackId, Vec<Codec>)>,
    pub(crate) key_frames_wanted: Vec<TrackId>,
    pub(crate) closed: Vec<CloseReason>,
}

impl Log {
    /// The tracks of the other side that live.
    pub(crate) fn receiving(&self) -> impl Iterator<Item = IncomingTrack> {
        let began = self.began.iter().map(|(track, ..)| *track);
        began.filter(|track| !self.ended.contains(track))
    }

    fn is_receiving(&self, track: IncomingTrack) -> bool {
        self.receiving().any(|living| living == track)
    }
}

impl Host {
    pub(crate) fn log(&self, id: ConnId) -> &Log {
        static NOTHING: Log = Log {
            descriptions: Vec::new(),
            candidates: Vec::new(),
            is_open: false,
            messages: VecDeque::new(),
            drained: 0,
            stranded: 0,
            began: Vec::new(),
            ended: Vec::new(),
            frames: Vec::new(),
            packets: Vec::new(),
            agreed: Vec::new(),
            key_frames_wanted: Vec::new(),
            closed: Vec::new(),
        };
        self.conns.get(&id).unwrap_or(&NOTHING)
    }

    fn on_event(&mut self, event: EngineEvent) {
        match event {
            EngineEvent::Description { conn, sdp, .. } => self.living(conn).descriptions.push(sdp),
            EngineEvent::Candidate { conn, candidate } => {
                self.living(conn).candidates.push(candidate);
            }
            EngineEvent::Open { conn } => {
                assert!(!self.log(conn).is_open, "a connection opens once");
                self.living(conn).is_open = true;
            }
            EngineEvent::Message { conn, bytes, .. } => {
                assert!(self.log(conn).is_open, "a connection opens before it says anything");
                self.living(conn).messages.push_back(bytes);
            }
            EngineEvent::Stranded { conn } => self.conns.entry(conn).or_default().stranded += 1,
            EngineEvent::Drained { conn, .. } => self.living(conn).drained += 1,
            EngineEvent::TrackBegan { conn, track, kind, msid } => {
                let log = self.living(conn);
                assert!(log.began.iter().all(|(known, ..)| *known != track), "its number is new");
                log.began.push((track, kind, msid));
            }
            EngineEvent::TrackEnded { conn, track } => {
                assert!(self.log(conn).is_receiving(track), "what ends has begun");
                self.living(conn).ended.push(track);
            }
            EngineEvent::Frame { conn, track, frame } => {
                assert!(self.log(conn).is_receiving(track), "frames are of a track that lives");
                self.living(conn).frames.push((track, frame));
            }
            EngineEvent::Packet { conn, track, packet } => {
                assert!(self.log(conn).is_receiving(track), "packets are of a track that lives");
                self.living(conn).packets.push((track, packet));
            }
            EngineEvent::TrackAgreed { conn, track, codecs } => {
                self.living(conn).agreed.push((track, codecs));
            }
            EngineEvent::KeyFrameWanted { conn, track } => {
                self.living(conn).key_frames_wanted.push(track);
            }
            EngineEvent::Closed { conn, .. } if self.log(conn).receiving().next().is_some() => {
                panic!("tracks end before their connection does");
            }
            EngineEvent::Closed { conn, reason } => self.living(conn).closed.push(reason),
            other => panic!("an event that no test knows: {other:?}"),
        }
    }

    fn living(&mut self, id: ConnId) -> &mut Log {
        let log = self.conns.entry(id).or_default();
        assert!(log.closed.is_empty(), "nothing is said of a connection after its end");
        log
    }
}

/// Some engines and the network between them. Host number `n` lives at `10.0.0.n`.
pub(crate) struct World {
    pub(crate) now: Time,
    pub(crate) hosts: Vec<Host>,
    pub(crate) wire: VecDeque<(Time, Transmit)>,
    /// Nothing arrives any more.
    pub(crate) is_cut: bool,
    /// Nothing arrives at this host.
    pub(crate) deaf: Option<usize>,
    /// Nothing but STUN arrives at this host.
    pub(crate) hears_stun_only: Option<usize>,
    /// All that was sent so far, the oldest first.
    pub(crate) sent: Vec<Transmit>,
    /// How long a datagram is on its way.
    pub(crate) latency: Duration,
    /// Of so many datagrams of media one is lost; none if this is 0.
    pub(crate) loses_one_of: usize,
    passed: usize,
}

impl World {
    /// A world of this many hosts that know their addresses.
    pub(crate) fn new(hosts: usize) -> Self {
        let mut world = Self::without_addresses(hosts);
        for host in 0..hosts {
            world.add_address(host);
        }
        world
    }

    pub(crate) fn without_addresses(hosts: usize) -> Self {
        Self::with_config(hosts, &Config::default())
    }

    /// A world of this many hosts that don't know their addresses.
    pub(crate) fn with_config(hosts: usize, config: &Config) -> Self {
        let zero = Instant::now();
        let host = |number: usize| Host {
            engine: Str0mEngine::with_config(config, &Seed::from_number(number as u64), zero),
            address: ([10, 0, 0, u8::try_from(number + 1).unwrap()], 4_000).into(),
            conns: BTreeMap::new(),
            requests: VecDeque::new(),
        };
        World {
            now: Time::from_millis(1_000),
            hosts: (0..hosts).map(host).collect(),
            wire: VecDeque::new(),
            is_cut: false,
            deaf: None,
            hears_stun_only: None,
            sent: Vec::new(),
            latency: LATENCY,
            loses_one_of: 0,
            passed: 0,
        }
    }

    pub(crate) fn add_address(&mut self, host: usize) {
        let address = self.hosts[host].address;
        self.input(host, EngineInput::AddressAdded(address));
    }

    pub(crate) fn input(&mut self, host: usize, input: EngineInput<'_>) {
        let now = self.now;
        self.hosts[host].engine.handle_input(input, now);
        self.drain();
    }

    /// Something arrives at a host, whoever sent it.
    pub(crate) fn arrive(&mut self, host: usize, from: SocketAddr, bytes: &[u8]) {
        let path = Path { local: self.hosts[host].address, remote: from };
        self.input(host, EngineInput::Datagram(Datagram { path, ecn: None, bytes }));
    }

    pub(crate) fn offer(
        &mut self,
        host: usize,
        id: ConnId,
        options: ConnOptions,
    ) -> Option<String> {
        let now = self.now;
        self.hosts[host].engine.offer(id, options, now);
        self.drain();
        self.hosts[host].log(id).descriptions.last().cloned()
    }

    pub(crate) fn answer(&mut self, host: usize, id: ConnId, offer: &str) -> String {
        let now = self.now;
        self.hosts[host].engine.answer(id, offer, trickle(), now).unwrap();
        self.drain();
        self.hosts[host].log(id).descriptions.last().cloned().unwrap()
    }

    pub(crate) fn accept(&mut self, host: usize, id: ConnId, answer: &str) {
        let now = self.now;
        self.hosts[host].engine.accept_answer(id, answer, now).unwrap();
        self.drain();
    }

    /// Negotiates a connection; the descriptions hold all candidates.
    pub(crate) fn negotiate(&mut self, (a, id_a): (usize, ConnId), (b, id_b): (usize, ConnId)) {
        let offer = self.offer(a, id_a, trickle()).expect("there is an address");
        let answer = self.answer(b, id_b, &offer);
        self.accept(a, id_a, &answer);
    }

    /// Negotiates a connection and waits until it is open at both ends.
    pub(crate) fn connect(&mut self, a: (usize, ConnId), b: (usize, ConnId)) {
        self.negotiate(a, b);
        self.run_until(|world| world.is_open(a) && world.is_open(b));
    }

    pub(crate) fn is_open(&self, (host, id): (usize, ConnId)) -> bool {
        self.hosts[host].log(id).is_open
    }

    pub(crate) fn closed(&self, (host, id): (usize, ConnId)) -> &[CloseReason] {
        &self.hosts[host].log(id).closed
    }

    pub(crate) fn send(&mut self, (host, id): (usize, ConnId), message: &[u8]) -> SendOutcome {
        let now = self.now;
        let outcome = self.hosts[host].engine.send(id, Lane::Control, message, now);
        self.drain();
        outcome
    }

    pub(crate) fn close(&mut self, (host, id): (usize, ConnId)) {
        let now = self.now;
        self.hosts[host].engine.close(id, now);
        self.drain();
    }

    /// Sends a message and asserts that it arrives.
    pub(crate) fn assert_delivers(
        &mut self,
        from: (usize, ConnId),
        to: (usize, ConnId),
        message: &[u8],
    ) {
        assert_eq!(self.send(from, message), SendOutcome::Taken);
        let log = |world: &Self| world.hosts[to.0].log(to.1).messages.back().cloned();
        self.run_until(|world| log(world).as_deref() == Some(message));
    }

    pub(crate) fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while self.step(end) {}
        self.now = end;
    }

    pub(crate) fn run_until(&mut self, is_done: impl Fn(&Self) -> bool) {
        let end = self.now + PATIENCE;
        while !is_done(self) {
            assert!(self.step(end), "nothing more happened within {PATIENCE:?}");
        }
    }

    /// Does the next thing that is due before `end`; false if there is none.
    pub(crate) fn step(&mut self, end: Time) -> bool {
        let arrival = self.wire.front().map(|(at, _)| *at);
        let timeouts = self.hosts.iter().filter_map(|host| host.engine.poll_timeout());
        let Some(at) = timeouts.map(|due| due.at).chain(arrival).min().filter(|at| *at <= end)
        else {
            return false;
        };
        self.now = self.now.max(at);
        if arrival.is_some_and(|arrival| arrival <= self.now) {
            let (_, transmit) = self.wire.pop_front().unwrap();
            self.deliver(&transmit);
        } else {
            let now = self.now;
            for host in &mut self.hosts {
                if host.engine.poll_timeout().is_some_and(|due| due.at <= now) {
                    host.engine.handle_timeout(now);
                }
            }
        }
        self.drain();
        true
    }

    fn deliver(&mut self, transmit: &Transmit) {
        if self.loses_one_of > 0 && transmit.bytes[0] >= 128 {
            self.passed += 1;
            if self.passed.is_multiple_of(self.loses_one_of) {
                return;
            }
        }
        let to = self.hosts.iter().position(|host| host.address == transmit.path.remote);
        let passes = |to: &usize| {
            let is_stun = transmit.bytes.first().is_some_and(|first| *first < 4);
            !self.is_cut && self.deaf != Some(*to) && (is_stun || self.hears_stun_only != Some(*to))
        };
        if let Some(to) = to.filter(passes) {
            self.arrive(to, transmit.path.local, &transmit.bytes);
        }
    }

    pub(crate) fn drain(&mut self) {
        for host in &mut self.hosts {
            while let Some(output) = host.engine.poll_output() {
                match output {
                    EngineOutput::Transmit(transmit) => {
                        self.sent.push(transmit.clone());
                        self.wire.push_back((self.now + self.latency, transmit));
                    }
                    EngineOutput::Event(event) => host.on_event(event),
                    EngineOutput::Network(request) => host.requests.push_back(request),
                }
            }
        }
    }
}
