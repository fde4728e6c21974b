//! What we send of audio and video, between the node and the handles of tracks: who waits for what
//! becomes of it, how peers take it, and who is to be told that a key frame is wanted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};

use tristero_proto::media::{Codec, MediaFailure};
use tristero_proto::{PeerId, PeerTrackId, RoomKey, StreamKey, TrackId};

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
    /// What is sent on, once for each who wants it. Bounded by the application, which has all of them.
    relays: BTreeMap<RelayId, (PeerTrackId, TrackId)>,
    relays_begun: u64,
}

/// One who wants a track of a peer to be sent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RelayId(u64);

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

    /// A track goes where another went, in all its rooms. Who waits for answers about the old one
    /// waits for those about the new one.
    pub(crate) fn replace(&mut self, old: TrackId, new: TrackId, wants: &Arc<Wants>) {
        let mut sent = self.tracks.remove(&old).unwrap_or_default();
        sent.wants = Arc::downgrade(wants);
        for room in &sent.rooms {
            if let Some(readers) = self.awaited_tracks.remove(&(*room, old)) {
                self.awaited_tracks.entry((*room, new)).or_default().append(readers);
            }
        }
        self.tracks.insert(new, sent);
        for (_, to) in self.relays.values_mut().filter(|(_, to)| *to == old) {
            *to = new;
        }
    }

    /// A track of a peer is sent on as one of ours.
    pub(crate) fn begin_relay(&mut self, from: PeerTrackId, to: TrackId) -> RelayId {
        self.relays_begun += 1;
        let relay = RelayId(self.relays_begun);
        self.relays.insert(relay, (from, to));
        relay
    }

    /// Somebody wants it no longer. What is to end, if nobody else wants the same.
    pub(crate) fn end_relay(&mut self, relay: RelayId) -> Option<(PeerTrackId, TrackId)> {
        let pair = self.relays.remove(&relay)?;
        self.relays.values().all(|other| *other != pair).then_some(pair)
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

    /// A peer is gone from a room, and still in these others. What it agreed to counts no more where a
    /// track is sent in none of them.
    pub(super) fn on_peer_left(
        &mut self,
        room: RoomKey,
        peer: &PeerId,
        others: &BTreeSet<RoomKey>,
    ) {
        for sent in self.tracks.values_mut() {
            if sent.rooms.contains(&room) && sent.rooms.is_disjoint(others) {
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
