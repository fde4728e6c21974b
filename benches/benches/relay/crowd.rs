//! Many clients of one relay in one thread, and what they publish.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use mio::{Events, Poll, Token};

use crate::client::{Client, frame};

/// Clients in groups of one size, each group at a topic of its own.
pub(crate) struct Crowd {
    poll: Poll,
    events: Events,
    clients: Vec<Client>,
    group_size: usize,
    buffer: Vec<u8>,
    /// What a payload has behind its number.
    filler: String,
    published: u64,
    delivered: u64,
    /// Messages that are under way, by number.
    slots: Vec<Slot>,
    /// How long each delivery took, where that is asked for.
    latencies: Option<Vec<Duration>>,
}

/// A message that was published.
#[derive(Clone, Copy)]
struct Slot {
    sent: Instant,
    /// How many have not got it.
    missing: usize,
}

/// When the next message is published.
#[derive(Clone, Copy)]
pub(crate) enum Pace {
    /// When fewer than so many are under way.
    InFlight(u64),
    /// When so long has passed.
    Every(Duration),
}

/// What passed through the relay.
pub(crate) struct Passed {
    pub(crate) deliveries: u64,
    pub(crate) latencies: Vec<Duration>,
}

impl Crowd {
    pub(crate) fn new(group_size: usize, payload_bytes: usize) -> Result<Self> {
        Ok(Crowd {
            poll: Poll::new()?,
            events: Events::with_capacity(1_024),
            clients: Vec::new(),
            group_size,
            buffer: vec![0; 64 * 1024],
            filler: "x".repeat(payload_bytes.saturating_sub(NUMBER_DIGITS)),
            published: 0,
            delivered: 0,
            slots: vec![Slot { sent: Instant::now(), missing: 0 }; SLOTS],
            latencies: None,
        })
    }

    /// Lets clients come until they are so many. Each subscribes to the topic of its group, and to
    /// one of its own if that is wanted, as peers do.
    pub(crate) fn grow(
        &mut self,
        address: SocketAddr,
        count: usize,
        own_topics: bool,
    ) -> Result<()> {
        while self.clients.len() < count {
            let number = self.clients.len();
            let client = Client::connect(address, Token(number), self.poll.registry());
            let mut client = client.with_context(|| format!("client {number}"))?;
            client.send(&subscribe(&topic(number / self.group_size)))?;
            if own_topics {
                client.send(&subscribe(&topic(OWN_TOPICS + number)))?;
            }
            self.clients.push(client);
        }
        Ok(())
    }

    /// Answers pings, and does nothing else.
    pub(crate) fn stay(&mut self, time: Duration) -> Result<()> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.read(end)?;
        }
        Ok(())
    }

    /// Publishes for a time, and returns when all has arrived.
    pub(crate) fn publish_for(
        &mut self,
        time: Duration,
        pace: Pace,
        with_latencies: bool,
    ) -> Result<Passed> {
        self.latencies = with_latencies.then(Vec::new);
        let (began, before) = (Instant::now(), self.delivered);
        let end = began + time;
        let mut due = began;
        while Instant::now() < end {
            match pace {
                Pace::InFlight(count) => {
                    while self.in_flight() < count {
                        self.publish()?;
                    }
                    self.read(end)?;
                }
                Pace::Every(interval) => {
                    if Instant::now() >= due {
                        self.publish()?;
                        due += interval;
                    }
                    self.read(due.min(end))?;
                }
            }
        }
        let end = Instant::now() + PATIENCE;
        while self.in_flight() > 0 {
            ensure!(Instant::now() < end, "the relay lost a message");
            self.read(end)?;
        }
        let latencies = self.latencies.take().unwrap_or_default();
        Ok(Passed { deliveries: self.delivered - before, latencies })
    }

    /// Messages that not all have got.
    fn in_flight(&self) -> u64 {
        self.published - self.delivered / self.group_size as u64
    }

    fn publish(&mut self) -> Result<()> {
        let count = self.clients.len();
        let number = usize::try_from(self.published)?;
        // One after another of far-off clients: no two messages in a row are of one group.
        let publisher = number.wrapping_mul(STRIDE) % count;
        let group = match self.group_size {
            // Nobody tells something to itself.
            1 => (publisher + count / 2) % count,
            size => publisher / size,
        };
        let (topic, filler) = (topic(group), &self.filler);
        let text = format!(
            r#"{{"type":"publish","topic":"{topic}","payload":"{number:0NUMBER_DIGITS$}{filler}"}}"#
        );
        let slot = &mut self.slots[number % SLOTS];
        ensure!(slot.missing == 0, "the relay lost a message, or delayed it for seconds");
        *slot = Slot { sent: Instant::now(), missing: self.group_size };
        self.published += 1;
        self.clients[publisher].send(&frame(&text))
    }

    /// Reads what came until then, and returns when something did.
    fn read(&mut self, until: Instant) -> Result<()> {
        let Crowd { poll, events, clients, buffer, slots, delivered, latencies, .. } = self;
        poll.poll(events, Some(until.saturating_duration_since(Instant::now())))?;
        for event in &*events {
            clients[event.token().0].read(buffer, |text| {
                let slot = &mut slots[number_of(text)? % SLOTS];
                ensure!(slot.missing > 0, "the relay delivered a message twice");
                slot.missing -= 1;
                *delivered += 1;
                if let Some(latencies) = latencies {
                    latencies.push(slot.sent.elapsed());
                }
                Ok(())
            })?;
        }
        Ok(())
    }
}

/// As long as those of Trystero.
fn topic(number: usize) -> String {
    format!("{number:0TOPIC_CHARS$x}")
}

fn subscribe(topic: &str) -> Vec<u8> {
    frame(&format!(r#"{{"type":"subscribe","topic":"{topic}"}}"#))
}

/// The number that the payload of a delivery begins with.
fn number_of(text: &[u8]) -> Result<usize> {
    let begin = r#"{"topic":"","payload":""#.len() + TOPIC_CHARS;
    let digits = text.get(begin..begin + NUMBER_DIGITS).context("a delivery is too short")?;
    Ok(std::str::from_utf8(digits)?.parse()?)
}

const TOPIC_CHARS: usize = 40;
const NUMBER_DIGITS: usize = 12;

/// The first of the topics that clients have for themselves: beyond all groups.
const OWN_TOPICS: usize = 1 << 32;

/// So many that one which is late, as on a machine with other work, is not yet taken for lost: seconds of
/// all that a relay delivers.
const SLOTS: usize = 1 << 20;

/// A prime, so that everybody's turn comes.
const STRIDE: usize = 7_919;

/// What is still missing after this long does not come any more.
const PATIENCE: Duration = Duration::from_secs(10);
