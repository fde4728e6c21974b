//! Who subscribed to what, and the fan-out.
//!
//! Topics are spread over shards by their hash, each shard under a lock of its own. A publish
//! holds its shard's lock while it queues the message for every subscriber: queuing never
//! waits, all subscribers of a topic get its messages in one order, and who has unsubscribed
//! gets nothing more. What was queued is written when the lock is free again. A topic with very many
//! subscribers delays the other topics of its shard only, by less than a microsecond per subscriber.
//!
//! The lock order is shard, then outbox; nothing takes two shards at once.

use std::{
    borrow::Borrow,
    collections::{HashMap, HashSet, hash_map::Entry},
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use bytes::Bytes;

use crate::{Limits, outbox::Outbox, queue::Pushed};

/// All topics of a relay.
#[derive(Debug)]
pub(crate) struct Hub {
    shards: [Mutex<Shard>; SHARDS],
    hasher: RandomState,
    topics: AtomicUsize,
    topics_max: usize,
    connection_topics_max: usize,
    next_id: AtomicU64,
}

/// One connection's subscriptions. They end when it is dropped.
#[derive(Debug)]
pub(crate) struct Subscriber {
    hub: Arc<Hub>,
    id: SubscriberId,
    outbox: Arc<Outbox>,
    topics: HashSet<Topic>,
}

/// What became of a publish.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fanned {
    /// Subscribers for whom it waits, or who have got it.
    pub(crate) queued: u64,
    /// Subscribers who did not keep up and don't get it.
    pub(crate) dropped: u64,
}

/// The connection, or the relay, has as many topics as its limits allow.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooManyTopics;

type Shard = HashMap<Topic, HashMap<SubscriberId, Arc<Outbox>>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct SubscriberId(u64);

/// A topic that has a subscriber; its text is shared by the hub and its subscribers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Topic(Arc<str>);

impl Hub {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            hasher: RandomState::new(),
            topics: AtomicUsize::new(0),
            topics_max: limits.topics_max,
            connection_topics_max: limits.connection_topics_max,
            next_id: AtomicU64::new(0),
        }
    }

    /// A subscriber without topics, whose messages go to `outbox`.
    pub(crate) fn enter(self: &Arc<Self>, outbox: Arc<Outbox>) -> Subscriber {
        let id = SubscriberId(self.next_id.fetch_add(1, Ordering::Relaxed));
        Subscriber { hub: Arc::clone(self), id, outbox, topics: HashSet::new() }
    }

    /// Queues the frame for every subscriber of the topic, and adds to `receivers` those that are
    /// to be flushed. Never waits for any.
    pub(crate) fn publish(
        &self,
        topic: &str,
        frame: &Bytes,
        receivers: &mut Vec<Arc<Outbox>>,
    ) -> Fanned {
        let mut fanned = Fanned::default();
        let shard = self.shard(topic);
        for outbox in shard.get(topic).into_iter().flat_map(HashMap::values) {
            match outbox.push(frame.clone()) {
                Pushed::First => {
                    fanned.queued += 1;
                    receivers.push(Arc::clone(outbox));
                }
                Pushed::Behind => fanned.queued += 1,
                Pushed::Dropped => fanned.dropped += 1,
            }
        }
        fanned
    }

    /// Topics with a subscriber.
    pub(crate) fn topics(&self) -> usize {
        self.topics.load(Ordering::Relaxed)
    }

    fn join(
        &self,
        topic: &Topic,
        id: SubscriberId,
        outbox: &Arc<Outbox>,
    ) -> Result<(), TooManyTopics> {
        let mut shard = self.shard(topic.borrow());
        let subscribers = match shard.entry(topic.clone()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                self.reserve_topic()?;
                new.insert(HashMap::new())
            }
        };
        subscribers.insert(id, Arc::clone(outbox));
        Ok(())
    }

    fn leave(&self, topic: &Topic, id: SubscriberId) {
        let mut shard = self.shard(topic.borrow());
        let Some(subscribers) = shard.get_mut(topic) else { return };
        subscribers.remove(&id);
        if subscribers.is_empty() {
            shard.remove(topic);
            self.topics.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn reserve_topic(&self) -> Result<(), TooManyTopics> {
        let more = |topics| (topics < self.topics_max).then_some(topics + 1);
        match self.topics.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more) {
            Ok(_) => Ok(()),
            Err(_) => Err(TooManyTopics),
        }
    }

    fn shard(&self, topic: &str) -> MutexGuard<'_, Shard> {
        let hash = self.hasher.hash_one(topic) % SHARDS as u64;
        let index = usize::try_from(hash).expect("it is less than SHARDS, a usize");
        self.shards[index].lock().expect("nothing panics while it holds this lock")
    }
}

impl Subscriber {
    /// Subscribes to a topic; to one it has, again, without effect.
    pub(crate) fn subscribe(&mut self, topic: &str) -> Result<(), TooManyTopics> {
        if self.topics.contains(topic) {
            return Ok(());
        }
        if self.topics.len() >= self.hub.connection_topics_max {
            return Err(TooManyTopics);
        }
        let topic = Topic(topic.into());
        self.hub.join(&topic, self.id, &self.outbox)?;
        self.topics.insert(topic);
        Ok(())
    }

    /// Ends the subscription to a topic, if it has it.
    pub(crate) fn unsubscribe(&mut self, topic: &str) {
        if let Some(topic) = self.topics.take(topic) {
            self.hub.leave(&topic, self.id);
        }
    }

    pub(crate) fn hub(&self) -> &Hub {
        &self.hub
    }

    pub(crate) fn outbox(&self) -> &Outbox {
        &self.outbox
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        for topic in &self.topics {
            self.hub.leave(topic, self.id);
        }
    }
}

impl Borrow<str> for Topic {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// Many more than cores, so that two busy topics rarely meet.
const SHARDS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn hub(limits: &Limits) -> Arc<Hub> {
        Arc::new(Hub::new(limits))
    }

    fn enter(hub: &Arc<Hub>) -> (Subscriber, Arc<Outbox>) {
        let outbox = Outbox::new(&Limits::default(), Box::new(tokio::io::sink()));
        let outbox = Arc::new(outbox);
        (hub.enter(Arc::clone(&outbox)), outbox)
    }

    /// How many subscribers get a message.
    fn publish(hub: &Hub, topic: &str) -> u64 {
        let mut receivers = Vec::new();
        let fanned = hub.publish(topic, &"m".into(), &mut receivers);
        receivers.iter().for_each(|outbox| outbox.flush());
        fanned.queued
    }

    #[test]
    fn subscribing_twice_delivers_once() {
        let hub = hub(&Limits::default());
        let (mut subscriber, _) = enter(&hub);
        subscriber.subscribe("t").unwrap();
        subscriber.subscribe("t").unwrap();
        assert_eq!(publish(&hub, "t"), 1);
    }

    #[test]
    fn a_topic_is_forgotten_with_its_last_subscriber() {
        let hub = hub(&Limits::default());
        let (mut first, _) = enter(&hub);
        let (mut second, _) = enter(&hub);
        first.subscribe("t").unwrap();
        second.subscribe("t").unwrap();
        first.unsubscribe("t");
        assert_eq!(hub.topics(), 1);
        drop(second);
        assert_eq!(hub.topics(), 0);
        assert_eq!(publish(&hub, "t"), 0);
    }

    #[test]
    fn unsubscribing_from_an_unknown_topic_changes_nothing() {
        let hub = hub(&Limits::default());
        let (mut first, _) = enter(&hub);
        let (mut second, _) = enter(&hub);
        first.subscribe("t").unwrap();
        second.unsubscribe("t");
        assert_eq!(publish(&hub, "t"), 1);
    }

    #[test]
    fn a_full_connection_gets_no_topic_until_it_gives_one_up() {
        let hub = hub(&Limits { connection_topics_max: 1, ..Limits::default() });
        let (mut subscriber, _) = enter(&hub);
        subscriber.subscribe("a").unwrap();
        assert_eq!(subscriber.subscribe("b"), Err(TooManyTopics));
        assert_eq!(subscriber.subscribe("a"), Ok(()), "it has this one");
        subscriber.unsubscribe("a");
        assert_eq!(subscriber.subscribe("b"), Ok(()));
    }

    #[test]
    fn a_full_relay_lets_known_topics_in_but_no_new_one() {
        let hub = hub(&Limits { topics_max: 1, ..Limits::default() });
        let (mut first, _) = enter(&hub);
        let (mut second, _) = enter(&hub);
        first.subscribe("a").unwrap();
        assert_eq!(second.subscribe("b"), Err(TooManyTopics));
        assert_eq!(second.subscribe("a"), Ok(()));
        drop((first, second));
        assert_eq!(hub.topics(), 0);
    }
}
