//! The application of one node, which holds whatever the node says against what was promised.
//!
//! - `PeerJoined` precedes all else of a peer, nothing follows `PeerLeft`, nothing is said of a room
//!   that was left, and nothing at all after `ShutDown`.
//! - What is under way ends once, and before the peer leaves that it is under way with.
//! - `parcels`: what arrives is what was sent, at most once and in order, as long as nobody has
//!   written into the connections.

mod parcels;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use tristero_proto::engine::Engine;
use tristero_proto::{
    CallId, Event, HandshakeId, Node, PeerId, PingId, RequestId, RoomKey, SendId, SendReport, Time,
    TransferId,
};

use parcels::Parcels;
pub(crate) use parcels::{Parcel, content};

/// So much of what has ended is remembered, so that the node can be asked for it again.
const ENDED_MAX: usize = 128;

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Witness {
    pub(crate) now: Time,
    id: PeerId,
    pub(crate) visits: BTreeMap<RoomKey, Visit>,
    things: BTreeMap<(RoomKey, Thing), Course>,
    /// What has ended, the oldest first.
    ended: VecDeque<(RoomKey, Thing)>,
    pub(crate) parcels: Parcels,
    /// Whether someone has written into a connection of the node, so that what arrives may be
    /// anything.
    pub(crate) is_deceived: bool,
    is_shut_down: bool,
    /// What was heard, by its name, to see that a story is about what it should be.
    #[cfg(test)]
    pub(crate) heard: BTreeSet<String>,
}

/// One stay in a room.
#[derive(Debug)]
pub(crate) struct Visit {
    /// Which room it is.
    pub(crate) place: u8,
    pub(crate) is_over: bool,
    members: BTreeSet<PeerId>,
}

/// Something that is begun once and ends once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Thing {
    Send(SendId),
    Request(RequestId),
    Call(CallId),
    Ping(PingId),
    Handshake(HandshakeId),
    Transfer(TransferId),
}

/// How such a thing goes.
#[derive(Debug, Default)]
struct Course {
    is_over: bool,
    /// Whom it was begun with, and who of them has not left since.
    with: BTreeSet<PeerId>,
    staying: BTreeSet<PeerId>,
    /// Targets that were no members.
    absent: BTreeSet<PeerId>,
    /// Whether the node owes a word that more of a stream is wanted.
    owes_ready: bool,
}

impl Witness {
    pub(crate) fn new(id: &str) -> Self {
        Witness {
            now: Time::ZERO,
            id: PeerId::new(id).expect("this is an id"),
            visits: BTreeMap::new(),
            things: BTreeMap::new(),
            ended: VecDeque::new(),
            parcels: Parcels::default(),
            is_deceived: false,
            is_shut_down: false,
            #[cfg(test)]
            heard: BTreeSet::new(),
        }
    }

    /// The application has joined a room. The node may give a room again that it is in.
    pub(crate) fn join(&mut self, room: RoomKey, place: u8) {
        let visit = self.visits.entry(room);
        let visit = visit.or_insert(Visit { place, is_over: false, members: BTreeSet::new() });
        assert!(!visit.is_over && visit.place == place, "{room:?} was another room");
    }

    /// The application leaves a room: nothing that was under way there matters any more.
    pub(crate) fn leave(&mut self, room: RoomKey) {
        if let Some(visit) = self.visits.get_mut(&room) {
            visit.is_over = true;
            visit.members.clear();
        }
        for ((of, _), course) in &mut self.things {
            course.is_over |= *of == room;
        }
    }

    pub(crate) fn leave_all(&mut self) {
        self.visits.keys().copied().collect::<Vec<_>>().into_iter().for_each(|key| self.leave(key));
    }

    /// The application begins something with those of these that are members.
    pub(crate) fn begin(&mut self, room: RoomKey, thing: Thing, with: Option<&[PeerId]>) {
        let members = self.members(room);
        let named: BTreeSet<PeerId> = with.map_or(members.clone(), |w| w.iter().cloned().collect());
        let (with, absent) = named.into_iter().partition(|peer| members.contains(peer));
        self.start(room, thing, with, absent);
    }

    /// A stream is begun, or fed.
    pub(crate) fn feed(&mut self, room: RoomKey, send: SendId) {
        if let Some(course) = self.things.get_mut(&(room, Thing::Send(send))) {
            course.owes_ready = true;
        }
    }

    /// The application ends something on its own: nothing more is said of it.
    pub(crate) fn end(&mut self, room: RoomKey, thing: Thing) {
        if self.is_under_way(room, thing) {
            self.finish(room, thing);
        }
    }

    /// All that was ever begun.
    pub(crate) fn things(&self) -> impl Iterator<Item = (RoomKey, Thing)> {
        self.things.keys().copied()
    }

    pub(crate) fn is_under_way(&self, room: RoomKey, thing: Thing) -> bool {
        self.things.get(&(room, thing)).is_some_and(|course| !course.is_over)
    }

    /// Whom something was begun with.
    pub(crate) fn with(&self, room: RoomKey, thing: Thing) -> Vec<PeerId> {
        let course = self.things.get(&(room, thing));
        course.map(|course| course.with.iter().cloned().collect()).unwrap_or_default()
    }

    pub(crate) fn members(&self, room: RoomKey) -> BTreeSet<PeerId> {
        self.visits.get(&room).map(|visit| visit.members.clone()).unwrap_or_default()
    }

    /// Takes what the node says. `other` is the application of the node that it may talk to.
    pub(crate) fn hear(&mut self, event: &Event, other: &mut Witness) {
        #[cfg(test)]
        self.heard.extend(format!("{event:?}").split([' ', '{']).next().map(str::to_owned));
        assert!(!self.is_shut_down, "{:?} says after its end: {event:?}", self.id);
        if *event == Event::ShutDown {
            assert!(self.visits.values().all(|visit| visit.is_over), "it ends in a room");
            self.is_shut_down = true;
        }
        // Of a track something may be said in all rooms together.
        let Some(room) = event.room() else { return };
        let is_open = self.visits.get(&room).is_some_and(|visit| !visit.is_over);
        assert!(is_open, "{:?} says of a room that was left: {event:?}", self.id);
        self.hear_of_members(room, event);
        self.hear_of_things(room, event);
        self.hear_of_parcels(room, event, other);
    }

    /// What can be asked of the node is what it said.
    pub(crate) fn check<E: Engine>(&self, node: &Node<E>) {
        for (room, visit) in &self.visits {
            assert!(node.peers(*room).eq(&visit.members), "{:?} did not say who is there", self.id);
        }
    }

    /// When nothing has been wrong for long, all that was sent has gone, unless it is a stream that
    /// was not finished or waits behind one.
    pub(crate) fn check_sent(&self) {
        let is_open = |(_, course): &(_, &Course)| !course.is_over;
        let open = self.things.iter().filter(|((_, thing), _)| matches!(thing, Thing::Send(_)));
        let open: Vec<_> = open.filter(is_open).collect();
        assert!(open.is_empty(), "{:?} still sends {open:?}", self.id);
    }

    fn hear_of_members(&mut self, room: RoomKey, event: &Event) {
        let visit = self.visits.get_mut(&room).expect("it was just looked up");
        match event {
            Event::PeerJoined { peer, .. } => {
                assert!(*peer != self.id, "it has joined itself");
                assert!(visit.members.insert(peer.clone()), "{peer} joined twice");
            }
            Event::PeerLeft { peer, .. } => {
                assert!(visit.members.remove(peer), "{peer} left and had not joined");
                self.end_stay(room, peer);
            }
            Event::Handshake { peer, .. } => {
                assert!(!visit.members.contains(peer), "{peer} is a member, and is greeted");
            }
            Event::Message { peer, .. }
            | Event::Receiving { peer, .. }
            | Event::Sending { peer, .. }
            | Event::Request { peer, .. }
            | Event::Pong { peer, .. }
            | Event::TransferBegan { peer, .. }
            | Event::PeerStream { peer, .. }
            | Event::PeerTrack { peer, .. }
            | Event::TrackReplaced { peer, .. }
            | Event::PeerTrackEnded { peer, .. }
            | Event::PeerStreamEnded { peer, .. } => {
                assert!(visit.members.contains(peer), "{peer} is no member: {event:?}");
            }
            _ => {}
        }
    }

    fn hear_of_things(&mut self, room: RoomKey, event: &Event) {
        let only = |peer: &PeerId| BTreeSet::from([peer.clone()]);
        match event {
            Event::Request { peer, request, .. } => {
                self.start(room, Thing::Call(request.call), only(peer), BTreeSet::new());
            }
            Event::Handshake { peer, handshake, .. } => {
                let is_greeted = |((of, thing), course): (&(RoomKey, Thing), &Course)| {
                    let is_handshake = matches!(thing, Thing::Handshake(_));
                    *of == room && is_handshake && !course.is_over && course.with.contains(peer)
                };
                assert!(!self.things.iter().any(is_greeted), "{peer} is greeted already");
                self.start(room, Thing::Handshake(*handshake), only(peer), BTreeSet::new());
            }
            Event::TransferBegan { peer, transfer, .. } => {
                self.start(room, Thing::Transfer(*transfer), only(peer), BTreeSet::new());
            }
            Event::HandshakeData { handshake, .. } => {
                self.course(room, Thing::Handshake(*handshake));
            }
            Event::TransferPiece { transfer, .. } => {
                self.course(room, Thing::Transfer(*transfer));
            }
            Event::Sending { send, peer, fraction, .. } => {
                let is_it = |thing: &Thing| match thing {
                    Thing::Send(other) => other == send,
                    Thing::Request(request) => request.send_id() == *send,
                    _ => false,
                };
                let thing = self.things.keys().find(|(of, thing)| *of == room && is_it(thing));
                let (_, thing) = *thing.expect("progress of what was never sent");
                assert!(self.course(room, thing).with.contains(peer), "{peer} is no target");
                assert!((0.0..=1.0).contains(fraction), "progress of {fraction}");
            }
            Event::SendReady { send, .. } => {
                let course = self.course(room, Thing::Send(*send));
                assert!(std::mem::take(&mut course.owes_ready), "nobody asked to feed {send:?}");
            }
            Event::Sent { send, report, .. } => {
                check_report(self.course(room, Thing::Send(*send)), report);
                self.finish(room, Thing::Send(*send));
            }
            Event::CallEnded { call, .. } => self.finish(room, Thing::Call(*call)),
            Event::Response { request, .. } => self.finish(room, Thing::Request(*request)),
            Event::Pong { ping, peer, .. } => {
                assert!(
                    self.course(room, Thing::Ping(*ping)).with.contains(peer),
                    "{peer} answers"
                );
                self.finish(room, Thing::Ping(*ping));
            }
            Event::HandshakeEnded { handshake, .. } => {
                self.finish(room, Thing::Handshake(*handshake));
            }
            Event::TransferEnded { transfer, .. } => self.finish(room, Thing::Transfer(*transfer)),
            _ => {}
        }
    }

    fn start(
        &mut self,
        room: RoomKey,
        thing: Thing,
        with: BTreeSet<PeerId>,
        absent: BTreeSet<PeerId>,
    ) {
        let course = Course { staying: with.clone(), with, absent, ..Course::default() };
        let old = self.things.insert((room, thing), course);
        assert!(old.is_none(), "{thing:?} was there already");
    }

    /// Something that has begun and not ended.
    fn course(&mut self, room: RoomKey, thing: Thing) -> &mut Course {
        let course = self.things.get_mut(&(room, thing)).filter(|course| !course.is_over);
        course.unwrap_or_else(|| panic!("{thing:?} is not under way"))
    }

    fn finish(&mut self, room: RoomKey, thing: Thing) {
        self.course(room, thing).is_over = true;
        self.ended.push_back((room, thing));
        if self.ended.len() > ENDED_MAX
            && let Some(oldest) = self.ended.pop_front()
        {
            self.things.remove(&oldest);
        }
    }

    /// What was under way with a peer alone must have ended.
    fn end_stay(&mut self, room: RoomKey, peer: &PeerId) {
        for ((of, thing), course) in &mut self.things {
            if *of == room && !course.is_over && course.staying.remove(peer) {
                assert!(!course.staying.is_empty(), "{peer} left before {thing:?} ended");
            }
        }
    }
}

/// A report names every target once, and fails those that were no members.
fn check_report(course: &Course, report: &SendReport) {
    let failed = report.failed.iter().map(|(peer, _)| peer);
    let named: Vec<&PeerId> = report.delivered.iter().chain(failed).collect();
    let expected: BTreeSet<&PeerId> = course.with.iter().chain(&course.absent).collect();
    let is_complete = named.iter().copied().collect::<BTreeSet<_>>() == expected;
    assert!(is_complete && named.len() == expected.len(), "{report:?} is not for {expected:?}");
    let has_reached = report.delivered.iter().all(|peer| course.with.contains(peer));
    assert!(has_reached, "{report:?}: it reached one that was no member");
}
