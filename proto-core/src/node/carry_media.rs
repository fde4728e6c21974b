//! What passes between the parts of a node because of audio and video.

use std::collections::{BTreeMap, BTreeSet};

use tracing::debug;

use super::{Node, Output, Part};
use crate::engine::{Engine, IncomingTrack, Proposal};
use crate::event::Event;
use crate::ids::{ConnId, PeerId, PeerTrackId, RoomKey, TrackId};
use crate::media::{
    Arrived, Codec, LocalMedia, MediaFailure, MediaFrame, MediaKind, Msid, Passed, ReceivedIds,
    Round, RtpPacket, Subject, Viewer, Written,
};
use crate::peer::{Peer, What};
use crate::time::Time;
use crate::wire::MediaSaid;

/// What a node knows of audio and video beside what its peers do.
#[derive(Debug, Default)]
pub(super) struct NodeMedia {
    pub(super) local: LocalMedia,
    pub(super) received_ids: ReceivedIds,
    /// Where the tracks of peers are.
    pub(super) received: BTreeMap<PeerTrackId, (ConnId, IncomingTrack)>,
    /// Connections of whose tracks the engine told something just now.
    unsettled: BTreeSet<ConnId>,
}

impl<E: Engine> Node<E> {
    pub(super) fn on_track_began(
        &mut self,
        conn: ConnId,
        track: IncomingTrack,
        kind: MediaKind,
        msid: Option<Msid>,
    ) {
        let Some(peer) = self.peers.get_mut(&conn) else { return };
        let ids = &mut self.media.received_ids;
        match peer.received.on_began(track, kind, msid, ids) {
            Some(id) => _ = self.media.received.insert(id, (conn, track)),
            None => debug!(peer = %peer.id, "ignored a track: there are too many"),
        }
        self.media.unsettled.insert(conn);
    }

    pub(super) fn on_track_ended(&mut self, conn: ConnId, track: IncomingTrack, now: Time) {
        let Some(peer) = self.peers.get_mut(&conn) else { return };
        if let Some(id) = peer.received.on_ended(track, now) {
            self.media.received.remove(&id);
            self.media.local.end_relays(id);
            self.media.unsettled.insert(conn);
        }
    }

    /// A peer says how it takes a track of ours, by the number of its attachment.
    pub(super) fn on_track_agreed(
        &mut self,
        conn: ConnId,
        track: TrackId,
        codecs: Vec<Codec>,
        now: Time,
    ) {
        let Some(peer) = self.peers.get_mut(&conn) else { return };
        let is_taken = !codecs.is_empty();
        self.media.unsettled.insert(conn);
        if let Some(track) = peer.sent.on_agreed(track, codecs)
            && let Ok(local) = self.media.local.track_mut(track)
        {
            let is_new = local.conns.insert(conn);
            if is_new && is_taken {
                self.begin_relay(track, now);
            }
        }
    }

    /// Asks for the key frame with which a track that is relayed begins, if somebody takes it.
    pub(super) fn begin_relay(&mut self, track: TrackId, now: Time) {
        let Ok(local) = self.media.local.track(track) else { return };
        let is_taken = local.spec.kind == MediaKind::Video && !local.conns.is_empty();
        if let Some(from) = local.relayed.filter(|_| is_taken) {
            self.ask_for_key_frame(from, Viewer::New, now);
        }
    }

    /// The engine has nothing more to say for now, so each description was told whole.
    pub(super) fn settle_media(&mut self, now: Time) {
        while let Some(conn) = self.media.unsettled.pop_first() {
            let Some(peer) = self.peers.get_mut(&conn) else { continue };
            peer.received.settle(peer.is_ours(), &mut self.media.received_ids, now);
            peer.sent.settle_answered();
            self.tell_of_media(conn);
            self.want_media(conn);
        }
    }

    pub(super) fn on_media_frame(
        &mut self,
        conn: ConnId,
        track: IncomingTrack,
        frame: MediaFrame,
        now: Time,
    ) {
        let Some(peer) = self.peers.get_mut(&conn) else { return };
        let Arrived { told, relays, asks } = peer.received.on_frame(track, &frame, now);
        if asks {
            self.engine.request_key_frame(conn, track, now);
        }
        for to in relays {
            self.send_frame(to, &frame, frame.is_contiguous, now);
        }
        if let Some(track) = told {
            self.event(Event::Frame { track, frame });
        }
    }

    pub(super) fn on_media_packet(
        &mut self,
        conn: ConnId,
        track: IncomingTrack,
        packet: RtpPacket,
        now: Time,
    ) {
        let Some(peer) = self.peers.get_mut(&conn) else { return };
        let Arrived { told, relays, asks } = peer.received.on_packet(track, now);
        if asks {
            self.engine.request_key_frame(conn, track, now);
        }
        for to in relays {
            self.send_packet(to, &packet, now);
        }
        if let Some(track) = told {
            self.event(Event::Packet { track, packet });
        }
    }

    /// Sends a frame to all that a track goes to. `is_contiguous` is whether nothing was lost before
    /// it.
    pub(super) fn send_frame(
        &mut self,
        track: TrackId,
        frame: &MediaFrame,
        is_contiguous: bool,
        now: Time,
    ) -> Written {
        let (mut written, mut asking) = (Written::default(), Vec::new());
        let Ok(local) = self.media.local.track_mut(track) else { return written };
        if local.is_muted {
            return written;
        }
        local.conns.retain(|conn| {
            let Some(peer) = self.peers.get_mut(conn) else { return false };
            let Some(passed) = peer.sent.pass_frame(track, frame, is_contiguous, now) else {
                return false;
            };
            let (is_taken, asks) = match passed {
                Passed::To(wire) => {
                    let outcome = self.engine.send_frame(*conn, wire, frame, now);
                    peer.sent.on_sent(track, outcome, now)
                }
                Passed::Dropped { asks } => (false, asks),
            };
            if is_taken {
                written.taken += 1;
            } else {
                written.dropped += 1;
            }
            asking.extend(asks.then(|| peer.id.clone()));
            true
        });
        self.touched.insert(Part::Engine);
        asking.into_iter().for_each(|peer| self.want_key_frame(track, peer, now));
        written
    }

    /// Sends a packet to all that a track goes to.
    pub(super) fn send_packet(&mut self, track: TrackId, packet: &RtpPacket, now: Time) -> Written {
        let mut written = Written::default();
        let Ok(local) = self.media.local.track_mut(track) else { return written };
        if local.is_muted {
            return written;
        }
        local.conns.retain(|conn| {
            let Some(peer) = self.peers.get_mut(conn) else { return false };
            let Some(passed) = peer.sent.pass_packet(track, packet.codec) else { return false };
            let is_taken = match passed {
                Passed::To(wire) => self.engine.send_packet(*conn, wire, packet, now).is_taken(),
                Passed::Dropped { .. } => false,
            };
            if is_taken {
                written.taken += 1;
            } else {
                written.dropped += 1;
            }
            true
        });
        self.touched.insert(Part::Engine);
        written
    }

    /// A peer can't decode a track of ours without a key frame, by the number of its attachment.
    pub(super) fn on_key_frame_wanted(&mut self, conn: ConnId, track: TrackId, now: Time) {
        let Some(peer) = self.peers.get_mut(&conn) else { return };
        if let Some(track) = peer.sent.on_key_frame_wanted(track, now) {
            let id = peer.id.clone();
            self.want_key_frame(track, id, now);
        }
    }

    /// Asks whoever makes the frames of a track for a key frame.
    fn want_key_frame(&mut self, track: TrackId, peer: PeerId, now: Time) {
        let Ok(local) = self.media.local.track(track) else { return };
        match local.relayed {
            Some(from) => self.ask_for_key_frame(from, Viewer::Present, now),
            None => self.event(Event::KeyFrameWanted { track, peer }),
        }
    }

    /// Asks the peer that sends a track for a key frame.
    pub(super) fn ask_for_key_frame(&mut self, track: PeerTrackId, viewer: Viewer, now: Time) {
        let Some(&(conn, incoming)) = self.media.received.get(&track) else { return };
        let Some(peer) = self.peers.get_mut(&conn) else { return };
        if peer.received.want_key_frame(incoming, viewer, now) {
            self.engine.request_key_frame(conn, incoming, now);
            self.touched.insert(Part::Engine);
        }
    }

    /// A member says something of what it sends.
    pub(super) fn on_media_said(
        &mut self,
        room: RoomKey,
        from: &PeerId,
        said: MediaSaid,
        size: usize,
        now: Time,
    ) {
        let Some(conn) = self.conn_of(room, from) else { return };
        let Some(peer) = self.peers.get_mut(&conn) else { return };
        peer.received.on_said(room, said, size, now);
        self.touched.insert(Part::Peer(conn));
        self.tell_of_media(conn);
    }

    /// A peer became a member, and gets what is for those who come later.
    pub(super) fn on_member_joined(&mut self, room: RoomKey, peer: &PeerId) {
        for share in self.media.local.shares(room, peer) {
            self.announce(room, peer, share.subject);
        }
        // What could be said nowhere can be said now.
        self.touched.extend(self.conn_of(room, peer).map(Part::Peer));
    }

    /// A member is about to be one no longer.
    pub(super) fn on_member_left(&mut self, room: RoomKey, id: &PeerId, now: Time) {
        self.media.local.on_member_left(room, id);
        let Some(conn) = self.conn_of(room, id) else { return };
        let Some(peer) = self.peers.get_mut(&conn) else { return };
        peer.negotiator.on_left(room, now);
        peer.received.on_left(room);
        peer.sent.on_left(room, peer.is_ours());
        self.tell_of_media(conn);
        self.want_media(conn);
    }

    /// A connection is gone, and all its tracks with it.
    pub(super) fn on_media_lost(&mut self, peer: &mut Peer) {
        let rooms: Vec<RoomKey> = peer.attached().collect();
        for room in rooms {
            peer.received.on_left(room);
            peer.sent.on_left(room, peer.is_ours());
        }
        peer.sent.on_lost();
        for track in peer.received.ids() {
            self.media.received.remove(&track);
            self.media.local.end_relays(track);
        }
        self.outputs.extend(peer.media_events().map(Output::Event));
    }

    /// Sends something to a member of a room.
    pub(super) fn announce(&mut self, room: RoomKey, id: &PeerId, subject: Subject) {
        let Some(conn) = self.conn_of(room, id) else { return };
        let Some(peer) = self.peers.get_mut(&conn) else { return };
        match self.media.local.share_of(room, subject, id) {
            None => peer.sent.answer(room, subject, Err(MediaFailure::Removed)),
            Some(_) if !self.engine.media_info(conn).is_possible => {
                peer.sent.answer(room, subject, Err(MediaFailure::NotPossible));
            }
            Some(share) => peer.sent.announce(room, subject, share.metadata, share.tracks),
        }
        self.tell_of_media(conn);
        self.want_media(conn);
    }

    /// Says and offers what is next for a peer.
    pub(super) fn propose_tracks(&mut self, conn: ConnId, now: Time) {
        let Some(peer) = self.peers.get_mut(&conn) else { return };
        let (id, ids) = (peer.id.clone(), &mut self.media.local.next_track);
        let Round { said, proposal } = peer.sent.next_round(peer.is_ours(), ids);
        if proposal.is_none() {
            peer.negotiator.on_nothing();
        }
        for (room, said) in said {
            if let Some(joined) = self.rooms.get_mut(&room) {
                joined.room.say_media(&id, &said);
            }
            // The offer may go over another room, and what is said goes ahead of it.
            self.carry_room(room, now);
        }
        if let Some(tracks) = proposal {
            debug!(peer = %id, tracks = tracks.len(), "offers tracks");
            self.engine.propose(conn, &Proposal::Tracks(tracks), now);
            self.touched.insert(Part::Engine);
        }
        self.tell_of_media(conn);
    }

    /// An offer of tracks was answered. The engine tells what came of it.
    pub(super) fn on_media_answered(&mut self, conn: ConnId) {
        if let Some(peer) = self.peers.get_mut(&conn) {
            peer.sent.on_answered();
            self.media.unsettled.insert(conn);
            self.touched.insert(Part::Engine);
        }
    }

    /// An offer of ours is given up for now.
    pub(super) fn on_media_rolled_back(&mut self, conn: ConnId) {
        if let Some(peer) = self.peers.get_mut(&conn) {
            peer.sent.on_rolled_back();
        }
    }

    /// Nobody answers an offer of tracks.
    pub(super) fn on_media_unanswered(&mut self, conn: ConnId) {
        if let Some(peer) = self.peers.get_mut(&conn) {
            peer.sent.on_unanswered();
        }
        self.tell_of_media(conn);
        self.want_media(conn);
    }

    /// Sees to it that a peer is offered what is attached now.
    pub(super) fn want_media(&mut self, conn: ConnId) {
        if let Some(peer) = self.peers.get_mut(&conn).filter(|peer| peer.sent.has_more()) {
            peer.negotiator.want(What::Media);
        }
        self.touched.insert(Part::Peer(conn));
    }

    /// Tells the application of what goes between us and one peer.
    pub(super) fn tell_of_media(&mut self, conn: ConnId) {
        if let Some(peer) = self.peers.get_mut(&conn) {
            self.outputs.extend(peer.media_events().map(Output::Event));
        }
    }
}
