//! The node's time, by the operating system's clock.

use std::io;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tristero_proto::{Clock, Seed, Time};

/// The moment that a node's [`Time`] counts from.
#[derive(Clone, Copy, Debug)]
pub struct Epoch(Instant);

impl Epoch {
    /// Counts from now on.
    pub fn begin() -> Self {
        Epoch(Instant::now())
    }

    /// What the operating system calls it.
    pub fn instant(self) -> Instant {
        self.0
    }

    /// The time now.
    pub fn now(self) -> Time {
        Time::from_epoch(self.0.elapsed())
    }

    /// Both clocks now, as a node is told them once.
    pub fn clock(self) -> Clock {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Clock { now: self.now(), unix }
    }

    /// How long to sleep until a deadline; `None` is until something happens.
    pub fn pause_until(self, deadline: Option<Time>) -> Option<Duration> {
        deadline.map(|at| at.since(self.now()))
    }
}

/// A seed that nobody else has.
///
/// # Errors
///
/// Fails if the operating system has no random numbers.
pub(crate) fn random_seed() -> io::Result<Seed> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)?;
    Ok(Seed::new(seed))
}
