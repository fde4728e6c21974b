//! What a page tells of a run, kept while it runs.
//!
//! It sees what the checks see, and keeps times and sizes, not bytes. All of it is bounded, and what
//! was left out is counted.

use std::collections::BTreeMap;
use std::time::Duration;

use tristero_proto::signaling::{RelayState, RelayStatus, RelayUrl};
use tristero_proto::{Event, LeaveReason, PeerId, RelayConfig, Time};

use super::traffic::Traffic;
use crate::relays::Relay;
use crate::soak::{Character, Fact, FaultKind, Manner, Place, Record, VisitId, Watch, Whom};
use crate::world::{Who, World};

/// What was seen of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Recording {
    /// When it was looked at last.
    pub(super) ended: Time,
    pub(super) healed: Option<Time>,
    pub(super) relays: Vec<RelayUrl>,
    pub(super) processes: BTreeMap<Who, Process>,
    pub(super) stays: BTreeMap<VisitId, Stay>,
    pub(super) faults: Vec<Fault>,
    /// From when two were in a room until the one was told of the other, the first time.
    pub(super) meetings: Vec<Duration>,
    pub(super) traffic: Traffic,
    pub(super) samples: Vec<Sample>,
    pub(super) tally: Tally,
    /// What there was no place for.
    pub(super) left_out: u64,
}

/// A time that may not be over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: Time,
    pub(super) until: Option<Time>,
}

/// A process, from its beginning to its crash.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Process {
    pub(super) id: PeerId,
    pub(super) character: Character,
    pub(super) life: Span,
    pub(super) sleeps: Vec<Span>,
    /// Its link to each relay.
    pub(super) links: BTreeMap<usize, Vec<Span>>,
    /// When it sent something, and when something arrived.
    pub(super) sent: Vec<Time>,
    pub(super) arrived: Vec<Time>,
}

/// A stay of a process in a room.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stay {
    pub(super) place: Place,
    pub(super) manner: Manner,
    pub(super) span: Span,
    /// Whom it was told of as a member.
    pub(super) met: Vec<Membership>,
}

/// For how long somebody was a member, as another was told.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Membership {
    pub(super) id: PeerId,
    pub(super) who: Who,
    pub(super) span: Span,
}

/// Something that went wrong.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fault {
    pub(super) kind: FaultKind,
    pub(super) whom: Whom,
    pub(super) from: Time,
    /// `from`, if it was a matter of a moment.
    pub(super) until: Time,
}

/// What all nodes held at one time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sample {
    pub(super) at: Time,
    pub(super) connections: usize,
    pub(super) queued: usize,
}

/// How often what happened.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Tally {
    pub(super) joins: u64,
    pub(super) leaves: u64,
    pub(super) met: u64,
    pub(super) said_goodbye: u64,
    pub(super) lost: u64,
    pub(super) cut: u64,
    pub(super) failed_joins: u64,
    pub(super) links: u64,
    pub(super) faults: BTreeMap<FaultKind, u64>,
}

impl Watch for Recording {
    fn begin(&mut self, relays: &[(Relay, RelayConfig)]) {
        self.relays = relays.iter().map(|(_, config)| config.url.clone()).collect();
    }

    fn see(&mut self, fact: Fact<'_>, record: &Record) {
        let now = record.now;
        self.ended = now;
        match fact {
            Fact::Began { who, id, character } => {
                self.processes.insert(who, Process::new(id, character, now));
            }
            Fact::Crashed { who } => self.on_crash(who, now),
            Fact::Slept { who } => {
                if let Some(process) = self.processes.get_mut(&who) {
                    process.sleeps.push(Span::since(now));
                }
            }
            Fact::Woke { who } => {
                let process = self.processes.get_mut(&who);
                end_last(process.and_then(|process| process.sleeps.last_mut()), now);
            }
            Fact::Joined { visit, place, manner } => {
                self.tally.joins += 1;
                if self.stays.len() < STAYS_MAX {
                    let (span, met) = (Span::since(now), Vec::new());
                    self.stays.insert(visit, Stay { place, manner, span, met });
                } else {
                    self.left_out += 1;
                }
            }
            Fact::Left { visit } => {
                self.tally.leaves += 1;
                self.stays.get_mut(&visit).into_iter().for_each(|stay| stay.end(now));
            }
            Fact::Sent { visit, action, parcel, send: _, to } => {
                self.traffic.on_sent(action, parcel, to.len(), now);
                if !to.is_empty() {
                    self.mark(visit.who, now, |process| &mut process.sent);
                }
            }
            Fact::Asked { visit, parcel, request, target: _, timeout: _ } => {
                self.traffic.on_asked(visit, request, parcel, now);
                self.mark(visit.who, now, |process| &mut process.sent);
            }
            Fact::Answered { .. } | Fact::Accepted { .. } => {}
            Fact::Pinged { .. } => self.traffic.on_pinged(),
            Fact::Told { who, event } => self.on_told(who, event, record),
            Fact::Failing { kind, whom, lasts } => self.on_fault(kind, whom, lasts, now),
            Fact::Started { relay } => self.end_faults(now, |fault| {
                fault.whom == Whom::Relay(relay) && fault.kind == FaultKind::RelayCrash
            }),
            Fact::Mended { relay } => self.end_faults(now, |fault| {
                fault.whom == Whom::Relay(relay) && fault.kind != FaultKind::RelayCrash
            }),
            Fact::Healed => {
                self.healed = Some(now);
                self.end_faults(now, |_| true);
            }
        }
    }

    fn look(&mut self, world: &World, record: &Record) {
        self.ended = record.now;
        let is_due = |last: &Sample| record.now >= last.at + SAMPLE_INTERVAL;
        if self.samples.len() >= SAMPLES_MAX || !self.samples.last().is_none_or(is_due) {
            return;
        }
        let nodes = record.peers.keys().filter_map(|who| world.node(*who));
        let sample = nodes.map(|node| node.load()).fold(
            Sample { at: record.now, connections: 0, queued: 0 },
            |sum, load| Sample {
                connections: sum.connections + load.connections,
                queued: sum.queued + load.queued,
                ..sum
            },
        );
        self.samples.push(sample);
    }
}

impl Recording {
    /// How long it went on.
    pub(super) fn length(&self) -> Duration {
        self.ended.since_epoch()
    }

    fn on_crash(&mut self, who: Who, now: Time) {
        if let Some(process) = self.processes.get_mut(&who) {
            process.life.until = Some(now);
            end_last(process.sleeps.last_mut(), now);
            process.links.values_mut().for_each(|spans| end_last(spans.last_mut(), now));
        }
        let of_it = self.stays.iter_mut().filter(|(visit, _)| visit.who == who);
        of_it.for_each(|(_, stay)| stay.end(now));
    }

    fn on_told(&mut self, who: Who, event: &Event, record: &Record) {
        let (now, Some(room)) = (record.now, event.room()) else { return };
        let visit = VisitId { who, room };
        match event {
            Event::PeerJoined { peer, .. } => self.on_met(visit, peer, record),
            Event::PeerLeft { peer, reason, .. } => {
                match reason {
                    LeaveReason::Left => self.tally.said_goodbye += 1,
                    LeaveReason::Lost(_) => self.tally.lost += 1,
                    LeaveReason::Cut(_) => self.tally.cut += 1,
                    _ => {}
                }
                let met = self.stays.get_mut(&visit).map(|stay| stay.met.iter_mut().rev());
                let member = met.and_then(|mut met| met.find(|member| member.id == *peer));
                end_last(member.map(|member| &mut member.span), now);
            }
            Event::JoinFailed { .. } => self.tally.failed_joins += 1,
            Event::Relay { status, .. } => self.on_relay(who, status, now),
            _ => {
                if self.traffic.on_told(visit, event, now) {
                    self.mark(who, now, |process| &mut process.arrived);
                }
            }
        }
    }

    fn on_met(&mut self, visit: VisitId, peer: &PeerId, record: &Record) {
        self.tally.met += 1;
        let known = self.processes.iter().rev().find(|(_, process)| process.id == *peer);
        let Some(met) = known.map(|(who, _)| *who) else { return };
        let Some(stay) = self.stays.get_mut(&visit) else { return };
        if stay.met.len() >= MEETINGS_MAX {
            self.left_out += 1;
            return;
        }
        let is_first = stay.met.iter().all(|member| member.who != met);
        let span = Span::since(record.now);
        stay.met.push(Membership { id: peer.clone(), who: met, span });
        let theirs = record.visit_of(stay.place, peer).map(|theirs| &record.visits[&theirs]);
        if let Some(theirs) = theirs.filter(|_| is_first) {
            let since = stay.span.from.max(theirs.from);
            self.meetings.push(record.now.since(since));
        }
    }

    fn on_relay(&mut self, who: Who, status: &RelayStatus, now: Time) {
        let relay = self.relays.iter().position(|url| *url == status.url);
        let process = self.processes.get_mut(&who);
        let (Some(relay), Some(process)) = (relay, process) else { return };
        let spans = process.links.entry(relay).or_default();
        let stands = spans.last().is_some_and(|span| span.until.is_none());
        // Each of its rooms tells of the same link.
        match (stands, status.state == RelayState::Open) {
            (false, true) if spans.len() < LINKS_MAX => {
                self.tally.links += 1;
                spans.push(Span::since(now));
            }
            (false, true) => self.left_out += 1,
            (true, false) => end_last(spans.last_mut(), now),
            (true, true) | (false, false) => {}
        }
    }

    fn on_fault(&mut self, kind: FaultKind, whom: &Whom, lasts: Option<Duration>, now: Time) {
        *self.tally.faults.entry(kind).or_default() += 1;
        if self.faults.len() >= FAULTS_MAX {
            self.left_out += 1;
            return;
        }
        let until = now + lasts.unwrap_or_default();
        self.faults.push(Fault { kind, whom: whom.clone(), from: now, until });
    }

    /// Has those that would go on end now.
    fn end_faults(&mut self, now: Time, are_meant: impl Fn(&Fault) -> bool) {
        let going_on = self.faults.iter_mut().filter(|fault| fault.until > now && are_meant(fault));
        going_on.for_each(|fault| fault.until = now);
    }

    fn mark(&mut self, who: Who, now: Time, of: impl FnOnce(&mut Process) -> &mut Vec<Time>) {
        let Some(process) = self.processes.get_mut(&who) else { return };
        let marks = of(process);
        if marks.len() < MARKS_MAX {
            marks.push(now);
        } else {
            self.left_out += 1;
        }
    }
}

impl Span {
    fn since(from: Time) -> Self {
        Span { from, until: None }
    }

    /// When it ended, in a run that ended then.
    pub(super) fn end(self, run: Time) -> Time {
        self.until.unwrap_or(run)
    }

    /// Whether it contains a moment.
    pub(super) fn contains(self, at: Time) -> bool {
        self.from <= at && self.until.is_none_or(|until| at < until)
    }
}

impl Process {
    fn new(id: &PeerId, character: Character, now: Time) -> Self {
        Process {
            id: id.clone(),
            character,
            life: Span::since(now),
            sleeps: Vec::new(),
            links: BTreeMap::new(),
            sent: Vec::new(),
            arrived: Vec::new(),
        }
    }
}

impl Stay {
    fn end(&mut self, now: Time) {
        end_last(Some(&mut self.span), now);
        self.met.iter_mut().for_each(|member| end_last(Some(&mut member.span), now));
    }

    /// Whether somebody was a member at that moment.
    pub(super) fn has_met(&self, who: Who, at: Time) -> bool {
        self.met.iter().any(|member| member.who == who && member.span.contains(at))
    }
}

/// Ends it unless it has ended.
fn end_last(span: Option<&mut Span>, now: Time) {
    if let Some(span) = span {
        span.until.get_or_insert(now);
    }
}

/// How often the load is looked at; finer than a plot of a minute shows.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(250);

/// Many times what the longest runs have. A page of so much is still one that a browser opens.
const SAMPLES_MAX: usize = 8_000;
const STAYS_MAX: usize = 2_000;
const FAULTS_MAX: usize = 1_000;
/// Of one stay.
const MEETINGS_MAX: usize = 500;
/// Of one process with one relay.
const LINKS_MAX: usize = 500;
/// Of one process in each direction.
const MARKS_MAX: usize = 50_000;
