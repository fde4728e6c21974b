//! What passes between the parts of a node.
//!
//! After a call, [`settle`](Node::settle) empties every part that was touched and carries what it
//! said to the part that it concerns, until none has anything to say.

use tracing::{debug, info};

use super::routes::Owner;
use super::{Joined, Node, Output, Part};
use crate::conduct::Offence;
use crate::crypto::{RoomToken, Topic};
use crate::engine::{Engine, EngineEvent, EngineOutput, ServerFailure};
use crate::event::Event;
use crate::ice::IceUrl;
use crate::ids::{ConnId, PeerId, RelayId, RoomKey};
use crate::join_failure::JoinFailure;
use crate::peer::{OutboxEvent, Outgoing, Peer, SignalOfPeer};
use crate::room::{LeaveReason, RoomOutput, SendFailure};
use crate::signaling::{
    BulkOffers, Publication, RelayOutput, RoomNames, SessionInput, SignalingOutput,
};
use crate::time::Time;
use crate::wire::{Frame, OfferId, Signal, SignalBody};

impl<E: Engine> Node<E> {
    /// Drains what was touched, until nothing is.
    pub(super) fn settle(&mut self, now: Time) {
        while let Some(part) = self.touched.pop_first() {
            match part {
                Part::Relay(id) => self.carry_relay(id, now),
                Part::Signaling(key) => self.carry_signaling(key, now),
                Part::Engine => self.carry_engine(now),
                Part::Room(key) => self.carry_room(key, now),
                Part::Peer(conn) => self.carry_peer(conn, now),
            }
            let deadline = match part {
                Part::Relay(id) => self.relays.get(&id).and_then(|relay| relay.poll_timeout()),
                Part::Signaling(key) => {
                    self.rooms.get(&key).and_then(|joined| joined.signaling.poll_timeout())
                }
                Part::Engine => self.engine.poll_timeout(),
                Part::Room(key) => {
                    self.rooms.get(&key).and_then(|joined| joined.room.poll_timeout())
                }
                Part::Peer(conn) => self.peers.get(&conn).and_then(Peer::poll_timeout),
            };
            self.due.set(part, deadline);
        }
    }

    fn carry_relay(&mut self, id: RelayId, now: Time) {
        while let Some(output) = self.relays.get_mut(&id).and_then(|relay| relay.poll_output()) {
            match output {
                RelayOutput::OpenLink { link, target } => {
                    self.outputs.push_back(Output::OpenLink { link, target });
                }
                RelayOutput::SendLink { link, frame } => {
                    self.outputs.push_back(Output::SendLink { link, frame });
                }
                RelayOutput::CloseLink { link } => {
                    self.links.remove(&link);
                    self.outputs.push_back(Output::CloseLink { link });
                }
                RelayOutput::Subscribed(topic) => {
                    for key in self.rooms_of(id, &topic) {
                        self.with_signaling(key, |joined| {
                            joined.signaling.on_subscribed(id, &topic, now);
                        });
                    }
                }
                RelayOutput::Down => {
                    let keys: Vec<RoomKey> = self.rooms.keys().copied().collect();
                    for key in keys {
                        self.with_signaling(key, |joined| joined.signaling.on_relay_down(id));
                    }
                }
                RelayOutput::Notice(text) => self.report_notice(id, &text),
                RelayOutput::AnnounceEvery { root, interval } => {
                    for key in self.rooms_of(id, &root) {
                        self.with_signaling(key, |joined| {
                            joined.signaling.announce_every(id, interval);
                        });
                    }
                }
                RelayOutput::HoldAnnounces { root, pause } => {
                    for key in self.rooms_of(id, &root) {
                        self.with_signaling(key, |joined| {
                            joined.signaling.hold_announces(id, now + pause);
                        });
                    }
                }
                RelayOutput::Message { topic, body } => self.on_signal(id, &topic, &body, now),
                RelayOutput::StateChanged => self.report_relay(id),
            }
        }
        self.drop_unused_relay(id);
    }

    fn report_notice(&mut self, id: RelayId, text: &str) {
        let Some(relay) = self.relays.get(&id) else { return };
        let url = relay.status().url;
        for (room, joined) in &self.rooms {
            if joined.signaling.relays().any(|other| other == id) {
                let (url, text) = (url.clone(), text.to_owned());
                let event = Event::RelayNotice { room: *room, url, text };
                self.outputs.push_back(Output::Event(event));
            }
        }
    }

    fn report_relay(&mut self, id: RelayId) {
        let Some(relay) = self.relays.get(&id) else { return };
        for (room, joined) in &self.rooms {
            if joined.signaling.relays().any(|other| other == id) {
                let event = Event::Relay { room: *room, status: relay.status() };
                self.outputs.push_back(Output::Event(event));
            }
        }
    }

    /// A relay that no room uses is closed once what it had to say is said.
    fn drop_unused_relay(&mut self, id: RelayId) {
        let Some(relay) = self.relays.get_mut(&id).filter(|relay| relay.is_unused()) else {
            return;
        };
        if let Some(link) = relay.current_link() {
            self.links.remove(&link);
            self.outputs.push_back(Output::CloseLink { link });
        }
        self.relays.remove(&id);
    }

    fn on_signal(&mut self, relay: RelayId, topic: &Topic, body: &str, now: Time) {
        for key in self.rooms_of(relay, topic) {
            let Some(joined) = self.rooms.get_mut(&key) else { continue };
            let Some(signal) = joined.signaling.parse(topic, body) else { continue };
            if let SignalBody::Standing { sealed } = &signal.body {
                self.on_standing(key, &signal.from, sealed, now);
                continue;
            }
            let (token, app_id) = (joined.room.names().token.clone(), joined.config.app_id.clone());
            if self.is_shunned(&app_id, &signal.from, now) {
                continue;
            }
            let Some(joined) = self.rooms.get_mut(&key) else { continue };
            self.touched.insert(Part::Signaling(key));
            let was_dormant = joined.signaling.is_dormant();
            if !joined.signaling.wake(relay, &signal, now) {
                continue;
            }
            let Some(conn) = self.routes.shared(&joined.config.app_id, &signal.from) else {
                joined.signaling.on_signal(relay, signal, &mut self.next_conn, now);
                continue;
            };
            let seems_lost = joined.signaling.seems_to_have_lost_us(relay, topic, &signal);
            // It is connected already: by another room, or its admission here failed.
            let peer = self.peers.get_mut(&conn);
            let is_waiting = |peer: &&mut Peer| {
                peer.is_present_in(&token) && !peer.is_attached(key) && peer.may_return(key, now)
            };
            if let Some(peer) = peer.filter(is_waiting) {
                // So that the other side, which may have given us up too, attaches us now as well.
                // A room that woke says so to everyone.
                if !was_dormant {
                    peer.say_presence(&token, true);
                }
                self.attach(key, conn, now);
            }
            if seems_lost {
                self.probe(conn, key, now);
            }
            let is_kept = match &signal.body {
                SignalBody::Offer { .. } => seems_lost,
                SignalBody::Candidate { .. } => true,
                SignalBody::Announce | SignalBody::Answer { .. } | SignalBody::Standing { .. } => {
                    false
                }
            };
            if let Some(peer) = self.peers.get_mut(&conn).filter(|_| is_kept) {
                peer.on_signal(SignalOfPeer { room: key, relay, signal });
            }
        }
    }

    pub(super) fn carry_signaling(&mut self, key: RoomKey, now: Time) {
        while let Some((output, options)) = self.rooms.get_mut(&key).and_then(|joined| {
            let output = joined.signaling.poll_output()?;
            Some((output, joined.signaling.options()))
        }) {
            match output {
                SignalingOutput::Publish { relay, to, signal } => {
                    self.publish(key, relay, to.as_ref(), &signal, now);
                }
                SignalingOutput::Trade { relay, offers, is_dormant } => {
                    self.trade(key, relay, &offers, is_dormant, now);
                }
                SignalingOutput::OfferAnyone { conn } => {
                    self.routes.pool(conn, key);
                    self.engine.offer(conn, options, now);
                }
                SignalingOutput::Offer { conn, peer } => {
                    self.routes.negotiate(conn, key, peer);
                    self.engine.offer(conn, options, now);
                }
                SignalingOutput::Answer { conn, peer, sdp } => {
                    self.routes.negotiate(conn, key, peer.clone());
                    if let Err(error) = self.engine.answer(conn, &sdp, options, now) {
                        self.routes.remove(conn);
                        self.refuse_description(key, &peer, error.to_string(), now);
                    }
                }
                SignalingOutput::AcceptAnswer { conn, peer, sdp } => {
                    self.routes.claim(conn, &peer);
                    if let Err(error) = self.engine.accept_answer(conn, &sdp, now) {
                        self.routes.remove(conn);
                        self.engine.close(conn, now);
                        self.refuse_description(key, &peer, error.to_string(), now);
                    }
                }
                SignalingOutput::AddCandidate { conn, candidate } => {
                    self.engine.add_remote_candidate(conn, &candidate, now);
                }
                SignalingOutput::Close { conn } => {
                    self.routes.remove(conn);
                    self.engine.close(conn, now);
                }
                SignalingOutput::SubscribeSelf { relay } => {
                    let names = self.rooms.get(&key).map(|joined| joined.signaling.names());
                    if let Some((names, relay)) = names.zip(self.relays.get_mut(&relay)) {
                        relay.subscribe(&names.self_topic, &names.root_topic, key, now);
                    }
                    self.touched.insert(Part::Relay(relay));
                }
                SignalingOutput::Woke => self.greet_from(key, now),
                SignalingOutput::FellAsleep => {
                    self.withdraw_from(key);
                    self.rest(key, now);
                }
                // Another room's negotiation may have led to a connection.
                SignalingOutput::Failed { peer, .. } if self.conn_of(key, &peer).is_some() => {}
                SignalingOutput::Failed { peer, conn, mut failure, ask_over } => {
                    self.with_signaling(key, |joined| joined.signaling.nudge(&peer, ask_over, now));
                    if let JoinFailure::NotConnected { obstacle, .. } = &mut failure {
                        *obstacle = conn.and_then(|conn| self.engine.obstacle(conn));
                    }
                    self.event(Event::JoinFailed { room: key, peer, failure });
                }
            }
            self.touched.insert(Part::Engine);
        }
    }

    pub(super) fn publish(
        &mut self,
        key: RoomKey,
        id: RelayId,
        to: Option<&PeerId>,
        signal: &Signal,
        now: Time,
    ) {
        let Some(joined) = self.rooms.get(&key) else { return };
        let Some(relay) = self.relays.get_mut(&id) else { return };
        let RoomNames { app_id, room_id, root_topic: root, .. } = joined.room.names();
        let of_peer = to.map(|peer| Topic::of_peer(app_id, room_id, peer));
        let topic = of_peer.as_ref().unwrap_or(root);
        let publication = Publication { topic, root, to, signal };
        relay.tell(SessionInput::Publish(publication), now);
        self.touched.insert(Part::Relay(id));
    }

    fn trade(
        &mut self,
        key: RoomKey,
        id: RelayId,
        offers: &[(OfferId, String)],
        is_dormant: bool,
        now: Time,
    ) {
        let Some(joined) = self.rooms.get(&key) else { return };
        let Some(relay) = self.relays.get_mut(&id) else { return };
        let root = &joined.room.names().root_topic;
        relay.tell(SessionInput::Offer(BulkOffers { root, offers, is_dormant }), now);
        self.touched.insert(Part::Relay(id));
    }

    /// A passive room is not there for relays either.
    fn rest(&mut self, key: RoomKey, now: Time) {
        let Some(joined) = self.rooms.get(&key) else { return };
        let root = &joined.room.names().root_topic;
        for id in joined.signaling.relays() {
            if let Some(relay) = self.relays.get_mut(&id) {
                relay.tell(SessionInput::Rest { root }, now);
                self.touched.insert(Part::Relay(id));
            }
        }
    }

    fn refuse_description(&mut self, key: RoomKey, peer: &PeerId, why: String, now: Time) {
        self.with_signaling(key, |joined| joined.signaling.on_description_refused(peer, why, now));
    }

    fn carry_engine(&mut self, now: Time) {
        while let Some(output) = self.engine.poll_output() {
            match output {
                EngineOutput::Transmit(transmit) => {
                    self.outputs.push_back(Output::Transmit(transmit));
                }
                EngineOutput::Event(event) => self.on_engine_event(event, now),
                EngineOutput::Network(request) => {
                    self.outputs.push_back(Output::Network(request));
                }
            }
        }
        self.settle_media(now);
    }

    fn on_engine_event(&mut self, event: EngineEvent, now: Time) {
        match event {
            EngineEvent::Description { conn, sdp, .. } => {
                if let Some(Owner::Shared) = self.routes.owner(conn) {
                    self.on_proposed(conn, sdp, now);
                } else if let Some(&Owner::Pooled { room }) = self.routes.owner(conn) {
                    self.with_signaling(room, |joined| {
                        joined.signaling.on_description_for_anyone(conn, &sdp, now);
                    });
                } else if let Some((key, peer)) = self.negotiation(conn) {
                    self.with_signaling(key, |joined| {
                        joined.signaling.on_description(&peer, sdp, now);
                    });
                }
            }
            EngineEvent::Candidate { conn, candidate } => {
                if let Some((key, peer)) = self.negotiation(conn) {
                    self.with_signaling(key, |joined| {
                        joined.signaling.on_local_candidate(&peer, &candidate);
                    });
                } else {
                    self.on_new_candidate(conn, candidate, now);
                }
            }
            EngineEvent::Stranded { conn } => self.on_stranded(conn, now),
            EngineEvent::Open { conn } => self.on_open(conn, now),
            EngineEvent::Message { conn, bytes, .. } => match self.routes.owner(conn) {
                Some(Owner::Shared) => self.on_frame(conn, &bytes, now),
                Some(Owner::Spare(_)) => self.routes.hold(conn, bytes),
                Some(Owner::Pooled { .. } | Owner::Negotiating { .. }) | None => {}
            },
            EngineEvent::Drained { conn, .. } => {
                if let Some(peer) = self.peers.get_mut(&conn) {
                    peer.outbox.on_drained();
                    self.touched.insert(Part::Peer(conn));
                }
            }
            EngineEvent::TrackBegan { conn, track, kind, msid } => {
                self.on_track_began(conn, track, kind, msid);
            }
            EngineEvent::TrackEnded { conn, track } => self.on_track_ended(conn, track, now),
            EngineEvent::Frame { conn, track, frame } => {
                self.on_media_frame(conn, track, frame, now);
            }
            EngineEvent::Packet { conn, track, packet } => {
                self.on_media_packet(conn, track, packet, now);
            }
            EngineEvent::TrackAgreed { conn, track, codecs } => {
                self.on_track_agreed(conn, track, codecs, now);
            }
            EngineEvent::KeyFrameWanted { conn, track } => {
                self.on_key_frame_wanted(conn, track, now);
            }
            EngineEvent::Closed { conn, reason } => self.on_closed(conn, reason, now),
            EngineEvent::ServerFailed { url, failure } => self.on_server_failed(&url, &failure),
        }
    }

    fn on_server_failed(&mut self, url: &IceUrl, failure: &ServerFailure) {
        info!(%url, %failure, "an ICE server is of no help");
        for (room, joined) in &self.rooms {
            if joined.config.ice.servers.iter().any(|server| server.url == *url) {
                let (room, url, failure) = (*room, url.clone(), failure.clone());
                self.outputs.push_back(Output::Event(Event::IceServerFailed {
                    room,
                    url,
                    failure,
                }));
            }
        }
    }

    pub(super) fn on_frame(&mut self, conn: ConnId, bytes: &bytes::Bytes, now: Time) {
        let Some(peer) = self.peers.get_mut(&conn) else { return };
        match Frame::parse(bytes) {
            Ok(Frame::Presence { token, is_present }) => {
                let was_present = peer.is_present_in(&token);
                let is_anew = is_present && was_present && peer.is_presence_exact();
                peer.on_presence(&token, is_present);
                let Some(key) = self.room_of_token(conn, &token) else { return };
                if !is_present {
                    self.on_absence(key, conn, now);
                } else if !self.is_dormant(key) {
                    if is_anew {
                        self.begin_anew(key, conn, now);
                    }
                    self.attach(key, conn, now);
                }
            }
            Ok(Frame::Hello(hello)) => self.on_hello(conn, hello),
            Ok(Frame::Room { token, chunk }) => self.on_chunk(conn, token, &chunk, now),
            Ok(Frame::Bundle { token, chunks }) => {
                for chunk in chunks {
                    // Nothing more is heard of one that is cut.
                    if self.peers.get(&conn).is_none_or(|peer| peer.verdict().is_some()) {
                        return;
                    }
                    self.on_chunk(conn, token.clone(), &chunk, now);
                }
            }
            Ok(Frame::Unknown(kind)) => debug!(peer = %peer.id, kind, "ignored a frame"),
            Err(error) => {
                debug!(peer = %peer.id, %error, "dropped a frame");
                self.on_offence(conn, Offence::Malformed, now);
            }
        }
    }

    fn on_chunk(&mut self, conn: ConnId, token: RoomToken, chunk: &bytes::Bytes, now: Time) {
        // A dormant room is not there for others.
        let key = self.room_of_token(conn, &token).filter(|key| !self.is_dormant(*key));
        let Some(peer) = self.peers.get_mut(&conn) else { return };
        let Some(key) = key else { return peer.discard(&token, chunk) };
        if !peer.is_attached(key) {
            return peer.hold(token, chunk);
        }
        peer.on_said(key);
        let id = peer.id.clone();
        if let Some(joined) = self.rooms.get_mut(&key) {
            joined.room.on_chunk(&id, chunk, now);
            self.touched.insert(Part::Room(key));
        }
        // What follows may depend on it: a peer that leaves is detached before its next chunk is
        // read.
        self.carry_room(key, now);
        self.bound_partials(key);
    }

    /// A peer of ours that says twice that it is in a room has begun anew there, and forgotten what
    /// was said before. So do we.
    fn begin_anew(&mut self, key: RoomKey, conn: ConnId, now: Time) {
        let Some(peer) = self.peers.get(&conn).filter(|peer| peer.is_attached(key)) else { return };
        let Some(joined) = self.rooms.get_mut(&key) else { return };
        joined.room.on_lost(&peer.id, LeaveReason::Left);
        let token = joined.room.names().token.clone();
        self.carry_room(key, now);
        if let Some(peer) = self.peers.get_mut(&conn) {
            peer.on_presence(&token, true);
        }
    }

    /// A peer says that it is in a room no longer. JavaScript says so for other reasons too.
    fn on_absence(&mut self, key: RoomKey, conn: ConnId, now: Time) {
        let Some(peer) = self.peers.get(&conn).filter(|peer| peer.is_presence_exact()) else {
            return;
        };
        if let Some(joined) = self.rooms.get_mut(&key) {
            joined.room.on_lost(&peer.id, LeaveReason::Left);
            self.touched.insert(Part::Room(key));
        }
        self.carry_room(key, now);
    }

    /// Drops unfinished transmissions if those of all rooms are too much, after one was added to.
    fn bound_partials(&mut self, changed: RoomKey) {
        let bytes_max = self.limits.partial_bytes_in_all;
        let of_changed = self.rooms.get(&changed).map_or(0, |joined| joined.room.partial_bytes());
        // All are too much only if one has more than its share.
        if of_changed.saturating_mul(self.rooms.len()) <= bytes_max {
            return;
        }
        let bytes = |joined: &Joined| joined.room.partial_bytes();
        while self.rooms.values().map(bytes).sum::<usize>() > bytes_max {
            let most = self.rooms.iter_mut().max_by_key(|(_, joined)| bytes(joined));
            let Some((key, joined)) = most else { return };
            joined.room.drop_partial();
            self.touched.insert(Part::Room(*key));
        }
    }

    /// Puts a connected peer before the door of a room.
    pub(super) fn attach(&mut self, key: RoomKey, conn: ConnId, now: Time) {
        let Some(joined) = self.rooms.get_mut(&key) else { return };
        let Some(peer) = self.peers.get_mut(&conn) else { return };
        let token = joined.room.names().token.clone();
        let id = peer.id.clone();
        let Some(early) = peer.attach(key, &token) else { return };
        // Coming and going is work for us.
        self.on_offence(conn, Offence::Restless, now);
        let Some(joined) = self.rooms.get_mut(&key) else { return };
        let Some(peer) = self.peers.get_mut(&conn) else { return };
        joined.room.attach(&id, peer.proves_too(), now);
        for chunk in early {
            joined.room.on_chunk(&id, &chunk, now);
        }
        joined.signaling.on_company(true, now);
        self.touched.extend([Part::Room(key), Part::Peer(conn)]);
    }

    pub(super) fn carry_room(&mut self, key: RoomKey, now: Time) {
        while let Some(joined) = self.rooms.get_mut(&key) {
            let Some(output) = joined.room.poll_output() else { return };
            match output {
                RoomOutput::Control { peer, frame } => {
                    self.with_peer(key, &peer, now, |peer| peer.outbox.push_control(frame));
                }
                RoomOutput::Transmit { peer, send, order, transmission, wants_progress } => {
                    let token = joined.room.names().token.clone();
                    let (id, room) = (peer, key);
                    let outgoing =
                        Outgoing { room, token, send, order, transmission, wants_progress };
                    self.queue(&id, outgoing, now);
                }
                RoomOutput::Feed { peer, action, send, pieces, is_finished } => {
                    self.with_peer(key, &peer, now, |peer| {
                        peer.outbox.feed(key, &action, send, &pieces, is_finished);
                        true
                    });
                }
                RoomOutput::Abort { peer, send } => {
                    self.with_peer(key, &peer, now, |peer| {
                        peer.outbox.abort(key, send);
                        true
                    });
                }
                RoomOutput::Detach { peer, has_left } => self.detach(key, &peer, has_left, now),
                RoomOutput::Offence { peer, offence } => {
                    if let Some(conn) = self.conn_of(key, &peer) {
                        self.on_offence(conn, offence, now);
                    }
                }
                RoomOutput::Signal { peer, said } => {
                    if let Some(conn) = self.conn_of(key, &peer) {
                        self.on_renegotiation(conn, said, now);
                    }
                }
                RoomOutput::Media { peer, said, size } => {
                    self.on_media_said(key, &peer, said, size, now);
                }
                RoomOutput::Heard { peer } => {
                    self.with_peer(key, &peer, now, |peer| {
                        peer.on_heard();
                        true
                    });
                }
                RoomOutput::Event(event) => {
                    self.on_room_event(key, event, now);
                }
            }
        }
    }

    /// A room tells something. Media ends before its member leaves, and begins after it came.
    fn on_room_event(&mut self, key: RoomKey, event: Event, now: Time) {
        let joined = match &event {
            Event::PeerJoined { peer, .. } => Some(peer.clone()),
            _ => None,
        };
        if let Event::PeerLeft { peer, .. } = &event {
            self.on_member_left(key, peer, now);
        }
        self.event(event);
        if let Some(peer) = joined {
            self.on_member_joined(key, &peer);
        }
    }

    fn queue(&mut self, peer: &PeerId, outgoing: Outgoing, now: Time) {
        let (key, send) = (outgoing.room, outgoing.send);
        let mut is_queued = false;
        self.with_peer(key, peer, now, |peer| {
            is_queued = peer.outbox.push(outgoing);
            true
        });
        if !is_queued && let Some(joined) = self.rooms.get_mut(&key) {
            joined.room.on_sent(peer, send, Some(SendFailure::QueueFull), now);
        }
    }

    /// A peer is in the room no longer. The connection stays.
    fn detach(&mut self, key: RoomKey, peer: &PeerId, has_left: bool, now: Time) {
        let Some(joined) = self.rooms.get_mut(&key) else { return };
        let token = joined.room.names().token.clone();
        self.with_peer(key, peer, now, |peer| {
            peer.detach(key, &token, now);
            peer.outbox.drop_room(key);
            if has_left {
                peer.on_presence(&token, false);
            } else {
                peer.on_refused(key, now);
            }
            true
        });
        self.rest_if_alone(key, now);
    }

    /// A passive room without company goes dormant.
    pub(super) fn rest_if_alone(&mut self, key: RoomKey, now: Time) {
        let Some(joined) = self.rooms.get_mut(&key) else { return };
        let has_company = joined.room.has_company();
        joined.signaling.on_company(has_company, now);
        self.touched.insert(Part::Signaling(key));
    }

    fn carry_peer(&mut self, conn: ConnId, now: Time) {
        self.negotiate(conn, now);
        self.tell_of_restarts(conn, now);
        let Some(peer) = self.peers.get_mut(&conn) else { return };
        if peer.outbox.pump(&mut self.engine, conn, now) {
            self.touched.insert(Part::Engine);
        }
        while let Some(event) = peer.outbox.poll_event() {
            let room = event.room();
            let Some(joined) = self.rooms.get_mut(&room) else { continue };
            self.touched.insert(Part::Room(room));
            match event {
                OutboxEvent::Chunk { send, fraction, wants_progress, .. } => {
                    joined.room.on_chunk_sent(&peer.id, send, fraction, wants_progress);
                }
                OutboxEvent::Done { send, .. } => joined.room.on_sent(&peer.id, send, None, now),
                OutboxEvent::Failed { send, failure, .. } => {
                    joined.room.on_sent(&peer.id, send, Some(failure), now);
                }
            }
        }
    }

    pub(super) fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    pub(super) fn with_signaling(&mut self, key: RoomKey, act: impl FnOnce(&mut Joined)) {
        if let Some(joined) = self.rooms.get_mut(&key) {
            act(joined);
            self.touched.insert(Part::Signaling(key));
        }
    }

    /// Acts on the connection of a room's peer, and cuts it if it takes nothing any more.
    fn with_peer(
        &mut self,
        key: RoomKey,
        id: &PeerId,
        now: Time,
        act: impl FnOnce(&mut Peer) -> bool,
    ) {
        let Some(conn) = self.conn_of(key, id) else { return };
        let Some(peer) = self.peers.get_mut(&conn) else { return };
        if !act(peer) {
            debug!(peer = %id, "cut a peer that takes nothing");
            self.engine.close(conn, now);
            self.touched.insert(Part::Engine);
        }
        self.touched.insert(Part::Peer(conn));
    }

    /// The connection to a room's peer.
    pub(super) fn conn_of(&self, key: RoomKey, peer: &PeerId) -> Option<ConnId> {
        self.routes.shared(&self.rooms.get(&key)?.config.app_id, peer)
    }

    fn is_dormant(&self, key: RoomKey) -> bool {
        self.rooms.get(&key).is_some_and(|joined| joined.signaling.is_dormant())
    }

    pub(super) fn negotiation(&self, conn: ConnId) -> Option<(RoomKey, PeerId)> {
        match self.routes.owner(conn)? {
            Owner::Negotiating { room, peer } => Some((*room, peer.clone())),
            Owner::Pooled { .. } | Owner::Shared | Owner::Spare(_) => None,
        }
    }

    fn rooms_of(&self, relay: RelayId, topic: &Topic) -> Vec<RoomKey> {
        self.relays.get(&relay).map_or_else(Vec::new, |relay| relay.rooms_of(topic).to_vec())
    }

    fn room_of_token(&self, conn: ConnId, token: &RoomToken) -> Option<RoomKey> {
        let app_id = &self.peers.get(&conn)?.app_id;
        let is_it = |joined: &Joined| {
            joined.config.app_id == *app_id && joined.room.names().token == *token
        };
        self.rooms.iter().find(|(_, joined)| is_it(joined)).map(|(key, _)| *key)
    }
}
