//! One broker: introducing ourselves, subscribing, and keeping the link alive.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;

use super::account::Account;
use super::packet::{self, ConnackRefusal, Incoming, Packets};
use crate::crypto::Topic;
use crate::rng::Rng;
use crate::signaling::{
    LinkFrame, LinkTarget, Publication, RelaySession, RelayUrl, SessionInput, SessionOutput,
    SessionTerms,
};
use crate::time::{Deadline, Time};

/// The WebSocket sub-protocol (MQTT 3.1.1, section 6).
const SUB_PROTOCOL: &str = "mqtt";
/// The interval that we promise, in seconds: Trystero's. A broker gives a client up that was
/// silent for one and a half of it.
const KEEP_ALIVE_SECS: u16 = 60;
/// A PINGREQ follows when nothing was sent, or nothing was heard, for this long. The latter
/// finds a dead link on which announces go out so often that no PINGREQ would be needed.
const KEEP_ALIVE: Duration = Duration::from_secs(KEEP_ALIVE_SECS as u64);
/// A broker that has not answered CONNECT or PINGREQ by then is left.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);
/// Client ids begin with this. All have 16 letters and digits, below the 23 that every broker
/// takes (section 3.1.3.1).
const CLIENT_ID_PREFIX: &str = "tristero";
/// Random characters after it.
const CLIENT_ID_RANDOM: usize = 8;
/// Publishes that wait for the CONNACK. The oldest is dropped; announces come again.
const WAITING_MAX: usize = 256;

/// See the [module](self).
#[derive(Debug)]
pub(super) struct MqttSession {
    /// What to dial: without the account.
    url: RelayUrl,
    account: Option<Account>,
    rng: Rng,
    phase: Phase,
    outputs: VecDeque<SessionOutput>,
}

#[derive(Debug)]
enum Phase {
    /// No link stands, or this one is of no use and will be closed.
    Closed,
    /// CONNECT is out.
    Connecting {
        packets: Packets,
        give_up: Time,
        /// Topics to subscribe then; each is one of a room's.
        topics: Vec<Topic>,
        /// PUBLISH packets to be sent then, [`WAITING_MAX`] at most.
        waiting: VecDeque<Bytes>,
    },
    /// CONNACK has come.
    Connected { packets: Packets, connected: Connected },
}

/// What is known of a link that the broker has accepted.
#[derive(Debug)]
struct Connected {
    /// Subscriptions that were asked for and not answered, by packet id. One whose topic is not
    /// wanted any more is not kept, so there are never more than rooms have topics.
    asked: BTreeMap<u16, Topic>,
    last_id: u16,
    sent_at: Time,
    heard_at: Time,
    pong_by: Option<Time>,
}

impl MqttSession {
    pub(super) fn new(terms: SessionTerms) -> Self {
        let SessionTerms { url, rng, self_id: _, shared: _, clock: _ } = terms;
        let (account, url) = Account::split(&url);
        MqttSession { url, account, rng, phase: Phase::Closed, outputs: VecDeque::new() }
    }

    fn connect(&mut self, now: Time) {
        let id = format!("{CLIENT_ID_PREFIX}{}", self.rng.alphanumeric(CLIENT_ID_RANDOM));
        let Some(connect) = packet::connect(&id, KEEP_ALIVE_SECS, self.account.as_ref()) else {
            let why = "the user name or the password is too long for MQTT, or is not text";
            self.outputs.push_back(SessionOutput::Retire(why.to_owned()));
            return;
        };
        self.phase = Phase::Connecting {
            packets: Packets::new(),
            give_up: now + ANSWER_WITHIN,
            topics: Vec::new(),
            waiting: VecDeque::new(),
        };
        self.outputs.push_back(send(connect));
    }

    fn subscribe(&mut self, topic: &Topic, now: Time) {
        match &mut self.phase {
            Phase::Closed => {}
            Phase::Connecting { topics, .. } => topics.push(topic.clone()),
            Phase::Connected { connected, .. } => {
                let output = connected.subscribe(topic, now);
                self.outputs.push_back(output);
            }
        }
    }

    fn unsubscribe(&mut self, topic: &Topic, now: Time) {
        match &mut self.phase {
            Phase::Closed => {}
            Phase::Connecting { topics, .. } => topics.retain(|other| other != topic),
            Phase::Connected { connected, .. } => {
                let output = connected.unsubscribe(topic, now);
                self.outputs.push_back(output);
            }
        }
    }

    fn publish(&mut self, publication: &Publication<'_>, now: Time) {
        let packet = packet::publish(publication.topic, &publication.signal.emit());
        match &mut self.phase {
            Phase::Closed => {}
            Phase::Connecting { waiting, .. } => {
                if waiting.len() >= WAITING_MAX {
                    waiting.pop_front();
                }
                waiting.push_back(packet);
            }
            Phase::Connected { connected, .. } => {
                connected.sent_at = now;
                self.outputs.push_back(send(packet));
            }
        }
    }

    fn on_frame(&mut self, frame: LinkFrame, now: Time) {
        let LinkFrame::Binary(mut bytes) = frame else {
            return self.malformed("a broker sends bytes");
        };
        // An answer to a packet may end the link, and with it the stream.
        loop {
            let fed = match &mut self.phase {
                Phase::Closed => return,
                Phase::Connecting { packets, .. } | Phase::Connected { packets, .. } => {
                    packets.feed(&mut bytes)
                }
            };
            match fed {
                Ok(Some(Ok(incoming))) => self.on_packet(incoming, now),
                Ok(Some(Err(malformed))) => self.malformed(malformed.0),
                Ok(None) => return,
                Err(broken) => {
                    self.malformed("a broker sends MQTT packets");
                    return self.fail(&broken.to_string());
                }
            }
        }
    }

    fn on_packet(&mut self, incoming: Incoming, now: Time) {
        match (&mut self.phase, incoming) {
            (Phase::Connecting { .. }, Incoming::Accepted) => self.on_accepted(now),
            (Phase::Connecting { .. }, Incoming::Refused(why)) => self.on_refused(why),
            (Phase::Connected { connected, .. }, incoming) => {
                connected.heard_at = now;
                let output = connected.on_packet(incoming);
                self.outputs.extend(output);
            }
            (Phase::Connecting { .. } | Phase::Closed, _) => {
                self.malformed("a broker sends CONNACK first");
            }
        }
    }

    fn on_accepted(&mut self, now: Time) {
        let phase = std::mem::replace(&mut self.phase, Phase::Closed);
        let Phase::Connecting { packets, topics, waiting, .. } = phase else { return };
        let mut connected = Connected {
            asked: BTreeMap::new(),
            last_id: 0,
            sent_at: now,
            heard_at: now,
            pong_by: None,
        };
        self.outputs.extend(topics.iter().map(|topic| connected.subscribe(topic, now)));
        self.outputs.extend(waiting.into_iter().map(send));
        self.phase = Phase::Connected { packets, connected };
    }

    /// An account that is wrong stays wrong; the rest may pass.
    fn on_refused(&mut self, why: ConnackRefusal) {
        match why {
            ConnackRefusal::Credentials | ConnackRefusal::NotAuthorized => {
                self.phase = Phase::Closed;
                self.outputs.push_back(SessionOutput::Retire(why.to_string()));
            }
            ConnackRefusal::ProtocolVersion
            | ConnackRefusal::ClientId
            | ConnackRefusal::Unavailable => self.fail(&why.to_string()),
        }
    }

    /// Has the link closed, and another one dialled after a while.
    fn fail(&mut self, why: &str) {
        self.phase = Phase::Closed;
        self.outputs.push_back(SessionOutput::Fail(why.to_owned()));
    }

    fn malformed(&mut self, why: &'static str) {
        self.outputs.push_back(SessionOutput::Malformed(why));
    }
}

impl Connected {
    fn subscribe(&mut self, topic: &Topic, now: Time) -> SessionOutput {
        let Some(id) = self.next_id() else {
            return SessionOutput::Fail("the broker does not answer subscriptions".to_owned());
        };
        self.asked.insert(id, topic.clone());
        self.sent_at = now;
        send(packet::subscribe(id, topic))
    }

    fn unsubscribe(&mut self, topic: &Topic, now: Time) -> SessionOutput {
        self.asked.retain(|_, asked| asked != topic);
        let Some(id) = self.next_id() else {
            return SessionOutput::Fail("the broker does not answer subscriptions".to_owned());
        };
        self.sent_at = now;
        send(packet::unsubscribe(id, topic))
    }

    /// A packet id that nothing waits under. The next one in turn, so that a late answer is not
    /// taken for another's.
    fn next_id(&mut self) -> Option<u16> {
        for _ in 0..u16::MAX {
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            if !self.asked.contains_key(&self.last_id) {
                return Some(self.last_id);
            }
        }
        None
    }

    fn on_packet(&mut self, incoming: Incoming) -> Option<SessionOutput> {
        match incoming {
            Incoming::Accepted | Incoming::Refused(_) => {
                Some(SessionOutput::Malformed("a broker sends CONNACK once"))
            }
            Incoming::Suback { id, is_granted } => {
                let topic = self.asked.remove(&id)?;
                Some(if is_granted {
                    SessionOutput::Subscribed(topic)
                } else {
                    SessionOutput::Refusal("the broker refused a subscription".to_owned())
                })
            }
            Incoming::Publish { topic, body } => Some(SessionOutput::Message { topic, body }),
            Incoming::Pingresp => {
                self.pong_by = None;
                None
            }
            Incoming::Unsuback => None,
        }
    }

    fn next_ping(&self) -> Time {
        self.sent_at.min(self.heard_at) + KEEP_ALIVE
    }
}

impl RelaySession for MqttSession {
    fn target(&self) -> LinkTarget {
        LinkTarget::WebSocket { url: self.url.clone(), protocol: Some(SUB_PROTOCOL) }
    }

    fn handle_input(&mut self, input: SessionInput<'_>, now: Time) {
        match input {
            SessionInput::Opened => self.connect(now),
            SessionInput::Closed => {
                self.phase = Phase::Closed;
                self.outputs.clear();
            }
            SessionInput::Frame(frame) => self.on_frame(frame, now),
            SessionInput::Subscribe(subscription) => self.subscribe(subscription.topic, now),
            SessionInput::Unsubscribe(subscription) => self.unsubscribe(subscription.topic, now),
            SessionInput::Publish(publication) => self.publish(&publication, now),
            // Nothing is retained nor dated; and only strategies that say so trade offers.
            SessionInput::WallClock(_) | SessionInput::Rest { .. } | SessionInput::Offer(_) => {}
        }
    }

    fn handle_timeout(&mut self, now: Time) {
        match &mut self.phase {
            Phase::Connecting { give_up, .. } if *give_up <= now => {
                self.fail("the broker did not answer CONNECT in time");
            }
            Phase::Connected { connected, .. } => match connected.pong_by {
                Some(pong_by) if pong_by <= now => {
                    self.fail("the broker did not answer PINGREQ in time");
                }
                None if connected.next_ping() <= now => {
                    connected.sent_at = now;
                    connected.pong_by = Some(now + ANSWER_WITHIN);
                    self.outputs.push_back(send(packet::pingreq()));
                }
                Some(_) | None => {}
            },
            Phase::Closed | Phase::Connecting { .. } => {}
        }
    }

    fn poll_output(&mut self) -> Option<SessionOutput> {
        self.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        match &self.phase {
            Phase::Closed => None,
            Phase::Connecting { give_up, .. } => Some(Deadline::new(*give_up, "hear a CONNACK")),
            Phase::Connected { connected, .. } => Some(match connected.pong_by {
                Some(pong_by) => Deadline::new(pong_by, "hear a PINGRESP"),
                None => Deadline::new(connected.next_ping(), "ping a broker"),
            }),
        }
    }
}

/// One packet to a frame, as others send them too.
fn send(packet: Bytes) -> SessionOutput {
    SessionOutput::Send(LinkFrame::Binary(packet))
}
