//! What the node says of audio and video, on its way to the tracks and their readers.

use tristero_proto::media::MediaError;
use tristero_proto::{Event, PeerId, RoomKey, Time, TrackId};

use super::State;
use super::tracks::{KnownTrack, Tracks, Wish};

impl State {
    /// Works on the tracks, and asks of the node what comes of it.
    pub(crate) fn with_tracks<T>(
        &mut self,
        now: Time,
        work: impl FnOnce(&mut Tracks, &mut Vec<Wish>) -> T,
    ) -> T {
        let mut wishes = Vec::new();
        let result = work(&mut self.tracks, &mut wishes);
        self.fulfil(wishes, now);
        result
    }

    /// Sends a track no longer in a room, or not to some there.
    pub(crate) fn remove_track(
        &mut self,
        room: RoomKey,
        track: TrackId,
        targets: Option<&[PeerId]>,
        now: Time,
    ) -> Result<(), MediaError> {
        self.node.remove_track(room, track, targets, now)?;
        if targets.is_none() {
            self.sent.end(room, track);
        }
        Ok(())
    }

    /// Hands on what is said of tracks. What is said in a room that was left counts no more.
    pub(super) fn on_media_event(&mut self, event: &Event, now: Time) {
        let is_over = |room| !self.desks.contains_key(&room);
        if !is_of_media(event) || event.room().is_some_and(is_over) {
            return;
        }
        let State { tracks, sent, wakes, node, desks, .. } = self;
        let mut wishes = Vec::new();
        match event {
            Event::Frame { track, frame } => tracks.on_frame(*track, frame, wakes, &mut wishes),
            Event::Packet { track, packet } => {
                tracks.on_packet(*track, packet, wakes, &mut wishes);
            }
            Event::TrackAgreed { track, peer, codecs } => {
                sent.on_agreed(*track, peer.clone(), codecs.clone());
            }
            Event::KeyFrameWanted { track, .. } => sent.on_key_frame_wanted(*track, wakes),
            Event::PeerStream { room, peer, stream, tracks: added, metadata, size } => {
                let (who, said) = ((peer.clone(), *stream), (metadata.clone(), *size));
                tracks.on_stream(
                    *room,
                    who,
                    added.iter().map(KnownTrack::from).collect(),
                    said,
                    wakes,
                    &mut wishes,
                );
            }
            Event::PeerTrack { room, peer, stream, track, kind, metadata, size } => {
                let (who, said) = ((peer.clone(), *stream), (metadata.clone(), *size));
                let track = KnownTrack { id: *track, kind: *kind };
                tracks.on_track(*room, who, track, said, wakes, &mut wishes);
            }
            Event::TrackReplaced { room, track, metadata, .. } => {
                tracks.on_replaced(*room, *track, metadata.as_ref());
            }
            Event::PeerTrackEnded { room, track, .. } => {
                tracks.on_track_ended(*room, *track, wakes, &mut wishes);
            }
            Event::PeerStreamEnded { room, stream, .. } => tracks.on_stream_ended(*room, *stream),
            Event::StreamSent { room, stream, peer, result } => {
                sent.on_stream_sent(*room, *stream, (peer.clone(), *result), wakes);
            }
            Event::TrackSent { room, track, peer, result } => {
                sent.on_track_sent(*room, *track, (peer.clone(), *result), wakes);
            }
            Event::PeerLeft { room, peer, .. } => {
                let has_peer = |other: &RoomKey| node.peers(*other).any(|known| known == peer);
                let others = desks.keys().copied().filter(|other| other != room && has_peer(other));
                sent.on_peer_left(*room, peer, &others.collect());
            }
            _ => {}
        }
        self.fulfil(wishes, now);
    }

    /// All that was made from a room and is about media ends.
    pub(super) fn end_tracks_of(&mut self, room: RoomKey, now: Option<Time>) {
        let mut wishes = Vec::new();
        self.sent.end_room(room, &mut self.wakes);
        self.tracks.end_room(room, &mut self.wakes, &mut wishes);
        if let Some(now) = now {
            self.fulfil(wishes, now);
        }
    }

    fn fulfil(&mut self, wishes: Vec<Wish>, now: Time) {
        for wish in wishes {
            match wish {
                Wish::Ignore(track, is_ignored) => {
                    self.node.ignore_track(track, is_ignored, now);
                }
                Wish::KeyFrame(track) => self.node.request_key_frame(track, now),
            }
        }
    }
}

/// Whether tracks have to know of it. Most events are of other things.
fn is_of_media(event: &Event) -> bool {
    matches!(
        event,
        Event::Frame { .. }
            | Event::Packet { .. }
            | Event::TrackAgreed { .. }
            | Event::KeyFrameWanted { .. }
            | Event::PeerStream { .. }
            | Event::PeerTrack { .. }
            | Event::TrackReplaced { .. }
            | Event::PeerTrackEnded { .. }
            | Event::PeerStreamEnded { .. }
            | Event::StreamSent { .. }
            | Event::TrackSent { .. }
            | Event::PeerLeft { .. }
    )
}
