//! A mesh of engines without nodes: what carries messages, and nothing that understands them.
//!
//! It waits, reads and sends as the event loop of `tristero-examples` does.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use mio::{Events, Poll, Token};
use tristero_examples::{Epoch, Sockets};
use tristero_proto::crypto::RoomToken;
use tristero_proto::engine::{
    ConnOptions, Engine as _, EngineEvent, EngineInput, EngineOutput, Lane, SendOutcome,
};
use tristero_proto::wire::{ActionName, Frame, Payload, Transmission};
use tristero_proto::{ConnId, Seed, Time};
use tristero_str0m::Str0mEngine;

use crate::{Mesh, TEXT_BYTES};

pub(crate) struct Engines {
    epoch: Epoch,
    poll: Poll,
    events: Events,
    peers: Vec<Peer>,
}

/// How long the messages are that a node would make of texts.
#[derive(Clone, Copy)]
struct Shape {
    header_bytes: usize,
    chunk_bytes: usize,
}

struct Peer {
    engine: Str0mEngine,
    sockets: Sockets,
    open: BTreeSet<ConnId>,
    description: Option<String>,
    shape: Shape,
    arrived: usize,
}

impl Engines {
    /// So many engines, each connected with each.
    pub(crate) fn connect(count: usize) -> Result<Self> {
        let (epoch, poll, shape) = (Epoch::begin(), Poll::new()?, Shape::of_a_text()?);
        let mut peers = Vec::new();
        for number in 0..count {
            let localhost = IpAddr::from(Ipv4Addr::LOCALHOST);
            let sockets = Sockets::bind(&[localhost], Token(number), poll.registry())?;
            let seed = Seed::from_number(number as u64);
            let mut engine = Str0mEngine::new(&seed, epoch.instant());
            for address in sockets.addresses() {
                engine.handle_input(EngineInput::AddressAdded(address), epoch.now());
            }
            let open = BTreeSet::new();
            peers.push(Peer { engine, sockets, open, description: None, shape, arrived: 0 });
        }
        let events = Events::with_capacity(256);
        let mut engines = Engines { epoch, poll, events, peers };
        for answerer in 1..count {
            for offerer in 0..answerer {
                engines.negotiate(offerer, answerer)?;
            }
        }
        let end = Instant::now() + CONNECTING_MAX;
        while engines.peers.iter().any(|peer| peer.open.len() < count - 1) {
            ensure!(Instant::now() < end, "not all connections are open");
            engines.step()?;
        }
        Ok(engines)
    }

    /// Each calls a connection by the number of the other.
    fn negotiate(&mut self, offerer: usize, answerer: usize) -> Result<()> {
        let now = self.epoch.now();
        let options = ConnOptions::direct(false);
        let [to_answerer, to_offerer] =
            [answerer, offerer].map(|number| ConnId::from_number(number as u64));
        let offering = &mut self.peers[offerer];
        offering.engine.offer(to_answerer, options.clone(), now);
        let offer = offering.described()?;
        let answering = &mut self.peers[answerer];
        answering.engine.answer(to_offerer, &offer, options, now)?;
        let answer = answering.described()?;
        let offering = &mut self.peers[offerer];
        offering.engine.accept_answer(to_answerer, &answer, now)?;
        offering.drain();
        Ok(())
    }
}

impl Mesh for Engines {
    fn tell(&mut self, burst: usize) -> Result<()> {
        let now = self.epoch.now();
        for peer in &mut self.peers {
            for length in peer.shape.messages(burst) {
                for conn in &peer.open {
                    let sent = peer.engine.send(*conn, Lane::Control, &vec![7; length], now);
                    ensure!(
                        sent == SendOutcome::Taken,
                        "an engine is full: --burst has to be smaller"
                    );
                }
                peer.drain();
            }
        }
        Ok(())
    }

    fn step(&mut self) -> Result<usize> {
        let due = self.peers.iter().filter_map(Peer::due).min();
        let pause = self.epoch.pause_until(due).unwrap_or(LONGEST_WAIT);
        self.poll.poll(&mut self.events, Some(pause.min(LONGEST_WAIT)))?;
        let now = self.epoch.now();
        let mut woken: BTreeSet<usize> = BTreeSet::new();
        for event in &self.events {
            let Token(number) = event.token();
            self.peers[number].sockets.note_ready(event.token());
            woken.insert(number);
        }
        let is_due = |peer: &Peer| peer.due().is_some_and(|due| due <= now);
        let due = self.peers.iter().enumerate().filter(|(_, peer)| is_due(peer));
        woken.extend(due.map(|(number, _)| number));
        let turns = woken.into_iter().map(|number| self.peers[number].turn(now));
        Ok(turns.sum())
    }
}

impl Peer {
    /// When it wants its next turn.
    fn due(&self) -> Option<Time> {
        if self.sockets.is_ready() {
            return Some(Time::ZERO);
        }
        self.engine.poll_timeout().map(|due| due.at)
    }

    /// Reads what is there, and does what is due; gives how many messages arrived.
    fn turn(&mut self, now: Time) -> usize {
        for _ in 0..READS_PER_TURN {
            let Some(datagram) = self.sockets.receive() else { break };
            self.engine.handle_input(EngineInput::Datagram(datagram), now);
            self.drain();
        }
        if self.engine.poll_timeout().is_some_and(|due| due.at <= now) {
            self.engine.handle_timeout(now);
            self.drain();
        }
        std::mem::take(&mut self.arrived)
    }

    fn drain(&mut self) {
        while let Some(output) = self.engine.poll_output() {
            match output {
                EngineOutput::Transmit(transmit) => self.sockets.transmit(&transmit),
                EngineOutput::Event(EngineEvent::Description { sdp, .. }) => {
                    self.description = Some(sdp);
                }
                EngineOutput::Event(EngineEvent::Open { conn }) => {
                    self.open.insert(conn);
                }
                EngineOutput::Event(EngineEvent::Message { bytes, .. }) => {
                    self.arrived += self.shape.texts(std::hint::black_box(bytes).len());
                }
                EngineOutput::Event(EngineEvent::Closed { conn, .. }) => {
                    self.open.remove(&conn);
                }
                EngineOutput::Event(_) | EngineOutput::Network(_) => {}
            }
        }
    }

    fn described(&mut self) -> Result<String> {
        self.drain();
        self.description.take().context("an engine described nothing")
    }
}

impl Shape {
    fn of_a_text() -> Result<Self> {
        let (mut header, mut chunk) = (Vec::new(), Vec::new());
        Frame::emit_room_header(&RoomToken::of_room("bench", "mesh"), &mut header);
        let text = Payload::Text("x".repeat(TEXT_BYTES));
        Transmission::new(ActionName::new("tell")?, 0, text, None).emit_next(&mut chunk);
        Ok(Shape { header_bytes: header.len(), chunk_bytes: chunk.len() })
    }

    /// Texts that are sent in one go travel in as few messages as a node puts them into.
    ///
    /// spec: docs/protocol.md, section 12
    fn messages(self, texts: usize) -> impl Iterator<Item = usize> {
        let each = LENGTH_BYTES + self.chunk_bytes;
        let most = (BUNDLE_BYTES_MAX - self.header_bytes) / each;
        let full = std::iter::repeat_n(most, texts / most);
        let rest = Some(texts % most).filter(|rest| *rest > 0);
        full.chain(rest).map(move |texts| match texts {
            1 => self.header_bytes + self.chunk_bytes,
            texts => self.header_bytes + texts * each,
        })
    }

    /// How many texts are in a message of this length.
    fn texts(self, length: usize) -> usize {
        ((length - self.header_bytes) / (LENGTH_BYTES + self.chunk_bytes)).max(1)
    }
}

/// What a bundle has before each chunk.
const LENGTH_BYTES: usize = 2;
const BUNDLE_BYTES_MAX: usize = 16 * 1024;

/// As many as the other loop has.
const READS_PER_TURN: usize = 64;

const CONNECTING_MAX: Duration = Duration::from_secs(60);

const LONGEST_WAIT: Duration = Duration::from_secs(1);
