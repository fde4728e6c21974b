//! A relay as Trystero keeps it: dialled, announced to, and given up after six failures in a row.
//!
//! What a service speaks is its strategy's matter, as for a node. What is JavaScript's own is when
//! it dials, when it announces and what it does when it is back.
//!
//! spec: docs/protocol.md, section 2, "Announcing" and "Relay sockets"

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tristero_proto::crypto::Topic;
use tristero_proto::signaling::{
    LinkFrame, RelaySession, SessionInput, SessionOutput, SessionTerms, Subscription,
};
use tristero_proto::{Deadline, LinkId, Output, RelayConfig, Rng, Time};

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Relay {
    pub(super) config: RelayConfig,
    session: Box<dyn RelaySession>,
    link: Link,
    /// Each topic, and the root topic of its room.
    topics: BTreeMap<Topic, Topic>,
    /// One for each room, by its root topic.
    announcers: BTreeMap<Topic, Announcer>,
    rng: Rng,
    outputs: VecDeque<RelayOutput>,
}

/// What a relay wants done or says.
#[derive(Debug)]
pub(super) enum RelayOutput {
    Do(Output),
    /// It is time to announce the room with this root topic.
    Announce(Topic),
    Heard {
        topic: Topic,
        body: String,
    },
}

#[derive(Debug)]
enum Link {
    Waiting { until: Time, failures: u32 },
    Dialling { link: LinkId, failures: u32 },
    Open { link: LinkId },
    GivenUp,
}

/// When a room is announced.
#[derive(Debug)]
struct Announcer {
    /// How it is to be, as the relay says.
    interval: Duration,
    /// The relay wants no announce before.
    held_until: Time,
    stage: Stage,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    /// The relay has not got the subscription yet.
    Awaited,
    Begun {
        /// When an announce was tried last, or could be for the first time.
        last: Time,
        /// How many announces were tried, and whether one went out.
        tried: usize,
        has_succeeded: bool,
        /// The link over which it is subscribed.
        link: LinkId,
    },
}

impl Relay {
    pub(super) fn new(config: RelayConfig, terms: SessionTerms, rng: Rng, now: Time) -> Self {
        Relay {
            session: config.strategy.session(terms),
            config,
            link: Link::Waiting { until: now, failures: 0 },
            topics: BTreeMap::new(),
            announcers: BTreeMap::new(),
            rng,
            outputs: VecDeque::new(),
        }
    }

    /// A room is joined here.
    pub(super) fn enter(&mut self, root: &Topic, own: &Topic, now: Time) {
        let interval = HEARTBEAT;
        let announcer = Announcer { interval, held_until: now, stage: Stage::Awaited };
        self.announcers.insert(root.clone(), announcer);
        for topic in [root, own] {
            self.topics.insert(topic.clone(), root.clone());
            self.tell(SessionInput::Subscribe(Subscription { topic, root }), now);
        }
    }

    /// A room is left.
    pub(super) fn exit(&mut self, root: &Topic, own: &Topic, now: Time) {
        self.announcers.remove(root);
        for topic in [root, own] {
            self.topics.remove(topic);
            self.tell(SessionInput::Unsubscribe(Subscription { topic, root }), now);
        }
    }

    /// Says something for a room; false if no link stands.
    pub(super) fn tell(&mut self, input: SessionInput<'_>, now: Time) -> bool {
        let is_open = matches!(self.link, Link::Open { .. });
        if is_open {
            self.session.handle_input(input, now);
            self.drain_session(now);
        }
        is_open
    }

    pub(super) fn on_opened(&mut self, link: LinkId, now: Time) {
        if !matches!(self.link, Link::Dialling { link: dialled, .. } if dialled == link) {
            return;
        }
        self.link = Link::Open { link };
        self.tell(SessionInput::Opened, now);
        for (topic, root) in self.topics.clone() {
            let subscription = Subscription { topic: &topic, root: &root };
            self.tell(SessionInput::Subscribe(subscription), now);
        }
    }

    pub(super) fn on_frame(&mut self, link: LinkId, frame: LinkFrame, now: Time) {
        if self.is_over(link) {
            self.tell(SessionInput::Frame(frame), now);
        }
    }

    pub(super) fn on_closed(&mut self, link: LinkId, now: Time) {
        if self.is_over(link) {
            self.fail(now);
        }
    }

    /// Dials or announces, if it is time to.
    pub(super) fn handle_timeout(&mut self, new_link: impl FnOnce() -> LinkId, now: Time) {
        match self.link {
            Link::Waiting { until, failures } if until <= now => {
                let link = new_link();
                self.link = Link::Dialling { link, failures };
                let target = self.session.target();
                self.do_next(Output::OpenLink { link, target });
            }
            Link::Open { .. } => {
                self.session.handle_timeout(now);
                self.drain_session(now);
            }
            Link::Waiting { .. } | Link::Dialling { .. } | Link::GivenUp => {}
        }
        let is_open = matches!(self.link, Link::Open { .. });
        for (root, announcer) in &mut self.announcers {
            if announcer.due().is_some_and(|due| due <= now) {
                announcer.advance(is_open, now);
                if is_open {
                    self.outputs.push_back(RelayOutput::Announce(root.clone()));
                }
            }
        }
    }

    pub(super) fn poll_output(&mut self) -> Option<RelayOutput> {
        self.outputs.pop_front()
    }

    pub(super) fn poll_timeout(&self) -> Option<Deadline> {
        let of_link = match self.link {
            Link::Waiting { until, .. } => Some(Deadline::new(until, "dial a relay")),
            Link::Open { .. } => self.session.poll_timeout(),
            Link::Dialling { .. } | Link::GivenUp => None,
        };
        let announce = self.announcers.values().filter_map(Announcer::due).min();
        Deadline::earlier(of_link, announce.map(|at| Deadline::new(at, "announce")))
    }

    /// Whether it is dialled no more.
    pub(super) fn is_given_up(&self) -> bool {
        matches!(self.link, Link::GivenUp)
    }

    fn is_over(&self, link: LinkId) -> bool {
        match self.link {
            Link::Dialling { link: current, .. } | Link::Open { link: current } => current == link,
            Link::Waiting { .. } | Link::GivenUp => false,
        }
    }

    fn is_mqtt(&self) -> bool {
        self.config.strategy.name() == "mqtt"
    }

    fn fail(&mut self, now: Time) {
        let failures = match self.link {
            Link::Dialling { failures, .. } => failures + 1,
            Link::Open { .. } => 1,
            Link::Waiting { .. } | Link::GivenUp => return,
        };
        self.session.handle_input(SessionInput::Closed, now);
        while self.session.poll_output().is_some() {}
        self.link = if self.is_mqtt() {
            Link::Waiting { until: now + MQTT_RECONNECT, failures }
        } else if failures >= FAILURES_MAX {
            Link::GivenUp
        } else {
            let wait = self.rng.duration_below(RECONNECT_FIRST * 2_u32.pow(failures - 1));
            Link::Waiting { until: now + wait, failures }
        };
    }

    fn hang_up(&mut self) {
        if let Link::Dialling { link, .. } | Link::Open { link } = self.link {
            self.do_next(Output::CloseLink { link });
        }
    }

    fn drain_session(&mut self, now: Time) {
        while let Some(output) = self.session.poll_output() {
            match output {
                SessionOutput::Send(frame) => {
                    if let Link::Open { link } = self.link {
                        self.do_next(Output::SendLink { link, frame });
                    }
                }
                SessionOutput::Subscribed(topic) => self.on_subscribed(&topic, now),
                SessionOutput::Message { topic, body } => {
                    self.outputs.push_back(RelayOutput::Heard { topic, body });
                }
                SessionOutput::AnnounceEvery { root, interval } => {
                    if let Some(announcer) = self.announcers.get_mut(&root) {
                        announcer.interval = interval;
                    }
                }
                SessionOutput::HoldAnnounces { root, pause } => {
                    if let Some(announcer) = self.announcers.get_mut(&root) {
                        announcer.held_until = now + pause;
                    }
                }
                SessionOutput::Retire(_) => {
                    self.hang_up();
                    self.link = Link::GivenUp;
                }
                SessionOutput::Fail(_) | SessionOutput::Redial => {
                    self.hang_up();
                    self.fail(now);
                }
                // What is wrong with a frame, and what the relay has to say about it.
                _ => {}
            }
        }
    }

    /// The burst begins with the first subscription. One that is made again is followed by one
    /// announce on MQTT and at trackers, and by none on Nostr and ws.
    fn on_subscribed(&mut self, root: &Topic, now: Time) {
        let is_announced_again = self.is_mqtt() || self.config.strategy.trades_offers();
        let Link::Open { link: current } = self.link else { return };
        let Some(announcer) = self.announcers.get_mut(root) else { return };
        match &mut announcer.stage {
            Stage::Awaited => {
                let (tried, has_succeeded) = (0, false);
                announcer.stage = Stage::Begun { last: now, tried, has_succeeded, link: current };
            }
            Stage::Begun { link, .. } if *link != current => {
                *link = current;
                if is_announced_again {
                    self.outputs.push_back(RelayOutput::Announce(root.clone()));
                }
            }
            Stage::Begun { .. } => {}
        }
    }

    fn do_next(&mut self, output: Output) {
        self.outputs.push_back(RelayOutput::Do(output));
    }
}

impl Announcer {
    fn due(&self) -> Option<Time> {
        match self.stage {
            Stage::Awaited => None,
            Stage::Begun { last, tried, has_succeeded, .. } => {
                let pause = match tried.checked_sub(1).map(|burst| BURST.get(burst)) {
                    None => Duration::ZERO,
                    Some(Some(pause)) => *pause,
                    Some(None) if !has_succeeded => RETRY,
                    Some(None) => self.interval,
                };
                Some((last + pause.min(self.interval)).max(self.held_until))
            }
        }
    }

    /// An announce was made, or could not be.
    fn advance(&mut self, is_made: bool, now: Time) {
        let Stage::Begun { last, tried, has_succeeded, .. } = &mut self.stage else { return };
        *has_succeeded |= is_made;
        *tried += 1;
        *last = now;
    }
}

/// What follows the first announce, each so much after the one before.
const BURST: [Duration; 3] =
    [Duration::from_millis(233), Duration::from_millis(533), Duration::from_millis(1_333)];

/// A room is announced so often afterwards, where the relay does not say.
const HEARTBEAT: Duration = Duration::from_secs(60);

/// An announce is tried so often as long as none went out.
const RETRY: Duration = Duration::from_millis(5_333);

/// A random wait below this precedes the first reconnection; each failure in a row doubles it.
const RECONNECT_FIRST: Duration = Duration::from_millis(3_333);

/// With so many failures in a row a relay is closed for good.
const FAILURES_MAX: u32 = 6;

/// MQTT.js has a wait of its own, and goes on for ever.
const MQTT_RECONNECT: Duration = Duration::from_secs(1);
