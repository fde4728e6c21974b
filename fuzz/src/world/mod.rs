//! Two nodes on the in-memory engine, in virtual time, with a relay and a network between them that
//! may be told to do anything.
//!
//! Whatever a node says goes to its [`Witness`], which panics where a promise is broken. Here it is
//! seen to that a node says no more than it was asked for, and is not late.

mod relay;
mod witness;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use tristero_proto::engine::{Datagram, EngineInput, Path, Transmit};
use tristero_proto::limits::Limits;
use tristero_proto::signaling::LinkFrame;
use tristero_proto::testing::MemoryEngine;
use tristero_proto::{
    Clock, Command, Event, Input, LinkId, Node, NodeConfig, Output, PeerId, Reply, Seed, Time,
};

pub(crate) use crate::common::Who;
use relay::Relay;
pub(crate) use relay::delivery;
pub(crate) use witness::{Parcel, Thing, Witness, content};

const LATENCY: Duration = Duration::from_millis(5);
/// What is due may make something else due at once, but not over and over.
const HASTE_MAX: usize = 8;
/// The most that a node may want done after one input.
const OUTPUTS_MAX: usize = 4_096;
/// The most bytes that it may want sent then: several connections, each as full as it gets.
const OUTPUT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The most that may be under way at once.
const ARRIVALS_MAX: usize = 20_000;
/// The most that may happen in a second, if nothing makes more of itself.
const HAPPENINGS_MAX: u64 = 20_000;

/// One direction of a connection as its receiver sees it, so that more can be forged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    pub(crate) path: Path,
    pub(crate) tag: [u8; 8],
}

pub(crate) struct World {
    pub(crate) now: Time,
    nodes: [Inhabitant; 2],
    pub(crate) relay: Relay,
    arrivals: BTreeMap<(Time, u64), (Who, Arrival)>,
    sequence: u64,
    /// Where the engine of each has sent messages to.
    ways: [Vec<Way>; 2],
    is_cut: bool,
    /// Messages that wait for the network; datagrams of other kinds are lost.
    held: Vec<(Who, Transmit)>,
    happenings: u64,
}

struct Inhabitant {
    node: Node<MemoryEngine>,
    witness: Witness,
    is_there: bool,
    /// How often in a row it wanted to be woken again at once.
    haste: usize,
}

enum Arrival {
    Opened(LinkId),
    Refused(LinkId),
    Frame(LinkId, String),
    Datagram(Transmit),
}

impl World {
    pub(crate) fn new() -> Self {
        let now = Time::from_millis(1_000);
        let nodes = ["a", "b"].map(|id| Inhabitant::new(id, now));
        let mut world = World {
            now,
            nodes,
            relay: Relay::default(),
            arrivals: BTreeMap::new(),
            sequence: 0,
            ways: [Vec::new(), Vec::new()],
            is_cut: false,
            held: Vec::new(),
            happenings: 0,
        };
        for who in [Who(0), Who(1)] {
            world.input(who, Input::Engine(EngineInput::AddressAdded(address(who))));
        }
        world
    }

    pub(crate) fn id(&self, who: Who) -> PeerId {
        self.nodes[who.0].node.self_id().clone()
    }

    pub(crate) fn witness(&mut self, who: Who) -> &mut Witness {
        &mut self.nodes[who.0].witness
    }

    /// What its engine has sent messages to.
    pub(crate) fn ways(&self, who: Who) -> &[Way] {
        &self.ways[who.0]
    }

    /// Takes a node out, but for what an engine does by itself.
    pub(crate) fn take_out(&mut self, who: Who) {
        self.nodes[who.0].is_there = false;
    }

    pub(crate) fn command(&mut self, who: Who, command: Command) -> Reply {
        let now = self.now;
        let reply = self.nodes[who.0].node.handle_command(command, now);
        self.nodes[who.0].witness.now = now;
        reply
    }

    pub(crate) fn input(&mut self, who: Who, input: Input<'_>) {
        let now = self.now;
        if self.nodes[who.0].is_there {
            self.nodes[who.0].node.handle_input(input, now);
            self.drain(who);
        }
    }

    /// A datagram arrives that nobody has sent. One that is of a connection may be a message, or
    /// lead what is sent over it astray, which no engine but this one lets anybody do.
    pub(crate) fn forge(&mut self, to: Who, remote: SocketAddr, bytes: &[u8]) {
        let way = bytes.first_chunk().and_then(|tag| self.way(*tag));
        let is_harmless = |way: Way| way.path.remote == remote && bytes.get(8) != Some(&b'M');
        if way.is_some_and(|way| !is_harmless(way)) {
            self.deceive();
        }
        let path = Path { local: address(to), remote };
        let datagram = Datagram { path, ecn: None, bytes };
        self.input(to, Input::Engine(EngineInput::Datagram(datagram)));
    }

    /// From now on what arrives may be anything.
    pub(crate) fn deceive(&mut self) {
        self.nodes.iter_mut().for_each(|inhabitant| inhabitant.witness.is_deceived = true);
    }

    /// Cuts the network, or mends it. What is sent until it arrives does so then.
    pub(crate) fn cut(&mut self, is_cut: bool) {
        self.is_cut = is_cut;
        if !is_cut {
            for (to, transmit) in std::mem::take(&mut self.held) {
                self.schedule(to, Arrival::Datagram(transmit));
            }
        }
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while self.advance(end) {
            self.happenings += 1;
        }
        self.now = end;
        let bound = HAPPENINGS_MAX * (1 + self.now.since_epoch().as_secs());
        assert!(self.happenings <= bound, "{} things happened by {end:?}", self.happenings);
    }

    /// Time passes while the machine sleeps that both run on.
    pub(crate) fn jump(&mut self, time: Duration) {
        self.now = self.now + time;
    }

    fn advance(&mut self, end: Time) -> bool {
        let arrival = self.arrivals.first_key_value().map(|((at, _), _)| *at);
        let due = self.nodes.iter().filter(|inhabitant| inhabitant.is_there);
        let due = due.filter_map(|inhabitant| inhabitant.node.poll_timeout()).map(|d| d.at).min();
        let Some(at) = arrival.into_iter().chain(due).min().filter(|at| *at <= end) else {
            return false;
        };
        self.now = self.now.max(at);
        if arrival == Some(at)
            && let Some((_, (who, arrival))) = self.arrivals.pop_first()
        {
            self.arrive(who, arrival);
            return true;
        }
        for who in [Who(0), Who(1)] {
            self.wake(who);
        }
        true
    }

    fn wake(&mut self, who: Who) {
        let now = self.now;
        let inhabitant = &mut self.nodes[who.0];
        let is_due = inhabitant.node.poll_timeout().is_some_and(|deadline| deadline.at <= now);
        if !inhabitant.is_there || !is_due {
            return;
        }
        inhabitant.node.handle_timeout(now);
        self.drain(who);
        let inhabitant = &mut self.nodes[who.0];
        let next = inhabitant.node.poll_timeout().filter(|next| next.at <= now);
        inhabitant.haste = next.map_or(0, |_| inhabitant.haste + 1);
        let is_late = next.is_some_and(|next| next.at < now) || inhabitant.haste > HASTE_MAX;
        assert!(!is_late, "{now:?}: not done when it was due: {next:?}");
    }

    fn arrive(&mut self, who: Who, arrival: Arrival) {
        match arrival {
            Arrival::Opened(link) => self.input(who, Input::LinkOpened(link)),
            Arrival::Refused(link) => self.input(who, Input::LinkClosed(link, "refused")),
            Arrival::Frame(link, text) => {
                self.input(who, Input::LinkFrame(link, LinkFrame::Text(text)));
            }
            Arrival::Datagram(transmit) => {
                let path = Path { local: transmit.path.remote, remote: transmit.path.local };
                let datagram = Datagram { path, ecn: None, bytes: &transmit.bytes };
                self.input(who, Input::Engine(EngineInput::Datagram(datagram)));
            }
        }
    }

    /// Does what a node wants done, and lets its witness hear what it says.
    pub(crate) fn drain(&mut self, who: Who) {
        let (mut outputs, mut bytes) = (0, 0);
        self.nodes[who.0].witness.now = self.now;
        while let Some(output) = self.nodes[who.0].node.poll_output() {
            outputs += 1;
            bytes += self.perform(who, output);
            assert!(outputs <= OUTPUTS_MAX, "{who:?} wants more and more done");
            assert!(bytes <= OUTPUT_BYTES_MAX, "{who:?} wants more and more sent");
        }
        self.nodes[who.0].witness.check(&self.nodes[who.0].node);
    }

    /// Gives how many bytes were to be sent.
    fn perform(&mut self, who: Who, output: Output) -> usize {
        match output {
            Output::OpenLink { link, .. } => {
                let opens = self.relay.on_dial(who, link);
                let arrival = if opens { Arrival::Opened(link) } else { Arrival::Refused(link) };
                self.schedule(who, arrival);
                0
            }
            Output::SendLink { link, frame } => {
                for (to, link, text) in self.relay.on_frame(who, link, &frame) {
                    self.schedule(to, Arrival::Frame(link, text));
                }
                frame.len()
            }
            Output::CloseLink { link } => {
                self.relay.forget(who, link);
                0
            }
            Output::Transmit(transmit) => {
                let length = transmit.bytes.len();
                self.on_transmit(who, transmit);
                length
            }
            Output::Event(event) => {
                self.hear(who, &event);
                0
            }
            other => unreachable!("an output that this world does not know: {other:?}"),
        }
    }

    fn hear(&mut self, who: Who, event: &Event) {
        let [first, second] = &mut self.nodes;
        let (here, there) = if who.0 == 0 { (first, second) } else { (second, first) };
        here.witness.hear(event, &mut there.witness);
    }

    fn on_transmit(&mut self, who: Who, transmit: Transmit) {
        let Some(tag) = transmit.bytes.first_chunk().copied() else { return };
        if transmit.bytes.get(8) == Some(&b'M') && self.way(tag).is_none() {
            let path = Path { local: transmit.path.remote, remote: transmit.path.local };
            self.ways[who.0].push(Way { path, tag });
        }
        let Some(to) = [Who(0), Who(1)].into_iter().find(|to| address(*to) == transmit.path.remote)
        else {
            return;
        };
        if !self.nodes[to.0].is_there {
            self.echo(to, transmit.bytes.get(8).copied());
        } else if !self.is_cut {
            self.schedule(to, Arrival::Datagram(transmit));
        } else if matches!(transmit.bytes.get(8), Some(b'M' | b'A')) {
            self.held.push((to, transmit));
        }
    }

    /// The engine of a node that was taken out answers all the same.
    fn echo(&mut self, absent: Who, kind: Option<u8>) {
        let answer = match kind {
            Some(b'M') => b'A',
            Some(b'H') => b'H',
            Some(_) | None => return,
        };
        let Some(way) = self.ways[absent.0].last().copied() else { return };
        let path = Path { local: way.path.remote, remote: way.path.local };
        let bytes = datagram(way, answer, &[]);
        let transmit = Transmit { path, bytes, segment_size: None, ecn: None };
        self.schedule(Who(1 - absent.0), Arrival::Datagram(transmit));
    }

    fn way(&self, tag: [u8; 8]) -> Option<Way> {
        self.ways.iter().flatten().find(|way| way.tag == tag).copied()
    }

    fn schedule(&mut self, who: Who, arrival: Arrival) {
        self.sequence += 1;
        self.arrivals.insert((self.now + LATENCY, self.sequence), (who, arrival));
        assert!(self.arrivals.len() <= ARRIVALS_MAX, "more and more is under way");
    }
}

impl Inhabitant {
    fn new(id: &str, now: Time) -> Self {
        let seed = Seed::from_number(u64::from(id.as_bytes()[0]));
        let engine = MemoryEngine::new(&seed.fork("engine"));
        let self_id = PeerId::new(id).expect("this is an id");
        let config =
            NodeConfig { self_id: Some(self_id), limits: small_limits(), ..NodeConfig::default() };
        let clock = Clock { now, unix: Duration::from_secs(1_700_000_000) };
        let node = Node::new(config, engine, seed, clock);
        Inhabitant { node, witness: Witness::new(id), is_there: true, haste: 0 }
    }
}

/// Bounds so low that a few steps reach them.
fn small_limits() -> Limits {
    let mut limits = Limits::default();
    limits.rooms = 4;
    limits.peers = 4;
    limits.sessions_per_room = 4;
    limits.candidates_per_session = 4;
    limits.early_frames = 4;
    limits.early_frame_bytes = 4 * 1024;
    limits.partial_transmissions = 4;
    limits.partial_bytes_per_peer = PARTIAL_BYTES_MAX;
    limits.partial_bytes_in_all = PARTIAL_BYTES_MAX * 3 / 2;
    limits.unclaimed_messages = 4;
    limits.unclaimed_bytes = 16 * 1024;
    limits.requests = 4;
    limits.calls_per_peer = 4;
    limits.pings_per_peer = 4;
    limits.outbox_transmissions = 8;
    limits
}

/// What one peer's unfinished transmissions may take.
pub(crate) const PARTIAL_BYTES_MAX: usize = 128 * 1024;

pub(crate) fn address(who: Who) -> SocketAddr {
    let port = if who.0 == 0 { 1_000 } else { 1_001 };
    ([10, 0, 0, 1], port).into()
}

/// A message of a data channel as the in-memory engine sends it.
pub(crate) fn datagram(way: Way, kind: u8, body: &[u8]) -> Bytes {
    [&way.tag[..], &[kind], body].concat().into()
}
