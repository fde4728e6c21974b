//! What goes wrong, and when it is over: every fault lasts for a while, so that it matters.

use std::time::Duration;

use tristero_proto::{PeerId, Rng};

use super::options::{FaultKind, Options, draw_conditions, index, number};
use super::record::{Character, Fact, Whom};
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
        match kind {
            FaultKind::Partition => return self.part(lasts),
            FaultKind::OneWay | FaultKind::Clog => return self.hurt_path(kind, lasts),
            FaultKind::Crash | FaultKind::Restart => return self.crash(kind, lasts),
            FaultKind::Sleep => return self.sleep(lasts),
            FaultKind::Roam => {
                if let Some(who) = self.any_awake() {
                    self.note_fault(kind, &Whom::Peers(vec![who]), None)?;
                    (0..self.options.roams_at_once).for_each(|_| self.world.roam(who));
                    return self.observe();
                }
            }
            FaultKind::Move => {
                if let Some(who) = self.any_awake() {
                    let realm = self.any_realm();
                    self.note_fault(kind, &Whom::Peers(vec![who]), None)?;
                    self.world.roam_to(who, realm);
                    return self.observe();
                }
            }
            FaultKind::Rebind => {
                if let Realm::Behind(nat) = self.any_realm() {
                    self.note_fault(kind, &Whom::Behind(nat), None)?;
                    self.world.network().forget_mappings(nat);
                }
            }
            FaultKind::RelayCrash => {
                let relay = self.any_relay();
                self.note_fault(kind, &Whom::Relay(relay), Some(lasts))?;
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
            | FaultKind::RelayHostile => return self.hurt_relay(kind, lasts),
            FaultKind::Weather => {
                let conditions = draw_conditions(&mut self.faults.rng);
                self.log(|| format!("{conditions:?}"));
                self.note_fault(kind, &Whom::All, None)?;
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
        match ending {
            Ending::Wake(who) => {
                self.note(Fact::Woke { who: *who })?;
                self.world.wake(*who);
                self.observe()?;
            }
            Ending::Replace(id) => {
                let who = self.begin(id.clone(), self.next_character())?;
                let place = number(&mut self.faults.rng, 0, self.options.rooms - 1);
                self.join(who, place)?;
            }
            Ending::Expel(who) if self.record.is_awake(*who) => self.end_process(*who)?,
            // It has crashed before.
            Ending::Expel(_) => {}
            Ending::StartRelay(relay) => {
                self.note(Fact::Started { relay: *relay })?;
                self.world.start_relay(*relay);
            }
            Ending::MendRelay(relay) => {
                self.note(Fact::Mended { relay: *relay })?;
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

    fn note_fault(
        &mut self,
        kind: FaultKind,
        whom: &Whom,
        lasts: Option<Duration>,
    ) -> Result<(), String> {
        self.note(Fact::Failing { kind, whom, lasts })
    }

    fn part(&mut self, lasts: Duration) -> Result<(), String> {
        let rng = &mut self.faults.rng;
        let one_side: Vec<Who> = self.world.everyone().filter(|_| rng.below(2) == 0).collect();
        let hosts: Vec<HostId> = one_side.iter().map(|who| self.world.host(*who)).collect();
        self.note_fault(FaultKind::Partition, &Whom::Peers(one_side), Some(lasts))?;
        self.world.network().partition(&hosts, lasts);
        Ok(())
    }

    /// Has one way or both between two hosts be bad, if there are two.
    fn hurt_path(&mut self, kind: FaultKind, lasts: Duration) -> Result<(), String> {
        let (Some(a), Some(b)) = (self.any_awake(), self.any_awake()) else { return Ok(()) };
        if a == b {
            return Ok(());
        }
        self.note_fault(kind, &Whom::Peers(vec![a, b]), Some(lasts))?;
        let (a, b) = (self.world.host(a), self.world.host(b));
        if kind == FaultKind::OneWay {
            self.world.network().cut_way(a, b, lasts);
        } else {
            self.world.network().clog(a, b, lasts);
        }
        Ok(())
    }

    fn crash(&mut self, kind: FaultKind, lasts: Duration) -> Result<(), String> {
        let Some(who) = self.any_awake() else { return Ok(()) };
        let id = (kind == FaultKind::Restart).then(|| self.record.id(who).clone());
        self.note_fault(kind, &Whom::Peers(vec![who]), Some(lasts))?;
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
        let (who, lasts) = (self.begin(None, Character::Hostile)?, lasts * INTRUSION_FACTOR);
        self.note_fault(FaultKind::Intruder, &Whom::Peers(vec![who]), Some(lasts))?;
        self.end_later(Ending::Expel(who), lasts);
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
        self.note_fault(FaultKind::Sleep, &Whom::Peers(vec![who]), Some(lasts))?;
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
    fn hurt_relay(&mut self, kind: FaultKind, lasts: Duration) -> Result<(), String> {
        let relay = self.any_relay();
        if self.faults.going_on.contains(&Ending::MendRelay(relay)) {
            return Ok(());
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
            | FaultKind::Weather => return Ok(()),
        };
        self.log(|| format!("{relay:?}: {faults:?}"));
        self.note_fault(kind, &Whom::Relay(relay), Some(lasts))?;
        self.world.set_relay_faults(relay, faults);
        self.end_later(Ending::MendRelay(relay), lasts);
        Ok(())
    }

    fn any_relay(&mut self) -> Relay {
        self.relays[index(&mut self.faults.rng, self.relays.len())].0
    }

    fn any_awake(&mut self) -> Option<Who> {
        let awake: Vec<Who> = self.awake().collect();
        let picked = index(&mut self.faults.rng, awake.len().max(1));
        awake.get(picked).copied()
    }

    fn end_later(&mut self, ending: Ending, lasts: Duration) {
        self.faults.going_on.push(ending.clone());
        self.later.push(self.world.now() + lasts, Later::EndFault(ending));
    }
}

/// A hostile peer stays longer than other faults do, since it takes a while until it is let in.
const INTRUSION_FACTOR: u32 = 2;
