//! A room of Trystero: what an application does in it.
//!
//! Transmissions of one action go out at once, so that one overtakes another. Nothing has a time
//! limit by itself.
//!
//! spec: docs/protocol.md, sections 4, 6 and 8

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tristero_proto::crypto::{Password, RoomToken, SignalKey, Topic};
use tristero_proto::ice::IceConfig;
use tristero_proto::wire::{ActionName, Chunk, Payload, Transmission};
use tristero_proto::{
    ActionKind, CallId, ConnId, Deadline, Event, LeaveReason, PeerId, PingId, RequestFailure,
    RequestId, RoomConfig, RoomKey, SendFailure, SendId, SendReport, Time,
};

use super::JsPeer;
use super::admission::Admission;
use super::arriving::{Arrived, Partial};
use super::connection::Outgoing;

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Room {
    pub(super) app_id: String,
    pub(super) room_id: String,
    pub(super) password: Password,
    pub(super) ice: Arc<IceConfig>,
    pub(super) root: Topic,
    /// Our self topic.
    pub(super) own: Topic,
    pub(super) token: RoomToken,
    pub(super) signal_key: SignalKey,
    pub(super) relays: Vec<usize>,
    pub(super) pairs: BTreeMap<PeerId, Pair>,
    pub(super) partials: BTreeMap<(PeerId, String, u16), Partial>,
    /// What came on actions that are not registered.
    pub(super) unclaimed: Vec<Arrived>,
    pub(super) actions: BTreeMap<String, ActionKind>,
    pub(super) calls: BTreeMap<CallId, Call>,
    pub(super) requests: BTreeMap<RequestId, Asked>,
    pub(super) pings: BTreeMap<PeerId, VecDeque<(PingId, Time)>>,
    sends: BTreeMap<SendId, Sending>,
    nonces: BTreeMap<String, u16>,
}

/// A peer to which the room is attached.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) conn: ConnId,
    pub(super) admission: Admission,
}

/// A request of a peer.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) peer: PeerId,
    pub(super) wire_id: String,
}

/// A request of ours.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) peer: PeerId,
    pub(super) wire_id: String,
    timeout: Option<Duration>,
    /// When it is given up, once it was sent.
    until: Option<Time>,
}

#[derive(Debug)]
struct Sending {
    waiting: BTreeSet<PeerId>,
    report: SendReport,
}

impl Room {
    pub(super) fn new(config: &RoomConfig, self_id: &PeerId, relays: Vec<usize>) -> Self {
        let RoomConfig { app_id, room_id, password, ice, .. } = config;
        Room {
            root: Topic::root(app_id, room_id),
            own: Topic::of_peer(app_id, room_id, self_id),
            token: RoomToken::of_room(app_id, room_id),
            signal_key: SignalKey::derive(password.as_str(), app_id, room_id),
            app_id: app_id.clone(),
            room_id: room_id.clone(),
            password: password.clone(),
            ice: Arc::new(ice.clone()),
            relays,
            pairs: BTreeMap::new(),
            partials: BTreeMap::new(),
            unclaimed: Vec::new(),
            actions: BTreeMap::new(),
            calls: BTreeMap::new(),
            requests: BTreeMap::new(),
            pings: BTreeMap::new(),
            sends: BTreeMap::new(),
            nonces: BTreeMap::new(),
        }
    }

    pub(super) fn listens_to(&self, topic: &Topic) -> bool {
        self.root == *topic || self.own == *topic
    }

    pub(super) fn topic_of(&self, peer: &PeerId) -> Topic {
        Topic::of_peer(&self.app_id, &self.room_id, peer)
    }

    pub(super) fn members(&self) -> impl Iterator<Item = &PeerId> {
        let is_member = |pair: &Pair| matches!(pair.admission, Admission::Passed);
        self.pairs.iter().filter(move |(_, pair)| is_member(pair)).map(|(peer, _)| peer)
    }

    pub(super) fn is_attached(&self, peer: &PeerId, conn: ConnId) -> bool {
        self.pairs.get(peer).is_some_and(|pair| pair.conn == conn)
    }

    pub(super) fn poll_timeout(&self) -> Option<Deadline> {
        let admissions = self.pairs.values().filter_map(|pair| pair.admission.until());
        let admissions = admissions.map(|at| Deadline::new(at, "refuse a peer"));
        let requests = self.requests.values().filter_map(|asked| asked.until);
        let requests = requests.map(|at| Deadline::new(at, "give a request up"));
        admissions.chain(requests).min()
    }

    fn has_member(&self, peer: &PeerId) -> bool {
        self.members().any(|member| member == peer)
    }
}

impl JsPeer {
    /// Registers an action. Transfers are nothing special to Trystero.
    pub fn register(&mut self, key: RoomKey, action: &ActionName, kind: ActionKind, now: Time) {
        let Some(room) = self.rooms.get_mut(&key) else { return };
        room.actions.insert(action.as_str().to_owned(), kind);
        let (claimed, others) =
            std::mem::take(&mut room.unclaimed).into_iter().partition(|it| it.action == *action);
        room.unclaimed = others;
        let claimed: Vec<Arrived> = claimed;
        claimed.into_iter().for_each(|arrived| self.hand_on(key, arrived));
        self.carry(now);
    }

    /// Sends something to these members, or to all. A `Sent` event says what became of it.
    pub fn send(
        &mut self,
        key: RoomKey,
        action: &ActionName,
        payload: Payload,
        targets: Option<&[PeerId]>,
        now: Time,
    ) -> SendId {
        let send = SendId::from_number(self.next_id());
        let Some(room) = self.rooms.get_mut(&key) else { return send };
        let members: BTreeSet<PeerId> = room.members().cloned().collect();
        let targets = targets.map(|targets| targets.iter().cloned().collect());
        let targets = targets.unwrap_or_else(|| members.clone());
        let (waiting, missing): (BTreeSet<PeerId>, BTreeSet<PeerId>) =
            targets.into_iter().partition(|peer| members.contains(peer));
        let failed = missing.into_iter().map(|peer| (peer, SendFailure::NotInRoom)).collect();
        let report = SendReport { failed, ..SendReport::default() };
        room.sends.insert(send, Sending { waiting: waiting.clone(), report });
        self.transmit(key, &waiting, (action.clone(), payload, None), Some(send), now);
        self.end_send(key, send);
        self.carry(now);
        send
    }

    /// Asks a member. A `Response` event says what came of it.
    pub fn request(
        &mut self,
        key: RoomKey,
        action: &ActionName,
        payload: Payload,
        (target, timeout): (&PeerId, Option<Duration>),
        now: Time,
    ) -> RequestId {
        let request = RequestId::from_number(self.next_id());
        let wire_id = self.rng.alphanumeric(WIRE_ID_LENGTH);
        let Some(room) = self.rooms.get_mut(&key) else { return request };
        if !room.has_member(target) {
            let result = Err(RequestFailure::Disconnected);
            self.tell(Event::Response { room: key, request, result });
            return request;
        }
        let metadata = json!({ "r": wire_id });
        let asked = Asked { peer: target.clone(), wire_id, timeout, until: None };
        room.requests.insert(request, asked);
        let what = (action.clone(), payload, Some(metadata));
        self.transmit(key, [target], what, Some(request.send_id()), now);
        self.carry(now);
        request
    }

    /// Answers a request.
    pub fn respond(
        &mut self,
        key: RoomKey,
        call: CallId,
        answer: Result<Payload, String>,
        now: Time,
    ) {
        let called = self.rooms.get_mut(&key).and_then(|room| room.calls.remove(&call));
        let Some(Call { peer, wire_id }) = called else { return };
        let (payload, metadata) = match answer {
            Ok(payload) => (payload, json!({ "r": wire_id })),
            Err(why) => (Payload::Json(Value::Null), json!({ "r": wire_id, "e": why })),
        };
        let what = (internal("@_response"), payload, Some(metadata));
        self.transmit(key, [&peer], what, None, now);
        self.carry(now);
    }

    /// Asks a member how long it takes to answer.
    pub fn ping(&mut self, key: RoomKey, peer: &PeerId, now: Time) -> PingId {
        let ping = PingId::from_number(self.next_id());
        let Some(room) = self.rooms.get_mut(&key) else { return ping };
        if room.has_member(peer) {
            room.pings.entry(peer.clone()).or_default().push_back((ping, now));
            self.say(key, peer, "@_ping", String::new().into(), now);
        } else {
            self.tell(Event::Pong { room: key, peer: peer.clone(), ping, rtt: None });
        }
        self.carry(now);
        ping
    }

    /// Says something of the protocol's own.
    pub(super) fn say(
        &mut self,
        key: RoomKey,
        peer: &PeerId,
        name: &str,
        payload: Payload,
        now: Time,
    ) {
        self.transmit(key, [peer], (internal(name), payload, None), None, now);
    }

    /// Says goodbye to all that the room is attached to.
    pub(super) fn part(&mut self, key: RoomKey, now: Time) {
        let Some(room) = self.rooms.get(&key) else { return };
        let peers: Vec<PeerId> = room.pairs.keys().cloned().collect();
        let conns: Vec<ConnId> = room.pairs.values().map(|pair| pair.conn).collect();
        for conn in &conns {
            if let Some(shared) = self.peers.get_mut(conn) {
                shared.forget(key);
            }
        }
        self.transmit(key, &peers, (internal("@_leave"), "".into(), None), None, now);
        if let Some(room) = self.rooms.get_mut(&key) {
            room.pairs.clear();
        }
        conns.into_iter().for_each(|conn| self.note_use(conn, now));
    }

    /// A peer is attached to the room no longer. What was under way with it ends before.
    pub(super) fn detach(&mut self, key: RoomKey, peer: &PeerId, reason: LeaveReason, now: Time) {
        let Some(room) = self.rooms.get_mut(&key) else { return };
        let was_member = room.has_member(peer);
        let Some(pair) = room.pairs.remove(peer) else { return };
        room.partials.retain(|(from, ..), _| from != peer);
        room.calls.retain(|_, call| call.peer != *peer);
        let pings = room.pings.remove(peer).unwrap_or_default();
        let waiting = room.sends.iter().filter(|(_, sending)| sending.waiting.contains(peer));
        let sends: Vec<SendId> = waiting.map(|(send, _)| *send).collect();
        let asked = room.requests.iter().filter(|(_, asked)| asked.peer == *peer);
        let asked: Vec<RequestId> = asked.map(|(request, _)| *request).collect();
        room.requests.retain(|_, asked| asked.peer != *peer);
        if let Some(shared) = self.peers.get_mut(&pair.conn) {
            shared.forget(key);
        }
        for send in sends {
            self.settle(key, send, peer, Some(SendFailure::Left));
        }
        for request in asked {
            let result = Err(RequestFailure::Disconnected);
            self.tell(Event::Response { room: key, request, result });
        }
        for (ping, _) in pings {
            self.tell(Event::Pong { room: key, peer: peer.clone(), ping, rtt: None });
        }
        if was_member {
            self.tell(Event::PeerLeft { room: key, peer: peer.clone(), reason });
        }
        self.note_use(pair.conn, now);
    }

    /// Notes whether some room uses a connection.
    pub(super) fn note_use(&mut self, conn: ConnId, now: Time) {
        let mut pairs = self.rooms.values().flat_map(|room| room.pairs.values());
        let is_used = pairs.any(|pair| pair.conn == conn);
        if let Some(shared) = self.peers.get_mut(&conn) {
            shared.set_used(is_used, now);
        }
    }

    /// A transmission was handed over, or will not be.
    pub(super) fn settle_send(
        &mut self,
        outgoing: &Outgoing,
        peer: &PeerId,
        failure: Option<SendFailure>,
        now: Time,
    ) {
        let (key, Some(send)) = (outgoing.room, outgoing.send) else { return };
        let request = RequestId::from_number(send.number());
        let Some(room) = self.rooms.get_mut(&key) else { return };
        let Some(asked) = room.requests.get_mut(&request) else {
            return self.settle(key, send, peer, failure);
        };
        match failure {
            None => asked.until = asked.timeout.map(|timeout| now + timeout),
            // Trystero would wait for an answer for ever. Whoever soaks wants to be told.
            Some(failure) => {
                room.requests.remove(&request);
                let result = Err(RequestFailure::NotSent(failure));
                self.tell(Event::Response { room: key, request, result });
            }
        }
    }

    /// Refuses peers that took too long, and gives requests up.
    pub(super) fn look_after_rooms(&mut self, now: Time) {
        for key in self.rooms.keys().copied().collect::<Vec<_>>() {
            self.refuse_late(key, now);
            let Some(room) = self.rooms.get_mut(&key) else { continue };
            let is_late = |asked: &Asked| asked.until.is_some_and(|until| until <= now);
            let late = room.requests.iter().filter(|(_, asked)| is_late(asked));
            for request in late.map(|(request, _)| *request).collect::<Vec<_>>() {
                if let Some(room) = self.rooms.get_mut(&key) {
                    room.requests.remove(&request);
                }
                let result = Err(RequestFailure::TimedOut);
                self.tell(Event::Response { room: key, request, result });
            }
        }
    }

    fn transmit<'a>(
        &mut self,
        key: RoomKey,
        peers: impl IntoIterator<Item = &'a PeerId>,
        (action, payload, metadata): (ActionName, Payload, Option<Value>),
        send: Option<SendId>,
        now: Time,
    ) {
        let Some(room) = self.rooms.get_mut(&key) else { return };
        let nonce = room.nonces.entry(action.as_str().to_owned()).or_default();
        let transmission = Transmission::new(action, *nonce, payload, metadata.as_ref());
        *nonce = nonce.wrapping_add(1);
        let token = room.token.clone();
        let conns = peers.into_iter().filter_map(|peer| room.pairs.get(peer)).map(|pair| pair.conn);
        for conn in conns.collect::<Vec<_>>() {
            let (token, transmission) = (token.clone(), transmission.clone());
            if let Some(shared) = self.peers.get_mut(&conn) {
                shared.transmit(Outgoing { room: key, token, transmission, send }, now);
            }
            self.flush(conn, now);
        }
    }

    fn settle(&mut self, key: RoomKey, send: SendId, peer: &PeerId, failure: Option<SendFailure>) {
        let Some(room) = self.rooms.get_mut(&key) else { return };
        let Some(sending) = room.sends.get_mut(&send) else { return };
        if !sending.waiting.remove(peer) {
            return;
        }
        match failure {
            None => sending.report.delivered.push(peer.clone()),
            Some(failure) => sending.report.failed.push((peer.clone(), failure)),
        }
        self.end_send(key, send);
    }

    fn end_send(&mut self, key: RoomKey, send: SendId) {
        let Some(room) = self.rooms.get_mut(&key) else { return };
        if !room.sends.get(&send).is_some_and(|sending| sending.waiting.is_empty()) {
            return;
        }
        let report = room.sends.remove(&send).map(|sending| sending.report).unwrap_or_default();
        self.tell(Event::Sent { room: key, send, report });
    }
}

/// One of the protocol's own names, which applications can't make: it is read from a chunk.
fn internal(name: &str) -> ActionName {
    let mut header = name.as_bytes().to_vec();
    header.resize(HEADER_BYTES, 0);
    Chunk::parse(&Bytes::from(header)).expect("it is a header with a name").action
}

/// What stands before the payload of a chunk.
///
/// spec: docs/protocol.md, section 4
const HEADER_BYTES: usize = 36;

/// The length of a request's id.
const WIRE_ID_LENGTH: usize = 20;
