//! An engine that takes no time: a connection is open once it is described, and a message is a datagram.
//!
//! It has no timers and finds a connection by its number, so that what is measured is the node alone.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

use bytes::{BufMut as _, Bytes, BytesMut};
use tristero_proto::engine::{
    CloseReason, ConnOptions, ConnectionInfo, DescriptionError, DescriptionKind, Engine,
    EngineEvent, EngineInput, EngineOutput, Lane, Path, SendOutcome, Transmit,
};
use tristero_proto::wire::CandidateInit;
use tristero_proto::{ConnId, Deadline, Time};

/// The engine of one node.
#[derive(Debug)]
pub(crate) struct Wires {
    address: SocketAddr,
    /// What the other side calls each connection, once that is known.
    remotes: HashMap<ConnId, Option<Remote>>,
    outputs: VecDeque<EngineOutput>,
}

#[derive(Clone, Copy, Debug)]
struct Remote {
    address: SocketAddr,
    number: u64,
}

impl Wires {
    /// The engine of the node with this number.
    pub(crate) fn new(number: usize) -> Self {
        Wires { address: address(number), remotes: HashMap::new(), outputs: VecDeque::new() }
    }

    fn tell(&mut self, event: EngineEvent) {
        self.outputs.push_back(EngineOutput::Event(event));
    }

    fn describe(&mut self, conn: ConnId, kind: DescriptionKind) {
        let sdp = format!("{} {}", self.address, conn.number());
        self.tell(EngineEvent::Description { conn, kind, sdp });
    }

    fn transmit(&mut self, conn: ConnId, kind: u8, message: &[u8]) {
        let Some(Some(remote)) = self.remotes.get(&conn) else { return };
        let mut bytes = BytesMut::with_capacity(HEADER_BYTES + message.len());
        bytes.put_u64(remote.number);
        bytes.put_u8(kind);
        bytes.put_slice(message);
        let path = Path { local: self.address, remote: remote.address };
        let transmit = Transmit { path, bytes: bytes.freeze(), segment_size: None, ecn: None };
        self.outputs.push_back(EngineOutput::Transmit(transmit));
    }

    fn on_datagram(&mut self, mut bytes: &[u8]) {
        let Some((header, message)) = bytes.split_at_checked(HEADER_BYTES) else { return };
        bytes = &header[..8];
        let number = u64::from_be_bytes(bytes.try_into().expect("it has eight bytes"));
        let conn = ConnId::from_number(number);
        if !self.remotes.contains_key(&conn) {
            return;
        }
        match header[8] {
            OPEN => self.tell(EngineEvent::Open { conn }),
            MESSAGE => {
                let bytes = Bytes::copy_from_slice(message);
                self.tell(EngineEvent::Message { conn, lane: Lane::Control, bytes });
            }
            _ => {
                self.remotes.remove(&conn);
                self.tell(EngineEvent::Closed { conn, reason: CloseReason::Remote });
            }
        }
    }
}

impl Engine for Wires {
    fn handle_input(&mut self, input: EngineInput<'_>, _now: Time) {
        if let EngineInput::Datagram(datagram) = input {
            self.on_datagram(datagram.bytes);
        }
    }

    fn handle_timeout(&mut self, _now: Time) {}

    fn poll_output(&mut self) -> Option<EngineOutput> {
        self.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        None
    }

    fn offer(&mut self, conn: ConnId, _options: ConnOptions, _now: Time) {
        self.remotes.insert(conn, None);
        self.describe(conn, DescriptionKind::Offer);
    }

    fn answer(
        &mut self,
        conn: ConnId,
        offer: &str,
        _options: ConnOptions,
        _now: Time,
    ) -> Result<(), DescriptionError> {
        self.remotes.insert(conn, Some(parse(offer)?));
        self.describe(conn, DescriptionKind::Answer);
        Ok(())
    }

    fn accept_answer(
        &mut self,
        conn: ConnId,
        answer: &str,
        _now: Time,
    ) -> Result<(), DescriptionError> {
        let remote = parse(answer)?;
        *self.remotes.get_mut(&conn).ok_or(DescriptionError::Unexpected)? = Some(remote);
        self.transmit(conn, OPEN, &[]);
        self.tell(EngineEvent::Open { conn });
        Ok(())
    }

    fn add_remote_candidate(&mut self, _conn: ConnId, _candidate: &CandidateInit, _now: Time) {}

    fn send(&mut self, conn: ConnId, _lane: Lane, message: &[u8], _now: Time) -> SendOutcome {
        self.transmit(conn, MESSAGE, message);
        SendOutcome::Taken
    }

    fn close(&mut self, conn: ConnId, _now: Time) {
        self.transmit(conn, CLOSE, &[]);
        if self.remotes.remove(&conn).is_some() {
            self.tell(EngineEvent::Closed { conn, reason: CloseReason::Local });
        }
    }

    fn connection_info(&self, _conn: ConnId) -> Option<ConnectionInfo> {
        Some(ConnectionInfo::default())
    }
}

/// Where the node with this number is.
fn address(number: usize) -> SocketAddr {
    let port = u16::try_from(1_000 + number).expect("there are not so many nodes");
    ([10, 0, 0, 1], port).into()
}

/// Which node is there.
pub(crate) fn node_at(address: SocketAddr) -> usize {
    usize::from(address.port()) - 1_000
}

fn parse(sdp: &str) -> Result<Remote, DescriptionError> {
    let parsed = sdp.split_once(' ').and_then(|(address, number)| {
        Some(Remote { address: address.parse().ok()?, number: number.parse().ok()? })
    });
    parsed.ok_or_else(|| DescriptionError::Invalid("it is none of these".to_owned()))
}

const HEADER_BYTES: usize = 9;
const OPEN: u8 = 0;
const MESSAGE: u8 = 1;
const CLOSE: u8 = 2;
