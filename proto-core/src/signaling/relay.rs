//! One relay: dialling it, waiting when that fails, and keeping its subscriptions.
//!
//! A relay is shared by all rooms that name it. It alone decides when to dial; rooms say only
//! which topics they want. After a reconnect every topic is subscribed anew.
//!
//! spec: docs/protocol.md, section 2, "Relay sockets"

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tracing::debug;

use crate::crypto::Topic;
use crate::ids::{LinkId, RoomKey};
use crate::limits;
use crate::rng::Rng;
use crate::signaling::strategy::{
    LinkFrame, LinkTarget, RelaySession, RelayUrl, SessionInput, SessionOutput, SessionTerms,
    Strategy, Subscription,
};
use crate::text::shortened;
use crate::time::{Clock, Deadline, Time};

/// A random wait below this precedes the first reconnection; each failure in a row doubles it.
const BACKOFF_FIRST: Duration = Duration::from_millis(3_333);
/// How often the wait doubles. Trystero gives a relay up after that; we go on at this wait.
const BACKOFF_DOUBLINGS: u32 = 4;
/// A dial that has neither succeeded nor failed by then is given up, and so is a link over which no
/// topic was subscribed by then.
const DIAL_TIMEOUT: Duration = Duration::from_secs(15);
/// A link that is lost sooner than this after its first subscription counts as one more failure: a
/// relay that takes every link, and hangs up at once, would be dialled every other second.
const BRIEF: Duration = Duration::from_secs(15);

/// How a relay is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RelayState {
    /// It is being dialled.
    Connecting,
    /// A link stands.
    Open,
    /// The link is gone or could not be made; it is dialled again later.
    BackingOff {
        /// When.
        until: Time,
        /// Dials that failed in a row.
        failures: u32,
    },
    /// No link stands, and none is dialled until reconnection is resumed.
    Paused,
    /// The relay does not want us, and is not dialled any more.
    Retired {
        /// Why, in its words.
        why: String,
    },
}

/// A relay as others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RelayStatus {
    /// The name of its strategy.
    pub strategy: String,
    /// Where it is.
    pub url: RelayUrl,
    /// How it is doing.
    pub state: RelayState,
    /// Whether a topic was subscribed over the link that stands. Where the service confirms
    /// subscriptions, that is more than [`RelayState::Open`] says: it took us, and not just the link.
    pub is_subscribed: bool,
    /// Messages that came from it.
    pub messages_in: u64,
    /// Messages that were sent to it.
    pub messages_out: u64,
    /// Messages from it that were not of its protocol.
    pub malformed: u64,
    /// Why it failed last.
    pub last_error: Option<String>,
}

/// What a relay asks for or reports.
#[derive(Debug)]
pub(crate) enum RelayOutput {
    OpenLink { link: LinkId, target: LinkTarget },
    SendLink { link: LinkId, frame: LinkFrame },
    CloseLink { link: LinkId },
    Subscribed(Topic),
    Down,
    Message { topic: Topic, body: String },
    Notice(String),
    AnnounceEvery { root: Topic, interval: Duration },
    HoldAnnounces { root: Topic, pause: Duration },
    StateChanged,
}

#[derive(Debug)]
enum State {
    /// Not dialled; `failures` in a row so far.
    Waiting {
        until: Time,
        failures: u32,
    },
    Dialling {
        link: LinkId,
        give_up: Time,
        failures: u32,
    },
    Open {
        link: LinkId,
        proof: Proof,
    },
    Retired {
        why: String,
    },
}

/// Whether a link that stands has been of any use. A relay may take every link and nothing else.
#[derive(Clone, Copy, Debug)]
enum Proof {
    /// No topic was subscribed yet.
    Awaited {
        by: Time,
        /// Dials that failed in a row before.
        failures: u32,
    },
    Given {
        /// Until when the link is a brief one.
        brief_until: Time,
        /// Dials that failed in a row before.
        failures: u32,
    },
}

impl Proof {
    /// A topic is subscribed; true if it is the first.
    fn give(&mut self, now: Time) -> bool {
        let Proof::Awaited { failures, .. } = *self else { return false };
        *self = Proof::Given { brief_until: now + BRIEF, failures };
        true
    }
}

/// Who wants a topic.
#[derive(Debug)]
struct Wanted {
    /// The root topic of the room it belongs to.
    root: Topic,
    rooms: Vec<RoomKey>,
}

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Relay {
    strategy: Arc<dyn Strategy>,
    url: RelayUrl,
    session: Box<dyn RelaySession>,
    state: State,
    is_paused: bool,
    topics: BTreeMap<Topic, Wanted>,
    rng: Rng,
    outputs: VecDeque<RelayOutput>,
    messages_in: u64,
    messages_out: u64,
    malformed: u64,
    last_error: Option<String>,
}

impl Relay {
    /// A relay that wants to be dialled at once.
    pub(crate) fn new(
        strategy: Arc<dyn Strategy>,
        terms: SessionTerms,
        rng: Rng,
        now: Time,
    ) -> Self {
        let url = terms.url.clone();
        Relay {
            session: strategy.session(terms),
            strategy,
            url,
            state: State::Waiting { until: now, failures: 0 },
            is_paused: false,
            topics: BTreeMap::new(),
            rng,
            outputs: VecDeque::new(),
            messages_in: 0,
            messages_out: 0,
            malformed: 0,
            last_error: None,
        }
    }

    /// Notes that a room wants a topic.
    pub(crate) fn subscribe(&mut self, topic: &Topic, root: &Topic, room: RoomKey, now: Time) {
        let wanted = self
            .topics
            .entry(topic.clone())
            .or_insert_with(|| Wanted { root: root.clone(), rooms: Vec::new() });
        if wanted.rooms.contains(&room) {
            return;
        }
        wanted.rooms.push(room);
        let is_new = wanted.rooms.len() == 1;
        if self.is_open() {
            if is_new {
                self.feed(SessionInput::Subscribe(Subscription { topic, root }), now);
            } else {
                self.outputs.push_back(RelayOutput::Subscribed(topic.clone()));
            }
        }
    }

    /// Notes that a room no longer wants a topic.
    pub(crate) fn unsubscribe(&mut self, topic: &Topic, room: RoomKey, now: Time) {
        let Some(wanted) = self.topics.get_mut(topic) else { return };
        wanted.rooms.retain(|other| *other != room);
        if wanted.rooms.is_empty() {
            let root = wanted.root.clone();
            self.topics.remove(topic);
            if self.is_open() {
                let subscription = Subscription { topic, root: &root };
                self.feed(SessionInput::Unsubscribe(subscription), now);
            }
        }
    }

    /// Says something for a room; false, and nothing is sent, if no link stands.
    pub(crate) fn tell(&mut self, input: SessionInput<'_>, now: Time) -> bool {
        let is_open = self.is_open();
        if is_open {
            self.feed(input, now);
        }
        is_open
    }

    /// Dials no more until it is resumed. What stands or is being dialled goes on.
    pub(crate) fn pause(&mut self) {
        let was_paused = std::mem::replace(&mut self.is_paused, true);
        if !was_paused && matches!(self.state, State::Waiting { .. }) {
            self.outputs.push_back(RelayOutput::StateChanged);
        }
    }

    /// Dials again, and at once if it was waiting.
    pub(crate) fn resume(&mut self, now: Time) {
        let was_paused = std::mem::replace(&mut self.is_paused, false);
        if let State::Waiting { until, .. } = &mut self.state {
            *until = now.min(*until);
            if was_paused {
                self.outputs.push_back(RelayOutput::StateChanged);
            }
        }
    }

    /// The calendar shows something else than was thought.
    pub(crate) fn on_wall_clock(&mut self, clock: Clock, now: Time) {
        self.feed(SessionInput::WallClock(clock), now);
    }

    /// Takes what happened to a link, if it is the current one.
    pub(crate) fn on_link_opened(&mut self, link: LinkId, now: Time) {
        let State::Dialling { link: current, failures, .. } = self.state else { return };
        if current != link {
            return;
        }
        let proof = Proof::Awaited { by: now + DIAL_TIMEOUT, failures };
        self.state = State::Open { link, proof };
        self.last_error = None;
        self.outputs.push_back(RelayOutput::StateChanged);
        self.feed(SessionInput::Opened, now);
        let topics = self.topics.iter().map(|(topic, wanted)| (topic.clone(), wanted.root.clone()));
        for (topic, root) in topics.collect::<Vec<_>>() {
            let subscription = Subscription { topic: &topic, root: &root };
            self.feed(SessionInput::Subscribe(subscription), now);
        }
    }

    pub(crate) fn on_link_frame(&mut self, link: LinkId, frame: LinkFrame, now: Time) {
        if self.current_link() == Some(link) {
            self.messages_in += 1;
            self.feed(SessionInput::Frame(frame), now);
        }
    }

    pub(crate) fn on_link_closed(&mut self, link: LinkId, why: &str, now: Time) {
        if self.current_link() == Some(link) {
            self.fail(why, now);
        }
    }

    /// Dials, or gives a dial up, and lets the session do what is due. `new_link` is used if a
    /// link is opened.
    pub(crate) fn handle_timeout(&mut self, new_link: impl FnOnce() -> LinkId, now: Time) {
        match self.state {
            State::Waiting { until, failures } if until <= now && !self.is_paused => {
                let link = new_link();
                self.state = State::Dialling { link, give_up: now + DIAL_TIMEOUT, failures };
                let target = self.session.target();
                self.outputs.push_back(RelayOutput::OpenLink { link, target });
                if failures > 0 {
                    self.outputs.push_back(RelayOutput::StateChanged);
                }
            }
            State::Dialling { link, give_up, .. } if give_up <= now => {
                self.outputs.push_back(RelayOutput::CloseLink { link });
                self.fail("the relay did not answer in time", now);
            }
            State::Open { link, proof: Proof::Awaited { by, .. } } if by <= now => {
                self.outputs.push_back(RelayOutput::CloseLink { link });
                self.fail("the relay did not take a subscription in time", now);
            }
            State::Open { .. } => {
                self.session.handle_timeout(now);
                self.drain_session(now);
            }
            State::Waiting { .. } | State::Dialling { .. } | State::Retired { .. } => {}
        }
    }

    pub(crate) fn poll_output(&mut self) -> Option<RelayOutput> {
        self.outputs.pop_front()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Deadline> {
        match self.state {
            State::Waiting { .. } if self.is_paused => None,
            State::Waiting { until, .. } => Some(Deadline::new(until, "dial a relay")),
            State::Dialling { give_up, .. } => Some(Deadline::new(give_up, "give a dial up")),
            State::Open { proof: Proof::Given { .. }, .. } => self.session.poll_timeout(),
            State::Open { proof: Proof::Awaited { by, .. }, .. } => {
                let by = Deadline::new(by, "give a link up");
                Deadline::earlier(self.session.poll_timeout(), Some(by))
            }
            State::Retired { .. } => None,
        }
    }

    pub(crate) fn current_link(&self) -> Option<LinkId> {
        match self.state {
            State::Waiting { .. } | State::Retired { .. } => None,
            State::Dialling { link, .. } | State::Open { link, .. } => Some(link),
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        matches!(self.state, State::Open { .. })
    }

    /// Whether it is at this place, and speaks in this way.
    pub(crate) fn is_at(&self, strategy: &dyn Strategy, url: &RelayUrl) -> bool {
        self.strategy.is_same(strategy) && self.url == *url
    }

    pub(crate) fn is_unused(&self) -> bool {
        self.topics.is_empty()
    }

    pub(crate) fn status(&self) -> RelayStatus {
        RelayStatus {
            strategy: self.strategy.name().to_owned(),
            url: self.url.clone(),
            state: match &self.state {
                State::Waiting { .. } if self.is_paused => RelayState::Paused,
                State::Waiting { failures: 0, .. } | State::Dialling { .. } => {
                    RelayState::Connecting
                }
                &State::Waiting { until, failures } => RelayState::BackingOff { until, failures },
                State::Open { .. } => RelayState::Open,
                State::Retired { why } => RelayState::Retired { why: why.clone() },
            },
            is_subscribed: matches!(self.state, State::Open { proof: Proof::Given { .. }, .. }),
            messages_in: self.messages_in,
            messages_out: self.messages_out,
            malformed: self.malformed,
            last_error: self.last_error.clone(),
        }
    }

    /// Rooms that listen to a topic.
    pub(crate) fn rooms_of(&self, topic: &Topic) -> &[RoomKey] {
        self.topics.get(topic).map_or(&[], |wanted| &wanted.rooms)
    }

    fn fail(&mut self, why: &str, now: Time) {
        let failures = match self.state {
            State::Dialling { failures, .. }
            | State::Open { proof: Proof::Awaited { failures, .. }, .. } => {
                failures.saturating_add(1)
            }
            State::Open { proof: Proof::Given { brief_until, failures }, .. }
                if now < brief_until =>
            {
                failures.saturating_add(1)
            }
            // A link that was of use begins the count anew.
            State::Open { proof: Proof::Given { .. }, .. }
            | State::Waiting { .. }
            | State::Retired { .. } => 1,
        };
        let bound = BACKOFF_FIRST * 2u32.pow((failures - 1).min(BACKOFF_DOUBLINGS));
        let until = now + self.rng.duration_below(bound);
        debug!(relay = %self.url, why, failures, "relay lost");
        let was_open = self.is_open();
        self.last_error = Some(shortened(why, limits::RELAY_TEXT_BYTES_MAX).to_owned());
        self.go_down(State::Waiting { until, failures }, was_open, now);
    }

    /// There is no link any more.
    fn go_down(&mut self, state: State, was_open: bool, now: Time) {
        self.state = state;
        self.session.handle_input(SessionInput::Closed, now);
        while self.session.poll_output().is_some() {}
        if was_open {
            self.outputs.push_back(RelayOutput::Down);
        }
        self.outputs.push_back(RelayOutput::StateChanged);
    }

    /// Gives the link up by our own will.
    fn hang_up(&mut self, state: State, now: Time) {
        if let Some(link) = self.current_link() {
            self.outputs.push_back(RelayOutput::CloseLink { link });
        }
        let was_open = self.is_open();
        self.go_down(state, was_open, now);
    }

    fn feed(&mut self, input: SessionInput<'_>, now: Time) {
        self.session.handle_input(input, now);
        self.drain_session(now);
    }

    fn drain_session(&mut self, now: Time) {
        while let Some(output) = self.session.poll_output() {
            match output {
                SessionOutput::Send(frame) => {
                    if let State::Open { link, .. } = self.state {
                        self.messages_out += 1;
                        self.outputs.push_back(RelayOutput::SendLink { link, frame });
                    }
                }
                SessionOutput::Subscribed(topic) => {
                    if let State::Open { proof, .. } = &mut self.state
                        && proof.give(now)
                    {
                        self.tell_once();
                    }
                    self.outputs.push_back(RelayOutput::Subscribed(topic));
                }
                SessionOutput::Message { topic, body } => {
                    self.outputs.push_back(RelayOutput::Message { topic, body });
                }
                SessionOutput::Malformed(why) => {
                    self.malformed += 1;
                    debug!(relay = %self.url, why, "dropped a relay's message");
                }
                SessionOutput::Notice(text) => self.notice(&text),
                SessionOutput::Refusal(text) => {
                    self.last_error =
                        Some(shortened(&text, limits::RELAY_TEXT_BYTES_MAX).to_owned());
                    self.notice(&text);
                }
                SessionOutput::AnnounceEvery { root, interval } => {
                    self.outputs.push_back(RelayOutput::AnnounceEvery { root, interval });
                }
                SessionOutput::HoldAnnounces { root, pause } => {
                    self.outputs.push_back(RelayOutput::HoldAnnounces { root, pause });
                }
                SessionOutput::Retire(why) => {
                    let why = shortened(&why, limits::RELAY_TEXT_BYTES_MAX).to_owned();
                    debug!(relay = %self.url, why, "a relay does not want us");
                    self.last_error = Some(why.clone());
                    self.hang_up(State::Retired { why }, now);
                }
                SessionOutput::Fail(why) => {
                    if let Some(link) = self.current_link() {
                        self.outputs.push_back(RelayOutput::CloseLink { link });
                        self.fail(&why, now);
                    }
                }
                SessionOutput::Redial => {
                    self.hang_up(State::Waiting { until: now, failures: 0 }, now);
                }
            }
        }
    }

    /// Tells of a change, unless that is about to be done.
    fn tell_once(&mut self) {
        let is_change = |output: &RelayOutput| matches!(output, RelayOutput::StateChanged);
        if !self.outputs.iter().any(is_change) {
            self.outputs.push_back(RelayOutput::StateChanged);
        }
    }

    fn notice(&mut self, text: &str) {
        let text = shortened(text, limits::RELAY_TEXT_BYTES_MAX).to_owned();
        debug!(relay = %self.url, text, "a relay says");
        self.outputs.push_back(RelayOutput::Notice(text));
    }
}

#[cfg(test)]
mod tests;
