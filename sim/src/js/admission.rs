//! How a peer becomes a member for Trystero: the proof of the password, which one side makes, and
//! then both are ready.
//!
//! spec: docs/protocol.md, section 5

use std::time::Duration;

use serde_json::{Value, json};
use tristero_proto::crypto::password_proof;
use tristero_proto::wire::Payload;
use tristero_proto::{ConnId, Event, JoinFailure, LeaveReason, PeerId, RoomKey, Seed, Time};

use super::JsPeer;
use super::room::{Pair, Room};

/// How far it is.
#[derive(Debug)]
pub(super) enum Admission {
    Pending {
        own: Step,
        is_other_ready: bool,
        until: Time,
    },
    /// The peer is a member.
    Passed,
}

/// What we wait for.
#[derive(Debug)]
pub(super) enum Step {
    /// The answer to our question.
    Proof { challenge: String },
    /// To be asked.
    Challenge,
    /// Nothing: we said that we are ready.
    Ready,
}

impl Admission {
    pub(super) fn until(&self) -> Option<Time> {
        match self {
            Admission::Pending { until, .. } => Some(*until),
            Admission::Passed => None,
        }
    }
}

impl JsPeer {
    /// Attaches a connection to a room, unless it is attached.
    pub(super) fn attach(&mut self, key: RoomKey, conn: ConnId, now: Time) {
        let Some(shared) = self.peers.get_mut(&conn) else { return };
        let peer = shared.peer.clone();
        let Some(room) = self.rooms.get_mut(&key) else { return };
        if room.pairs.contains_key(&peer) {
            return;
        }
        let held = shared.release(&room.token);
        let is_initiator = self.self_id < peer;
        let own = match (room.password.is_empty(), is_initiator) {
            (true, _) => Step::Ready,
            (false, true) => Step::Proof { challenge: question(&self.seed, room, &peer) },
            (false, false) => Step::Challenge,
        };
        let asked = match &own {
            Step::Ready => Some(("@_hsready", String::new().into())),
            Step::Proof { challenge } => {
                let question = json!({ MARK: "challenge", "c": challenge });
                Some(("@_hsdata", Payload::Json(question)))
            }
            Step::Challenge => None,
        };
        let until = now + HANDSHAKE_TIMEOUT;
        let admission = Admission::Pending { own, is_other_ready: false, until };
        room.pairs.insert(peer.clone(), Pair { conn, admission });
        self.note_use(conn, now);
        if let Some((name, payload)) = asked {
            self.say(key, &peer, name, payload, now);
        }
        for chunk in held {
            self.on_chunk(key, &peer, &chunk, now);
        }
    }

    /// The other side said something of its handshake.
    pub(super) fn on_handshake(&mut self, key: RoomKey, peer: &PeerId, said: &Value, now: Time) {
        let Some(room) = self.rooms.get(&key).filter(|room| !room.password.is_empty()) else {
            return;
        };
        let Some(Pair { admission: Admission::Pending { own, .. }, .. }) = room.pairs.get(peer)
        else {
            return;
        };
        let text = |name: &str| said.get(name).and_then(Value::as_str);
        match (text(MARK), own) {
            (Some("challenge"), own) => {
                let is_awaited = matches!(own, Step::Challenge);
                let proof = proof(room, text("c").unwrap_or_default());
                let answer = Payload::Json(json!({ MARK: "response", "h": proof }));
                self.say(key, peer, "@_hsdata", answer, now);
                if is_awaited {
                    self.become_ready(key, peer, now);
                }
            }
            (Some("response"), Step::Proof { challenge }) => {
                if text("h") == Some(&proof(room, challenge)) {
                    self.become_ready(key, peer, now);
                } else {
                    self.refuse(key, peer, JoinFailure::PasswordProof, now);
                }
            }
            (_, Step::Proof { .. } | Step::Challenge | Step::Ready) => {}
        }
    }

    /// The other side is ready.
    pub(super) fn on_ready(&mut self, key: RoomKey, peer: &PeerId) {
        if let Some(Admission::Pending { is_other_ready, .. }) = self.admission(key, peer) {
            *is_other_ready = true;
        }
        self.admit(key, peer);
    }

    /// Refuses who took too long.
    pub(super) fn refuse_late(&mut self, key: RoomKey, now: Time) {
        let Some(room) = self.rooms.get(&key) else { return };
        let is_late = |pair: &Pair| pair.admission.until().is_some_and(|until| until <= now);
        let late = room.pairs.iter().filter(|(_, pair)| is_late(pair));
        for peer in late.map(|(peer, _)| peer.clone()).collect::<Vec<_>>() {
            let failure = JoinFailure::HandshakeTimedOut { after: HANDSHAKE_TIMEOUT };
            self.refuse(key, &peer, failure, now);
        }
    }

    fn become_ready(&mut self, key: RoomKey, peer: &PeerId, now: Time) {
        self.say(key, peer, "@_hsready", String::new().into(), now);
        if let Some(Admission::Pending { own, .. }) = self.admission(key, peer) {
            *own = Step::Ready;
        }
        self.admit(key, peer);
    }

    /// Lets a peer in, if both sides are ready.
    fn admit(&mut self, key: RoomKey, peer: &PeerId) {
        let Some(admission) = self.admission(key, peer) else { return };
        if let Admission::Pending { own: Step::Ready, is_other_ready: true, .. } = admission {
            *admission = Admission::Passed;
            self.tell(Event::PeerJoined { room: key, peer: peer.clone() });
        }
    }

    /// A peer is not let in. The connection stays, and the next announce begins anew.
    fn refuse(&mut self, key: RoomKey, peer: &PeerId, failure: JoinFailure, now: Time) {
        self.detach(key, peer, LeaveReason::Left, now);
        self.fail_join(key, peer.clone(), failure);
    }

    fn admission(&mut self, key: RoomKey, peer: &PeerId) -> Option<&mut Admission> {
        let room = self.rooms.get_mut(&key)?;
        room.pairs.get_mut(peer).map(|pair| &mut pair.admission)
    }
}

/// What a peer is asked in a room. Whether JavaScript asks the same again is not known. Were it
/// something new each time, then the answer to one question could be held until the next one is
/// asked, and so on for ever.
fn question(seed: &Seed, room: &Room, peer: &PeerId) -> String {
    seed.rng(&format!("question to {peer} in {}", room.root)).alphanumeric(CHALLENGE_LENGTH)
}

fn proof(room: &Room, challenge: &str) -> String {
    password_proof(challenge, room.password.as_str(), &room.app_id, &room.room_id)
}

/// What tells the messages of the proof from those of applications.
const MARK: &str = "__trystero_pw";

/// The length of a challenge.
const CHALLENGE_LENGTH: usize = 36;

/// Admission takes no longer.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_millis(10_000);
