//! What passes on a connection: counts, times, and how much waits.

use std::collections::BTreeMap;

use tristero_proto::engine::{IncomingTrack, MediaInfo};
use tristero_proto::media::{MediaFrame, MediaKind, RtpPacket, TrackStats};
use tristero_proto::{Time, TrackId};

use super::session::Session;
use super::timeline::{Order, Timeline};
use crate::limits::{MEDIA_WAITING_BYTES_MAX, MEDIA_WAITING_FRAMES_MAX};

/// What passes on one connection.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    sent: BTreeMap<TrackId, Outgoing>,
    received: BTreeMap<IncomingTrack, TrackStats>,
    /// What was written and is not in packets yet.
    waiting: Waiting,
    pub(crate) bitrate: Option<u64>,
}

/// A track of ours.
#[derive(Debug)]
struct Outgoing {
    ssrc: u32,
    stats: TrackStats,
    timeline: Timeline,
    numbering: Numbering,
}

/// How the packets of a track are numbered. A track has either frames or packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Numbering {
    /// Nothing was sent.
    Open {
        first: u16,
    },
    OfFrames {
        next: u64,
    },
    /// The last packet that was written, and what it was sent as.
    OfPackets {
        said: u64,
        sent: u64,
        time: u32,
        sent_time: u32,
    },
}

#[derive(Clone, Copy, Debug, Default)]
struct Waiting {
    frames: usize,
    bytes: usize,
}

impl Flow {
    /// Begins to count the tracks of a session, and forgets those that ended. Numbers for new ones
    /// are drawn.
    pub(crate) fn follow(&mut self, session: &Session, draw: &mut dyn FnMut() -> u32) {
        self.sent.retain(|track, outgoing| {
            session
                .sent()
                .any(|(_, sending)| (sending.track, sending.ssrc) == (*track, outgoing.ssrc))
        });
        for (_, sending) in session.sent() {
            self.sent.entry(sending.track).or_insert_with(|| Outgoing {
                ssrc: sending.ssrc,
                stats: TrackStats::default(),
                timeline: Timeline::new(draw()),
                // The first number is a small one, because nobody knows how often it wrapped around
                // before (RFC 3711, section 3.3.1).
                numbering: Numbering::Open { first: (draw() & 0x3FFF) as u16 + 1 },
            });
        }
        self.received.retain(|track, _| session.received().any(|(_, known)| known.track == *track));
        for (_, receiving) in session.received() {
            self.received.entry(receiving.track).or_default();
        }
    }

    /// Whether so much may be written, now.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        self.waiting.frames == 0
            || self.waiting.frames < MEDIA_WAITING_FRAMES_MAX
                && self.waiting.bytes + bytes <= MEDIA_WAITING_BYTES_MAX
    }

    /// Nothing waits any more.
    pub(crate) fn settle(&mut self) {
        self.waiting = Waiting::default();
    }

    /// When a frame's packets say that it is to be shown; `None` if the track sends packets.
    pub(crate) fn place(&mut self, track: TrackId, frame: &MediaFrame, now: Time) -> Option<u64> {
        let outgoing = self.sent.get_mut(&track)?;
        match outgoing.numbering {
            Numbering::Open { first } => {
                outgoing.numbering = Numbering::OfFrames { next: u64::from(first) };
            }
            Numbering::OfFrames { .. } => {}
            Numbering::OfPackets { .. } => return None,
        }
        let is_reordered = frame.codec.kind() == MediaKind::Video && !frame.is_key;
        let order = if is_reordered { Order::Any } else { Order::OfSending };
        Some(outgoing.timeline.place(frame.time, frame.codec.clock_rate(), order, now))
    }

    /// The sequence number of the first of so many packets that carry a frame, where str0m does not
    /// number them.
    pub(crate) fn reserve(&mut self, track: TrackId, packets: usize) -> Option<u64> {
        let outgoing = self.sent.get_mut(&track)?;
        let Numbering::OfFrames { next } = &mut outgoing.numbering else { return None };
        let first = *next;
        *next += packets as u64;
        Some(first)
    }

    /// The sequence number and the time that a packet is sent with; `None` if the track sends
    /// frames, or the packet comes long after those behind it.
    pub(crate) fn number(&mut self, track: TrackId, packet: &RtpPacket) -> Option<(u64, u32)> {
        let outgoing = self.sent.get_mut(&track)?;
        let (sequence, sent_time, is_new) = match outgoing.numbering {
            Numbering::OfFrames { .. } => return None,
            Numbering::Open { first } => (u64::from(first), packet.time, true),
            Numbering::OfPackets { said, sent, time, sent_time } => {
                let sent_time = sent_time.wrapping_add(packet.time.wrapping_sub(time));
                match packet.sequence.checked_sub(said) {
                    // What leaps is another source: it goes on behind what was.
                    Some(ahead @ 0..=PACKET_LEAP_MAX) => (sent + ahead, sent_time, ahead > 0),
                    Some(_) => (sent + 1, sent_time, true),
                    None if said - packet.sequence <= PACKET_LEAP_MAX => {
                        (sent.checked_sub(said - packet.sequence)?, sent_time, false)
                    }
                    None => (sent + 1, sent_time, true),
                }
            }
        };
        if is_new {
            outgoing.numbering = Numbering::OfPackets {
                said: packet.sequence,
                sent: sequence,
                time: packet.time,
                sent_time,
            };
        }
        Some((sequence, sent_time))
    }

    /// Notes a frame or a packet that str0m took.
    pub(crate) fn on_sent(
        &mut self,
        track: TrackId,
        bytes: usize,
        note: impl FnOnce(&mut TrackStats),
    ) {
        self.waiting.frames += 1;
        self.waiting.bytes += bytes;
        self.count_sent(track, |stats| {
            stats.bytes += bytes as u64;
            note(stats);
        });
    }

    /// Counts something of a track of ours.
    pub(crate) fn count_sent(&mut self, track: TrackId, note: impl FnOnce(&mut TrackStats)) {
        if let Some(outgoing) = self.sent.get_mut(&track) {
            note(&mut outgoing.stats);
        }
    }

    /// Counts something of a track of theirs.
    pub(crate) fn count_received(
        &mut self,
        track: IncomingTrack,
        note: impl FnOnce(&mut TrackStats),
    ) {
        if let Some(stats) = self.received.get_mut(&track) {
            note(stats);
        }
    }

    /// What is known of all that passes.
    pub(crate) fn info(&self, is_possible: bool) -> MediaInfo {
        let mut info = MediaInfo::default();
        info.is_possible = is_possible;
        info.sent = self.sent.iter().map(|(track, known)| (*track, known.stats)).collect();
        info.received = self.received.iter().map(|(track, stats)| (*track, *stats)).collect();
        info.bitrate = self.bitrate;
        info
    }
}

/// Packets that may be missing between two of one source.
const PACKET_LEAP_MAX: u64 = 1_000;
