//! An engine without WebRTC: descriptions are lines of text, everything travels in the clear, and
//! the network must lose nothing but frames. It keeps the contract of [`Engine`] and nothing more.

mod tracks;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::{BufMut, Bytes};

use crate::engine::{
    CloseReason, ConnOptions, ConnectionInfo, DescriptionError, DescriptionKind, Engine,
    EngineEvent, EngineInput, EngineOutput, IncomingTrack, Lane, MediaInfo, MediaOutcome, Path,
    Proposal, SendOutcome, Transmit,
};
use crate::ids::{ConnId, TrackId};
use crate::media::{MediaFrame, RtpPacket};
use crate::rng::{Rng, Seed};
use crate::time::{Deadline, Time};
use crate::wire::CandidateInit;
use tracks::{Change, Tracks};

const HELLO: u8 = b'H';
const MESSAGE: u8 = b'M';
const ACK: u8 = b'A';
const BYE: u8 = b'B';
const FRAME: u8 = b'F';
const PACKET: u8 = b'P';
const KEY_FRAME: u8 = b'K';

/// Messages under way at once; more are refused until the other side has acknowledged some.
const IN_FLIGHT_MAX: usize = 16;
/// A frame that is larger finds no room.
const FRAME_BYTES_MAX: usize = 60_000;
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
    is_offerer: bool,
    tracks: Tracks,
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
            is_offerer: false,
            tracks: Tracks::default(),
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
        if let Some(mut conn) = self.conns.remove(&id) {
            for track in conn.tracks.end() {
                self.event(EngineEvent::TrackEnded { conn: id, track });
            }
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
            FRAME => {
                if let Some((track, frame)) = conn.tracks.parse_frame(body) {
                    self.event(EngineEvent::Frame { conn: id, track, frame });
                }
            }
            PACKET => {
                if let Some((track, packet)) = conn.tracks.parse_packet(body) {
                    self.event(EngineEvent::Packet { conn: id, track, packet });
                }
            }
            KEY_FRAME => {
                let name = body.first_chunk().map(|name| u64::from_be_bytes(*name));
                if let Some(track) = name.and_then(|name| conn.tracks.asked(name)) {
                    self.event(EngineEvent::KeyFrameWanted { conn: id, track });
                }
            }
            _ => {}
        }
    }

    /// Says what a description changes.
    fn change(&mut self, conn: ConnId, changes: Vec<Change>) {
        for change in changes {
            self.event(match change {
                Change::Began { track, kind, msid } => {
                    EngineEvent::TrackBegan { conn, track, kind, msid: Some(msid) }
                }
                Change::Ended { track } => EngineEvent::TrackEnded { conn, track },
                Change::Agreed { track, codecs } => {
                    EngineEvent::TrackAgreed { conn, track, codecs }
                }
            });
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
        self.begin(conn, options, now).is_offerer = true;
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

    fn propose(&mut self, conn: ConnId, proposal: &Proposal, _now: Time) {
        let Some(open) = self.conns.get_mut(&conn).filter(|conn| conn.is_open) else { return };
        match proposal {
            // There is one path only.
            Proposal::Restart => {}
            Proposal::Tracks(tracks) => {
                let sdp = open.tracks.propose(tracks);
                let kind = DescriptionKind::Offer;
                self.event(EngineEvent::Description { conn, kind, sdp });
            }
        }
    }

    fn roll_back(&mut self, conn: ConnId, _now: Time) {
        if let Some(known) = self.conns.get_mut(&conn) {
            known.tracks.roll_back();
        }
    }

    fn renegotiate(
        &mut self,
        conn: ConnId,
        offer: &str,
        _now: Time,
    ) -> Result<String, DescriptionError> {
        let open = self.conns.get_mut(&conn).filter(|conn| conn.is_open);
        let Conn { tracks, options, .. } = open.ok_or(DescriptionError::Unexpected)?;
        let (answer, changes) = tracks.answer(offer, &options.media)?;
        self.change(conn, changes);
        Ok(answer)
    }

    fn accept_answer(
        &mut self,
        conn: ConnId,
        answer: &str,
        now: Time,
    ) -> Result<(), DescriptionError> {
        if let Some(open) = self.conns.get_mut(&conn).filter(|conn| conn.is_open) {
            let changes = open.tracks.accept(answer)?;
            self.change(conn, changes);
            return Ok(());
        }
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

    fn send_frame(
        &mut self,
        conn: ConnId,
        track: TrackId,
        frame: &MediaFrame,
        _now: Time,
    ) -> MediaOutcome {
        let Some(open) = self.conns.get_mut(&conn) else { return MediaOutcome::Unwanted };
        if frame.bytes.len() > FRAME_BYTES_MAX {
            return MediaOutcome::Full;
        }
        let Some(datagram) = open.tracks.emit_frame(track, frame) else {
            return MediaOutcome::Unwanted;
        };
        self.transmit(conn, FRAME, &datagram);
        MediaOutcome::Taken
    }

    fn send_packet(
        &mut self,
        conn: ConnId,
        track: TrackId,
        packet: &RtpPacket,
        _now: Time,
    ) -> MediaOutcome {
        let open = self.conns.get_mut(&conn);
        let datagram = open.and_then(|open| open.tracks.emit_packet(track, packet));
        let Some(datagram) = datagram else { return MediaOutcome::Unwanted };
        self.transmit(conn, PACKET, &datagram);
        MediaOutcome::Taken
    }

    fn request_key_frame(&mut self, conn: ConnId, track: IncomingTrack, _now: Time) {
        let name = self.conns.get_mut(&conn).and_then(|open| open.tracks.name(track));
        if let Some(name) = name {
            self.transmit(conn, KEY_FRAME, &name.to_be_bytes());
        }
    }

    fn media_info(&self, conn: ConnId) -> MediaInfo {
        self.conns.get(&conn).map_or_else(MediaInfo::default, |conn| conn.tracks.info())
    }

    fn close(&mut self, conn: ConnId, _now: Time) {
        self.transmit(conn, BYE, &[]);
        self.end(conn, CloseReason::Local);
    }

    fn connection_info(&self, conn: ConnId) -> Option<ConnectionInfo> {
        let conn = self.conns.get(&conn)?;
        let path = conn.local.zip(conn.remote).map(|(local, remote)| Path { local, remote });
        let (is_offerer, candidate_kinds) = (conn.is_offerer, ("host", "host"));
        Some(ConnectionInfo { path, candidate_kinds, is_offerer, ..Default::default() })
    }
}

fn parse_description(sdp: &str) -> Result<(u64, Option<SocketAddr>), DescriptionError> {
    let invalid = || DescriptionError::Invalid("it is not a memory engine's".to_owned());
    let (tag, address) =
        sdp.strip_prefix("memory ").and_then(|rest| rest.split_once(' ')).ok_or_else(invalid)?;
    Ok((tag.parse().map_err(|_| invalid())?, address.parse().ok()))
}
