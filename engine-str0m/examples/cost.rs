//! What connections cost: CPU to connect, memory and CPU when idle, CPU per byte.
//!
//! `cargo run --release -p tristero-str0m --example cost`
//!
//! Both ends run in this one thread over a network without loss, in virtual time; figures are for
//! both ends together unless they say otherwise.

#![allow(clippy::disallowed_methods, clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tristero_proto::engine::{
    ConnOptions, Datagram, Engine, EngineEvent, EngineInput, EngineOutput, Lane, Path, SendOutcome,
    Transmit,
};
use tristero_proto::{ConnId, Seed, Time};
use tristero_str0m::Str0mEngine;

fn trickle() -> ConnOptions {
    ConnOptions::direct(true)
}

/// How long a datagram takes, unless something is measured that depends on it.
const LATENCY: Duration = Duration::from_millis(5);

struct World {
    now: Time,
    latency: Duration,
    engines: Vec<Str0mEngine>,
    addresses: BTreeMap<SocketAddr, usize>,
    wire: VecDeque<(Time, usize, Transmit)>,
    /// When each engine wants to be woken, and the same in order.
    due: Vec<Option<Time>>,
    timers: BTreeSet<(Time, usize)>,
    description: Option<String>,
    opened: usize,
    closed: usize,
    drained: usize,
    received: usize,
    wakes: usize,
    datagrams: usize,
}

impl World {
    fn new(count: usize) -> Self {
        let zero = Instant::now();
        let mut world = World {
            now: Time::from_millis(1_000),
            latency: LATENCY,
            engines: Vec::new(),
            addresses: BTreeMap::new(),
            wire: VecDeque::new(),
            due: vec![None; count],
            timers: BTreeSet::new(),
            description: None,
            opened: 0,
            closed: 0,
            drained: 0,
            received: 0,
            wakes: 0,
            datagrams: 0,
        };
        for n in 0..count {
            let [.., high, low] = u32::try_from(n).unwrap().to_be_bytes();
            let address: SocketAddr = ([10, 0, high, low], 4_000).into();
            world.addresses.insert(address, n);
            let mut engine = Str0mEngine::new(&Seed::from_number(n as u64), zero);
            engine.handle_input(EngineInput::AddressAdded(address), world.now);
            world.engines.push(engine);
        }
        world
    }

    fn negotiate(&mut self, (a, id_a): (usize, ConnId), (b, id_b): (usize, ConnId)) {
        let now = self.now;
        self.engines[a].offer(id_a, trickle(), now);
        self.drain(a);
        let offer = self.description.take().unwrap();
        self.engines[b].answer(id_b, &offer, trickle(), now).unwrap();
        self.drain(b);
        let answer = self.description.take().unwrap();
        self.engines[a].accept_answer(id_a, &answer, now).unwrap();
        self.drain(a);
    }

    fn drain(&mut self, engine: usize) {
        while let Some(output) = self.engines[engine].poll_output() {
            match output {
                EngineOutput::Transmit(transmit) => {
                    self.datagrams += 1;
                    if let Some(to) = self.addresses.get(&transmit.path.remote) {
                        self.wire.push_back((self.now + self.latency, *to, transmit));
                    }
                }
                EngineOutput::Event(EngineEvent::Description { sdp, .. }) => {
                    self.description = Some(sdp);
                }
                EngineOutput::Event(EngineEvent::Open { .. }) => self.opened += 1,
                EngineOutput::Event(EngineEvent::Closed { .. }) => self.closed += 1,
                EngineOutput::Event(EngineEvent::Drained { .. }) => self.drained += 1,
                EngineOutput::Event(EngineEvent::Message { bytes, .. }) => {
                    self.received += bytes.len();
                }
                EngineOutput::Event(_) | EngineOutput::Network(_) => {}
            }
        }
        let due = self.engines[engine].poll_timeout().map(|due| due.at);
        let was = std::mem::replace(&mut self.due[engine], due);
        if due != was {
            was.map(|at| self.timers.remove(&(at, engine)));
            due.map(|at| self.timers.insert((at, engine)));
        }
    }

    fn run(&mut self, end: Time, is_done: impl Fn(&Self) -> bool) {
        while !is_done(self) {
            let timer = self.timers.first().copied();
            let arrival = self.wire.front().map(|(at, ..)| *at);
            let Some(at) = timer.map(|(at, _)| at).into_iter().chain(arrival).min() else { break };
            if at > end {
                break;
            }
            self.now = self.now.max(at);
            let now = self.now;
            if arrival == Some(at) {
                let (_, to, transmit) = self.wire.pop_front().unwrap();
                let Path { local, remote } = transmit.path;
                let path = Path { local: remote, remote: local };
                let datagram = Datagram { path, ecn: None, bytes: &transmit.bytes };
                self.engines[to].handle_input(EngineInput::Datagram(datagram), now);
                self.drain(to);
            } else if let Some((_, n)) = timer {
                self.wakes += 1;
                self.engines[n].handle_timeout(now);
                self.drain(n);
            }
        }
        self.now = if is_done(self) { self.now } else { end };
    }
}

fn conn(number: usize) -> ConnId {
    ConnId::from_number(number as u64)
}

fn connecting(count: usize) {
    let mut world = World::new(2);
    let mut datagrams = 0;
    let began = cpu();
    for n in 1..=count {
        let before = world.datagrams;
        world.negotiate((0, conn(2 * n)), (1, conn(2 * n + 1)));
        let end = world.now + Duration::from_secs(10);
        world.run(end, |world| world.opened == 2 * n);
        assert_eq!(world.opened, 2 * n, "it connects");
        datagrams = world.datagrams - before;
        let now = world.now;
        world.engines[0].close(conn(2 * n), now);
        world.drain(0);
        world.run(end, |world| world.closed == 2 * n);
    }
    let each = (cpu() - began) / u32::try_from(count).unwrap();
    let rate = 1.0 / each.as_secs_f64();
    println!("connect and close: {each:?} per pair, {rate:.0} pairs/s, {datagrams} datagrams");
}

fn idling(count: usize) {
    let mut world = World::new(count + 1);
    let before = resident_bytes();
    for n in 1..=count {
        world.negotiate((0, conn(n)), (n, conn(n)));
    }
    let end = world.now + Duration::from_secs(10);
    world.run(end, |world| world.opened == 2 * count);
    assert_eq!(world.opened, 2 * count, "all connect");
    let end = world.now + Duration::from_secs(60);
    world.run(end, |_| false);
    let each = (resident_bytes() - before) / (2 * count);
    println!("memory of an idle connection: {} KiB", each / 1024);

    (world.wakes, world.datagrams) = (0, 0);
    let began = cpu();
    let end = world.now + Duration::from_secs(60);
    world.run(end, |_| false);
    let connections = 2 * u32::try_from(count).unwrap();
    println!(
        "a minute of an idle connection: {} wake-ups, {} datagrams, {:?} of CPU",
        world.wakes / (2 * count),
        world.datagrams / (2 * count),
        (cpu() - began) / connections,
    );
}

fn sending(total: usize, rtt: Duration) {
    let mut world = World::new(2);
    world.latency = rtt / 2;
    world.negotiate((0, conn(1)), (1, conn(2)));
    let end = world.now + Duration::from_secs(10);
    world.run(end, |world| world.opened == 2);
    let message = vec![7; 16_384];
    let mut sent = 0;
    let began = cpu();
    let virtually = world.now;
    while sent < total {
        let now = world.now;
        let outcome = world.engines[0].send(conn(1), Lane::Control, &message, now);
        world.drain(0);
        match outcome {
            SendOutcome::Taken => sent += message.len(),
            SendOutcome::Full => {
                let before = world.drained;
                let end = world.now + Duration::from_secs(10);
                world.run(end, |world| world.drained > before);
            }
            SendOutcome::Refused => panic!("the connection is open"),
        }
    }
    let end = world.now + Duration::from_secs(10);
    world.run(end, |world| world.received >= sent);
    let megabytes = sent as f64 / 1e6;
    println!(
        "sending over a round trip of {rtt:?}: {:.1} MB/s; {:.0} MB per second of CPU",
        megabytes / world.now.since(virtually).as_secs_f64(),
        megabytes / (cpu() - began).as_secs_f64(),
    );
}

/// CPU time of this process; others may be at work.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let nanos = stat.split(' ').next().and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.unwrap_or(0))
}

fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    pages.unwrap_or(0_usize) * 4096
}

fn main() {
    connecting(20);
    connecting(500);
    idling(500);
    for (megabytes, millis) in [(50, 1), (50, 10), (400, 20), (200, 50), (100, 100)] {
        sending(megabytes * 1_000_000, Duration::from_millis(millis));
    }
}
