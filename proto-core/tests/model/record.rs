//! The reference model: what was done, what is under way, and who knows whom, as the nodes'
//! events say. The checks hold each event against it before it is noted.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tristero_proto::{
    CallId, HandshakeId, PeerId, PingId, RequestId, RoomKey, SendId, SendReport, Time, TransferId,
    limits,
};

use super::parcel::Parcel;
use super::scenario::{Kind, Manner, Place};
use super::under_way::{Asked, Call, Greeting, Ping, Send, Transfer};
use crate::common::Who;

/// What is on its way takes no longer than this while nothing is wrong: a way there is at most
/// 105 ms, and what may be sent ahead of it takes a few of them.
const WAY_MAX: Duration = Duration::from_millis(1_500);

/// One stay of a node in a room, from `join` to `leave`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct VisitId(pub usize);

/// One time that a visitor had a peer as a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StayId(pub usize);

#[derive(Debug)]
pub struct Visit {
    pub who: Who,
    pub place: Place,
    pub manner: Manner,
    pub key: RoomKey,
    pub from: Time,
    pub until: Option<Time>,
    /// The actions that were registered, and whether with progress.
    pub actions: BTreeMap<usize, (Kind, bool)>,
    /// Actions that were registered for requests without a handler at some time.
    pub was_unhandled: BTreeSet<usize>,
    /// Whom the application let in, in the last handshake with them and in any.
    pub accepted: BTreeSet<Who>,
    pub ever_accepted: BTreeSet<Who>,
    /// Whom it has just refused.
    pub refused: BTreeSet<Who>,
}

#[derive(Debug)]
pub struct Stay {
    pub visit: VisitId,
    pub guest: Who,
    pub from: Time,
    pub until: Option<Time>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    Awake,
    Asleep,
    /// It was shut down, and has said so or not.
    ShuttingDown,
    ShutDown,
}

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Record {
    pub now: Time,
    pub ids: Vec<PeerId>,
    pub health: Vec<Health>,
    pub visits: Vec<Visit>,
    pub stays: Vec<Stay>,
    pub parcels: Vec<Parcel>,
    pub sends: BTreeMap<(VisitId, SendId), Send>,
    pub requests: BTreeMap<(VisitId, RequestId), Asked>,
    pub calls: BTreeMap<(VisitId, CallId), Call>,
    pub pings: BTreeMap<(VisitId, PingId), Ping>,
    pub greetings: BTreeMap<(VisitId, HandshakeId), Greeting>,
    pub transfers: BTreeMap<(VisitId, TransferId), Transfer>,
    /// The last parcel that came from one node to another on an action of a place.
    pub last_arrivals: BTreeMap<(Who, Who, Place, usize), usize>,
    /// Members with which something ended because they leave: `PeerLeft` has to follow at once.
    pub leaving: BTreeSet<(VisitId, Who)>,
    /// When something was wrong with the network or a node.
    troubles: Vec<(Time, Option<Time>)>,
    trouble_depth: usize,
}

impl Visit {
    /// Whether a peer that it has as a member is about to have it as one too: nothing but the
    /// connection is between them.
    fn is_plain(&self) -> bool {
        matches!(self.place, Place::Lobby | Place::Abroad)
    }
}

impl Record {
    pub fn add_node(&mut self, id: PeerId) {
        self.ids.push(id);
        self.health.push(Health::Awake);
    }

    pub fn everyone(&self) -> impl Iterator<Item = Who> + use<> {
        (0..self.ids.len()).map(Who)
    }

    pub fn is_awake(&self, who: Who) -> bool {
        self.health[who.0] == Health::Awake
    }

    pub fn is_shut_down(&self, who: Who) -> bool {
        matches!(self.health[who.0], Health::ShuttingDown | Health::ShutDown)
    }

    pub fn id(&self, who: Who) -> &PeerId {
        &self.ids[who.0]
    }

    pub fn who(&self, id: &PeerId) -> Option<Who> {
        self.ids.iter().position(|other| other == id).map(Who)
    }

    pub fn visit(&self, id: VisitId) -> &Visit {
        &self.visits[id.0]
    }

    /// The visit that a node calls by this key, also when it is over.
    pub fn visit_of(&self, who: Who, key: RoomKey) -> Option<VisitId> {
        self.visits.iter().position(|visit| visit.who == who && visit.key == key).map(VisitId)
    }

    /// The visit of a node to a place that is not over.
    pub fn current(&self, who: Who, place: Place) -> Option<VisitId> {
        self.open_visits().find(|id| self.visit(*id).who == who && self.visit(*id).place == place)
    }

    pub fn open_visits(&self) -> impl Iterator<Item = VisitId> {
        let open = self.visits.iter().enumerate().filter(|(_, visit)| visit.until.is_none());
        open.map(|(index, _)| VisitId(index))
    }

    /// The visits of a node to a place, the last first.
    pub fn visits_to(&self, who: Who, place: Place) -> impl Iterator<Item = VisitId> {
        let all = self.visits.iter().enumerate().rev();
        let its = all.filter(move |(_, visit)| visit.who == who && visit.place == place);
        its.map(|(index, _)| VisitId(index))
    }

    /// Whether a peer is a member for a visitor, as its events say.
    pub fn stay(&self, visit: VisitId, guest: Who) -> Option<StayId> {
        let is_it =
            |stay: &Stay| stay.visit == visit && stay.guest == guest && stay.until.is_none();
        self.stays.iter().position(is_it).map(StayId)
    }

    pub fn members(&self, visit: VisitId) -> BTreeSet<Who> {
        let here = self.stays.iter().filter(|stay| stay.visit == visit && stay.until.is_none());
        here.map(|stay| stay.guest).collect()
    }

    /// Whether this stay goes on, and what was sent to the guest at that time came to one that had
    /// the visitor as a member as well.
    pub fn are_together_since(&self, id: StayId, since: Time) -> bool {
        let stay = &self.stays[id.0];
        let here = self.visit(stay.visit);
        let Some(other) = self.current(stay.guest, here.place) else { return false };
        let Some(theirs) = self.stay(other, here.who) else { return false };
        let was_there = self.stays[theirs.0].from <= since;
        stay.until.is_none() && (was_there || here.is_plain())
    }

    pub fn begin_trouble(&mut self) {
        if self.trouble_depth == 0 {
            self.troubles.push((self.now, None));
        }
        self.trouble_depth += 1;
    }

    pub fn end_trouble(&mut self) {
        self.trouble_depth -= 1;
        if self.trouble_depth == 0
            && let Some((_, until)) = self.troubles.last_mut()
        {
            *until = Some(self.now);
        }
    }

    /// Whether nothing has ever been wrong with the network or a node.
    pub fn was_calm(&self) -> bool {
        self.troubles.is_empty()
    }

    /// Whether something was wrong not longer ago than this.
    pub fn was_troubled_lately(&self, time: Duration) -> bool {
        let last = self.troubles.last().map(|(_, until)| until.unwrap_or(self.now));
        last.is_some_and(|until| self.now.since(until) <= time)
    }

    /// Whether something that was sent then may still be on its way, or have only just arrived.
    pub fn may_be_under_way(&self, since: Time) -> bool {
        self.may_be_under_way_at(since, self.now)
    }

    /// Whether something that was sent at `since` may still have been on its way at `at`.
    pub fn may_be_under_way_at(&self, since: Time, at: Time) -> bool {
        at.since(since) <= WAY_MAX + self.troubled(since, at)
    }

    /// For how long something was wrong in that time.
    fn troubled(&self, since: Time, until: Time) -> Duration {
        let overlap = |(from, to): &(Time, Option<Time>)| {
            to.unwrap_or(until).min(until).since((*from).max(since))
        };
        self.troubles.iter().map(overlap).sum()
    }

    /// Whether something that was sent then may have been given up because a connection took nothing
    /// for so long: for a good part of that time nothing went through, or of the same time before,
    /// so that the other side has given the connection up.
    pub fn may_have_stalled(&self, since: Time) -> bool {
        let stall = limits::SEND_STALL_MAX;
        let since = Time::ZERO + since.since(Time::ZERO + stall + WAY_MAX);
        self.troubled(since, self.now) >= stall / 2
    }

    /// The parcel that a call of `send` or `send_stream` has sent.
    pub fn parcel_of(&self, visit: VisitId, send: SendId) -> Option<&Parcel> {
        let is_it = |parcel: &&Parcel| parcel.from == visit && parcel.send == send;
        self.parcels.iter().find(is_it).filter(|parcel| !parcel.is_request)
    }

    /// Whether its sender has given a parcel up for one of its targets, and need not have sent it.
    pub fn is_given_up(&self, parcel: &Parcel, guest: Who) -> bool {
        if parcel.is_request {
            return parcel.is_request_given_up;
        }
        let Some(send) = self.sends.get(&(parcel.from, parcel.send)) else { return false };
        let has_failed =
            |report: &SendReport| report.failed.iter().any(|(id, _)| self.who(id) == Some(guest));
        send.report.as_ref().is_some_and(has_failed)
    }
}
