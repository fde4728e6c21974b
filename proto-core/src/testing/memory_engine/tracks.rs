//! Tracks without RTP: a description lists what its sender sends, and an answer what it takes of
//! that. Frames travel in datagrams of their own.

use std::collections::BTreeMap;

use bytes::{Buf, BufMut, Bytes};

use crate::engine::{DescriptionError, IncomingTrack, MediaInfo};
use crate::ids::TrackId;
use crate::media::{
    Codec, MediaConfig, MediaFrame, MediaKind, MediaTime, Msid, RtpPacket, SentTrack, TrackStats,
};

/// What descriptions of a connection that stands begin with.
const OFFER: &str = "memory tracks offer a=rtpmap";
const ANSWER: &str = "memory tracks answer a=rtpmap";

/// What one connection carries.
#[derive(Debug, Default)]
pub(super) struct Tracks {
    /// What was proposed and is not answered.
    draft: Option<Vec<SentTrack>>,
    sent: BTreeMap<TrackId, Sent>,
    received: BTreeMap<(u64, String), Received>,
    next_incoming: u64,
}

#[derive(Debug)]
struct Sent {
    codecs: Vec<Codec>,
    sequence: u32,
    stats: TrackStats,
}

#[derive(Debug)]
struct Received {
    incoming: IncomingTrack,
    /// The number of the next frame.
    next: u32,
    stats: TrackStats,
}

/// What a description changes.
#[derive(Debug)]
pub(super) enum Change {
    Began { track: IncomingTrack, kind: MediaKind, msid: Msid },
    Ended { track: IncomingTrack },
    Agreed { track: TrackId, codecs: Vec<Codec> },
}

impl Tracks {
    /// The offer of these tracks.
    pub(super) fn propose(&mut self, tracks: &[SentTrack]) -> String {
        let mut sdp = OFFER.to_owned();
        for SentTrack { track, kind, msid, codecs } in tracks {
            let names: Vec<&str> = codecs.iter().map(|codec| codec.name()).collect();
            let (number, Msid { stream, track }) = (track.number(), msid);
            sdp += &format!("\n{number} {kind} {stream} {track} {}", names.join(","));
        }
        self.draft = Some(tracks.to_vec());
        sdp
    }

    /// Gives up what was proposed.
    pub(super) fn roll_back(&mut self) {
        self.draft = None;
    }

    /// Takes an offer of the other side; gives the answer, and what changes.
    pub(super) fn answer(
        &mut self,
        offer: &str,
        config: &MediaConfig,
    ) -> Result<(String, Vec<Change>), DescriptionError> {
        let lines = offer.strip_prefix(OFFER).ok_or_else(invalid)?;
        let offered: Vec<Offered> =
            lines.lines().skip(1).map(parse_line).collect::<Result<_, _>>()?;
        self.draft = None;
        let mut changes = Vec::new();
        let is_offered = |(number, track): &(u64, String)| {
            offered.iter().any(|o| o.number == *number && o.msid.track == *track)
        };
        self.received.retain(|key, known| {
            let stays = is_offered(key);
            changes.extend((!stays).then_some(Change::Ended { track: known.incoming }));
            stays
        });
        let mut answer = ANSWER.to_owned();
        for Offered { number, kind, msid, codecs } in offered {
            let is_usable = |codec: &&Codec| {
                codec.kind() == kind && (codecs.is_empty() || codecs.contains(codec))
            };
            let taken: Vec<&Codec> =
                config.codecs.iter().filter(|_| config.receives).filter(is_usable).collect();
            let names: Vec<&str> = taken.iter().map(|codec| codec.name()).collect();
            answer += &format!("\n{number} {}", names.join(","));
            let key = (number, msid.track.clone());
            if !taken.is_empty() && !self.received.contains_key(&key) {
                self.next_incoming += 1;
                let track = IncomingTrack(self.next_incoming);
                let stats = TrackStats::default();
                self.received.insert(key, Received { incoming: track, next: 0, stats });
                changes.push(Change::Began { track, kind, msid });
            }
        }
        Ok((answer, changes))
    }

    /// Takes the answer to our offer; gives what changes.
    pub(super) fn accept(&mut self, answer: &str) -> Result<Vec<Change>, DescriptionError> {
        let lines = answer.strip_prefix(ANSWER).ok_or_else(invalid)?;
        let mut taken = BTreeMap::new();
        for line in lines.lines().skip(1) {
            let (number, codecs) = line.split_once(' ').ok_or_else(invalid)?;
            let number: u64 = number.parse().map_err(|_| invalid())?;
            taken.insert(TrackId::from_number(number), parse_codecs(codecs)?);
        }
        let draft = self.draft.take().ok_or(DescriptionError::Unexpected)?;
        self.sent.retain(|track, _| draft.iter().any(|sent| sent.track == *track));
        let mut changes = Vec::new();
        for SentTrack { track, .. } in draft {
            let codecs = taken.remove(&track).unwrap_or_default();
            let sent = Sent { codecs: codecs.clone(), sequence: 0, stats: TrackStats::default() };
            self.sent.entry(track).or_insert(sent).codecs = codecs.clone();
            changes.push(Change::Agreed { track, codecs });
        }
        Ok(changes)
    }

    /// All tracks of the other side end.
    pub(super) fn end(&mut self) -> impl Iterator<Item = IncomingTrack> {
        std::mem::take(&mut self.received).into_values().map(|known| known.incoming)
    }

    /// The datagram of a frame; `None` if it may not be sent.
    pub(super) fn emit_frame(&mut self, track: TrackId, frame: &MediaFrame) -> Option<Vec<u8>> {
        let mut datagram = self.emit(track, frame.codec, frame.bytes.len())?;
        let sent = self.sent.get_mut(&track)?;
        sent.stats.frames += 1;
        sent.stats.key_frames += u64::from(frame.is_key);
        datagram.put_u8(frame.is_key.into());
        datagram.put_u64(frame.time.ticks());
        datagram.put_u32(frame.time.rate());
        datagram.put_slice(&frame.bytes);
        Some(datagram)
    }

    /// The datagram of a packet; `None` if it may not be sent.
    pub(super) fn emit_packet(&mut self, track: TrackId, packet: &RtpPacket) -> Option<Vec<u8>> {
        let mut datagram = self.emit(track, packet.codec, packet.payload.len())?;
        datagram.put_u8(packet.is_marked.into());
        datagram.put_u64(packet.sequence);
        datagram.put_u32(packet.time);
        datagram.put_slice(&packet.payload);
        Some(datagram)
    }

    /// Reads a frame.
    pub(super) fn parse_frame(&mut self, bytes: &[u8]) -> Option<(IncomingTrack, MediaFrame)> {
        let (track, is_contiguous, codec, mut rest) = self.parse(bytes)?;
        let (is_key, ticks, rate) = (rest.get_u8() > 0, rest.get_u64(), rest.get_u32());
        let time = MediaTime::new(ticks, rate);
        Some((track, MediaFrame { codec, time, is_key, is_contiguous, bytes: rest.into() }))
    }

    /// Reads a packet.
    pub(super) fn parse_packet(&mut self, bytes: &[u8]) -> Option<(IncomingTrack, RtpPacket)> {
        let (track, _, codec, mut rest) = self.parse(bytes)?;
        let (is_marked, sequence, time) = (rest.get_u8() > 0, rest.get_u64(), rest.get_u32());
        let payload = Bytes::copy_from_slice(rest);
        Some((track, RtpPacket { codec, sequence, time, is_marked, payload }))
    }

    /// What the other side calls a track of its own.
    pub(super) fn name(&mut self, track: IncomingTrack) -> Option<u64> {
        let (key, known) = self.received.iter_mut().find(|(_, known)| known.incoming == track)?;
        known.stats.key_frame_requests += 1;
        Some(key.0)
    }

    /// The track of ours that has this name.
    pub(super) fn asked(&mut self, name: u64) -> Option<TrackId> {
        let track = TrackId::from_number(name);
        self.sent.get_mut(&track)?.stats.key_frame_requests += 1;
        Some(track)
    }

    pub(super) fn info(&self) -> MediaInfo {
        let received = self.received.values();
        MediaInfo {
            is_possible: true,
            sent: self.sent.iter().map(|(track, sent)| (*track, sent.stats)).collect(),
            received: received.map(|known| (known.incoming, known.stats)).collect(),
            bitrate: None,
        }
    }

    fn emit(&mut self, track: TrackId, codec: Codec, length: usize) -> Option<Vec<u8>> {
        let sent = self.sent.get_mut(&track).filter(|sent| sent.codecs.contains(&codec))?;
        let mut datagram = Vec::with_capacity(32 + length);
        datagram.put_u64(track.number());
        datagram.put_u32(sent.sequence);
        sent.sequence = sent.sequence.wrapping_add(1);
        sent.stats.codec = Some(codec);
        sent.stats.packets += 1;
        sent.stats.bytes += length as u64;
        let index = Codec::ALL.iter().position(|known| *known == codec)?;
        datagram.put_u8(u8::try_from(index).ok()?);
        Some(datagram)
    }

    fn parse<'a>(&mut self, bytes: &'a [u8]) -> Option<(IncomingTrack, bool, Codec, &'a [u8])> {
        let (mut header, rest) = bytes.split_at_checked(13)?;
        let (name, sequence, codec) = (header.get_u64(), header.get_u32(), header.get_u8());
        let codec = *Codec::ALL.get(usize::from(codec))?;
        let (_, known) = self.received.iter_mut().find(|(key, _)| key.0 == name)?;
        let is_contiguous = known.next == sequence;
        known.next = sequence.wrapping_add(1);
        known.stats.codec = Some(codec);
        known.stats.frames += 1;
        known.stats.gaps += u64::from(!is_contiguous);
        (rest.len() > 13).then_some((known.incoming, is_contiguous, codec, rest))
    }
}

/// A line of an offer.
struct Offered {
    number: u64,
    kind: MediaKind,
    msid: Msid,
    codecs: Vec<Codec>,
}

fn parse_line(line: &str) -> Result<Offered, DescriptionError> {
    let words: Vec<&str> = line.split(' ').collect();
    let [number, kind, stream, track, codecs] = words[..] else { return Err(invalid()) };
    let kind = match kind {
        "audio" => MediaKind::Audio,
        "video" => MediaKind::Video,
        _ => return Err(invalid()),
    };
    let msid = Msid { stream: stream.to_owned(), track: track.to_owned() };
    let number = number.parse().map_err(|_| invalid())?;
    Ok(Offered { number, kind, msid, codecs: parse_codecs(codecs)? })
}

fn parse_codecs(names: &str) -> Result<Vec<Codec>, DescriptionError> {
    let names = names.split(',').filter(|name| !name.is_empty());
    names.map(|name| Codec::from_name(name).ok_or_else(invalid)).collect()
}

fn invalid() -> DescriptionError {
    DescriptionError::Invalid("it is not a memory engine's".to_owned())
}
