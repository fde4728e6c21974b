//! One service node: subscriptions that it keeps, and messages that it takes.
//!
//! - A subscription stands once the node says so. One that it refuses, or does not answer, is asked
//!   for again a few times, and then not before the next connection.
//! - Nodes forget clients that are silent. We ping; if the node has forgotten us, or did not answer
//!   the ping before, all subscriptions are asked for anew.
//! - A message that the node does not take is lost. Announces come again by themselves.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::wire::{Answer, CLUSTER, FilterKind, Protocol, Request, Said, request_id};
use crate::crypto::Topic;
use crate::rng::Rng;
use crate::signaling::{
    LinkTarget, Publication, RelaySession, RelayUrl, SessionInput, SessionOutput, SessionTerms,
};
use crate::time::{Clock, Deadline, Time};

/// js-waku asks this often whether its subscriptions stand.
const PING_INTERVAL: Duration = Duration::from_secs(60);
/// A request for a subscription that has no answer by then counts as refused.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// A refused subscription is asked for again after this long; each further time doubles it.
const RETRY_FIRST: Duration = Duration::from_secs(2);
/// Refusals of a subscription, in a row, after which it is not asked for any more.
const REFUSALS_MAX: u32 = 6;
/// A node that has too much to do gets no announce of a room for this long.
const BUSY_PAUSE: Duration = Duration::from_secs(60);
/// Requests whose answer has not come. The oldest is forgotten.
const ASKED_MAX: usize = 256;

/// The request was done.
const STATUS_OK: u32 = 200;
/// The node has too many requests of ours.
const STATUS_TOO_MANY_REQUESTS: u32 = 429;

/// See the [module](self).
#[derive(Debug)]
pub(super) struct IpfsSession {
    url: RelayUrl,
    rng: Rng,
    clock: Clock,
    topics: BTreeMap<Topic, Filter>,
    asked: VecDeque<(String, Asked)>,
    /// When to ping, if a link stands.
    ping_at: Option<Time>,
    outputs: VecDeque<SessionOutput>,
}

/// How a subscription is doing, and how often it was refused in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Filter {
    Asked { give_up: Time, refusals: u32 },
    Stands,
    Refused { retry_at: Time, refusals: u32 },
    GivenUp,
}

/// What a request was for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Asked {
    Ping,
    Subscribe(Topic),
    Unsubscribe,
    Announce { root: Topic },
    Send,
}

impl IpfsSession {
    pub(super) fn new(terms: SessionTerms) -> Self {
        let SessionTerms { url, rng, clock, shared: _, self_id: _ } = terms;
        IpfsSession {
            url,
            rng,
            clock,
            topics: BTreeMap::new(),
            asked: VecDeque::new(),
            ping_at: None,
            outputs: VecDeque::new(),
        }
    }

    fn on_opened(&mut self, now: Time) {
        self.ping_at = Some(now + PING_INTERVAL);
        self.send(&Request::Metadata);
    }

    fn on_closed(&mut self) {
        self.topics.clear();
        self.asked.clear();
        self.ping_at = None;
        self.outputs.clear();
    }

    fn subscribe(&mut self, topic: &Topic, refusals: u32, now: Time) {
        let id = self.ask(Asked::Subscribe(topic.clone()));
        self.send(&Request::filter(FilterKind::Subscribe, &id, Some(topic)));
        let give_up = now + ANSWER_TIMEOUT;
        self.topics.insert(topic.clone(), Filter::Asked { give_up, refusals });
    }

    fn unsubscribe(&mut self, topic: &Topic) {
        if self.topics.remove(topic).is_some() {
            let id = self.ask(Asked::Unsubscribe);
            self.send(&Request::filter(FilterKind::Unsubscribe, &id, Some(topic)));
        }
    }

    fn publish(&mut self, publication: &Publication<'_>, now: Time) {
        let id = self.ask(match publication.to {
            None => Asked::Announce { root: publication.root.clone() },
            Some(_) => Asked::Send,
        });
        let unix = self.clock.unix + now.since(self.clock.now);
        let unix_ms = u64::try_from(unix.as_millis()).unwrap_or(u64::MAX);
        let body = publication.signal.emit();
        self.send(&Request::light_push(&id, publication.topic, body, unix_ms));
    }

    fn ping(&mut self, now: Time) {
        self.ping_at = Some(now + PING_INTERVAL);
        if self.topics.is_empty() {
            return;
        }
        let asked = self.asked.len();
        self.asked.retain(|(_, asked)| *asked != Asked::Ping);
        if self.asked.len() < asked {
            self.subscribe_anew(now);
        }
        let id = self.ask(Asked::Ping);
        self.send(&Request::ping(&id));
    }

    /// Asks anew for all subscriptions that the node granted.
    fn subscribe_anew(&mut self, now: Time) {
        let standing = self.topics.iter().filter(|(_, filter)| **filter == Filter::Stands);
        let topics: Vec<Topic> = standing.map(|(topic, _)| topic.clone()).collect();
        topics.iter().for_each(|topic| self.subscribe(topic, 0, now));
    }

    fn on_said(&mut self, said: Said, now: Time) {
        match said {
            Said::Metadata { cluster } => {
                if cluster.is_some_and(|cluster| cluster != CLUSTER) {
                    self.refusal("the node is of another network than Trystero's".to_owned());
                }
            }
            Said::Message { topic, body } => {
                self.outputs.push_back(SessionOutput::Message { topic, body });
            }
            Said::Answer(answer) => self.on_answer(&answer, now),
            Said::NoAnswer(protocol) => self.on_no_answer(protocol, now),
        }
    }

    fn on_answer(&mut self, answer: &Answer, now: Time) {
        let position = self.asked.iter().position(|(id, _)| *id == answer.request_id);
        let asked = position.and_then(|at| self.asked.remove(at)).map(|(_, asked)| asked);
        if answer.status == STATUS_OK {
            if let Some(Asked::Subscribe(topic)) = asked {
                self.on_subscribed(topic);
            }
            return;
        }
        let is_busy = answer.status == STATUS_TOO_MANY_REQUESTS;
        if let Some(Asked::Announce { root }) = asked.clone().filter(|_| is_busy) {
            let pause = BUSY_PAUSE;
            self.outputs.push_back(SessionOutput::HoldAnnounces { root, pause });
        }
        let text = answer.text.as_deref().unwrap_or_default();
        self.on_failed(asked, &format!("{} {text}", answer.status), now);
    }

    /// A link has requests of one protocol answered in their order.
    fn on_no_answer(&mut self, protocol: Protocol, now: Time) {
        let position = self.asked.iter().position(|(_, asked)| asked.protocol() == protocol);
        let asked = position.and_then(|at| self.asked.remove(at)).map(|(_, asked)| asked);
        self.on_failed(asked, "it has no answer", now);
    }

    fn on_failed(&mut self, asked: Option<Asked>, why: &str, now: Time) {
        let refused = |what| format!("the node refuses {what}: {why}");
        match asked {
            Some(Asked::Ping) => self.subscribe_anew(now),
            Some(Asked::Subscribe(topic)) => {
                self.on_refused(&topic, now);
                self.refusal(refused("a subscription"));
            }
            // What it does not know, it can't end, and that is all that we want.
            Some(Asked::Unsubscribe) => {}
            Some(Asked::Announce { .. }) => self.refusal(refused("an announce")),
            Some(Asked::Send) => self.refusal(refused("a signal to a peer")),
            None => self.refusal(refused("a request")),
        }
    }

    fn on_subscribed(&mut self, topic: Topic) {
        if let Some(filter) = self.topics.get_mut(&topic) {
            *filter = Filter::Stands;
            self.outputs.push_back(SessionOutput::Subscribed(topic));
        }
    }

    fn on_refused(&mut self, topic: &Topic, now: Time) {
        let Some(filter) = self.topics.get_mut(topic) else { return };
        if let Filter::Asked { refusals, .. } = *filter {
            let retry_at = now + RETRY_FIRST * 2u32.pow(refusals.min(REFUSALS_MAX));
            let refusals = refusals + 1;
            *filter = if refusals < REFUSALS_MAX {
                Filter::Refused { retry_at, refusals }
            } else {
                Filter::GivenUp
            };
        }
    }

    /// Notes a request, and gives it an id.
    fn ask(&mut self, asked: Asked) -> String {
        if self.asked.len() >= ASKED_MAX {
            self.asked.pop_front();
        }
        let id = request_id(&mut self.rng);
        self.asked.push_back((id.clone(), asked));
        id
    }

    fn send(&mut self, request: &Request) {
        self.outputs.push_back(SessionOutput::Send(request.emit()));
    }

    fn refusal(&mut self, text: String) {
        self.outputs.push_back(SessionOutput::Refusal(text));
    }
}

impl Asked {
    fn protocol(&self) -> Protocol {
        match self {
            Asked::Ping | Asked::Subscribe(_) | Asked::Unsubscribe => Protocol::Filter,
            Asked::Announce { .. } | Asked::Send => Protocol::LightPush,
        }
    }
}

impl Filter {
    /// When something is to be done about it.
    fn due(self) -> Option<Time> {
        match self {
            Filter::Asked { give_up, .. } => Some(give_up),
            Filter::Refused { retry_at, .. } => Some(retry_at),
            Filter::Stands | Filter::GivenUp => None,
        }
    }
}

impl RelaySession for IpfsSession {
    fn target(&self) -> LinkTarget {
        LinkTarget::Custom { url: self.url.clone() }
    }

    fn handle_input(&mut self, input: SessionInput<'_>, now: Time) {
        match input {
            SessionInput::Opened => self.on_opened(now),
            SessionInput::Closed => self.on_closed(),
            SessionInput::WallClock(clock) => self.clock = clock,
            SessionInput::Frame(frame) => match Said::parse(&frame) {
                Ok(said) => self.on_said(said, now),
                Err(malformed) => {
                    self.outputs.push_back(SessionOutput::Malformed(malformed.0));
                }
            },
            SessionInput::Subscribe(subscription) => self.subscribe(subscription.topic, 0, now),
            SessionInput::Unsubscribe(subscription) => self.unsubscribe(subscription.topic),
            SessionInput::Publish(publication) => self.publish(&publication, now),
            // Nothing stands of announces, and only strategies that say so trade offers.
            SessionInput::Rest { .. } | SessionInput::Offer(_) => {}
        }
    }

    fn handle_timeout(&mut self, now: Time) {
        let is_due = |filter: &Filter| filter.due().is_some_and(|at| at <= now);
        let due = self.topics.iter().filter(|(_, filter)| is_due(filter));
        let due: Vec<(Topic, Filter)> =
            due.map(|(topic, filter)| (topic.clone(), *filter)).collect();
        for (topic, filter) in due {
            match filter {
                Filter::Refused { refusals, .. } => self.subscribe(&topic, refusals, now),
                Filter::Asked { .. } => {
                    self.on_refused(&topic, now);
                    self.refusal("the node does not answer a subscription".to_owned());
                }
                Filter::Stands | Filter::GivenUp => {}
            }
        }
        if self.ping_at.is_some_and(|at| at <= now) {
            self.ping(now);
        }
    }

    fn poll_output(&mut self) -> Option<SessionOutput> {
        self.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        let topics = self.topics.values().filter_map(|filter| filter.due()).min();
        let topics = topics.map(|at| Deadline::new(at, "subscribe on Waku"));
        Deadline::earlier(topics, self.ping_at.map(|at| Deadline::new(at, "ping a Waku node")))
    }
}

#[cfg(test)]
mod tests;
