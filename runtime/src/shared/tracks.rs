//! Audio and video of peers, between the node and its handles: who reads which track.
//!
//! A track of a peer is the same one in all rooms, and its frames are said once. Each reader belongs
//! to the room that it was made from, and ends with it there.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use serde_json::Value;
use tristero_proto::media::{MediaFrame, MediaKind, RtpPacket, StreamTrack};
use tristero_proto::{PeerId, PeerStreamId, PeerTrackId, RoomKey};

use crate::frame_inbox::{FrameBounds, FrameInbox, FrameOutlet, Pushed};
use crate::inbox::{Bounds, Inbox, Outlet, Wakes};
use crate::unread::Unread;
use crate::waiting::Readers;

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Tracks {
    bounds: FrameBounds,
    /// Of streams and tracks that began.
    arrivals: Bounds,
    rooms: BTreeMap<RoomKey, RoomTracks>,
    received: BTreeMap<PeerTrackId, Received>,
    /// What the last reader was called.
    readers: u64,
}

/// What members of a room send, and who wants to know.
#[derive(Debug, Default)]
struct RoomTracks {
    streams: BTreeMap<PeerStreamId, Standing>,
    /// Tracks that were added alone.
    alone: BTreeMap<PeerTrackId, (KnownTrack, PeerStreamId, Standing)>,
    stream_readers: Readers<ArrivedStream>,
    track_readers: Readers<ArrivedTrack>,
}

/// What is sent now. Bounded by what the node knows of each peer.
#[derive(Clone, Debug)]
struct Standing {
    peer: PeerId,
    metadata: Option<Value>,
    tracks: Vec<KnownTrack>,
}

/// A track of a peer, as it is named.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KnownTrack {
    pub(crate) id: PeerTrackId,
    pub(crate) kind: MediaKind,
}

impl From<&StreamTrack> for KnownTrack {
    fn from(track: &StreamTrack) -> Self {
        KnownTrack { id: track.track, kind: track.kind }
    }
}

/// A track of a peer, and who reads it.
#[derive(Debug, Default)]
struct Received {
    /// The rooms that were told of it.
    rooms: BTreeSet<RoomKey>,
    readers: Vec<Reader>,
    /// Who waits for its end, and in which room.
    ends: Vec<(RoomKey, Outlet<Infallible>)>,
    is_ignored: bool,
}

#[derive(Debug)]
struct Reader {
    id: ReaderId,
    room: RoomKey,
    frames: FrameOutlet,
    packets: Outlet<RtpPacket>,
    is_paused: bool,
}

/// One reader of a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReaderId(u64);

/// A stream that began, for one reader.
#[derive(Debug)]
pub(crate) struct ArrivedStream {
    pub(crate) peer: PeerId,
    pub(crate) stream: PeerStreamId,
    pub(crate) metadata: Option<Value>,
    pub(crate) tracks: Vec<ReadTrack>,
}

/// A track that began, for one reader.
#[derive(Debug)]
pub(crate) struct ArrivedTrack {
    pub(crate) peer: PeerId,
    pub(crate) stream: PeerStreamId,
    pub(crate) metadata: Option<Value>,
    pub(crate) track: ReadTrack,
}

/// How a track is read.
#[derive(Debug)]
pub(crate) struct ReadTrack {
    pub(crate) track: KnownTrack,
    pub(crate) reader: ReaderId,
    pub(crate) frames: FrameInbox,
    pub(crate) packets: Inbox<RtpPacket>,
}

/// What the node is to do about a track of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Ignore(PeerTrackId, bool),
    KeyFrame(PeerTrackId),
}

impl Tracks {
    pub(crate) fn new(unread: &Unread) -> Self {
        Tracks {
            bounds: unread.frame_bounds(),
            arrivals: unread.arrivals(),
            rooms: BTreeMap::new(),
            received: BTreeMap::new(),
            readers: 0,
        }
    }

    /// Adds a reader of the streams of a room, which begins with those that stand.
    pub(crate) fn read_streams(
        &mut self,
        room: RoomKey,
        wishes: &mut Vec<Wish>,
    ) -> Inbox<ArrivedStream> {
        let standing = self.rooms.entry(room).or_default().streams.clone();
        let arrived: Vec<ArrivedStream> = standing
            .iter()
            .map(|(stream, standing)| self.arrived_stream(room, *stream, standing, wishes))
            .collect();
        let readers = &mut self.rooms.entry(room).or_default().stream_readers;
        readers.add_with(self.arrivals, arrived)
    }

    /// Adds a reader of the tracks that are added alone in a room, which begins with those that
    /// stand.
    pub(crate) fn read_tracks(
        &mut self,
        room: RoomKey,
        wishes: &mut Vec<Wish>,
    ) -> Inbox<ArrivedTrack> {
        let alone = self.rooms.entry(room).or_default().alone.clone();
        let arrived: Vec<ArrivedTrack> = alone
            .into_values()
            .map(|(track, stream, standing)| {
                self.arrived_track(room, track, stream, &standing, wishes)
            })
            .collect();
        let readers = &mut self.rooms.entry(room).or_default().track_readers;
        readers.add_with(self.arrivals, arrived)
    }

    /// Who waits for the end of a track in a room; it is over at once if there is no such track.
    pub(crate) fn read_end(&mut self, room: RoomKey, track: PeerTrackId) -> Inbox<Infallible> {
        let (inbox, outlet) = Inbox::new(Bounds::OWN);
        if let Some(received) = self.received.get_mut(&track) {
            received.ends.retain(|(_, end)| end.is_read());
            received.ends.push((room, outlet));
        }
        inbox
    }

    /// A reader pauses, or goes on.
    pub(crate) fn pause(
        &mut self,
        track: PeerTrackId,
        reader: ReaderId,
        is_paused: bool,
        wishes: &mut Vec<Wish>,
    ) {
        let Some(received) = self.received.get_mut(&track) else { return };
        for known in &mut received.readers {
            if known.id == reader && known.is_paused != is_paused {
                known.is_paused = is_paused;
                known.frames.skip();
                if !is_paused {
                    wishes.push(Wish::KeyFrame(track));
                }
            }
        }
        received.weigh(track, wishes);
    }

    /// A reader of a track is dropped.
    pub(crate) fn drop_reader(
        &mut self,
        track: PeerTrackId,
        reader: ReaderId,
        wishes: &mut Vec<Wish>,
    ) {
        let Some(received) = self.received.get_mut(&track) else { return };
        for gone in received.readers.extract_if(.., |known| known.id == reader) {
            gone.frames.forget();
            gone.packets.forget();
        }
        received.weigh(track, wishes);
    }

    /// Some reader of a track may be gone.
    fn weigh(&mut self, track: PeerTrackId, wishes: &mut Vec<Wish>) {
        if let Some(received) = self.received.get_mut(&track) {
            received.weigh(track, wishes);
        }
    }

    pub(crate) fn on_stream(
        &mut self,
        room: RoomKey,
        (peer, stream): (PeerId, PeerStreamId),
        tracks: Vec<KnownTrack>,
        (metadata, size): (Option<Value>, usize),
        wakes: &mut Wakes,
        wishes: &mut Vec<Wish>,
    ) {
        let standing = Standing { peer, metadata, tracks };
        let mut readers = self.take_stream_readers(room);
        for track in &standing.tracks {
            self.received.entry(track.id).or_default().rooms.insert(room);
        }
        // A new reader may be the first of a track that was ignored for another room.
        let mut read = Vec::new();
        readers.tell_each(|| self.arrived_stream(room, stream, &standing, &mut read), size, wakes);
        wishes.append(&mut read);
        for track in &standing.tracks {
            self.weigh(track.id, wishes);
        }
        let known = self.rooms.entry(room).or_default();
        known.stream_readers = readers;
        known.streams.insert(stream, standing);
    }

    pub(crate) fn on_track(
        &mut self,
        room: RoomKey,
        (peer, stream): (PeerId, PeerStreamId),
        track: KnownTrack,
        (metadata, size): (Option<Value>, usize),
        wakes: &mut Wakes,
        wishes: &mut Vec<Wish>,
    ) {
        let standing = Standing { peer, metadata, tracks: vec![track] };
        let mut readers = std::mem::take(&mut self.rooms.entry(room).or_default().track_readers);
        self.received.entry(track.id).or_default().rooms.insert(room);
        let mut read = Vec::new();
        readers.tell_each(
            || self.arrived_track(room, track, stream, &standing, &mut read),
            size,
            wakes,
        );
        wishes.append(&mut read);
        self.weigh(track.id, wishes);
        let known = self.rooms.entry(room).or_default();
        known.track_readers = readers;
        known.alone.insert(track.id, (track, stream, standing));
    }

    pub(crate) fn on_replaced(
        &mut self,
        room: RoomKey,
        track: PeerTrackId,
        metadata: Option<&Value>,
    ) {
        let known = self.rooms.entry(room).or_default();
        if let Some((_, _, standing)) = known.alone.get_mut(&track) {
            standing.metadata = metadata.cloned();
        }
    }

    pub(crate) fn on_track_ended(
        &mut self,
        room: RoomKey,
        track: PeerTrackId,
        wakes: &mut Wakes,
        wishes: &mut Vec<Wish>,
    ) {
        if let Some(known) = self.rooms.get_mut(&room) {
            known.alone.remove(&track);
            for standing in known.streams.values_mut() {
                standing.tracks.retain(|known| known.id != track);
            }
        }
        let Some(received) = self.received.get_mut(&track) else { return };
        received.end_in(room, wakes);
        if received.rooms.is_empty() {
            self.received.remove(&track);
        } else {
            self.weigh(track, wishes);
        }
    }

    pub(crate) fn on_stream_ended(&mut self, room: RoomKey, stream: PeerStreamId) {
        if let Some(known) = self.rooms.get_mut(&room) {
            known.streams.remove(&stream);
        }
    }

    pub(crate) fn on_frame(
        &mut self,
        track: PeerTrackId,
        frame: &MediaFrame,
        wakes: &mut Wakes,
        wishes: &mut Vec<Wish>,
    ) {
        let Some(received) = self.received.get_mut(&track) else { return };
        for reader in received.readers.iter().filter(|reader| !reader.is_paused) {
            if reader.frames.push(frame.clone(), wakes) == Pushed::AwaitsKey {
                wishes.push(Wish::KeyFrame(track));
            }
        }
        received.weigh(track, wishes);
    }

    pub(crate) fn on_packet(
        &mut self,
        track: PeerTrackId,
        packet: &RtpPacket,
        wakes: &mut Wakes,
        wishes: &mut Vec<Wish>,
    ) {
        let Some(received) = self.received.get_mut(&track) else { return };
        for reader in received.readers.iter().filter(|reader| !reader.is_paused) {
            reader.packets.push(packet.clone(), packet.payload.len(), wakes);
        }
        received.weigh(track, wishes);
    }

    /// A room was left: all that was made from it ends.
    pub(crate) fn end_room(&mut self, room: RoomKey, wakes: &mut Wakes, wishes: &mut Vec<Wish>) {
        for (track, received) in &mut self.received {
            received.end_in(room, wakes);
            received.weigh(*track, wishes);
        }
        self.received.retain(|_, received| !received.rooms.is_empty());
        let Some(known) = self.rooms.remove(&room) else { return };
        known.stream_readers.end(wakes);
        known.track_readers.end(wakes);
    }

    fn take_stream_readers(&mut self, room: RoomKey) -> Readers<ArrivedStream> {
        std::mem::take(&mut self.rooms.entry(room).or_default().stream_readers)
    }

    fn arrived_stream(
        &mut self,
        room: RoomKey,
        stream: PeerStreamId,
        standing: &Standing,
        wishes: &mut Vec<Wish>,
    ) -> ArrivedStream {
        let tracks = standing.tracks.iter().map(|track| self.read(room, *track, wishes)).collect();
        let Standing { peer, metadata, .. } = standing.clone();
        ArrivedStream { peer, stream, metadata, tracks }
    }

    fn arrived_track(
        &mut self,
        room: RoomKey,
        track: KnownTrack,
        stream: PeerStreamId,
        standing: &Standing,
        wishes: &mut Vec<Wish>,
    ) -> ArrivedTrack {
        let track = self.read(room, track, wishes);
        let Standing { peer, metadata, .. } = standing.clone();
        ArrivedTrack { peer, stream, metadata, track }
    }

    /// Adds a reader of a track; beyond [`READERS_MAX`] one that is over.
    fn read(&mut self, room: RoomKey, track: KnownTrack, wishes: &mut Vec<Wish>) -> ReadTrack {
        self.readers += 1;
        let reader = ReaderId(self.readers);
        let (frames, to_frames) = FrameInbox::new(self.bounds.clone());
        let bounds = Bounds { items: self.bounds.frames * PACKETS, bytes: self.bounds.bytes };
        let (packets, to_packets) = Inbox::new(bounds);
        let received = self.received.entry(track.id).or_default();
        received.readers.retain(|reader| reader.frames.is_read());
        if received.readers.iter().filter(|reader| reader.room == room).count() >= READERS_MAX {
            // The writing ends are dropped, and nobody waits yet.
            return ReadTrack { track, reader, frames, packets };
        }
        received.readers.push(Reader {
            id: reader,
            room,
            frames: to_frames,
            packets: to_packets,
            is_paused: false,
        });
        received.weigh(track.id, wishes);
        if track.kind == MediaKind::Video {
            wishes.push(Wish::KeyFrame(track.id));
        }
        ReadTrack { track, reader, frames, packets }
    }
}

impl Received {
    /// Notices readers that are gone. What nobody reads is ignored.
    fn weigh(&mut self, track: PeerTrackId, wishes: &mut Vec<Wish>) {
        self.readers.retain(|reader| reader.frames.is_read());
        let is_ignored = self.readers.iter().all(|reader| reader.is_paused);
        if is_ignored != self.is_ignored {
            self.is_ignored = is_ignored;
            wishes.push(Wish::Ignore(track, is_ignored));
        }
    }

    /// Nothing of it follows in this room.
    fn end_in(&mut self, room: RoomKey, wakes: &mut Wakes) {
        self.rooms.remove(&room);
        for reader in self.readers.extract_if(.., |reader| reader.room == room) {
            reader.frames.end(wakes);
            reader.packets.end(wakes);
        }
        for (_, end) in self.ends.extract_if(.., |(of, _)| *of == room) {
            end.end(wakes);
        }
    }
}

/// Readers of one track in one room. A member may tell of the same stream as often as it likes, and
/// each time every reader of streams gets new readers of its tracks.
const READERS_MAX: usize = 64;

/// A frame is a few packets.
const PACKETS: usize = 8;
