//! One run: a time of trouble in which nothing may break, then a healed world in which everything
//! has to come right.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{self, AssertUnwindSafe};
use std::time::Duration;

use tristero_proto::ice::IceConfig;
use tristero_proto::{NodeConfig, PeerId, RelayConfig, Rng, Seed, Time};

use super::apps::Apps;
use super::checks::{self, Check};
use super::faults::{Ending, Faults};
use super::night::Night;
use super::options::{Options, ServiceKind, index};
use super::record::{Character, Fact, Record, State};
use super::watch::Watcher;
use crate::network::{Family, Realm};
use crate::peer::PeerOptions;
use crate::queue::Queue;
use crate::relays::{MqttService, NostrService, Relay, TrackerService, WsService};
use crate::trace::Trace;
use crate::world::{Told, Who, World};

/// A run under way.
#[derive(Debug)]
pub(super) struct Run {
    night: Night,
    pub(super) options: Options,
    pub(super) world: World,
    pub(super) relays: Vec<(Relay, RelayConfig)>,
    pub(super) record: Record,
    pub(super) apps: Apps,
    pub(super) faults: Faults,
    pub(super) later: Queue<Later>,
    checks: Vec<Box<dyn Check>>,
    next_look: Time,
    log: Option<VecDeque<String>>,
    watcher: Option<Watcher>,
    skew: Rng,
    /// The networks behind NATs that peers may be in.
    pub(super) homes: Vec<Realm>,
    /// What rooms are told of STUN and TURN servers.
    pub(super) ice: IceConfig,
    /// Where peers begin.
    places: Rng,
}

/// Something that is done later.
#[derive(Debug)]
pub(super) enum Later {
    Begin,
    Act,
    Fail,
    EndFault(Ending),
    Heal,
}

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// The hash of all that peers did.
    pub(crate) digest: u64,
    /// How long it was, in its own time.
    pub(crate) lasted: Duration,
    /// What was wrong.
    pub(crate) failure: Option<Failure>,
    /// The last lines of the log, if one was kept.
    pub(crate) log: Vec<String>,
}

impl Outcome {
    /// The end of the log: so much is shown of a run that failed.
    pub(crate) fn tail(&self) -> &[String] {
        &self.log[self.log.len().saturating_sub(TAIL_LINES)..]
    }
}

/// What was wrong with a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) check: &'static str,
    pub(crate) at: Time,
    pub(crate) what: String,
}

impl Failure {
    /// That of a run which panicked.
    pub(super) fn of_panic(at: Time, panic: &(dyn Any + Send)) -> Self {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let what = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("panic");
        Failure { check: "panic", at, what: what.to_owned() }
    }
}

impl Run {
    /// A run that has not begun.
    pub(super) fn new(night: Night, trace: Trace, keeps_log: bool) -> Self {
        let (number, options) = (night.seed(), night.options());
        let seed = Seed::from_number(number).fork("soak");
        let mut world = World::with_trace(number, trace);
        world.network().set_conditions(options.conditions);
        let kinds = options.relays.iter().enumerate();
        let relays =
            kinds.map(|(place, kind)| add_relay(&mut world, *kind, number, place)).collect();
        let of_options = options.homes.iter();
        let homes = of_options.map(|home| home.add_to(world.network(), options.mapping_timeout));
        let homes = homes.collect();
        let (ice, servers) = options.servers.add_to(world.network());
        Run {
            night,
            homes,
            ice,
            places: seed.rng("places"),
            world,
            relays,
            record: Record { servers, ..Record::default() },
            apps: Apps::new(seed.rng("apps")),
            faults: Faults::new(seed.rng("faults")),
            later: Queue::default(),
            checks: checks::all(),
            next_look: Time::ZERO,
            log: keeps_log.then(VecDeque::new),
            watcher: None,
            skew: seed.rng("clock skew"),
            options,
        }
    }

    /// Has somebody watch it.
    pub(super) fn watch(&mut self, watcher: Watcher) {
        watcher.borrow_mut().begin(&self.relays);
        self.watcher = Some(watcher);
    }

    /// Runs it to its end. A panic is an end too, and what was logged before it is kept.
    pub(super) fn finish(mut self) -> Outcome {
        let played = panic::catch_unwind(AssertUnwindSafe(|| self.play()));
        let at = self.world.now();
        let failure = match played {
            Ok(played) => played.err().map(|what| {
                let (check, what) = what.split_once(": ").unwrap_or(("application", &what));
                let mut checks = self.checks.iter().map(|known| known.name());
                let check = checks.find(|name| *name == check).unwrap_or("application");
                Failure { check, at, what: what.to_owned() }
            }),
            Err(panic) => Some(Failure::of_panic(at, &*panic)),
        };
        Outcome {
            digest: self.world.digest(),
            lasted: self.world.now().since_epoch(),
            failure,
            log: self.log.unwrap_or_default().into(),
        }
    }

    fn play(&mut self) -> Result<(), String> {
        match self.night {
            Night::Drawn(_) => self.play_drawn()?,
            Night::Written(scenario) => {
                (scenario.play)(self)?;
                self.heal()?;
                self.apps.are_finishing = true;
            }
        }
        self.wait_for_all()
    }

    /// Lets peers come, act and fail until all is healed.
    fn play_drawn(&mut self) -> Result<(), String> {
        for number in 0..self.options.peers {
            let at = Time::ZERO + self.options.act_interval * number;
            self.later.push(at, Later::Begin);
        }
        self.later.push(Time::ZERO + FIRST_ACT, Later::Act);
        self.later.push(Time::ZERO + FIRST_ACT, Later::Fail);
        self.later.push(Time::ZERO + self.options.trouble_lasts, Later::Heal);
        while !self.apps.are_finishing {
            let next = self.later.next_at().expect("it will be healed");
            self.advance(next)?;
            while let Some(later) = self.later.pop_due(self.world.now()) {
                self.do_now(later)?;
            }
        }
        Ok(())
    }

    fn do_now(&mut self, later: Later) -> Result<(), String> {
        match later {
            Later::Begin => _ = self.begin(None, self.next_character())?,
            Later::Act => {
                self.act()?;
                let pause = self.apps.pause(&self.options);
                self.later.push(self.world.now() + pause, Later::Act);
            }
            Later::Fail => {
                self.fail()?;
                let pause = self.faults.pause(&self.options);
                self.later.push(self.world.now() + pause, Later::Fail);
            }
            Later::EndFault(ending) => self.end_fault(&ending)?,
            Later::Heal => {
                self.heal()?;
                self.apps.are_finishing = true;
            }
        }
        self.observe()
    }

    /// Waits until nothing is missing any more.
    fn wait_for_all(&mut self) -> Result<(), String> {
        let bound = self.options.liveness_max();
        let end = self.world.now() + bound;
        loop {
            self.advance(self.world.now() + PENDING_INTERVAL)?;
            let pending = self.pending();
            match pending {
                None => return Ok(()),
                Some((check, what)) if self.world.now() >= end => {
                    return Err(format!("{check}: {bound:?} after all was healed: {what}"));
                }
                Some(_) => {}
            }
        }
    }

    fn pending(&self) -> Option<(&'static str, String)> {
        self.checks.iter().find_map(|check| {
            check.pending(&self.world, &self.record).map(|what| (check.name(), what))
        })
    }

    /// Runs the world for so long.
    pub(super) fn wait(&mut self, duration: Duration) -> Result<(), String> {
        self.advance(self.world.now() + duration)
    }

    /// Runs the world until then.
    fn advance(&mut self, end: Time) -> Result<(), String> {
        while self.world.step(end) {
            self.observe()?;
        }
        Ok(())
    }

    /// Begins a process.
    pub(super) fn begin(
        &mut self,
        id: Option<PeerId>,
        character: Character,
    ) -> Result<Who, String> {
        let skew = i64::from(self.options.clock_skew_millis);
        let skew = if skew == 0 { 0 } else { self.draw_skew(skew) };
        let idle_ttl = self.options.idle_ttl;
        let config = NodeConfig { self_id: id, idle_ttl, ..NodeConfig::default() };
        let options = PeerOptions { config, clock_skew_millis: skew, ..PeerOptions::default() };
        let options = self.place(options);
        let who = match character {
            Character::Honest => self.world.add_peer(options),
            Character::Js => self.world.add_js_peer(options),
            Character::Hostile => self.world.add_peer(options.with_malice(self.options.malice)),
        };
        let id = self.world.id(who);
        self.note(Fact::Began { who, id: &id, character })?;
        Ok(who)
    }

    /// Puts a peer somewhere.
    fn place(&mut self, options: PeerOptions) -> PeerOptions {
        if self.homes.is_empty() {
            return options;
        }
        let rng = &mut self.places;
        let mut is_one_of = |percent: u32| rng.below(100) < u64::from(percent);
        let has_ipv6 = is_one_of(self.options.ipv6_percent);
        let realm = match is_one_of(self.options.at_home_percent) {
            true => self.homes[index(rng, self.homes.len())],
            false => Realm::Public,
        };
        let families = [Family::V4, Family::V6];
        options.within(realm).with_families(if has_ipv6 { &families } else { &families[..1] })
    }

    fn draw_skew(&mut self, most: i64) -> i64 {
        let span = u64::try_from(2 * most).unwrap_or(1);
        i64::try_from(self.skew.below(span)).unwrap_or(most) - most
    }

    /// Holds what peers were told against the checks, and has their applications react.
    pub(super) fn observe(&mut self) -> Result<(), String> {
        loop {
            let told = self.world.take_told();
            if told.is_empty() {
                break;
            }
            for Told { who, event, .. } in told {
                self.note(Fact::Told { who, event: &event })?;
                if self.record.is_awake(who) {
                    self.react(who, &event)?;
                }
            }
        }
        self.record.now = self.world.now();
        if self.record.now < self.next_look {
            return Ok(());
        }
        self.next_look = self.record.now + LOOK_INTERVAL;
        if let Some(watcher) = &self.watcher {
            watcher.borrow_mut().look(&self.world, &self.record);
        }
        for check in &mut self.checks {
            let name = check.name();
            check.look(&self.world, &self.record).map_err(|what| format!("{name}: {what}"))?;
        }
        Ok(())
    }

    /// Holds a fact against the checks, then knows it.
    pub(super) fn note(&mut self, fact: Fact<'_>) -> Result<(), String> {
        self.record.now = self.world.now();
        tracing::debug!(at = ?self.record.now, ?fact);
        self.log(|| format!("{fact:?}"));
        if let Some(watcher) = &self.watcher {
            watcher.borrow_mut().see(fact, &self.record);
        }
        for check in &mut self.checks {
            let name = check.name();
            check.see(fact, &self.record).map_err(|what| format!("{name}: {what}"))?;
        }
        self.record.note(fact);
        Ok(())
    }

    /// Adds a line to the log, if one is kept.
    pub(super) fn log(&mut self, line: impl FnOnce() -> String) {
        if let Some(log) = &mut self.log {
            let line: String = line().chars().take(LOG_LINE_MAX).collect();
            if log.len() >= LOG_LINES_MAX {
                log.pop_front();
            }
            log.push_back(format!("{:>12.6} {line}", self.world.now().since_epoch().as_secs_f64()));
        }
    }

    /// The processes that run on machines that are awake.
    pub(super) fn awake(&self) -> impl Iterator<Item = Who> {
        self.record.peers.iter().filter(|(_, peer)| peer.state == State::Awake).map(|(who, _)| *who)
    }
}

fn add_relay(world: &mut World, kind: ServiceKind, run: u64, place: usize) -> (Relay, RelayConfig) {
    match kind {
        ServiceKind::Ws => world.add_relay(WsService::new()),
        ServiceKind::Nostr(verdicts) => world.add_relay(NostrService::new(verdicts)),
        ServiceKind::Mqtt => world.add_relay(MqttService::new()),
        ServiceKind::Tracker => {
            let place = u64::try_from(place).expect("there are few relays");
            world.add_relay(TrackerService::new(run.wrapping_mul(16).wrapping_add(place)))
        }
    }
}

const TAIL_LINES: usize = 60;

/// When the first thing is done, and the first goes wrong.
const FIRST_ACT: Duration = Duration::from_millis(10);

/// How often it is asked what is missing.
const PENDING_INTERVAL: Duration = Duration::from_millis(500);

/// How often the checks look at the world. What peers are told they see at once.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// A log keeps so many lines, the last ones, of so many characters.
const LOG_LINES_MAX: usize = 20_000;
const LOG_LINE_MAX: usize = 400;
