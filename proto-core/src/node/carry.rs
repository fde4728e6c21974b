//! What passes between the parts of a node.
//!
//! After a call, [`settle`](Node::settle) empties every part that was touched and carries what it
//! said to the part that it concerns, until none has anything to say.

use std::collections::VecDeque;

use tracing::{debug, info};

use super::routes::{Owner, Spare};
use super::{Event, Joined, Node, Output, Part};
use crate::crypto::{RoomToken, Topic};
use crate::engine::{CloseReason, Engine, EngineEvent, EngineOutput};
use crate::ids::{ConnId, PeerId, RelayId, RoomKey};
use crate::limits;
use crate::peer::{OutboxEvent, Outgoing, Peer};
use crate::room::{RoomOutput, SendFailure};
use crate::signaling::{RelayOutput, SignalingOutput};
use crate::time::Time;
use crate::wire::Frame;

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
                RelayOutput::Message { topic, body } => self.on_signal(id, &topic, &body, now),
                RelayOutput::StateChanged => self.report_relay(id),
            }
        }
        self.drop_unused_relay(id);
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
            let token = joined.room.names().token.clone();
            if let Some(conn) = self.routes.shared(&joined.config.app_id, &signal.from) {
                // It is connected already: by another room, or its admission here failed.
                let is_here = self.peers.get(&conn).is_some_and(|peer| peer.is_present_in(&token));
                if is_here {
                    self.attach(key, conn, now);
                }
                continue;
            }
            joined.signaling.on_signal(relay, signal, &mut self.next_conn, now);
            self.touched.insert(Part::Signaling(key));
        }
    }

    pub(super) fn carry_signaling(&mut self, key: RoomKey, now: Time) {
        while let Some((output, options)) = self.rooms.get_mut(&key).and_then(|joined| {
            let output = joined.signaling.poll_output()?;
            Some((output, joined.signaling.options()))
        }) {
            match output {
                SignalingOutput::Publish { relay, topic, body } => {
                    if let Some(relay) = self.relays.get_mut(&relay) {
                        relay.publish(&topic, &body, now);
                    }
                    self.touched.insert(Part::Relay(relay));
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
                // Another room's negotiation may have led to a connection.
                SignalingOutput::Failed { peer, .. } if self.is_connected(key, &peer) => {}
                SignalingOutput::Failed { peer, failure } => {
                    let event = Event::JoinFailed { room: key, peer, failure };
                    self.outputs.push_back(Output::Event(event));
                }
            }
            self.touched.insert(Part::Engine);
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
            }
        }
    }

    fn on_engine_event(&mut self, event: EngineEvent, now: Time) {
        match event {
            EngineEvent::Description { conn, sdp, .. } => {
                if let Some((key, peer)) = self.negotiation(conn) {
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
                }
            }
            EngineEvent::Open { conn } => self.on_open(conn, now),
            EngineEvent::Message { conn, bytes, .. } => match self.routes.owner(conn) {
                Some(Owner::Shared) => self.on_frame(conn, &bytes, now),
                Some(Owner::Spare(_)) => self.routes.hold(conn, bytes),
                Some(Owner::Negotiating { .. }) | None => {}
            },
            EngineEvent::Drained { conn, .. } => {
                if let Some(peer) = self.peers.get_mut(&conn) {
                    peer.outbox.on_drained();
                    self.touched.insert(Part::Peer(conn));
                }
            }
            EngineEvent::Closed { conn, reason } => self.on_closed(conn, reason, now),
        }
    }

    /// A negotiation led to a connection.
    fn on_open(&mut self, conn: ConnId, now: Time) {
        let Some((key, peer)) = self.negotiation(conn) else { return };
        let Some(joined) = self.rooms.get_mut(&key) else { return };
        joined.signaling.on_connected(&peer, conn);
        self.touched.insert(Part::Signaling(key));
        let app_id = joined.config.app_id.clone();
        if self.routes.shared(&app_id, &peer).is_some() {
            return self.on_second_connection(conn, key, peer, now);
        }
        self.adopt(conn, key, &peer, app_id, now);
    }

    /// Two rooms negotiated with one peer at once. The smaller id keeps what opened first for it;
    /// the larger one waits to see which of the two that was.
    fn on_second_connection(&mut self, conn: ConnId, key: RoomKey, peer: PeerId, now: Time) {
        debug!(%peer, "a second connection to a peer");
        if self.self_id < peer {
            self.routes.remove(conn);
            self.engine.close(conn, now);
            self.touched.insert(Part::Engine);
        } else {
            let joined = self.rooms.get(&key);
            let app_id = joined.map_or_else(String::new, |joined| joined.config.app_id.clone());
            self.routes.spare(conn, Spare { room: key, app_id, peer, held: VecDeque::new() });
        }
    }

    fn adopt(&mut self, conn: ConnId, key: RoomKey, id: &PeerId, app_id: String, now: Time) {
        if self.peers.len() >= limits::PEERS_MAX {
            debug!(peer = %id, "closed a connection: too many peers");
            self.routes.remove(conn);
            self.engine.close(conn, now);
            self.touched.insert(Part::Engine);
            return;
        }
        info!(peer = %id, ?conn, "connected to a peer");
        self.routes.share(conn, &app_id, id);
        let mut peer = Peer::new(id.clone(), app_id, now);
        for (other, joined) in &mut self.rooms {
            if joined.config.app_id == peer.app_id {
                peer.say_presence(&joined.room.names().token, true);
                // Other rooms may have been about to connect to the same peer. The smaller id
                // chose this connection by that; the larger one sees what becomes of the others.
                if self.self_id < *id || *other == key {
                    joined.signaling.on_connected(id, conn);
                    self.touched.insert(Part::Signaling(*other));
                }
            }
        }
        self.peers.insert(conn, peer);
        self.touched.insert(Part::Peer(conn));
        self.attach(key, conn, now);
    }

    fn on_frame(&mut self, conn: ConnId, bytes: &bytes::Bytes, now: Time) {
        let Some(peer) = self.peers.get_mut(&conn) else { return };
        match Frame::parse(bytes) {
            Ok(Frame::Presence { token, is_present }) => {
                peer.on_presence(&token, is_present);
                let key = self.room_of_token(conn, &token);
                if let Some(key) = key.filter(|_| is_present) {
                    self.attach(key, conn, now);
                }
            }
            Ok(Frame::Room { token, chunk }) => {
                let key = self.room_of_token(conn, &token);
                let Some(peer) = self.peers.get_mut(&conn) else { return };
                let attached = key.filter(|key| peer.is_attached(*key));
                let Some(key) = attached else { return peer.hold(token, chunk) };
                let id = peer.id.clone();
                if let Some(joined) = self.rooms.get_mut(&key) {
                    joined.room.on_chunk(&id, &chunk, now);
                    self.touched.insert(Part::Room(key));
                }
                // What follows may depend on it: a peer that leaves is detached before its next
                // frame is read.
                self.carry_room(key, now);
            }
            Ok(Frame::Unknown(kind)) => debug!(peer = %peer.id, kind, "ignored a frame"),
            Err(error) => debug!(peer = %peer.id, %error, "dropped a frame"),
        }
    }

    /// Puts a connected peer before the door of a room.
    pub(super) fn attach(&mut self, key: RoomKey, conn: ConnId, now: Time) {
        let Some(joined) = self.rooms.get_mut(&key) else { return };
        let Some(peer) = self.peers.get_mut(&conn) else { return };
        let token = joined.room.names().token.clone();
        let Some(early) = peer.attach(key, &token) else { return };
        let id = peer.id.clone();
        joined.room.attach(&id, now);
        for chunk in early {
            joined.room.on_chunk(&id, &chunk, now);
        }
        self.touched.extend([Part::Room(key), Part::Peer(conn)]);
    }

    fn on_closed(&mut self, conn: ConnId, reason: CloseReason, now: Time) {
        self.due.set(Part::Peer(conn), None);
        match self.routes.remove(conn) {
            Some(Owner::Negotiating { room, peer }) => {
                self.with_signaling(room, |joined| {
                    joined.signaling.on_attempt_failed(&peer, conn, now);
                });
            }
            Some(Owner::Shared) => self.lose_peer(conn, reason, now),
            Some(Owner::Spare(_)) | None => {}
        }
    }

    fn lose_peer(&mut self, conn: ConnId, reason: CloseReason, now: Time) {
        let Some(peer) = self.peers.remove(&conn) else { return };
        info!(peer = %peer.id, %reason, "lost the connection to a peer");
        self.routes.unshare(&peer.app_id, &peer.id);
        for key in peer.attached() {
            if let Some(joined) = self.rooms.get_mut(&key) {
                joined.room.on_lost(&peer.id, reason);
                joined.signaling.on_peer_lost(now);
                self.touched.extend([Part::Room(key), Part::Signaling(key)]);
            }
            self.carry_room(key, now);
        }
        let spare = self.routes.spare_of(&peer.app_id, &peer.id);
        if let Some(conn) = spare
            && let Some(Owner::Spare(Spare { room, peer: id, held, .. })) = self.routes.remove(conn)
        {
            self.adopt(conn, room, &id, peer.app_id, now);
            for message in held {
                self.on_frame(conn, &message, now);
            }
        }
    }

    pub(super) fn carry_room(&mut self, key: RoomKey, now: Time) {
        while let Some(joined) = self.rooms.get_mut(&key) {
            let Some(output) = joined.room.poll_output() else { return };
            match output {
                RoomOutput::Control { peer, frame } => {
                    self.with_peer(key, &peer, now, |peer| peer.outbox.push_control(frame));
                }
                RoomOutput::Transmit { peer, send, transmission, wants_progress } => {
                    let token = joined.room.names().token.clone();
                    let room = key;
                    let outgoing = Outgoing { room, token, send, transmission, wants_progress };
                    let mut is_queued = false;
                    self.with_peer(key, &peer, now, |peer| {
                        is_queued = peer.outbox.push(outgoing);
                        true
                    });
                    if !is_queued && let Some(joined) = self.rooms.get_mut(&key) {
                        joined.room.on_sent(&peer, send, Some(SendFailure::QueueFull));
                    }
                }
                RoomOutput::Detach { peer, has_left } => {
                    let token = joined.room.names().token.clone();
                    self.with_peer(key, &peer, now, |peer| {
                        peer.detach(key, &token, now);
                        peer.outbox.drop_room(key);
                        if has_left {
                            peer.on_presence(&token, false);
                        }
                        true
                    });
                }
                RoomOutput::Joined { peer } => self.event(Event::PeerJoined { room: key, peer }),
                RoomOutput::Left { peer, reason } => {
                    self.event(Event::PeerLeft { room: key, peer, reason });
                }
                RoomOutput::Failed { peer, failure } => {
                    self.event(Event::JoinFailed { room: key, peer, failure });
                }
                RoomOutput::Message { peer, message } => {
                    self.event(Event::Message { room: key, peer, message });
                }
                RoomOutput::Receiving { peer, action, fraction, metadata } => {
                    self.event(Event::Receiving { room: key, peer, action, fraction, metadata });
                }
                RoomOutput::Sent { send, report } => {
                    self.event(Event::Sent { room: key, send, report });
                }
            }
        }
    }

    fn carry_peer(&mut self, conn: ConnId, now: Time) {
        let Some(peer) = self.peers.get_mut(&conn) else { return };
        peer.outbox.pump(&mut self.engine, conn, now, &mut self.outbox_events);
        let id = peer.id.clone();
        self.touched.insert(Part::Engine);
        while let Some(event) = self.outbox_events.pop_front() {
            let (room, send, failure) = match event {
                OutboxEvent::Progress { room, send, fraction } => {
                    let peer = id.clone();
                    self.event(Event::Sending { room, send, peer, fraction });
                    continue;
                }
                OutboxEvent::Done { room, send } => (room, send, None),
                OutboxEvent::Refused { room, send } => (room, send, Some(SendFailure::Refused)),
            };
            if let Some(joined) = self.rooms.get_mut(&room) {
                joined.room.on_sent(&id, send, failure);
                self.touched.insert(Part::Room(room));
            }
        }
    }

    fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    fn with_signaling(&mut self, key: RoomKey, act: impl FnOnce(&mut Joined)) {
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
        let Some(joined) = self.rooms.get(&key) else { return };
        let Some(conn) = self.routes.shared(&joined.config.app_id, id) else { return };
        let Some(peer) = self.peers.get_mut(&conn) else { return };
        if !act(peer) {
            debug!(peer = %id, "cut a peer that takes nothing");
            self.engine.close(conn, now);
            self.touched.insert(Part::Engine);
        }
        self.touched.insert(Part::Peer(conn));
    }

    fn is_connected(&self, key: RoomKey, peer: &PeerId) -> bool {
        let app_id = self.rooms.get(&key).map(|joined| &joined.config.app_id);
        app_id.is_some_and(|app_id| self.routes.shared(app_id, peer).is_some())
    }

    fn negotiation(&self, conn: ConnId) -> Option<(RoomKey, PeerId)> {
        match self.routes.owner(conn)? {
            Owner::Negotiating { room, peer } => Some((*room, peer.clone())),
            Owner::Shared | Owner::Spare(_) => None,
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
