//! What goes wrong, and when it is over: every fault lasts for a while, so that it matters.

use std::time::Duration;

use tristero_proto::{PeerId, Rng};

use super::options::{FaultKind, Options, draw_conditions, index, number};
use super::record::{Character, Fact};
use super::run::{Later, Run};
use crate::network::{Conditions, HostId, Realm};
use crate::relays::{Faults as RelayFaults, LinkFault, Relay};
use crate::world::Who;

/// The state of all faults.
#[derive(Debug)]
pub(super) struct Faults {
    rng: Rng,
    /// What has not ended.
    going_on: Vec<Ending>,
}

/// How something that goes wrong ends.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Ending {
    /// A machine wakes up.
    Wake(Who),
    /// A process begins in place of one that ended.
    Replace(Option<PeerId>),
    /// A hostile process ends.
    Expel(Who),
    /// A relay takes links again.
    StartRelay(Relay),
    /// Nothing is wrong with a relay any more.
    MendRelay(Relay),
}

impl Faults {
    pub(super) fn new(rng: Rng) -> Self {
        Faults { rng, going_on: Vec::new() }
    }

    /// How long until something goes wrong.
    pub(super) fn pause(&mut self, options: &Options) -> Duration {
        self.rng.duration_below(options.fault_interval * 2)
    }
}

impl Run {
    /// Lets something go wrong.
    pub(super) fn fail(&mut self) -> Result<(), String> {
        if self.options.faults.is_empty() {
            return Ok(());
        }
        let kind = self.options.faults[index(&mut self.faults.rng, self.options.faults.len())];
        let lasts = Duration::from_millis(number(&mut self.faults.rng, 500, 30_000).into());
        self.log(|| format!("fault: {kind:?} for {lasts:?}"));
        match kind {
            FaultKind::Partition => self.part(lasts),
            FaultKind::OneWay => {
                self.with_two_hosts(|run, a, b| run.world.network().cut_way(a, b, lasts));
            }
            FaultKind::Clog => {
                self.with_two_hosts(|run, a, b| run.world.network().clog(a, b, lasts));
            }
            FaultKind::Crash | FaultKind::Restart => return self.crash(kind, lasts),
            FaultKind::Sleep => return self.sleep(lasts),
            FaultKind::Roam => {
                if let Some(who) = self.any_awake() {
                    self.world.roam(who);
                    return self.observe();
                }
            }
            FaultKind::Move => {
                if let Some(who) = self.any_awake() {
                    let realm = self.any_realm();
                    self.world.roam_to(who, realm);
                    return self.observe();
                }
            }
            FaultKind::Rebind => {
                if let Realm::Behind(nat) = self.any_realm() {
                    self.world.network().forget_mappings(nat);
                }
            }
            FaultKind::RelayCrash => {
                let relay = self.any_relay();
                self.world.stop_relay(relay);
                self.end_later(Ending::StartRelay(relay), lasts);
            }
            FaultKind::Intruder => return self.intrude(lasts),
            FaultKind::RelayStall
            | FaultKind::RelayLossy
            | FaultKind::RelayDoubling
            | FaultKind::RelayReordering
            | FaultKind::RelayHalfOpen
            | FaultKind::RelayRefusing
            | FaultKind::RelayRateLimit
            | FaultKind::RelayReplay
            | FaultKind::RelayHostile => self.hurt_relay(kind, lasts),
            FaultKind::Weather => {
                let conditions = draw_conditions(&mut self.faults.rng);
                self.world.network().set_conditions(conditions);
            }
        }
        Ok(())
    }

    /// Ends something that goes wrong.
    pub(super) fn end_fault(&mut self, ending: &Ending) -> Result<(), String> {
        let Some(place) = self.faults.going_on.iter().position(|other| other == ending) else {
            return Ok(());
        };
        self.faults.going_on.swap_remove(place);
        self.log(|| format!("over: {ending:?}"));
        match ending {
            Ending::Wake(who) => {
                self.note(Fact::Woke { who: *who })?;
                self.world.wake(*who);
                self.observe()?;
            }
            Ending::Replace(id) => {
                let who = self.begin(id.clone(), Character::Honest)?;
                let place = number(&mut self.faults.rng, 0, self.options.rooms - 1);
                self.join(who, place)?;
            }
            Ending::Expel(who) if self.record.is_awake(*who) => self.end_process(*who)?,
            // It has crashed before.
            Ending::Expel(_) => {}
            Ending::StartRelay(relay) => self.world.start_relay(*relay),
            Ending::MendRelay(relay) => {
                self.world.set_relay_faults(*relay, RelayFaults::default());
            }
        }
        Ok(())
    }

    /// Ends everything that goes wrong. The network is a good one from now on.
    pub(super) fn heal(&mut self) -> Result<(), String> {
        for ending in self.faults.going_on.clone() {
            self.end_fault(&ending)?;
        }
        self.world.network().heal();
        self.world.network().set_conditions(Conditions::default());
        self.note(Fact::Healed)
    }

    fn part(&mut self, lasts: Duration) {
        let hosts: Vec<HostId> = self.world.everyone().map(|who| self.world.host(who)).collect();
        let one_side: Vec<HostId> =
            hosts.into_iter().filter(|_| self.faults.rng.below(2) == 0).collect();
        self.world.network().partition(&one_side, lasts);
    }

    fn crash(&mut self, kind: FaultKind, lasts: Duration) -> Result<(), String> {
        let Some(who) = self.any_awake() else { return Ok(()) };
        let id = (kind == FaultKind::Restart).then(|| self.record.id(who).clone());
        let is_hostile = self.record.is_hostile(who);
        self.end_process(who)?;
        // Hostile peers come by themselves.
        if !is_hostile {
            self.end_later(Ending::Replace(id), lasts);
        }
        Ok(())
    }

    fn end_process(&mut self, who: Who) -> Result<(), String> {
        self.note(Fact::Crashed { who })?;
        self.world.crash(who);
        Ok(())
    }

    /// Has a hostile peer come into the rooms, for a while.
    fn intrude(&mut self, lasts: Duration) -> Result<(), String> {
        let is_there = |ending: &Ending| matches!(ending, Ending::Expel(_));
        if self.faults.going_on.iter().any(is_there) {
            return Ok(());
        }
        let who = self.begin(None, Character::Hostile)?;
        self.end_later(Ending::Expel(who), lasts * INTRUSION_FACTOR);
        for place in 0..self.options.rooms {
            self.join(who, place)?;
        }
        Ok(())
    }

    fn sleep(&mut self, lasts: Duration) -> Result<(), String> {
        let Some(who) = self.any_awake() else { return Ok(()) };
        // What is hostile does not rest.
        if self.record.is_hostile(who) {
            return Ok(());
        }
        self.note(Fact::Slept { who })?;
        self.world.sleep(who);
        self.end_later(Ending::Wake(who), lasts);
        Ok(())
    }

    /// The Internet, or a network behind a NAT.
    fn any_realm(&mut self) -> Realm {
        let picked = index(&mut self.faults.rng, self.homes.len() + 1);
        self.homes.get(picked).copied().unwrap_or(Realm::Public)
    }

    /// Has one thing be wrong with a relay, unless something is.
    fn hurt_relay(&mut self, kind: FaultKind, lasts: Duration) {
        let relay = self.any_relay();
        if self.faults.going_on.contains(&Ending::MendRelay(relay)) {
            return;
        }
        let faults = RelayFaults::default();
        let percent = u8::try_from(number(&mut self.faults.rng, 10, 60)).unwrap_or(10);
        let faults = match kind {
            FaultKind::RelayStall => faults.with_links(LinkFault::Stalled),
            FaultKind::RelayLossy => faults.with_loss(percent),
            FaultKind::RelayDoubling => faults.with_doubled(percent),
            FaultKind::RelayReordering => {
                faults.with_delay(Duration::from_millis(500)).with_reordered(percent)
            }
            FaultKind::RelayHalfOpen => faults.with_links(LinkFault::HalfOpen),
            FaultKind::RelayRefusing => faults.with_links(LinkFault::Refused),
            FaultKind::RelayRateLimit => faults.with_rate(percent.into(), Duration::from_secs(10)),
            FaultKind::RelayReplay => faults.with_replayed(percent),
            FaultKind::RelayHostile => faults.with_hostile_operator(),
            FaultKind::Partition
            | FaultKind::OneWay
            | FaultKind::Clog
            | FaultKind::Crash
            | FaultKind::Restart
            | FaultKind::Sleep
            | FaultKind::Roam
            | FaultKind::RelayCrash
            | FaultKind::Rebind
            | FaultKind::Move
            | FaultKind::Intruder
            | FaultKind::Weather => return,
        };
        self.log(|| format!("{relay:?}: {faults:?}"));
        self.world.set_relay_faults(relay, faults);
        self.end_later(Ending::MendRelay(relay), lasts);
    }

    fn any_relay(&mut self) -> Relay {
        self.relays[index(&mut self.faults.rng, self.relays.len())].0
    }

    fn any_awake(&mut self) -> Option<Who> {
        let awake: Vec<Who> = self.awake().collect();
        let picked = index(&mut self.faults.rng, awake.len().max(1));
        awake.get(picked).copied()
    }

    fn with_two_hosts(&mut self, act: impl FnOnce(&mut Run, HostId, HostId)) {
        let (a, b) = (self.any_awake(), self.any_awake());
        if let (Some(a), Some(b)) = (a, b)
            && a != b
        {
            let (a, b) = (self.world.host(a), self.world.host(b));
            act(self, a, b);
        }
    }

    fn end_later(&mut self, ending: Ending, lasts: Duration) {
        self.faults.going_on.push(ending.clone());
        self.later.push(self.world.now() + lasts, Later::EndFault(ending));
    }
}

/// A hostile peer stays longer than other faults do, since it takes a while until it is let in.
const INTRUSION_FACTOR: u32 = 2;
