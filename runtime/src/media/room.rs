//! What a room does with audio and video.

use tristero_proto::PeerId;
use tristero_proto::media::{MediaError, PeerMedia};

use super::adding::{AddBuilder, ReplaceBuilder};
use super::local_stream::LocalStream;
use super::local_track::LocalTrack;
use super::streams::{PeerStreams, PeerTracks};
use crate::inbox::Inbox;
use crate::room::Room;

impl Room {
    /// Sends a stream to everyone in the room, and to those who join later; or to some, by
    /// [`AddBuilder::to`]. Resolves when those who are there now have said whether they take it.
    ///
    /// In another room the same stream is told of again, and goes once to who is in both. In this one
    /// it adds those whom it is to go to.
    pub fn add_stream(&self, stream: &LocalStream) -> AddBuilder {
        AddBuilder::stream(self.clone(), stream)
    }

    /// Sends a stream no longer, to nobody in the room. It may be added again.
    ///
    /// # Errors
    ///
    /// Fails if the room does not have it, or was left.
    pub fn remove_stream(&self, stream: &LocalStream) -> Result<(), MediaError> {
        self.remove_stream_of(stream, None)
    }

    /// Sends a stream no longer to these members of the room.
    ///
    /// # Errors
    ///
    /// Fails if the room does not have it, or was left.
    pub fn remove_stream_from<'a>(
        &self,
        stream: &LocalStream,
        peers: impl IntoIterator<Item = &'a PeerId>,
    ) -> Result<(), MediaError> {
        let peers: Vec<PeerId> = peers.into_iter().cloned().collect();
        self.remove_stream_of(stream, Some(&peers))
    }

    /// Adds a track to a stream that is sent here, and resolves when those who are there now have said
    /// whether they take it. It is told alone, so that the others have it from
    /// [`peer_tracks`](Self::peer_tracks), or by `onPeerTrack` in JavaScript.
    pub fn add_track(&self, track: &LocalTrack, stream: &LocalStream) -> AddBuilder {
        AddBuilder::track(self.clone(), track, stream)
    }

    /// Sends a track no longer, to nobody in the room. It stays in its stream, which may be added
    /// again.
    ///
    /// # Errors
    ///
    /// Fails if the room does not have it, or was left.
    pub fn remove_track(&self, track: &LocalTrack) -> Result<(), MediaError> {
        self.remove_track_of(track, None)
    }

    /// Sends a track no longer to these members of the room.
    ///
    /// # Errors
    ///
    /// Fails if the room does not have it, or was left.
    pub fn remove_track_from<'a>(
        &self,
        track: &LocalTrack,
        peers: impl IntoIterator<Item = &'a PeerId>,
    ) -> Result<(), MediaError> {
        let peers: Vec<PeerId> = peers.into_iter().cloned().collect();
        self.remove_track_of(track, Some(&peers))
    }

    /// Sends another track where one goes, in all rooms: to the others it is the same one, which goes
    /// on with a key frame. Nothing that is written to the old one goes anywhere any more.
    pub fn replace_track(&self, old: &LocalTrack, new: &LocalTrack) -> ReplaceBuilder {
        ReplaceBuilder::new(self.clone(), old, new)
    }

    /// The streams that members send, from now on. It begins with those that stand.
    ///
    /// What nobody reads is not kept. Of several readers each gets all from then. A member may tell of
    /// the same stream again, and then it comes again, with new readers of its tracks: these have the
    /// same [`RemoteTrack::id`](crate::RemoteTrack::id). A track has 64 readers in a room at most; one
    /// beyond is over from the beginning.
    pub fn peer_streams(&self) -> PeerStreams {
        let arrivals = self.call(|state, key, now| {
            state.room(key)?;
            Some(state.with_tracks(now, |tracks, wishes| tracks.read_streams(key, wishes)))
        });
        PeerStreams::new(self.clone(), arrivals.unwrap_or_else(Inbox::ended))
    }

    /// The tracks that members add alone, from now on. It begins with those that stand. Those that
    /// streams begin with are not among them.
    pub fn peer_tracks(&self) -> PeerTracks {
        let arrivals = self.call(|state, key, now| {
            state.room(key)?;
            Some(state.with_tracks(now, |tracks, wishes| tracks.read_tracks(key, wishes)))
        });
        PeerTracks::new(self.clone(), arrivals.unwrap_or_else(Inbox::ended))
    }

    /// What the path to a member bears, in bits per second, as far as that is known: media has to go
    /// to it for a while, and the room has to have been joined with
    /// [`MediaConfig::estimates_bandwidth`](crate::MediaConfig::estimates_bandwidth).
    pub fn bandwidth(&self, peer: &PeerId) -> Option<u64> {
        self.media_info(peer)?.bitrate
    }

    /// What is known of the audio and video between us and a member.
    pub fn media_info(&self, peer: &PeerId) -> Option<PeerMedia> {
        self.call(|state, key, _| state.node.media_info(key, peer))
    }

    fn remove_stream_of(
        &self,
        stream: &LocalStream,
        peers: Option<&[PeerId]>,
    ) -> Result<(), MediaError> {
        let tracks = stream.tracks();
        let node = self.node().shared();
        let known = stream.key_in(node).ok_or(MediaError::NoSuchStream)?;
        self.call(|state, key, now| {
            state.node.remove_stream(key, known, peers, now)?;
            if peers.is_none() {
                for track in tracks.iter().filter_map(|track| track.id_in(node)) {
                    state.sent.end(key, track);
                }
            }
            Ok(())
        })
    }

    fn remove_track_of(
        &self,
        track: &LocalTrack,
        peers: Option<&[PeerId]>,
    ) -> Result<(), MediaError> {
        let known = track.id_in(self.node().shared()).ok_or(MediaError::NoSuchTrack)?;
        self.call(|state, key, now| state.remove_track(key, known, peers, now))
    }
}
