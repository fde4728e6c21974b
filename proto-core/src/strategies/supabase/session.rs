//! One project: its channels, and whether the link is alive.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::time::Duration;

use super::channel::{Channel, Purpose};
use super::message::{self, Broadcast, Incoming, Ref};
use crate::crypto::Topic;
use crate::signaling::{
    LinkFrame, LinkTarget, Publication, RelaySession, RelayUrl, SessionInput, SessionOutput,
    SessionTerms, Subscription,
};
use crate::time::{Deadline, DueSet, Time};

/// How often a heartbeat goes out, as from supabase-js. One that is not answered when the next is
/// due shows that the link is dead.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(25);
/// Channels of peers that are kept joined in order to speak there. The one that was not used for
/// longest is left. A project allows a client 100 channels, if not configured otherwise.
const PEER_CHANNELS_MAX: usize = 64;

/// See the [module](self).
pub(super) struct SupabaseSession {
    url: RelayUrl,
    token: String,
    /// There is none while no link stands, or when it is of no use and will be closed.
    link: Option<Link>,
    outputs: VecDeque<SessionOutput>,
}

#[derive(Debug)]
struct Link {
    channels: BTreeMap<Topic, Channel>,
    due: DueSet<Topic>,
    heartbeat: Heartbeat,
    last_ref: Ref,
    /// Counts the uses of peers' channels.
    uses: u64,
}

#[derive(Clone, Copy, Debug)]
struct Heartbeat {
    at: Time,
    unanswered: Option<Ref>,
}

impl SupabaseSession {
    pub(super) fn new(terms: SessionTerms, token: String) -> Self {
        SupabaseSession { url: terms.url, token, link: None, outputs: VecDeque::new() }
    }

    fn open(&mut self, now: Time) {
        self.link = Some(Link {
            channels: BTreeMap::new(),
            due: DueSet::new(),
            heartbeat: Heartbeat { at: now + HEARTBEAT_INTERVAL, unanswered: None },
            last_ref: 0,
            uses: 0,
        });
    }

    fn subscribe(&mut self, subscription: Subscription<'_>, now: Time) {
        let Subscription { topic, root } = subscription;
        let Some(link) = &mut self.link else { return };
        if let Some(channel) = link.channels.get_mut(topic) {
            channel.purpose = Purpose::Listening;
            if channel.joined().is_some() {
                self.outputs.push_back(SessionOutput::Subscribed(topic.clone()));
            }
            return;
        }
        self.outputs.push_back(link.join(topic, root, Purpose::Listening, &self.token, now));
    }

    /// Leaves a channel; with that of a room, those of the peers there.
    fn unsubscribe(&mut self, subscription: Subscription<'_>) {
        let Subscription { topic, root } = subscription;
        let Some(link) = &mut self.link else { return };
        if topic == root {
            let speaking = link.speaking().filter(|(_, _, channel)| channel.root == *root);
            let peers: Vec<Topic> = speaking.map(|(_, peer, _)| peer.clone()).collect();
            self.outputs.extend(peers.iter().filter_map(|peer| link.leave(peer)));
        }
        self.outputs.extend(link.leave(topic));
    }

    fn publish(&mut self, publication: &Publication<'_>, now: Time) {
        let Publication { topic, root, signal, .. } = *publication;
        let broadcast = Broadcast::new(signal.emit(), topic == root);
        let Some(link) = &mut self.link else { return };
        link.uses += 1;
        let used = Purpose::Speaking { used: link.uses };
        if !link.channels.contains_key(topic) {
            self.outputs.extend(link.make_room());
            self.outputs.push_back(link.join(topic, root, used, &self.token, now));
        }
        let reference = link.next_ref();
        let Some(channel) = link.channels.get_mut(topic) else { return };
        if channel.purpose != Purpose::Listening {
            channel.purpose = used;
        }
        match channel.joined() {
            Some(join) => {
                let frame = broadcast.emit(join, reference, topic);
                self.outputs.push_back(SessionOutput::Send(frame));
            }
            None => channel.keep(broadcast),
        }
    }

    fn on_frame(&mut self, frame: LinkFrame, now: Time) {
        match message::parse(frame) {
            Ok(Incoming::Reply { topic: Some(topic), to, outcome }) => {
                self.on_reply(&topic, to, outcome, now);
            }
            Ok(Incoming::Reply { topic: None, to, .. }) => {
                if let Some(link) = &mut self.link {
                    link.heartbeat.unanswered.take_if(|asked| *asked == to);
                }
            }
            Ok(Incoming::Gone { topic, join }) => {
                if let Some(link) = &mut self.link {
                    link.on_lost(&topic, join, now);
                }
            }
            Ok(Incoming::Signal { topic, body }) => self.on_signal(topic, body),
            Ok(Incoming::Complaint(why)) => self.outputs.push_back(SessionOutput::Refusal(why)),
            Ok(Incoming::Nothing) => {}
            Err(malformed) => self.outputs.push_back(SessionOutput::Malformed(malformed.0)),
        }
    }

    fn on_reply(&mut self, topic: &Topic, to: Ref, outcome: Result<(), String>, now: Time) {
        let Some(link) = &mut self.link else { return };
        match outcome {
            Ok(()) => {
                let Some(channel) = link.channels.get_mut(topic) else { return };
                let Some(waiting) = channel.on_joined(to, now) else { return };
                if channel.purpose == Purpose::Listening {
                    self.outputs.push_back(SessionOutput::Subscribed(topic.clone()));
                }
                link.note_deadline(topic);
                for broadcast in waiting {
                    let frame = broadcast.emit(to, link.next_ref(), topic);
                    self.outputs.push_back(SessionOutput::Send(frame));
                }
            }
            Err(why) => {
                if link.on_lost(topic, to, now) {
                    let why = format!("the service refused a channel: {why}");
                    self.outputs.push_back(SessionOutput::Refusal(why));
                }
            }
        }
    }

    /// What is said to other peers is heard on their channels too, and is not ours.
    fn on_signal(&mut self, topic: Topic, body: String) {
        let channel = self.link.as_ref().and_then(|link| link.channels.get(&topic));
        if channel.is_some_and(|channel| channel.purpose == Purpose::Listening) {
            self.outputs.push_back(SessionOutput::Message { topic, body });
        }
    }

    fn beat(&mut self, now: Time) {
        let Some(link) = &mut self.link else { return };
        if link.heartbeat.at > now {
            return;
        }
        if link.heartbeat.unanswered.is_some() {
            self.link = None;
            let why = "the service did not answer a heartbeat";
            self.outputs.push_back(SessionOutput::Fail(why.to_owned()));
            return;
        }
        let reference = link.next_ref();
        link.heartbeat = Heartbeat { at: now + HEARTBEAT_INTERVAL, unanswered: Some(reference) };
        self.outputs.push_back(SessionOutput::Send(message::heartbeat(reference)));
    }
}

impl Link {
    fn next_ref(&mut self) -> Ref {
        self.last_ref += 1;
        self.last_ref
    }

    fn join(
        &mut self,
        topic: &Topic,
        root: &Topic,
        purpose: Purpose,
        token: &str,
        now: Time,
    ) -> SessionOutput {
        self.channels.insert(topic.clone(), Channel::new(root, purpose, now));
        self.join_again(topic, token, now)
    }

    fn join_again(&mut self, topic: &Topic, token: &str, now: Time) -> SessionOutput {
        let reference = self.next_ref();
        if let Some(channel) = self.channels.get_mut(topic) {
            channel.on_join_sent(reference, now);
        }
        self.note_deadline(topic);
        SessionOutput::Send(message::join(reference, topic, token))
    }

    /// Forgets a channel, and says so if the service knows of it.
    fn leave(&mut self, topic: &Topic) -> Option<SessionOutput> {
        self.due.set(topic.clone(), None);
        let join = self.channels.remove(topic)?.join_ref()?;
        let reference = self.next_ref();
        Some(SessionOutput::Send(message::leave(join, reference, topic)))
    }

    /// Leaves the peer's channel that was not used for longest, where there are too many.
    fn make_room(&mut self) -> Option<SessionOutput> {
        if self.speaking().count() < PEER_CHANNELS_MAX {
            return None;
        }
        let (_, oldest, _) = self.speaking().min_by_key(|(used, ..)| *used)?;
        self.leave(&oldest.clone())
    }

    /// Peers' channels, with the count of their last use.
    fn speaking(&self) -> impl Iterator<Item = (u64, &Topic, &Channel)> {
        self.channels.iter().filter_map(|(topic, channel)| match channel.purpose {
            Purpose::Speaking { used } => Some((used, topic, channel)),
            Purpose::Listening => None,
        })
    }

    fn on_lost(&mut self, topic: &Topic, join: Ref, now: Time) -> bool {
        let channel = self.channels.get_mut(topic);
        let is_lost = channel.is_some_and(|channel| channel.on_lost(join, now));
        if is_lost {
            self.note_deadline(topic);
        }
        is_lost
    }

    fn note_deadline(&mut self, topic: &Topic) {
        let deadline = self.channels.get(topic).and_then(Channel::deadline);
        self.due.set(topic.clone(), deadline);
    }
}

/// Without the token, which is not for logs.
impl fmt::Debug for SupabaseSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SupabaseSession { url, link, .. } = self;
        f.debug_struct("SupabaseSession").field("url", url).field("link", link).finish()
    }
}

impl RelaySession for SupabaseSession {
    fn target(&self) -> LinkTarget {
        LinkTarget::WebSocket { url: self.url.clone(), protocol: None }
    }

    fn handle_input(&mut self, input: SessionInput<'_>, now: Time) {
        match input {
            SessionInput::Opened => self.open(now),
            SessionInput::Closed => {
                self.link = None;
                self.outputs.clear();
            }
            SessionInput::Frame(frame) => self.on_frame(frame, now),
            SessionInput::Subscribe(subscription) => self.subscribe(subscription, now),
            SessionInput::Unsubscribe(subscription) => self.unsubscribe(subscription),
            SessionInput::Publish(publication) => self.publish(&publication, now),
            // Nothing is kept there nor dated; and only strategies that say so trade offers.
            SessionInput::WallClock(_) | SessionInput::Rest { .. } | SessionInput::Offer(_) => {}
        }
    }

    fn handle_timeout(&mut self, now: Time) {
        self.beat(now);
        let Some(link) = &mut self.link else { return };
        while let Some(topic) = link.due.pop_due(now) {
            if link.channels.get_mut(&topic).is_some_and(|channel| channel.handle_timeout(now)) {
                self.outputs.push_back(link.join_again(&topic, &self.token, now));
            } else {
                link.note_deadline(&topic);
            }
        }
    }

    fn poll_output(&mut self) -> Option<SessionOutput> {
        self.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        let link = self.link.as_ref()?;
        let beat = Deadline::new(link.heartbeat.at, "send a heartbeat");
        Deadline::earlier(Some(beat), link.due.next())
    }
}
