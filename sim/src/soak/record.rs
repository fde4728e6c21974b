//! What is known of a run: who is there, in which rooms, and what was said and done.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use tristero_proto::{
    Event, HandshakeId, LeaveReason, PeerId, PingId, RequestId, RoomKey, SendId, Time,
};

use super::options::FaultKind;
use super::parcel::Parcel;
use crate::network::NatId;
use crate::relays::Relay;
use crate::world::Who;

/// A room that some have joined: its number.
pub(crate) type Place = u32;

/// One stay of one peer in one room; a node never uses a key again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct VisitId {
    pub(crate) who: Who,
    pub(crate) room: RoomKey,
}

/// Something that was done, or that a peer was told.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fact<'a> {
    /// A process began.
    Began {
        who: Who,
        id: &'a PeerId,
        character: Character,
    },
    /// A process ended without a goodbye.
    Crashed {
        who: Who,
    },
    /// A machine fell asleep, or woke up.
    Slept {
        who: Who,
    },
    Woke {
        who: Who,
    },
    /// A room was joined, or left.
    Joined {
        visit: VisitId,
        place: Place,
        manner: Manner,
    },
    Left {
        visit: VisitId,
    },
    /// A parcel was sent to these.
    Sent {
        visit: VisitId,
        action: &'static str,
        parcel: Parcel,
        send: SendId,
        to: &'a [PeerId],
    },
    /// An application let a peer in.
    Accepted {
        visit: VisitId,
        handshake: HandshakeId,
    },
    /// A request was sent.
    Asked {
        visit: VisitId,
        parcel: Parcel,
        request: RequestId,
        target: &'a PeerId,
        timeout: Option<Duration>,
    },
    /// A request was answered.
    Answered {
        number: u64,
        with: Answer,
    },
    /// A ping was sent.
    Pinged {
        visit: VisitId,
        ping: PingId,
        target: &'a PeerId,
    },
    /// A peer was told something.
    Told {
        who: Who,
        event: &'a Event,
    },
    /// Something goes wrong: for so long, or for a moment.
    Failing {
        kind: FaultKind,
        whom: &'a Whom,
        lasts: Option<Duration>,
    },
    /// A relay takes links again.
    Started {
        relay: Relay,
    },
    /// What else was wrong with a relay is over.
    Mended {
        relay: Relay,
    },
    /// Nothing goes wrong from now on.
    Healed,
}

/// What is to be expected of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Character {
    /// It is a node of ours.
    Honest,
    /// It is Trystero in JavaScript, to which some promises are less: each check says where.
    Js,
    /// It spoils what it sends. Nothing of it is believed, and nothing is owed to it.
    Hostile,
}

/// Whom a fault is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Whom {
    /// Everyone.
    All,
    /// One, or each of several.
    Peers(Vec<Who>),
    /// Those who are behind this NAT.
    Behind(NatId),
    Relay(Relay),
}

/// How a room is joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Manner {
    pub(crate) passive: bool,
    pub(crate) is_password_right: bool,
    /// Whether the application decides who becomes a member.
    pub(crate) has_handshake: bool,
}

impl Manner {
    /// Whether two who join so are to become members of each other.
    pub(crate) fn goes_with(self, other: Manner) -> bool {
        self.is_password_right == other.is_password_right && !(self.passive && other.passive)
    }
}

/// What a request is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// What was asked.
    Echo,
    /// A refusal.
    Refusal,
}

/// What is known. It is brought up to date after the checks have seen a fact.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) now: Time,
    pub(crate) peers: BTreeMap<Who, Known>,
    /// Visits that have not ended, and those that have.
    pub(crate) visits: BTreeMap<VisitId, Visit>,
    /// The STUN and TURN servers that help everyone.
    pub(crate) servers: Vec<SocketAddr>,
}

/// A process.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) id: PeerId,
    pub(crate) character: Character,
    pub(crate) state: State,
    /// Since when.
    pub(crate) since: Time,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Awake,
    Asleep,
    Crashed,
}

/// One stay of one peer in one room.
#[derive(Debug)]
pub(crate) struct Visit {
    pub(crate) place: Place,
    pub(crate) manner: Manner,
    pub(crate) from: Time,
    /// When it was left, or the process ended.
    pub(crate) until: Option<Time>,
    /// Its members as it was told, and since when.
    pub(crate) members: BTreeMap<PeerId, Time>,
    /// When it was told last that they left.
    pub(crate) goodbyes: BTreeMap<PeerId, Time>,
    /// Those of which it lost the connection, and has not met since.
    pub(crate) dropped: BTreeSet<PeerId>,
}

impl Record {
    pub(crate) fn note(&mut self, fact: Fact<'_>) {
        match fact {
            Fact::Began { who, id, character } => {
                let (id, state, since) = (id.clone(), State::Awake, self.now);
                let known = Known { id, character, state, since };
                self.peers.insert(who, known);
            }
            Fact::Crashed { who } => {
                self.set_state(who, State::Crashed);
                let of_it = self.visits.iter_mut().filter(|(id, _)| id.who == who);
                for (_, visit) in of_it.filter(|(_, visit)| visit.until.is_none()) {
                    visit.until = Some(self.now);
                }
            }
            Fact::Slept { who } => self.set_state(who, State::Asleep),
            Fact::Woke { who } => self.set_state(who, State::Awake),
            Fact::Joined { visit, place, manner } => {
                let begun = Visit {
                    place,
                    manner,
                    from: self.now,
                    until: None,
                    members: BTreeMap::new(),
                    goodbyes: BTreeMap::new(),
                    dropped: BTreeSet::new(),
                };
                self.visits.insert(visit, begun);
            }
            Fact::Left { visit } => {
                if let Some(visit) = self.visits.get_mut(&visit) {
                    visit.until = Some(self.now);
                }
            }
            Fact::Told { who, event } => self.note_event(who, event),
            Fact::Sent { .. }
            | Fact::Accepted { .. }
            | Fact::Asked { .. }
            | Fact::Answered { .. }
            | Fact::Pinged { .. }
            | Fact::Failing { .. }
            | Fact::Started { .. }
            | Fact::Mended { .. }
            | Fact::Healed => {}
        }
    }

    fn note_event(&mut self, who: Who, event: &Event) {
        let Some(room) = event.room() else { return };
        let Some(visit) = self.visits.get_mut(&VisitId { who, room }) else { return };
        match event {
            Event::PeerJoined { peer, .. } => {
                visit.members.insert(peer.clone(), self.now);
                visit.dropped.remove(peer);
            }
            Event::PeerLeft { peer, reason, .. } => {
                visit.members.remove(peer);
                if matches!(reason, LeaveReason::Lost(_)) {
                    visit.dropped.insert(peer.clone());
                }
                visit.goodbyes.insert(peer.clone(), self.now);
            }
            _ => {}
        }
    }

    fn set_state(&mut self, who: Who, state: State) {
        if let Some(known) = self.peers.get_mut(&who) {
            known.state = state;
            known.since = self.now;
        }
    }

    /// The id of a process.
    pub(crate) fn id(&self, who: Who) -> &PeerId {
        &self.peers[&who].id
    }

    pub(crate) fn is_hostile(&self, who: Who) -> bool {
        self.peers[&who].character == Character::Hostile
    }

    /// Whether this is the id of an honest process. What a hostile one says may name anyone.
    pub(crate) fn is_honest(&self, id: &PeerId) -> bool {
        let mut with_it = self.peers.values().filter(|known| known.id == *id);
        with_it.any(|known| known.character != Character::Hostile)
    }

    pub(crate) fn is_js(&self, who: Who) -> bool {
        self.peers[&who].character == Character::Js
    }

    /// Whether one in JavaScript with this id has dropped a visitor, and has not met it since. It does
    /// not close the connection, and if it leaves the room then, the visitor is told by nothing.
    pub(crate) fn was_dropped_by(&self, js: &PeerId, visit: VisitId) -> bool {
        let (place, id) = (self.visits[&visit].place, self.id(visit.who));
        self.visits.iter().any(|(other, of_js)| {
            self.is_js(other.who)
                && self.id(other.who) == js
                && of_js.place == place
                && of_js.dropped.contains(id)
        })
    }

    /// Whether a process with this id was ever in JavaScript.
    pub(crate) fn was_js(&self, id: &PeerId) -> bool {
        let mut with_it = self.peers.values().filter(|known| known.id == *id);
        with_it.any(|known| known.character == Character::Js)
    }

    pub(crate) fn is_awake(&self, who: Who) -> bool {
        self.peers[&who].state == State::Awake
    }

    /// The visits that have not ended.
    pub(crate) fn open_visits(&self) -> impl Iterator<Item = (VisitId, &Visit)> {
        self.visits
            .iter()
            .filter(|(_, visit)| visit.until.is_none())
            .map(|(id, visit)| (*id, visit))
    }

    /// The open visit of a place by who has this id now.
    pub(crate) fn visit_of(&self, place: Place, id: &PeerId) -> Option<VisitId> {
        let mut open = self.open_visits();
        open.find(|(visit, known)| known.place == place && self.id(visit.who) == id)
            .map(|(visit, _)| visit)
    }

    /// Whether two visitors are to become members of each other.
    pub(crate) fn belong_together(&self, a: VisitId, b: VisitId) -> bool {
        let (of_a, of_b) = (&self.visits[&a], &self.visits[&b]);
        a.who != b.who && of_a.place == of_b.place && of_a.manner.goes_with(of_b.manner)
    }
}
