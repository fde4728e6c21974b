//! What one peer sends of audio and video, and what it says of it in each room.
//!
//! What is said comes before the tracks that it is about, by another way, and in one room or
//! several. The two are brought together by the names that session descriptions give to streams, then
//! by those of tracks. Only what names nothing that ever comes is taken in order, as JavaScript does
//! with everything. A room is told of nothing that was not announced in it.
//!
//! spec: docs/protocol.md, section 7

mod asking;
mod pending;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::Value;

use super::{MediaFrame, MediaKind, Msid, StreamTrack};
use crate::engine::IncomingTrack;
use crate::event::Event;
use crate::ids::{Counter, PeerId, PeerStreamId, PeerTrackId, RoomKey, TrackId};
use crate::limits;
use crate::time::{Deadline, Time};
use crate::wire::MediaSaid;

use asking::Asking;
pub(crate) use asking::{KEY_FRAME_PAUSE, Viewer};
use pending::{Pending, PendingMedia};

/// Hands out the ids of what peers send.
#[derive(Debug, Default)]
pub(crate) struct ReceivedIds {
    track: Counter,
    stream: Counter,
}

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Received {
    peer: PeerId,
    tracks: BTreeMap<IncomingTrack, Track>,
    streams: BTreeMap<PeerStreamId, Stream>,
    /// Tracks that began and were not looked at yet, with what they are called.
    fresh: VecDeque<(IncomingTrack, PeerTrackId, MediaKind, Option<Msid>)>,
    pending: PendingMedia,
    events: VecDeque<Event>,
}

/// A track that the peer sends.
#[derive(Debug)]
struct Track {
    id: PeerTrackId,
    kind: MediaKind,
    stream: PeerStreamId,
    /// What session descriptions call it, if they do, and what it was called since.
    names: VecDeque<String>,
    began: Time,
    /// Whether any room was ever told of it.
    was_told: bool,
    /// Whether it was replaced before.
    is_replaced: bool,
    /// The rooms that were told of it.
    rooms: BTreeMap<RoomKey, Told>,
    relays: BTreeSet<TrackId>,
    is_ignored: bool,
    asking: Asking,
}

/// A stream that the peer sends.
#[derive(Debug)]
struct Stream {
    /// What session descriptions call it, if they do.
    name: Option<String>,
    /// The rooms that were told of it.
    rooms: BTreeMap<RoomKey, Told>,
}

/// What a room knows of a stream or a track.
#[derive(Debug, Default)]
struct Told {
    /// The digest of what was said when it was told last; `None` if nothing was.
    digest: Option<u64>,
    /// What was said while it was there.
    kept: Option<Pending>,
}

/// What becomes of a frame or a packet.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Arrived {
    /// Whom to tell it as, if anyone.
    pub(crate) told: Option<PeerTrackId>,
    /// The tracks of ours that it is sent on as.
    pub(crate) relays: Vec<TrackId>,
    /// Whether a key frame has to be asked for.
    pub(crate) asks: bool,
}

impl Received {
    pub(crate) fn new(peer: PeerId) -> Self {
        Received {
            peer,
            tracks: BTreeMap::new(),
            streams: BTreeMap::new(),
            fresh: VecDeque::new(),
            pending: PendingMedia::default(),
            events: VecDeque::new(),
        }
    }

    /// The peer says something of what it sends, in a room that it is a member of.
    pub(crate) fn on_said(&mut self, room: RoomKey, said: MediaSaid, size: usize, now: Time) {
        let pending = Pending::new(room, said, size, now);
        match &pending.said {
            MediaSaid::Stream { stream, .. } => match self.stream_named(stream) {
                Some(stream) => {
                    if !self.is_known_of_stream(stream, &pending) {
                        self.tell_stream(stream, &pending);
                    }
                    self.keep_for_stream(stream, pending);
                }
                None => self.pending.push(pending),
            },
            MediaSaid::Track { key, stream, track, .. } => {
                let stream = self.stream_named(stream);
                match stream.and_then(|stream| self.track_named(stream, &[key, track])) {
                    Some(track) => {
                        if !self.is_known_of_track(track, &pending) {
                            self.tell_track(track, &pending);
                        }
                        self.keep_for_track(track, pending);
                    }
                    None => self.pending.push(pending),
                }
            }
            MediaSaid::Replacement { key, track, .. } => {
                if let Some(track) = self.track_replaced(room, key, track) {
                    self.tell_replacement(track, pending);
                }
            }
        }
    }

    /// A track begins. Gives its id; `None` if there are too many.
    pub(crate) fn on_began(
        &mut self,
        track: IncomingTrack,
        kind: MediaKind,
        msid: Option<Msid>,
        ids: &mut ReceivedIds,
    ) -> Option<PeerTrackId> {
        if self.tracks.len() + self.fresh.len() >= limits::RECEIVED_TRACKS_MAX {
            return None;
        }
        let id = PeerTrackId(ids.track.next());
        self.fresh.push_back((track, id, kind, msid));
        Some(id)
    }

    /// A track ends. Gives its id.
    pub(crate) fn on_ended(&mut self, incoming: IncomingTrack, now: Time) -> Option<PeerTrackId> {
        if let Some(index) = self.fresh.iter().position(|(other, ..)| *other == incoming) {
            return self.fresh.remove(index).map(|(_, id, ..)| id);
        }
        let track = self.tracks.remove(&incoming)?;
        for (room, told) in track.rooms {
            self.pending.restore(told.kept, now);
            let (peer, track) = (self.peer.clone(), track.id);
            self.events.push_back(Event::PeerTrackEnded { room, peer, track });
        }
        if !self.tracks.values().any(|other| other.stream == track.stream)
            && let Some(stream) = self.streams.remove(&track.stream)
        {
            for (room, told) in stream.rooms {
                self.pending.restore(told.kept, now);
                let (peer, stream) = (self.peer.clone(), track.stream);
                self.events.push_back(Event::PeerStreamEnded { room, peer, stream });
            }
        }
        Some(track.id)
    }

    /// All that one description has of tracks was told: those that began are brought together with
    /// what was said.
    pub(crate) fn settle(&mut self, is_ours: bool, ids: &mut ReceivedIds, now: Time) {
        if self.fresh.is_empty() {
            return;
        }
        let before: Vec<(PeerStreamId, RoomKey)> = self
            .streams
            .iter()
            .flat_map(|(stream, told)| told.rooms.keys().map(|room| (*stream, *room)))
            .collect();
        for (incoming, id, kind, msid) in std::mem::take(&mut self.fresh) {
            let (name, track) = msid.map(|msid| (msid.stream, msid.track)).unzip();
            let known = name.as_ref().and_then(|name| self.stream_named(name));
            let stream = known.unwrap_or_else(|| {
                let stream = PeerStreamId(ids.stream.next());
                self.streams.insert(stream, Stream { name, rooms: BTreeMap::new() });
                stream
            });
            let track = Track {
                id,
                kind,
                stream,
                names: track.into_iter().collect(),
                began: now,
                was_told: false,
                is_replaced: false,
                rooms: BTreeMap::new(),
                relays: BTreeSet::new(),
                is_ignored: false,
                asking: Asking::new(kind),
            };
            self.tracks.insert(incoming, track);
        }
        self.match_by_name(is_ours);
        self.add_to_known(&before);
        if !is_ours {
            self.match_in_order(now);
        }
    }

    /// Whether it sends anything.
    pub(crate) fn has_tracks(&self) -> bool {
        !self.tracks.is_empty() || !self.fresh.is_empty()
    }

    /// The peer is a member of a room no longer.
    pub(crate) fn on_left(&mut self, room: RoomKey) {
        self.pending.forget(room);
        let peer = self.peer.clone();
        for track in self.tracks.values_mut() {
            if track.rooms.remove(&room).is_some() {
                let (peer, track) = (peer.clone(), track.id);
                self.events.push_back(Event::PeerTrackEnded { room, peer, track });
            }
        }
        for (stream, told) in &mut self.streams {
            if told.rooms.remove(&room).is_some() {
                let (peer, stream) = (peer.clone(), *stream);
                self.events.push_back(Event::PeerStreamEnded { room, peer, stream });
            }
        }
    }

    /// We are in a room no longer, and nothing is told of it any more.
    pub(crate) fn forget(&mut self, room: RoomKey) {
        self.on_left(room);
        self.events.retain(|event| event.room() != Some(room));
    }

    /// What becomes of a frame.
    pub(crate) fn on_frame(
        &mut self,
        track: IncomingTrack,
        frame: &MediaFrame,
        now: Time,
    ) -> Arrived {
        let Some(track) = self.tracks.get_mut(&track) else { return Arrived::default() };
        if track.rooms.is_empty() {
            return Arrived::default();
        }
        track.asking.on_frame(frame);
        track.arrived(now)
    }

    /// What becomes of a packet.
    pub(crate) fn on_packet(&mut self, track: IncomingTrack, now: Time) -> Arrived {
        let Some(track) = self.tracks.get_mut(&track) else { return Arrived::default() };
        if track.rooms.is_empty() {
            return Arrived::default();
        }
        let arrived = track.arrived(now);
        if arrived.asks {
            track.asking.forget();
        }
        arrived
    }

    /// A key frame of a track is wanted. True if it has to be asked for now.
    pub(crate) fn want_key_frame(
        &mut self,
        track: IncomingTrack,
        viewer: Viewer,
        now: Time,
    ) -> bool {
        self.tracks.get_mut(&track).is_some_and(|track| track.asking.want(viewer, now))
    }

    /// Ignores a track, or does so no longer.
    pub(crate) fn set_ignored(&mut self, track: IncomingTrack, is_ignored: bool) {
        if let Some(track) = self.tracks.get_mut(&track) {
            track.is_ignored = is_ignored;
        }
    }

    /// Sends a track on as one of ours, or does so no longer.
    pub(crate) fn set_relay(&mut self, track: IncomingTrack, to: TrackId, is_on: bool) {
        if let Some(track) = self.tracks.get_mut(&track) {
            if is_on {
                track.relays.insert(to);
            } else {
                track.relays.remove(&to);
            }
        }
    }

    /// What a track is for.
    pub(crate) fn kind(&self, track: IncomingTrack) -> Option<MediaKind> {
        self.tracks.get(&track).map(|track| track.kind)
    }

    /// The id of a track that some room was told of.
    pub(crate) fn told(&self, track: IncomingTrack) -> Option<PeerTrackId> {
        self.tracks.get(&track).filter(|track| !track.rooms.is_empty()).map(|track| track.id)
    }

    /// The ids of all tracks.
    pub(crate) fn ids(&self) -> impl Iterator<Item = PeerTrackId> {
        let fresh = self.fresh.iter().map(|(_, id, ..)| *id);
        self.tracks.values().map(|track| track.id).chain(fresh)
    }

    /// Drops what was said in vain. Of a peer that is not one of ours it is taken in order first, for
    /// tracks that nobody was told of.
    pub(crate) fn wake(&mut self, is_ours: bool, now: Time) {
        if !is_ours {
            self.match_in_order(now);
        }
        self.pending.expire(now);
    }

    /// When to [`wake`](Self::wake) it.
    pub(crate) fn poll_timeout(&self) -> Option<Deadline> {
        self.pending.poll_timeout()
    }

    /// What to tell the application.
    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Brings together what names its stream, first where the track is named too. What one of ours
    /// said is kept: its offer that we have answered may be undone by a restart before it hears that,
    /// and it says nothing twice.
    fn match_by_name(&mut self, is_ours: bool) {
        for pending in self.pending.take_all() {
            let MediaSaid::Track { key, stream, track, .. } = &pending.said else {
                self.pending.push(pending);
                continue;
            };
            let stream = self.stream_named(stream);
            match stream.and_then(|stream| self.track_named(stream, &[key, track])) {
                Some(track) => self.tell_named_track(track, pending, is_ours),
                None => self.pending.push(pending),
            }
        }
        for pending in self.pending.take_all() {
            match &pending.said {
                MediaSaid::Stream { stream, .. } => match self.stream_named(stream) {
                    Some(stream) => {
                        self.tell_stream(stream, &pending);
                        if is_ours {
                            self.keep_for_stream(stream, pending);
                        }
                    }
                    None => self.pending.push(pending),
                },
                MediaSaid::Track { stream, .. } => {
                    let stream = self.stream_named(stream);
                    match stream.and_then(|stream| self.untold_track(stream)) {
                        Some(track) => self.tell_named_track(track, pending, is_ours),
                        None => self.pending.push(pending),
                    }
                }
                MediaSaid::Replacement { .. } => {}
            }
        }
    }

    fn tell_named_track(&mut self, track: IncomingTrack, said: Pending, is_ours: bool) {
        self.tell_track(track, &said);
        if is_ours {
            self.keep_for_track(track, said);
        }
    }

    /// Tells of tracks that nobody announced and whose streams are known, in the rooms that knew
    /// them before.
    fn add_to_known(&mut self, before: &[(PeerStreamId, RoomKey)]) {
        let untold: Vec<IncomingTrack> = self
            .tracks
            .iter()
            .filter(|(_, track)| track.rooms.is_empty())
            .map(|(incoming, _)| *incoming)
            .collect();
        for incoming in untold {
            let stream = self.tracks.get(&incoming).map(|track| track.stream);
            for (_, room) in before.iter().filter(|(known, _)| Some(*known) == stream) {
                self.say_track(incoming, *room, None, 0);
            }
        }
    }

    /// Takes what names nothing that came in the order in which it was said, as JavaScript does.
    fn match_in_order(&mut self, now: Time) {
        let named = self.pending.streams();
        for mut pending in self.pending.take_all() {
            if !pending.is_late(now) || pending.is_kept {
                self.pending.push(pending);
                continue;
            }
            let is_free = |(id, stream): &(&PeerStreamId, &Stream)| {
                let is_named = stream.name.as_ref().is_some_and(|name| named.contains(name));
                !is_named && self.unknown_track(**id, pending.since).is_some()
            };
            let stream = self.streams.iter().find(is_free).map(|(id, _)| *id);
            match (&pending.said, stream) {
                (MediaSaid::Stream { .. }, Some(stream)) => self.tell_stream(stream, &pending),
                (MediaSaid::Track { .. }, Some(stream)) => {
                    if let Some(track) = self.unknown_track(stream, pending.since) {
                        self.tell_track(track, &pending);
                    }
                }
                (_, None) | (MediaSaid::Replacement { .. }, _) => self.pending.push(pending),
            }
        }
    }

    fn tell_stream(&mut self, id: PeerStreamId, said: &Pending) {
        let &Pending { room, size, .. } = said;
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let metadata = said.metadata().cloned();
        stream.rooms.insert(room, Told::by(said));
        let mut tracks = Vec::new();
        for track in self.tracks.values_mut().filter(|track| track.stream == id) {
            track.rooms.entry(room).or_default();
            track.was_told = true;
            tracks.push(StreamTrack { track: track.id, kind: track.kind });
        }
        let (peer, stream) = (self.peer.clone(), id);
        self.events.push_back(Event::PeerStream { room, peer, stream, tracks, metadata, size });
    }

    fn tell_track(&mut self, incoming: IncomingTrack, said: &Pending) {
        let &Pending { room, size, .. } = said;
        let Some(track) = self.tracks.get_mut(&incoming) else { return };
        if let MediaSaid::Track { key, track: name, .. } = &said.said {
            track.add_name(key);
            // Where a section is used again session descriptions call it something else.
            track.add_name(name);
        }
        let metadata = said.metadata().cloned();
        track.rooms.insert(room, Told::by(said));
        self.say_track(incoming, room, metadata, size);
    }

    /// Whether a room was told just this of a stream, and of all its tracks. It is not told again:
    /// who sends little would make us do much.
    fn is_known_of_stream(&self, id: PeerStreamId, said: &Pending) -> bool {
        let mut tracks = self.tracks.values().filter(|track| track.stream == id);
        let told = self.streams.get(&id).and_then(|stream| stream.rooms.get(&said.room));
        told.is_some_and(|told| told.is_by(said))
            && tracks.all(|track| track.rooms.contains_key(&said.room))
    }

    /// The same for a track.
    fn is_known_of_track(&self, incoming: IncomingTrack, said: &Pending) -> bool {
        let told = self.tracks.get(&incoming).and_then(|track| track.rooms.get(&said.room));
        told.is_some_and(|told| told.is_by(said))
    }

    /// Keeps what was said of a stream that is there: it may be about to end, and to begin again under
    /// the same name.
    fn keep_for_stream(&mut self, stream: PeerStreamId, said: Pending) {
        let room = self.streams.get_mut(&stream).and_then(|known| known.rooms.get_mut(&said.room));
        if let Some(told) = room {
            told.kept = said.into_kept();
        }
    }

    /// The same for a track.
    fn keep_for_track(&mut self, track: IncomingTrack, said: Pending) {
        let room = self.tracks.get_mut(&track).and_then(|known| known.rooms.get_mut(&said.room));
        if let Some(told) = room {
            told.kept = said.into_kept();
        }
    }

    fn say_track(
        &mut self,
        incoming: IncomingTrack,
        room: RoomKey,
        metadata: Option<Value>,
        size: usize,
    ) {
        let Some(known) = self.tracks.get_mut(&incoming) else { return };
        known.rooms.entry(room).or_default();
        known.was_told = true;
        let (track, stream, kind) = (known.id, known.stream, known.kind);
        if let Some(stream) = self.streams.get_mut(&stream) {
            stream.rooms.entry(room).or_default();
        }
        let peer = self.peer.clone();
        let event = Event::PeerTrack { room, peer, stream, track, kind, metadata, size };
        self.events.push_back(event);
    }

    fn tell_replacement(&mut self, incoming: IncomingTrack, said: Pending) {
        let Pending { room, size, .. } = said;
        let Some(track) = self.tracks.get_mut(&incoming) else { return };
        let metadata = said.metadata().cloned();
        if let MediaSaid::Replacement { key, track: name, .. } = said.said {
            track.add_name(&key);
            track.add_name(&name);
        }
        track.is_replaced = true;
        let (peer, track) = (self.peer.clone(), track.id);
        self.events.push_back(Event::TrackReplaced { room, peer, track, metadata, size });
    }

    fn stream_named(&self, name: &str) -> Option<PeerStreamId> {
        let is_it = |stream: &Stream| stream.name.as_deref() == Some(name);
        self.streams.iter().find(|(_, stream)| is_it(stream)).map(|(id, _)| *id)
    }

    /// A track of a stream by any of these names.
    fn track_named(&self, stream: PeerStreamId, names: &[&String]) -> Option<IncomingTrack> {
        let is_it = |track: &Track| {
            track.stream == stream && names.iter().any(|name| track.names.contains(*name))
        };
        self.tracks.iter().find(|(_, track)| is_it(track)).map(|(incoming, _)| *incoming)
    }

    /// The first track of a stream that no room was told of.
    fn untold_track(&self, stream: PeerStreamId) -> Option<IncomingTrack> {
        let is_it = |track: &Track| track.stream == stream && track.rooms.is_empty();
        self.tracks.iter().find(|(_, track)| is_it(track)).map(|(incoming, _)| *incoming)
    }

    /// The first track of a stream that began after this, and that no room was ever told of.
    fn unknown_track(&self, stream: PeerStreamId, since: Time) -> Option<IncomingTrack> {
        let is_it =
            |track: &Track| track.stream == stream && !track.was_told && track.began >= since;
        self.tracks.iter().find(|(_, track)| is_it(track)).map(|(incoming, _)| *incoming)
    }

    /// The track that a room is told to be replaced. JavaScript names what it replaces, which after
    /// a replacement is something that was never heard of; then it can only be the one that was.
    fn track_replaced(&self, room: RoomKey, key: &String, name: &String) -> Option<IncomingTrack> {
        let told = || self.tracks.iter().filter(|(_, track)| track.rooms.contains_key(&room));
        let by_name = |name: &String| told().find(|(_, track)| track.names.contains(name));
        let mut replaced = told().filter(|(_, track)| track.is_replaced);
        let only = replaced.next().filter(|_| replaced.next().is_none());
        by_name(name).or_else(|| by_name(key)).or(only).map(|(incoming, _)| *incoming)
    }
}

impl Told {
    fn by(said: &Pending) -> Self {
        Told { digest: Some(said.digest()), kept: None }
    }

    fn is_by(&self, said: &Pending) -> bool {
        self.digest == Some(said.digest())
    }
}

impl Track {
    fn add_name(&mut self, name: &str) {
        if self.names.iter().any(|known| known == name) {
            return;
        }
        if self.names.len() >= limits::TRACK_KEYS_MAX {
            // The first is the one of session descriptions.
            self.names.remove(1);
        }
        self.names.push_back(name.to_owned());
    }

    fn arrived(&mut self, now: Time) -> Arrived {
        let is_wanted = !self.is_ignored || !self.relays.is_empty();
        Arrived {
            told: Some(self.id).filter(|_| !self.is_ignored),
            relays: self.relays.iter().copied().collect(),
            asks: is_wanted && self.asking.is_due(now),
        }
    }
}

#[cfg(test)]
mod tests;
