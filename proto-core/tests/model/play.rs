//! Plays a scenario: carries its commands out on real nodes, tells the record what was done, and
//! has every event checked.

use std::time::Duration;

use tristero_proto::{Event, LeaveReason, RespondError, Seed, Time};

use super::checks::{self, Verdict, ensure, reunion};
use super::record::{Health, Record, VisitId};
use super::scenario::{Command, Pick, Place, Scenario, millis};
use crate::common::{Who, World};

/// When nothing is wrong any more, all meet within this long: a heartbeat a minute later may find
/// an attempt under way that leads nowhere, and the next one then has to do it.
const REUNION_MAX: Duration = Duration::from_secs(200);
/// What was finished, and what is sent at the end, arrives within this long.
const PATIENCE: Duration = Duration::from_secs(20);

/// See the [module](self).
pub struct Play {
    pub(super) world: World,
    pub(super) record: Record,
    pub(super) is_welcoming: bool,
    /// Whether every request is answered at once.
    pub(super) is_answering: bool,
    /// Numbers what is said in handshakes.
    pub(super) words: u64,
    paused: Vec<bool>,
    isolated: Vec<bool>,
    /// Whether all has met and nothing is wrong, so that nobody may be lost.
    is_settled: bool,
}

/// Plays it, and says which promise was not kept.
pub fn play(scenario: &Scenario) -> Verdict {
    let mut play = Play::new(scenario);
    for (index, command) in scenario.commands.iter().enumerate() {
        let result = play.perform(*command).and_then(|()| play.check_state());
        result
            .map_err(|v| checks::Violation(format!("{v}\nafter command {index}: {command:?}")))?;
    }
    play.end()
}

impl Play {
    fn new(scenario: &Scenario) -> Self {
        let mut world = World::new();
        world.is_untraced = true;
        if scenario.jitter_ms > 0 {
            let rng = Seed::from_number(scenario.seed).rng("jitter");
            world.jitter = Some((rng, millis(scenario.jitter_ms)));
        }
        let mut record = Record::default();
        record.now = world.now;
        for n in 0..scenario.nodes {
            let who = world.add(&format!("n{n}"));
            record.add_node(world.id(who));
        }
        Play {
            world,
            record,
            is_welcoming: scenario.is_welcoming,
            is_answering: scenario.is_obliging,
            words: 0,
            paused: vec![false; scenario.nodes],
            isolated: vec![false; scenario.nodes],
            is_settled: false,
        }
    }

    fn perform(&mut self, command: Command) -> Verdict {
        match command {
            Command::Pass { ms } => return self.pass(millis(ms)),
            Command::StopRelay if !self.world.relay_is_down => self.world.stop_relay(),
            Command::StopRelay => {}
            Command::StartRelay => self.world.relay_is_down = false,
            Command::PauseRelays { node } => {
                if let Some(who) = self.pick(node, |play, who| play.record.is_awake(who)) {
                    self.paused[who.0] = true;
                    let now = self.world.now;
                    self.world.with(who, |node| node.pause_relays(now));
                }
            }
            Command::ResumeRelays { node } => {
                let is_paused =
                    |play: &Play, who: Who| play.paused[who.0] && play.record.is_awake(who);
                if let Some(who) = self.pick(node, is_paused) {
                    self.resume_relays(who);
                }
            }
            Command::Isolate { node } => {
                if let Some(who) = self.pick(node, |play, who| !play.isolated[who.0]) {
                    self.isolated[who.0] = true;
                    self.record.begin_trouble();
                    self.world.isolate(who);
                }
            }
            Command::Reconnect { node } => {
                if let Some(who) = self.pick(node, |play, who| play.isolated[who.0]) {
                    self.reconnect(who);
                }
            }
            Command::Sleep { node } => {
                if let Some(who) = self.pick(node, |play, who| play.record.is_awake(who)) {
                    self.record.health[who.0] = Health::Asleep;
                    self.record.begin_trouble();
                    self.world.sleep(who);
                }
            }
            Command::Wake { node, hears_first } => {
                let is_asleep = |play: &Play, who: Who| play.record.health[who.0] == Health::Asleep;
                if let Some(who) = self.pick(node, is_asleep) {
                    self.wake(who, hears_first);
                }
            }
            Command::ShutDown { node } => {
                if let Some(who) = self.pick(node, |play, who| play.record.is_awake(who)) {
                    self.shut_down(who);
                }
            }
            other => self.act(other)?,
        }
        self.observe()
    }

    /// One of the nodes for which something holds.
    pub(super) fn pick(&self, pick: Pick, holds: impl Fn(&Play, Who) -> bool) -> Option<Who> {
        let all = self.record.everyone().filter(|who| holds(self, *who));
        pick_of(all.map(|who| (who.0, who)), self.record.ids.len(), pick)
    }

    /// One of the visits that are not over, of a node that is awake.
    pub(super) fn pick_visit(&self, pick: Pick) -> Option<VisitId> {
        self.pick_visit_if(pick, |_| true)
    }

    /// Likewise, but rather one with company.
    pub(super) fn pick_company(&self, pick: Pick) -> Option<VisitId> {
        let has_company = |id| !self.record.members(id).is_empty();
        self.pick_visit_if(pick, has_company).or_else(|| self.pick_visit(pick))
    }

    fn pick_visit_if(&self, pick: Pick, holds: impl Fn(VisitId) -> bool) -> Option<VisitId> {
        let open = self.record.open_visits().map(|id| (id, self.record.visit(id)));
        let open = open.filter(|(id, visit)| self.record.is_awake(visit.who) && holds(*id));
        let count = Place::COUNT * self.record.ids.len();
        pick_of(open.map(|(id, visit)| (visit.place.pick_of(visit.who.0), id)), count, pick)
    }

    fn resume_relays(&mut self, who: Who) {
        self.paused[who.0] = false;
        let now = self.world.now;
        self.world.with(who, |node| node.resume_relays(now));
    }

    fn reconnect(&mut self, who: Who) {
        self.isolated[who.0] = false;
        self.record.end_trouble();
        self.world.reconnect(who);
    }

    fn wake(&mut self, who: Who, hears_first: bool) {
        self.record.health[who.0] = Health::Awake;
        self.record.end_trouble();
        self.world.wake(who, hears_first);
    }

    fn shut_down(&mut self, who: Who) {
        self.record.health[who.0] = Health::ShuttingDown;
        for visit in self.record.open_visits().collect::<Vec<_>>() {
            if self.record.visit(visit).who == who {
                self.record.end_visit(visit);
            }
        }
        let now = self.world.now;
        self.world.with(who, |node| node.shut_down(now));
    }

    /// Lets time pass, and looks at every step.
    pub(super) fn pass(&mut self, time: Duration) -> Verdict {
        let end = self.world.now + time;
        while self.world.advance(end) {
            self.observe()?;
            let overdue = &self.world.overdue;
            ensure!(overdue.is_empty(), "{:?}: not done when it was due: {overdue:?}", self.now());
        }
        self.world.now = end;
        self.record.now = end;
        Ok(())
    }

    fn now(&self) -> Time {
        self.world.now
    }

    /// Checks and notes what the nodes have said, and reacts to it, until they are silent.
    pub(super) fn observe(&mut self) -> Verdict {
        self.record.now = self.world.now;
        while let Some(who) = self.record.everyone().find(|who| self.has_spoken(*who)) {
            let events = self.world.take_events(who);
            for event in &events {
                self.hear(who, event)?;
            }
            checks::membership::check_leaving(&self.record)?;
            for event in &events {
                self.react(who, event)?;
            }
        }
        Ok(())
    }

    fn has_spoken(&self, who: Who) -> bool {
        !self.world.events(who).is_empty()
    }

    fn hear(&mut self, who: Who, event: &Event) -> Verdict {
        match checks::on_event(&self.record, who, event)? {
            Some(visit) => self.record.note(visit, event),
            None => {
                let health = &mut self.record.health[who.0];
                let is_first = *health == Health::ShuttingDown;
                ensure!(is_first, "{who:?} was shut down twice");
                *health = Health::ShutDown;
            }
        }
        let is_lost = matches!(event, Event::PeerLeft { reason: LeaveReason::Lost(_), .. });
        ensure!(!is_lost || !self.is_settled, "{:?}: {who:?} says {event:?}", self.now());
        Ok(())
    }

    /// What the application does on its own when it hears something.
    fn react(&mut self, who: Who, event: &Event) -> Verdict {
        let now = self.now();
        match event {
            Event::Handshake { room, handshake, .. } if self.is_welcoming => {
                let visit = self.record.visit_of(who, *room);
                visit.map_or(Ok(()), |visit| self.accept(visit, *handshake))
            }
            Event::CallEnded { room, call } => {
                let answer = Ok("too late".into());
                let result = self.world.with(who, |node| node.respond(*room, *call, answer, now));
                ensure!(result == Err(RespondError::Over), "a call that is over: {result:?}");
                Ok(())
            }
            Event::Request { room, request, .. } if self.is_answering => {
                let visit = self.record.visit_of(who, *room);
                let answer = Ok("at last".into());
                visit.map_or(Ok(()), |visit| self.answer(visit, request.call, answer))
            }
            _ => Ok(()),
        }
    }

    /// What can be asked of nodes is what they said.
    fn check_state(&self) -> Verdict {
        for id in self.record.open_visits() {
            let visit = self.record.visit(id);
            let here = self.world.node(visit.who).peers(visit.key);
            let here: Option<_> = here.map(|peer| self.record.who(peer)).collect();
            let said = self.record.members(id);
            ensure!(here.as_ref() == Some(&said), "{:?} has {here:?}, said {said:?}", visit.who);
        }
        reunion::check_ghosts(&self.record)
    }

    /// Ends all that is wrong; then everybody meets, and everything ends that was begun.
    fn end(mut self) -> Verdict {
        self.heal()?;
        self.meet()?;
        // Some may have met over a connection that the other side has given up.
        self.pass(PATIENCE)?;
        self.meet()?;
        self.is_settled = true;
        self.finish_all()?;
        self.pass(PATIENCE)?;
        self.check_state()?;
        checks::delivery::check_at_end(&self.record)?;
        checks::endings::check_at_end(&self.record)?;
        checks::asking::check_at_end(&self.record)
    }

    fn heal(&mut self) -> Verdict {
        self.world.relay_is_down = false;
        for who in self.record.everyone() {
            if self.record.health[who.0] == Health::Asleep {
                self.wake(who, false);
            }
            if self.isolated[who.0] {
                self.reconnect(who);
            }
            if self.paused[who.0] {
                self.resume_relays(who);
            }
            self.observe()?;
        }
        self.is_welcoming = true;
        self.accept_all()
    }

    fn meet(&mut self) -> Verdict {
        let end = self.now() + REUNION_MAX;
        loop {
            let missing = reunion::missing(&self.record);
            if missing.is_empty() {
                return Ok(());
            }
            if self.now() >= end {
                let missing = missing.iter().map(|(visit, guest)| {
                    let visit = self.record.visit(*visit);
                    (visit.who, visit.place, *guest)
                });
                let missing: Vec<(Who, Place, Who)> = missing.collect();
                ensure!(false, "{:?}: some never meet again: {missing:?}", self.now());
            }
            self.pass(Duration::from_secs(1))?;
        }
    }
}

/// What has this number, or the next after it in a circle of so many.
fn pick_of<T>(all: impl IntoIterator<Item = (usize, T)>, count: usize, pick: Pick) -> Option<T> {
    let distance = |index: usize| (index + count - usize::from(pick) % count) % count;
    all.into_iter().min_by_key(|(index, _)| distance(*index)).map(|(_, found)| found)
}

/// One of a list of things that have no number of their own.
pub fn pick_in<T: Copy>(all: &[T], pick: Pick) -> Option<T> {
    let index = usize::from(pick).checked_rem(all.len())?;
    all.get(index).copied()
}
