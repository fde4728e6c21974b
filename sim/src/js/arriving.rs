//! What comes over a connection, as Trystero takes it.
//!
//! Frames of unknown kinds are ignored, the hello of nodes among them. Presence that ends detaches
//! nothing. A room frame waits until its room is attached, and a message until its action is
//! registered.
//!
//! spec: docs/protocol.md, sections 3, 4, 5 and 6

use bytes::{Bytes, BytesMut};
use serde_json::{Value, from_slice};
use tristero_proto::wire::{ActionName, Chunk, Frame, Payload, Tag};
use tristero_proto::{
    ActionKind, CallId, ConnId, Event, LeaveReason, Message, PeerId, Request, RequestFailure,
    Response, RoomKey, Time,
};

use super::JsPeer;
use super::admission::Admission;
use super::room::Call;

/// A transmission that is not complete.
#[derive(Debug, Default)]
pub(super) struct Partial {
    metadata: Option<Bytes>,
    bytes: BytesMut,
}

/// A transmission that is.
#[derive(Debug)]
pub(super) struct Arrived {
    peer: PeerId,
    pub(super) action: ActionName,
    payload: Payload,
    metadata: Option<Value>,
}

impl JsPeer {
    pub(super) fn on_message(&mut self, conn: ConnId, frame: Frame, now: Time) {
        let Some(shared) = self.peers.get_mut(&conn) else { return };
        let (peer, app_id) = (shared.peer.clone(), shared.app_id.clone());
        match frame {
            Frame::Presence { token, is_present: false } => _ = shared.theirs.remove(&token),
            Frame::Presence { token, is_present: true } => {
                let is_it = |token_of: &_, app: &String| *token_of == token && *app == app_id;
                let room = self.rooms.iter().find(|(_, room)| is_it(&room.token, &room.app_id));
                let key = room.map(|(key, _)| *key);
                shared.theirs.insert(token);
                if let Some(key) = key {
                    self.attach(key, conn, now);
                }
            }
            Frame::Room { token, chunk } => {
                let room = self.rooms.iter().find(|(_, room)| {
                    room.token == token && room.app_id == app_id && room.is_attached(&peer, conn)
                });
                match room.map(|(key, _)| *key) {
                    Some(key) => self.on_chunk(key, &peer, &chunk, now),
                    None => shared.hold(token, chunk),
                }
            }
            Frame::Hello(_) | Frame::Bundle { .. } | Frame::Unknown(_) => {}
        }
    }

    /// Takes a piece of a transmission.
    pub(super) fn on_chunk(&mut self, key: RoomKey, peer: &PeerId, bytes: &Bytes, now: Time) {
        let Ok(chunk) = Chunk::parse(bytes) else { return };
        let Some(room) = self.rooms.get_mut(&key) else { return };
        let Some(pair) = room.pairs.get(peer) else { return };
        let is_pending = matches!(pair.admission, Admission::Pending { .. });
        if is_pending && !PASSING_WHILE_PENDING.contains(&chunk.action.as_str()) {
            return;
        }
        let name = (peer.clone(), chunk.action.as_str().to_owned(), chunk.nonce);
        let partial = room.partials.entry(name.clone()).or_default();
        if chunk.tag.has(Tag::META) {
            partial.metadata = Some(chunk.payload);
        } else {
            partial.bytes.extend_from_slice(&chunk.payload);
        }
        if !chunk.tag.has(Tag::LAST) {
            return;
        }
        let Some(Partial { metadata, bytes }) = room.partials.remove(&name) else { return };
        let Ok(payload) = Payload::parse(chunk.tag, bytes.freeze()) else { return };
        let metadata = metadata.and_then(|json| from_slice(&json).ok());
        let arrived = Arrived { peer: peer.clone(), action: chunk.action, payload, metadata };
        self.on_arrived(key, arrived, now);
    }

    fn on_arrived(&mut self, key: RoomKey, arrived: Arrived, now: Time) {
        let peer = arrived.peer.clone();
        match arrived.action.as_str() {
            "@_leave" => self.detach(key, &peer, LeaveReason::Left, now),
            "@_hsdata" => {
                if let Payload::Json(said) = &arrived.payload {
                    self.on_handshake(key, &peer, said, now);
                }
            }
            "@_hsready" => self.on_ready(key, &peer),
            "@_ping" => self.say(key, &peer, "@_pong", String::new().into(), now),
            "@_pong" => self.on_pong(key, peer, now),
            "@_response" => self.on_response(key, arrived),
            // Media, which this model has none of.
            name if name.starts_with("@_") => {}
            _ => self.hand_on(key, arrived),
        }
    }

    /// Gives the application something, or keeps it until its action is registered.
    pub(super) fn hand_on(&mut self, key: RoomKey, arrived: Arrived) {
        let call = CallId::from_number(self.next_id());
        let Some(room) = self.rooms.get_mut(&key) else { return };
        let Some(kind) = room.actions.get(arrived.action.as_str()) else {
            return room.unclaimed.push(arrived);
        };
        let Arrived { peer, action, payload, metadata } = arrived;
        let size = 0;
        let wire_id = metadata.as_ref().and_then(|metadata| metadata["r"].as_str());
        let event = match (kind, wire_id) {
            (ActionKind::Request { .. }, Some(wire_id)) => {
                let wire_id = wire_id.to_owned();
                room.calls.insert(call, Call { peer: peer.clone(), wire_id });
                let metadata = metadata.and_then(|metadata| metadata.get("m").cloned());
                let request = Request { call, action, payload, metadata, size };
                Event::Request { room: key, peer, request }
            }
            (ActionKind::Request { .. }, None)
            | (ActionKind::Message | ActionKind::Transfer, _) => {
                let message = Message { action, payload, metadata, size };
                Event::Message { room: key, peer, message }
            }
        };
        self.tell(event);
    }

    /// Pongs match pings in order.
    fn on_pong(&mut self, key: RoomKey, peer: PeerId, now: Time) {
        let Some(room) = self.rooms.get_mut(&key) else { return };
        let oldest = room.pings.get_mut(&peer).and_then(|pings| pings.pop_front());
        if let Some((ping, at)) = oldest {
            self.tell(Event::Pong { room: key, peer, ping, rtt: Some(now.since(at)) });
        }
    }

    fn on_response(&mut self, key: RoomKey, arrived: Arrived) {
        let Some(room) = self.rooms.get_mut(&key) else { return };
        let Some(metadata) = &arrived.metadata else { return };
        let asked = room.requests.iter().find(|(_, asked)| {
            asked.peer == arrived.peer && metadata["r"].as_str() == Some(&asked.wire_id)
        });
        let Some(request) = asked.map(|(request, _)| *request) else { return };
        room.requests.remove(&request);
        let result = match metadata["e"].as_str() {
            Some(why) => Err(RequestFailure::Rejected(why.to_owned())),
            None => Ok(Response { payload: arrived.payload, size: 0 }),
        };
        self.tell(Event::Response { room: key, request, result });
    }
}

/// What is taken of a peer that is not admitted yet.
const PASSING_WHILE_PENDING: [&str; 3] = ["@_leave", "@_hsdata", "@_hsready"];
