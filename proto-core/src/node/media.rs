//! What an application does with audio and video.
//!
//! What is said of it between the parts is in `carry_media`.

mod command;

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Node, Part};
use crate::engine::{Engine, MediaInfo};
use crate::event::Event;
use crate::ids::{ConnId, PeerId, PeerTrackId, RoomKey, StreamKey, TrackId};
use crate::limits;
use crate::media::{
    AddedStream, AddedTrack, Codec, MediaError, MediaFailure, MediaFrame, MediaKind, MediaOptions,
    PeerMedia, RtpPacket, Subject, TrackSpec, Viewer, Written,
};
use crate::peer::Peer;
use crate::time::Time;
use crate::wire::MediaSaid;

pub use command::MediaCommand;

impl<E: Engine> Node<E> {
    /// Sends a stream to the members of a room, or to some: what is [written](Self::write_frame) to
    /// its tracks from now on. One [`Event::StreamSent`] answers for each peer.
    ///
    /// The stream ends with the last room that has it.
    ///
    /// [`Event::StreamSent`]: crate::Event::StreamSent
    pub fn add_stream(
        &mut self,
        room: RoomKey,
        tracks: &[TrackSpec],
        options: MediaOptions,
        now: Time,
    ) -> Result<AddedStream, MediaError> {
        check_metadata(options.metadata.as_ref())?;
        if !self.rooms.contains_key(&room) {
            return Err(MediaError::RoomGone);
        }
        let (stream, tracks) = self.media.local.add_stream(tracks)?;
        let peers = self.share(room, Subject::Stream(stream), options, now)?;
        Ok(AddedStream { stream, tracks, peers })
    }

    /// Sends a stream in another room too. It goes once to each peer, whichever rooms both are in.
    /// Gives whom it goes to now; one [`Event::StreamSent`] answers for each.
    ///
    /// In a room that has the stream already this adds targets, who get this metadata.
    ///
    /// [`Event::StreamSent`]: crate::Event::StreamSent
    pub fn share_stream(
        &mut self,
        room: RoomKey,
        stream: StreamKey,
        options: MediaOptions,
        now: Time,
    ) -> Result<Vec<PeerId>, MediaError> {
        check_metadata(options.metadata.as_ref())?;
        self.share(room, Subject::Stream(stream), options, now)
    }

    /// Sends a stream no longer to the members of a room, or not to some; nor the tracks that were
    /// added to it.
    pub fn remove_stream(
        &mut self,
        room: RoomKey,
        stream: StreamKey,
        targets: Option<&[PeerId]>,
        now: Time,
    ) -> Result<(), MediaError> {
        self.members_of(room)?;
        self.media.local.withdraw_stream(room, stream, targets)?;
        self.withdraw(room, targets, now, |peer| {
            peer.sent.withdraw_stream(room, stream, peer.is_ours());
        });
        Ok(())
    }

    /// Adds a track to a stream, which is sent in a room or is to be. One [`Event::TrackSent`]
    /// answers for each peer.
    ///
    /// [`Event::TrackSent`]: crate::Event::TrackSent
    pub fn add_track(
        &mut self,
        room: RoomKey,
        stream: StreamKey,
        track: TrackSpec,
        options: MediaOptions,
        now: Time,
    ) -> Result<AddedTrack, MediaError> {
        check_metadata(options.metadata.as_ref())?;
        if !self.rooms.contains_key(&room) {
            return Err(MediaError::RoomGone);
        }
        let track = self.media.local.add_track(stream, track)?;
        let peers = self.share(room, Subject::Track(stream, track), options, now)?;
        Ok(AddedTrack { track, peers })
    }

    /// Sends a track no longer to the members of a room, or not to some.
    pub fn remove_track(
        &mut self,
        room: RoomKey,
        track: TrackId,
        targets: Option<&[PeerId]>,
        now: Time,
    ) -> Result<(), MediaError> {
        self.members_of(room)?;
        self.media.local.withdraw_track(room, track, targets)?;
        self.withdraw(room, targets, now, |peer| {
            peer.sent.withdraw_track(room, track, peer.is_ours());
        });
        Ok(())
    }

    /// Sends another track in place of one, to all that get it: for them it is the same track, and
    /// goes on after a key frame. The old one is no track any more, and what was relayed as it is so
    /// no longer. One [`Event::TrackSent`] answers for each peer.
    ///
    /// [`Event::TrackSent`]: crate::Event::TrackSent
    pub fn replace_track(
        &mut self,
        room: RoomKey,
        old: TrackId,
        track: TrackSpec,
        metadata: Option<Value>,
        now: Time,
    ) -> Result<AddedTrack, MediaError> {
        check_metadata(metadata.as_ref())?;
        self.members_of(room)?;
        let new = self.media.local.begin_replacing(room, old, &track)?;
        let mut peers = Vec::new();
        let conns: Vec<ConnId> = self.peers.keys().copied().collect();
        for conn in conns {
            let Some(peer) = self.peers.get_mut(&conn) else { continue };
            let (id, is_ours) = (peer.id.clone(), peer.is_ours());
            let replacement = (new, &track);
            let said = peer.sent.replace(room, old, replacement, metadata.as_ref(), is_ours);
            if let Some(said) = said {
                let result = self.say_replaced(room, &id, said, metadata.is_some());
                self.event(Event::TrackSent { room, track: new, peer: id.clone(), result });
                peers.push(id);
            }
            self.want_media(conn);
        }
        if let Some(from) = self.media.local.replace_track(room, old, (new, track), metadata) {
            self.set_relay(from, old, false);
        }
        self.settle(now);
        Ok(AddedTrack { track: new, peers })
    }

    /// Sends a frame to all that a track goes to. It is sent now or not at all; nothing waits for a
    /// slow peer.
    pub fn write_frame(
        &mut self,
        track: TrackId,
        frame: &MediaFrame,
        now: Time,
    ) -> Result<Written, MediaError> {
        let bytes_max = match frame.codec.kind() {
            MediaKind::Audio => limits::AUDIO_FRAME_BYTES_MAX,
            MediaKind::Video => limits::FRAME_BYTES_MAX,
        };
        check_size(frame.bytes.len(), bytes_max)?;
        self.check_kind(track, frame.codec)?;
        let written = self.send_frame(track, frame, true, now);
        self.settle(now);
        Ok(written)
    }

    /// Sends an RTP packet to all that a track goes to.
    pub fn write_packet(
        &mut self,
        track: TrackId,
        packet: &RtpPacket,
        now: Time,
    ) -> Result<Written, MediaError> {
        check_size(packet.payload.len(), limits::RTP_PAYLOAD_BYTES_MAX)?;
        self.check_kind(track, packet.codec)?;
        let written = self.send_packet(track, packet, now);
        self.settle(now);
        Ok(written)
    }

    /// Sends nothing of what is written to a track, until it is no longer so. The track stays, and
    /// goes on with a key frame.
    pub fn mute_track(&mut self, track: TrackId, is_muted: bool) -> Result<(), MediaError> {
        self.media.local.track_mut(track)?.is_muted = is_muted;
        if is_muted {
            self.break_off(track);
        }
        Ok(())
    }

    /// Sends what a peer sends as a track on as a track of ours, as if each frame or packet was
    /// written at once; what wants a key frame asks that peer for it. It is so until this says
    /// otherwise, or one of the two ends.
    pub fn relay_track(
        &mut self,
        from: PeerTrackId,
        to: TrackId,
        is_on: bool,
        now: Time,
    ) -> Result<(), MediaError> {
        let &(conn, incoming) = self.media.received.get(&from).ok_or(MediaError::NoSuchTrack)?;
        let kind = self.peers.get(&conn).and_then(|peer| peer.received.kind(incoming));
        let kind = kind.ok_or(MediaError::NoSuchTrack)?;
        let local = self.media.local.track_mut(to)?;
        if local.spec.kind != kind {
            return Err(MediaError::OtherKind(kind));
        }
        let before = local.relayed.take();
        if let Some(before) = before.filter(|before| is_on || *before == from) {
            self.set_relay(before, to, false);
        } else if !is_on {
            local.relayed = before;
        }
        if is_on {
            self.media.local.track_mut(to)?.relayed = Some(from);
            self.set_relay(from, to, true);
            self.break_off(to);
            self.begin_relay(to, now);
        }
        self.settle(now);
        Ok(())
    }

    /// Asks the peer that sends a track for a key frame, at most every 500 ms. A node does so of its
    /// own where a track begins and after a gap.
    pub fn request_key_frame(&mut self, track: PeerTrackId, now: Time) {
        self.ask_for_key_frame(track, Viewer::Present, now);
        self.settle(now);
    }

    /// Drops what comes of a track, until it is no longer so, and asks for no key frames until then.
    /// Relays of it go on.
    pub fn ignore_track(&mut self, track: PeerTrackId, is_ignored: bool, now: Time) {
        let Some((conn, incoming)) = self.media.received.get(&track) else { return };
        if let Some(peer) = self.peers.get_mut(conn) {
            peer.received.set_ignored(*incoming, is_ignored);
            let is_video = peer.received.kind(*incoming) == Some(MediaKind::Video);
            if is_video && !is_ignored {
                self.request_key_frame(track, now);
            }
        }
    }

    /// What is known of the audio and video between us and a member; `None` if it is none.
    pub fn media_info(&self, room: RoomKey, peer: &PeerId) -> Option<PeerMedia> {
        let joined = self.rooms.get(&room).filter(|joined| joined.room.is_member(peer))?;
        let conn = self.routes.shared(&joined.config.app_id, peer)?;
        let peer = self.peers.get(&conn)?;
        let MediaInfo { is_possible, sent, received, bitrate } = self.engine.media_info(conn);
        let sent = sent.into_iter();
        let received = received.into_iter();
        Some(PeerMedia {
            is_possible,
            bitrate,
            sent: sent.filter_map(|(id, stats)| Some((peer.sent.track_of(id)?, stats))).collect(),
            received: received
                .filter_map(|(id, stats)| Some((peer.received.told(id)?, stats)))
                .collect(),
        })
    }

    /// Sends a stream or a track to whom the options name. Gives them.
    fn share(
        &mut self,
        room: RoomKey,
        subject: Subject,
        options: MediaOptions,
        now: Time,
    ) -> Result<Vec<PeerId>, MediaError> {
        let members = self.members_of(room)?;
        let targets = options.targets.as_ref().unwrap_or(&members);
        let targets: BTreeSet<PeerId> = targets.iter().cloned().collect();
        self.media.local.share(room, subject, options, &members)?;
        for peer in &targets {
            if members.contains(peer) {
                self.announce(room, peer, subject);
            } else {
                self.event(subject.answer(room, peer, Err(MediaFailure::NotInRoom)));
            }
        }
        let peers = targets.into_iter().collect();
        self.settle(now);
        Ok(peers)
    }

    /// Ends something for the members of a room, or for some.
    fn withdraw(
        &mut self,
        room: RoomKey,
        targets: Option<&[PeerId]>,
        now: Time,
        end: impl Fn(&mut Peer),
    ) {
        let members = self.members_of(room).unwrap_or_default();
        let is_target = |peer: &&PeerId| targets.is_none_or(|targets| targets.contains(peer));
        for id in members.iter().filter(is_target) {
            let Some(conn) = self.conn_of(room, id) else { continue };
            let Some(peer) = self.peers.get_mut(&conn) else { continue };
            end(peer);
            self.tell_of_media(conn);
            self.want_media(conn);
        }
        self.media.local.tidy();
        self.settle(now);
    }

    /// Says to a peer that a track was replaced, if it can be told.
    fn say_replaced(
        &mut self,
        room: RoomKey,
        peer: &PeerId,
        said: Option<MediaSaid>,
        has_metadata: bool,
    ) -> Result<(), MediaFailure> {
        let Some(said) = said else {
            return if has_metadata { Err(MediaFailure::MetadataUntold) } else { Ok(()) };
        };
        if let Some(joined) = self.rooms.get_mut(&room) {
            joined.room.say_media(peer, &said);
            self.touched.insert(Part::Room(room));
        }
        Ok(())
    }

    /// What is sent next of a track does not follow what was sent before.
    fn break_off(&mut self, track: TrackId) {
        self.peers.values_mut().for_each(|peer| peer.sent.break_off(track));
    }

    fn set_relay(&mut self, from: PeerTrackId, to: TrackId, is_on: bool) {
        let Some((conn, incoming)) = self.media.received.get(&from) else { return };
        if let Some(peer) = self.peers.get_mut(conn) {
            peer.received.set_relay(*incoming, to, is_on);
        }
    }

    fn members_of(&self, room: RoomKey) -> Result<Vec<PeerId>, MediaError> {
        let joined = self.rooms.get(&room).ok_or(MediaError::RoomGone)?;
        Ok(joined.room.peers().cloned().collect())
    }

    fn check_kind(&self, track: TrackId, codec: Codec) -> Result<(), MediaError> {
        let kind = self.media.local.track(track)?.spec.kind;
        if codec.kind() == kind { Ok(()) } else { Err(MediaError::OtherKind(codec.kind())) }
    }
}

fn check_size(size: usize, max: usize) -> Result<(), MediaError> {
    match size {
        0 => Err(MediaError::Empty),
        size if size > max => Err(MediaError::TooLarge { size, max }),
        _ => Ok(()),
    }
}

fn check_metadata(metadata: Option<&Value>) -> Result<(), MediaError> {
    let size = metadata.map_or(0, |metadata| metadata.to_string().len());
    if size > limits::METADATA_BYTES_MAX {
        return Err(MediaError::MetadataTooLarge { size });
    }
    Ok(())
}
