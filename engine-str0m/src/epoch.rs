//! Two ways to count time: the core's [`Time`] and str0m's [`Instant`].
//!
//! An `Instant` can't be made of nothing, so whoever makes the engine brings one. Only differences
//! matter: it stands for [`Time::ZERO`], whenever that was.

use std::time::{Duration, Instant};

use tristero_proto::Time;

/// The `Instant` that stands for [`Time::ZERO`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Epoch(Instant);

impl Epoch {
    pub(crate) const fn new(zero: Instant) -> Self {
        Epoch(zero)
    }

    /// What str0m calls this moment.
    pub(crate) fn instant(self, time: Time) -> Instant {
        self.0 + time.since_epoch()
    }

    /// What the core calls the moment at which str0m wants to be woken; `None` if it only says
    /// "never", which it spells as a century.
    pub(crate) fn deadline(self, at: Instant, now: Time) -> Option<Time> {
        let at = Time::from_epoch(at.saturating_duration_since(self.0));
        (at.since(now) < NEVER).then_some(at)
    }
}

/// No timer of a connection is set this far ahead.
const NEVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods)]
    use super::*;

    #[test]
    fn a_moment_survives_the_way_there_and_back() {
        let epoch = Epoch::new(Instant::now());
        let now = Time::from_millis(1_234);
        assert_eq!(epoch.deadline(epoch.instant(now), Time::ZERO), Some(now));
    }

    #[test]
    fn a_century_is_never_and_the_past_is_at_once() {
        let zero = Instant::now();
        let epoch = Epoch::new(zero);
        let now = Time::from_millis(5_000);
        assert_eq!(epoch.deadline(zero + NEVER * 100, now), None);
        assert_eq!(epoch.deadline(zero, now), Some(Time::ZERO));
    }
}
