//! What may be wrong with a relay and the links to it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tristero_proto::{Rng, Time};

use super::Passing;
use super::service::Message;
use crate::world::Who;

/// What is wrong with a relay. Nothing is by default.
///
/// A link delivers in order and loses nothing, as a WebSocket does. What is lost, doubled, late or
/// out of order is messages that a relay passes on from one client to another; its own answers are
/// not.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Faults {
    /// How much longer each message takes.
    pub delay: Duration,
    /// How many of a hundred messages are lost.
    pub lost_percent: u8,
    /// How many of a hundred messages come twice.
    pub doubled_percent: u8,
    /// How many of a hundred messages come later than others that were sent after them.
    pub reordered_percent: u8,
    /// How many of a hundred messages bring along one of long ago.
    pub replayed_percent: u8,
    /// What is wrong with the links.
    pub links: LinkFault,
    /// How many frames it takes of each peer.
    pub rate: Option<Rate>,
    /// Whether its operator makes things up, and repeats what was said.
    pub is_hostile: bool,
}

/// What is wrong with the links to a relay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LinkFault {
    /// Nothing.
    #[default]
    None,
    /// Nothing passes, in either direction. Everything does once that is over.
    Stalled,
    /// The peers of the links that stand hear nothing more, and the relay still hears them. When
    /// that is over these links end.
    HalfOpen,
    /// New links are refused.
    Refused,
}

/// How many frames are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// So many.
    pub frames: u32,
    /// In any time as long as this.
    pub per: Duration,
}

impl Faults {
    /// The same, where each message takes this much longer.
    #[must_use]
    pub fn with_delay(self, delay: Duration) -> Self {
        Faults { delay, ..self }
    }

    /// The same, where so many of a hundred messages are lost.
    #[must_use]
    pub fn with_loss(self, lost_percent: u8) -> Self {
        Faults { lost_percent, ..self }
    }

    /// The same, where so many of a hundred messages come twice.
    #[must_use]
    pub fn with_doubled(self, doubled_percent: u8) -> Self {
        Faults { doubled_percent, ..self }
    }

    /// The same, where so many of a hundred messages are overtaken.
    #[must_use]
    pub fn with_reordered(self, reordered_percent: u8) -> Self {
        Faults { reordered_percent, ..self }
    }

    /// The same, where so many of a hundred messages bring along an old one.
    #[must_use]
    pub fn with_replayed(self, replayed_percent: u8) -> Self {
        Faults { replayed_percent, ..self }
    }

    /// The same, with this wrong with the links.
    #[must_use]
    pub fn with_links(self, links: LinkFault) -> Self {
        Faults { links, ..self }
    }

    /// The same, where no more is taken of a peer than this.
    #[must_use]
    pub fn with_rate(self, frames: u32, per: Duration) -> Self {
        Faults { rate: Some(Rate { frames, per }), ..self }
    }

    /// The same, with an operator who reads, repeats, mixes up and makes up.
    #[must_use]
    pub fn with_hostile_operator(self) -> Self {
        Faults { is_hostile: true, reordered_percent: 20, replayed_percent: 20, ..self }
    }
}

/// What is wrong with one relay now, and what that needs to know.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) faults: Faults,
    pub(super) rng: Rng,
    /// What was passed on, the oldest first.
    pub(super) past: VecDeque<Message>,
    /// What does not pass, in order.
    held: VecDeque<Passing>,
    /// When frames of each peer were taken lately.
    taken: BTreeMap<Who, VecDeque<Time>>,
    /// When the operator makes up the next thing.
    pub(super) invents_at: Option<Time>,
}

impl Trouble {
    pub(super) fn new(rng: Rng) -> Self {
        Trouble {
            faults: Faults::default(),
            rng,
            past: VecDeque::new(),
            held: VecDeque::new(),
            taken: BTreeMap::new(),
            invents_at: None,
        }
    }

    /// Sets what is wrong.
    pub(super) fn begin(&mut self, faults: Faults, now: Time) {
        self.taken.clear();
        self.invents_at =
            faults.is_hostile.then(|| now + self.rng.duration_below(INVENTS_EVERY * 2));
        self.faults = faults;
    }

    pub(super) fn is_any(&self) -> bool {
        self.faults != Faults::default()
    }

    /// Keeps what does not pass now; gives it back if there is no more room.
    pub(super) fn hold(&mut self, passing: Passing) -> Option<Passing> {
        if self.held.len() >= HELD_MAX {
            return Some(passing);
        }
        self.held.push_back(passing);
        None
    }

    /// What may pass again.
    pub(super) fn release(&mut self) -> VecDeque<Passing> {
        std::mem::take(&mut self.held)
    }

    /// Whether a frame of a peer is more than is taken of it.
    pub(super) fn is_excess(&mut self, who: Who, now: Time) -> bool {
        let Some(Rate { frames, per }) = self.faults.rate else { return false };
        let taken = self.taken.entry(who).or_default();
        while taken.front().is_some_and(|at| now.since(*at) >= per) {
            taken.pop_front();
        }
        let is_excess = taken.len() >= frames as usize;
        if !is_excess {
            taken.push_back(now);
        }
        is_excess
    }

    /// How much later each copy of a message goes on. There may be none.
    pub(super) fn copies(&mut self) -> Vec<Duration> {
        if self.is_one_of(self.faults.lost_percent) {
            return Vec::new();
        }
        let copies = if self.is_one_of(self.faults.doubled_percent) { 2 } else { 1 };
        (0..copies).map(|_| self.lateness()).collect()
    }

    /// Remembers a message, and gives an old one that comes along with it.
    pub(super) fn replay(&mut self, message: &Message) -> Option<Message> {
        if self.past.len() >= PAST_MAX {
            self.past.pop_front();
        }
        self.past.push_back(message.clone());
        let is_one_of = self.is_one_of(self.faults.replayed_percent);
        is_one_of.then(|| self.any_past()).flatten()
    }

    /// Something that was passed on.
    pub(super) fn any_past(&mut self) -> Option<Message> {
        let picked = self.rng.below(self.past.len() as u64);
        self.past.get(usize::try_from(picked).unwrap_or(0)).cloned()
    }

    fn lateness(&mut self) -> Duration {
        if self.is_one_of(self.faults.reordered_percent) {
            self.faults.delay + self.rng.duration_below(OVERTAKEN_MAX)
        } else {
            self.faults.delay
        }
    }

    fn is_one_of(&mut self, percent: u8) -> bool {
        percent > 0 && self.rng.below(100) < u64::from(percent)
    }
}

/// A message that is overtaken comes this much later at most: candidates before their offer, and
/// answers to offers that are given up.
const OVERTAKEN_MAX: Duration = Duration::from_secs(3);

/// How often a hostile operator makes something up, on average.
pub(super) const INVENTS_EVERY: Duration = Duration::from_millis(500);

/// Messages that an operator remembers. The oldest is forgotten.
const PAST_MAX: usize = 256;

/// What a stalled relay's machines hold, in frames. A link with more ends.
const HELD_MAX: usize = 10_000;
