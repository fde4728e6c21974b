//! What a node sends of audio and video: its streams and tracks, and who gets them in which room.

mod audience;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{MediaError, MediaOptions, Subject, TrackSpec};
use crate::ids::{ConnId, Counter, PeerId, PeerTrackId, RoomKey, StreamKey, TrackId};
use crate::limits;

use audience::Audience;

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct LocalMedia {
    streams: BTreeMap<StreamKey, LocalStream>,
    tracks: BTreeMap<TrackId, LocalTrack>,
    next_stream: Counter,
    /// Tracks, and what engines call them.
    pub(crate) next_track: Counter,
}

#[derive(Debug, Default)]
struct LocalStream {
    /// The tracks that are announced with it.
    tracks: Vec<TrackId>,
    rooms: BTreeMap<RoomKey, Audience>,
}

#[derive(Debug)]
pub(crate) struct LocalTrack {
    pub(crate) spec: TrackSpec,
    pub(crate) is_muted: bool,
    /// What is sent on as this track.
    pub(crate) relayed: Option<PeerTrackId>,
    /// The connections that it may go over.
    pub(crate) conns: BTreeSet<ConnId>,
    stream: StreamKey,
    /// The rooms in which it is announced alone.
    rooms: BTreeMap<RoomKey, Audience>,
    /// The rooms in which it is not sent though its stream is: to nobody, or not to some.
    left_out: BTreeMap<RoomKey, LeftOut>,
}

#[derive(Debug)]
enum LeftOut {
    All,
    Some(BTreeSet<PeerId>),
}

/// Something that goes to one peer.
#[derive(Debug)]
pub(crate) struct Share {
    pub(crate) subject: Subject,
    pub(crate) metadata: Option<Value>,
    pub(crate) tracks: Vec<(TrackId, TrackSpec)>,
}

impl LocalMedia {
    /// Adds a stream, which no room sends yet.
    pub(crate) fn add_stream(
        &mut self,
        specs: &[TrackSpec],
    ) -> Result<(StreamKey, Vec<TrackId>), MediaError> {
        if specs.is_empty() {
            return Err(MediaError::NoTracks);
        }
        if self.streams.len() >= limits::STREAMS_MAX {
            return Err(MediaError::TooManyStreams);
        }
        self.check(specs)?;
        let stream = StreamKey(self.next_stream.next());
        let tracks: Vec<TrackId> =
            specs.iter().map(|spec| self.insert_track(stream, spec.clone())).collect();
        let local = LocalStream { tracks: tracks.clone(), rooms: BTreeMap::new() };
        self.streams.insert(stream, local);
        Ok((stream, tracks))
    }

    /// Adds a track that is announced alone, which no room sends yet.
    pub(crate) fn add_track(
        &mut self,
        stream: StreamKey,
        spec: TrackSpec,
    ) -> Result<TrackId, MediaError> {
        if !self.streams.contains_key(&stream) {
            return Err(MediaError::NoSuchStream);
        }
        self.check(std::slice::from_ref(&spec))?;
        Ok(self.insert_track(stream, spec))
    }

    /// A room sends a stream, or a track that is announced alone, to these.
    pub(crate) fn share(
        &mut self,
        room: RoomKey,
        subject: Subject,
        options: MediaOptions,
        members: &[PeerId],
    ) -> Result<(), MediaError> {
        let audiences = match subject {
            Subject::Stream(stream) => {
                let stream = self.streams.get_mut(&stream).ok_or(MediaError::NoSuchStream)?;
                &mut stream.rooms
            }
            Subject::Track(_, track) => {
                let track = self.tracks.get_mut(&track).ok_or(MediaError::NoSuchTrack)?;
                &mut track.rooms
            }
        };
        audiences.entry(room).or_default().add(options, members);
        Ok(())
    }

    /// A room sends a stream no longer, with the tracks that were added to it, or not to these.
    pub(crate) fn withdraw_stream(
        &mut self,
        room: RoomKey,
        stream: StreamKey,
        targets: Option<&[PeerId]>,
    ) -> Result<(), MediaError> {
        let local = self.streams.get_mut(&stream).ok_or(MediaError::NoSuchStream)?;
        let tracks = self.tracks.values_mut().filter(|track| track.stream == stream);
        let audiences = tracks.map(|track| {
            if targets.is_none() {
                // Where the stream comes again it comes whole.
                track.left_out.remove(&room);
            }
            &mut track.rooms
        });
        let audiences = audiences.chain([&mut local.rooms]);
        let mut is_known = false;
        for audiences in audiences {
            is_known |= audiences.contains_key(&room);
            match (targets, audiences.get_mut(&room)) {
                (Some(targets), Some(audience)) => audience.remove(targets),
                (None, _) => _ = audiences.remove(&room),
                (Some(_), None) => {}
            }
        }
        if is_known { Ok(()) } else { Err(MediaError::NoSuchStream) }
    }

    /// A room sends a track no longer, or not to these.
    pub(crate) fn withdraw_track(
        &mut self,
        room: RoomKey,
        track: TrackId,
        targets: Option<&[PeerId]>,
    ) -> Result<(), MediaError> {
        let local = self.tracks.get_mut(&track).ok_or(MediaError::NoSuchTrack)?;
        let is_alone = local.rooms.contains_key(&room);
        let stream = self.streams.get(&local.stream);
        let is_within = stream.is_some_and(|stream| {
            stream.tracks.contains(&track) && stream.rooms.contains_key(&room)
        });
        if !is_alone && !is_within {
            return Err(MediaError::NoSuchTrack);
        }
        match (targets, local.rooms.get_mut(&room)) {
            (Some(targets), Some(audience)) => audience.remove(targets),
            (None, _) => _ = local.rooms.remove(&room),
            (Some(_), None) => {}
        }
        if is_within {
            local.leave_out(room, targets);
        }
        Ok(())
    }

    /// Whether something else can take the place of a track. Gives its id.
    pub(crate) fn begin_replacing(
        &mut self,
        room: RoomKey,
        old: TrackId,
        spec: &TrackSpec,
    ) -> Result<TrackId, MediaError> {
        let local = self.tracks.get(&old).ok_or(MediaError::NoSuchTrack)?;
        let stream = self.streams.get(&local.stream);
        let is_within = stream.is_some_and(|stream| stream.rooms.contains_key(&room));
        if !is_within && !local.rooms.contains_key(&room) {
            return Err(MediaError::NoSuchTrack);
        }
        if local.spec.kind != spec.kind {
            return Err(MediaError::OtherKind(spec.kind));
        }
        check_codecs(spec)?;
        Ok(TrackId(self.next_track.next()))
    }

    /// It does. Gives what was sent on as the old track, which nothing is any more: whoever asked for
    /// that knows only the old one, and could not end it.
    pub(crate) fn replace_track(
        &mut self,
        room: RoomKey,
        old: TrackId,
        (track, spec): (TrackId, TrackSpec),
        metadata: Option<Value>,
    ) -> Option<PeerTrackId> {
        let mut local = self.tracks.remove(&old)?;
        let relayed = local.relayed.take();
        local.spec = spec;
        if let Some(audience) = local.rooms.get_mut(&room) {
            audience.set_metadata(metadata);
        }
        if let Some(stream) = self.streams.get_mut(&local.stream) {
            stream.tracks.iter_mut().filter(|other| **other == old).for_each(|id| *id = track);
        }
        self.tracks.insert(track, local);
        relayed
    }

    /// A room is left.
    pub(crate) fn leave(&mut self, room: RoomKey) {
        self.streams.values_mut().for_each(|stream| _ = stream.rooms.remove(&room));
        for track in self.tracks.values_mut() {
            track.rooms.remove(&room);
            track.left_out.remove(&room);
        }
    }

    /// A member of a room is one no longer.
    pub(crate) fn on_member_left(&mut self, room: RoomKey, peer: &PeerId) {
        let of_streams = self.streams.values_mut().filter_map(|s| s.rooms.get_mut(&room));
        let of_tracks = self.tracks.values_mut().filter_map(|t| t.rooms.get_mut(&room));
        of_streams.chain(of_tracks).for_each(|audience| audience.on_member_left(peer));
    }

    /// Forgets what no room sends. Gives the tracks.
    pub(crate) fn tidy(&mut self) -> Vec<TrackId> {
        let tracks = &self.tracks;
        let is_alone = |stream: &StreamKey| {
            tracks.values().any(|track| track.stream == *stream && !track.rooms.is_empty())
        };
        self.streams.retain(|key, stream| !stream.rooms.is_empty() || is_alone(key));
        let streams = &self.streams;
        let is_over = |id: &TrackId, track: &LocalTrack| match streams.get(&track.stream) {
            Some(stream) if stream.tracks.contains(id) => {
                let is_left_out = |room| matches!(track.left_out.get(room), Some(LeftOut::All));
                track.rooms.is_empty() && stream.rooms.keys().all(is_left_out)
            }
            Some(_) => track.rooms.is_empty(),
            None => true,
        };
        let over: Vec<TrackId> = self
            .tracks
            .iter()
            .filter(|(id, track)| is_over(id, track))
            .map(|(id, _)| *id)
            .collect();
        for track in &over {
            self.tracks.remove(track);
            for stream in self.streams.values_mut() {
                stream.tracks.retain(|other| other != track);
            }
        }
        over
    }

    /// What one member of a room is to get.
    pub(crate) fn shares(&self, room: RoomKey, peer: &PeerId) -> Vec<Share> {
        let streams = self.streams.keys().map(|stream| Subject::Stream(*stream));
        let tracks = self.tracks.iter().map(|(id, track)| Subject::Track(track.stream, *id));
        streams.chain(tracks).filter_map(|subject| self.share_of(room, subject, peer)).collect()
    }

    /// What one member of a room is to get of a stream, or as a track that is announced alone.
    pub(crate) fn share_of(&self, room: RoomKey, subject: Subject, peer: &PeerId) -> Option<Share> {
        let (audiences, ids) = match subject {
            Subject::Stream(stream) => {
                let stream = self.streams.get(&stream)?;
                (&stream.rooms, stream.tracks.clone())
            }
            Subject::Track(_, track) => (&self.tracks.get(&track)?.rooms, vec![track]),
        };
        let metadata = audiences.get(&room)?.metadata_for(peer)?.cloned();
        let is_within = matches!(subject, Subject::Stream(_));
        let spec = |id: TrackId| {
            let track = self.tracks.get(&id)?;
            let is_left_out = is_within && track.is_left_out(room, peer);
            (!is_left_out).then(|| (id, track.spec.clone()))
        };
        let tracks: Vec<_> = ids.into_iter().filter_map(spec).collect();
        (!tracks.is_empty()).then_some(Share { subject, metadata, tracks })
    }

    pub(crate) fn track(&self, track: TrackId) -> Result<&LocalTrack, MediaError> {
        self.tracks.get(&track).ok_or(MediaError::NoSuchTrack)
    }

    pub(crate) fn track_mut(&mut self, track: TrackId) -> Result<&mut LocalTrack, MediaError> {
        self.tracks.get_mut(&track).ok_or(MediaError::NoSuchTrack)
    }

    /// The tracks as which one of a peer is sent on, which it is no longer.
    pub(crate) fn end_relays(&mut self, from: PeerTrackId) {
        for track in self.tracks.values_mut() {
            track.relayed.take_if(|relayed| *relayed == from);
        }
    }

    fn check(&self, specs: &[TrackSpec]) -> Result<(), MediaError> {
        if self.tracks.len() + specs.len() > limits::TRACKS_MAX {
            return Err(MediaError::TooManyTracks);
        }
        specs.iter().try_for_each(check_codecs)
    }

    fn insert_track(&mut self, stream: StreamKey, spec: TrackSpec) -> TrackId {
        let track = TrackId(self.next_track.next());
        let local = LocalTrack {
            spec,
            is_muted: false,
            relayed: None,
            conns: BTreeSet::new(),
            stream,
            rooms: BTreeMap::new(),
            left_out: BTreeMap::new(),
        };
        self.tracks.insert(track, local);
        track
    }
}

impl LocalTrack {
    fn leave_out(&mut self, room: RoomKey, targets: Option<&[PeerId]>) {
        let left_out = self.left_out.entry(room).or_insert_with(|| LeftOut::Some(BTreeSet::new()));
        match (targets, left_out) {
            (None, left_out) => *left_out = LeftOut::All,
            (Some(targets), LeftOut::Some(peers)) => peers.extend(targets.iter().cloned()),
            (Some(_), LeftOut::All) => {}
        }
    }

    fn is_left_out(&self, room: RoomKey, peer: &PeerId) -> bool {
        match self.left_out.get(&room) {
            None => false,
            Some(LeftOut::All) => true,
            Some(LeftOut::Some(peers)) => peers.contains(peer),
        }
    }
}

fn check_codecs(spec: &TrackSpec) -> Result<(), MediaError> {
    match spec.codecs.iter().find(|codec| codec.kind() != spec.kind) {
        Some(codec) => Err(MediaError::OtherKind(codec.kind())),
        None => Ok(()),
    }
}
