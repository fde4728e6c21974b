//! An engine without WebRTC: descriptions are a line of text, messages travel in the clear, and
//! the network must lose nothing. It keeps the contract of [`Engine`] and nothing more.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::{BufMut, Bytes};

use crate::engine::{
    CloseReason, ConnOptions, ConnectionInfo, DescriptionError, DescriptionKind, Engine,
    EngineEvent, EngineInput, EngineOutput, Lane, Path, SendOutcome, Transmit,
};
use crate::ids::ConnId;
use crate::rng::{Rng, Seed};
use crate::time::{Deadline, Time};
use crate::wire::CandidateInit;

const HELLO: u8 = b'H';
const MESSAGE: u8 = b'M';
const ACK: u8 = b'A';
const BYE: u8 = b'B';

/// Messages under way at once; more are refused until the other side has acknowledged some.
const IN_FLIGHT_MAX: usize = 16;
/// A connection from which nothing came for this long is gone.
const SILENCE_MAX: Duration = Duration::from_secs(9);
/// How often a connection shows that it lives.
const HELLO_INTERVAL: Duration = Duration::from_secs(2);

/// The engine. See the [module](super).
#[derive(Debug)]
pub struct MemoryEngine {
    rng: Rng,
    addresses: Vec<SocketAddr>,
    conns: BTreeMap<ConnId, Conn>,
    outputs: VecDeque<EngineOutput>,
}

#[derive(Debug)]
struct Conn {
    /// What our datagrams carry, so that the other side knows them.
    our_tag: u64,
    their_tag: Option<u64>,
    local: Option<SocketAddr>,
    remote: Option<SocketAddr>,
    options: ConnOptions,
    described: Option<DescriptionKind>,
    is_open: bool,
    in_flight: usize,
    was_full: bool,
    last_heard: Time,
    next_hello: Time,
}

impl MemoryEngine {
    /// An engine that draws from this seed.
    pub fn new(seed: &Seed) -> Self {
        MemoryEngine {
            rng: seed.rng("memory engine"),
            addresses: Vec::new(),
            conns: BTreeMap::new(),
            outputs: VecDeque::new(),
        }
    }

    fn event(&mut self, event: EngineEvent) {
        self.outputs.push_back(EngineOutput::Event(event));
    }

    fn begin(&mut self, id: ConnId, options: ConnOptions, now: Time) -> &mut Conn {
        let conn = Conn {
            our_tag: self.rng.below(u64::MAX),
            their_tag: None,
            local: None,
            remote: None,
            options,
            described: None,
            is_open: false,
            in_flight: 0,
            was_full: false,
            last_heard: now,
            next_hello: now + HELLO_INTERVAL,
        };
        let old = self.conns.insert(id, conn);
        assert!(old.is_none(), "{id:?} was used before");
        self.conns.get_mut(&id).expect("it was just inserted")
    }

    /// Says the description now if it may, or when an address is there.
    fn describe(&mut self, id: ConnId, kind: DescriptionKind) {
        let local = self.addresses.first().copied();
        let Some(conn) = self.conns.get_mut(&id) else { return };
        conn.local = local;
        if local.is_none() && !conn.options.trickle {
            conn.described = Some(kind);
            return;
        }
        let address = local.map_or("later".to_owned(), |address| address.to_string());
        let sdp = format!("memory {} {address}", conn.our_tag);
        self.event(EngineEvent::Description { conn: id, kind, sdp });
    }

    fn transmit(&mut self, id: ConnId, kind: u8, body: &[u8]) {
        let Some(conn) = self.conns.get(&id) else { return };
        let (Some(their_tag), Some(local), Some(remote)) =
            (conn.their_tag, conn.local, conn.remote)
        else {
            return;
        };
        let mut bytes = Vec::with_capacity(9 + body.len());
        bytes.put_u64(their_tag);
        bytes.put_u8(kind);
        bytes.put_slice(body);
        self.outputs.push_back(EngineOutput::Transmit(Transmit {
            path: Path { local, remote },
            bytes: bytes.into(),
            segment_size: None,
            ecn: None,
        }));
    }

    fn end(&mut self, id: ConnId, reason: CloseReason) {
        if self.conns.remove(&id).is_some() {
            self.event(EngineEvent::Closed { conn: id, reason });
        }
    }

    fn open(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        if !conn.is_open {
            conn.is_open = true;
            self.transmit(id, HELLO, &[]);
            self.event(EngineEvent::Open { conn: id });
        }
    }

    fn on_datagram(&mut self, path: Path, bytes: &[u8], now: Time) {
        let Some((tag, rest)) = bytes.split_first_chunk::<8>() else { return };
        let tag = u64::from_be_bytes(*tag);
        let Some((&kind, body)) = rest.split_first() else { return };
        let found = self.conns.iter().find(|(_, conn)| conn.our_tag == tag).map(|(id, _)| *id);
        let Some(id) = found else { return };
        let conn = self.conns.get_mut(&id).expect("it was just found");
        if conn.their_tag.is_none() {
            return;
        }
        conn.last_heard = now;
        conn.remote = Some(path.remote);
        match kind {
            HELLO => self.open(id),
            MESSAGE => {
                self.open(id);
                self.transmit(id, ACK, &[]);
                let bytes = Bytes::copy_from_slice(body);
                self.event(EngineEvent::Message { conn: id, lane: Lane::Control, bytes });
            }
            ACK => {
                conn.in_flight = conn.in_flight.saturating_sub(1);
                if conn.was_full && conn.in_flight <= IN_FLIGHT_MAX / 2 {
                    conn.was_full = false;
                    self.event(EngineEvent::Drained { conn: id, lane: Lane::Control });
                }
            }
            BYE => self.end(id, CloseReason::Remote),
            _ => {}
        }
    }

    fn on_address(&mut self, address: SocketAddr) {
        self.addresses.push(address);
        let waiting: Vec<ConnId> =
            self.conns.iter().filter(|(_, c)| c.local.is_none()).map(|(id, _)| *id).collect();
        for id in waiting {
            let conn = self.conns.get_mut(&id).expect("it was just listed");
            if let Some(kind) = conn.described.take() {
                self.describe(id, kind);
            } else {
                conn.local = Some(address);
                let candidate =
                    CandidateInit { candidate: address.to_string(), ..CandidateInit::default() };
                self.event(EngineEvent::Candidate { conn: id, candidate });
            }
            self.transmit(id, HELLO, &[]);
        }
    }
}

impl Engine for MemoryEngine {
    fn handle_input(&mut self, input: EngineInput<'_>, now: Time) {
        match input {
            EngineInput::Datagram(datagram) => {
                self.on_datagram(datagram.path, datagram.bytes, now);
            }
            EngineInput::AddressAdded(address) => self.on_address(address),
            EngineInput::AddressRemoved(address) => self.addresses.retain(|a| *a != address),
            // It asks for nothing.
            EngineInput::Network(_) | EngineInput::IceCredentials(..) | EngineInput::ShutDown => {}
        }
    }

    fn handle_timeout(&mut self, now: Time) {
        let ids: Vec<ConnId> = self.conns.keys().copied().collect();
        for id in ids {
            let conn = self.conns.get_mut(&id).expect("it was just listed");
            if conn.is_open && now.since(conn.last_heard) >= SILENCE_MAX {
                self.transmit(id, BYE, &[]);
                self.end(id, CloseReason::Silent);
            } else if conn.next_hello <= now {
                conn.next_hello = now + HELLO_INTERVAL;
                self.transmit(id, HELLO, &[]);
            }
        }
    }

    fn poll_output(&mut self) -> Option<EngineOutput> {
        self.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        let next = self.conns.values().map(|conn| conn.next_hello).min()?;
        Some(Deadline::new(next, "memory engine"))
    }

    fn offer(&mut self, conn: ConnId, options: ConnOptions, now: Time) {
        self.begin(conn, options, now);
        self.describe(conn, DescriptionKind::Offer);
    }

    fn answer(
        &mut self,
        conn: ConnId,
        offer: &str,
        options: ConnOptions,
        now: Time,
    ) -> Result<(), DescriptionError> {
        let (tag, remote) = parse_description(offer)?;
        let begun = self.begin(conn, options, now);
        begun.their_tag = Some(tag);
        begun.remote = remote;
        self.describe(conn, DescriptionKind::Answer);
        self.transmit(conn, HELLO, &[]);
        Ok(())
    }

    fn accept_answer(
        &mut self,
        conn: ConnId,
        answer: &str,
        now: Time,
    ) -> Result<(), DescriptionError> {
        let (tag, remote) = parse_description(answer)?;
        let waiting = self.conns.get_mut(&conn).filter(|conn| conn.their_tag.is_none());
        let waiting = waiting.ok_or(DescriptionError::Unexpected)?;
        waiting.their_tag = Some(tag);
        waiting.remote = waiting.remote.or(remote);
        waiting.last_heard = now;
        self.transmit(conn, HELLO, &[]);
        Ok(())
    }

    fn add_remote_candidate(&mut self, conn: ConnId, candidate: &CandidateInit, _now: Time) {
        let Ok(address) = candidate.candidate.parse() else { return };
        if let Some(known) = self.conns.get_mut(&conn) {
            known.remote = Some(address);
            self.transmit(conn, HELLO, &[]);
        }
    }

    fn send(&mut self, conn: ConnId, _lane: Lane, message: &[u8], _now: Time) -> SendOutcome {
        let open = self.conns.get_mut(&conn).filter(|conn| conn.is_open && !message.is_empty());
        let Some(open) = open else {
            return SendOutcome::Refused;
        };
        if open.in_flight >= IN_FLIGHT_MAX {
            open.was_full = true;
            return SendOutcome::Full;
        }
        open.in_flight += 1;
        self.transmit(conn, MESSAGE, message);
        SendOutcome::Taken
    }

    fn close(&mut self, conn: ConnId, _now: Time) {
        self.transmit(conn, BYE, &[]);
        self.end(conn, CloseReason::Local);
    }

    fn connection_info(&self, conn: ConnId) -> Option<ConnectionInfo> {
        let conn = self.conns.get(&conn)?;
        let path = conn.local.zip(conn.remote).map(|(local, remote)| Path { local, remote });
        Some(ConnectionInfo { path, candidate_kinds: ("host", "host"), ..Default::default() })
    }
}

fn parse_description(sdp: &str) -> Result<(u64, Option<SocketAddr>), DescriptionError> {
    let invalid = || DescriptionError::Invalid("it is not a memory engine's".to_owned());
    let (tag, address) =
        sdp.strip_prefix("memory ").and_then(|rest| rest.split_once(' ')).ok_or_else(invalid)?;
    Ok((tag.parse().map_err(|_| invalid())?, address.parse().ok()))
}
