//! What we send of audio and video, between the node and the handles of tracks: who waits for what
//! becomes of it, how peers take it, and who is to be told that a key frame is wanted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};

use tristero_proto::media::{Codec, MediaFailure};
use tristero_proto::{PeerId, RoomKey, StreamKey, TrackId};

use crate::inbox::{Bounds, Inbox, Wakes};
use crate::media::Wants;
use crate::waiting::Readers;

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct SentTracks {
    /// Bounded by what the node sends.
    tracks: BTreeMap<TrackId, Sent>,
    /// Who waits for answers. Bounded by the application, which has all of them.
    awaited_streams: BTreeMap<(RoomKey, StreamKey), Readers<SentTo>>,
    awaited_tracks: BTreeMap<(RoomKey, TrackId), Readers<SentTo>>,
}

/// A track of ours.
#[derive(Debug, Default)]
struct Sent {
    rooms: BTreeSet<RoomKey>,
    wants: Weak<Wants>,
    agreed: BTreeMap<PeerId, Vec<Codec>>,
}

/// What became of something that is sent, for one peer.
pub(crate) type SentTo = (PeerId, Result<(), MediaFailure>);

impl SentTracks {
    /// A track is sent in a room from now on.
    pub(crate) fn begin(&mut self, room: RoomKey, track: TrackId, wants: &Arc<Wants>) {
        let sent = self.tracks.entry(track).or_default();
        sent.rooms.insert(room);
        sent.wants = Arc::downgrade(wants);
    }

    /// A track is sent in a room no longer.
    pub(crate) fn end(&mut self, room: RoomKey, track: TrackId) {
        if let Some(sent) = self.tracks.get_mut(&track) {
            sent.rooms.remove(&room);
            if sent.rooms.is_empty() {
                self.tracks.remove(&track);
            }
        }
    }

    /// The rooms that a track is sent in.
    pub(crate) fn rooms_of(&self, track: TrackId) -> Vec<RoomKey> {
        let sent = self.tracks.get(&track);
        sent.map(|sent| sent.rooms.iter().copied().collect()).unwrap_or_default()
    }

    /// How peers take a track.
    pub(crate) fn agreed(&self, track: TrackId) -> BTreeMap<PeerId, Vec<Codec>> {
        self.tracks.get(&track).map(|sent| sent.agreed.clone()).unwrap_or_default()
    }

    /// Who waits for what becomes of a stream that is sent in a room.
    pub(crate) fn await_stream(&mut self, room: RoomKey, stream: StreamKey) -> Inbox<SentTo> {
        self.awaited_streams.retain(|_, readers| !readers.is_empty());
        self.awaited_streams.entry((room, stream)).or_default().add(Bounds::OWN)
    }

    /// Who waits for what becomes of a track that is sent in a room.
    pub(crate) fn await_track(&mut self, room: RoomKey, track: TrackId) -> Inbox<SentTo> {
        self.awaited_tracks.retain(|_, readers| !readers.is_empty());
        self.awaited_tracks.entry((room, track)).or_default().add(Bounds::OWN)
    }

    pub(super) fn on_agreed(&mut self, track: TrackId, peer: PeerId, codecs: Vec<Codec>) {
        let Some(sent) = self.tracks.get_mut(&track) else { return };
        if codecs.is_empty() {
            sent.agreed.remove(&peer);
        } else {
            sent.agreed.insert(peer, codecs);
        }
    }

    pub(super) fn on_key_frame_wanted(&self, track: TrackId, wakes: &mut Wakes) {
        let wants = self.tracks.get(&track).and_then(|sent| sent.wants.upgrade());
        if let Some(wants) = wants {
            wants.want(wakes);
        }
    }

    /// A peer is gone from this room. What it agreed to counts no more where it was for this room.
    pub(super) fn on_peer_left(&mut self, room: RoomKey, peer: &PeerId) {
        for sent in self.tracks.values_mut() {
            if sent.rooms.len() == 1 && sent.rooms.contains(&room) {
                sent.agreed.remove(peer);
            }
        }
    }

    pub(super) fn on_stream_sent(
        &mut self,
        room: RoomKey,
        stream: StreamKey,
        sent: SentTo,
        wakes: &mut Wakes,
    ) {
        if let Some(readers) = self.awaited_streams.get_mut(&(room, stream)) {
            readers.tell(sent, 0, wakes);
        }
    }

    pub(super) fn on_track_sent(
        &mut self,
        room: RoomKey,
        track: TrackId,
        sent: SentTo,
        wakes: &mut Wakes,
    ) {
        if let Some(readers) = self.awaited_tracks.get_mut(&(room, track)) {
            readers.tell(sent, 0, wakes);
        }
    }

    /// A room was left: nobody answers there any more.
    pub(super) fn end_room(&mut self, room: RoomKey, wakes: &mut Wakes) {
        self.tracks.retain(|_, sent| {
            sent.rooms.remove(&room);
            !sent.rooms.is_empty()
        });
        let mut is_kept = |of: RoomKey, readers: &mut Readers<SentTo>| {
            if of == room {
                std::mem::take(readers).end(wakes);
            }
            of != room
        };
        self.awaited_streams.retain(|(of, _), readers| is_kept(*of, readers));
        self.awaited_tracks.retain(|(of, _), readers| is_kept(*of, readers));
    }
}
