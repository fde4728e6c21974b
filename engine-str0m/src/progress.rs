//! Whether what is sent gets anywhere.
//!
//! ICE may hold a path for alive over which data does not pass: a peer that moved is heard from its
//! new address while what we send still goes to the old one. Nothing would end that: SCTP repeats
//! for ever, and a sender would be told that all was handed over. So what is written has to be
//! acknowledged, a little of it at least, or the connection is as good as silent.

use tristero_proto::Time;

use crate::limits::{PROGRESS_INTERVAL, UNACKNOWLEDGED_MAX};
use crate::silence::LATE;

/// The clock of one connection. It runs while something is not acknowledged.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Bytes that were ever written.
    written: u64,
    watch: Option<Watch>,
}

/// What was acknowledged when somebody looked, since when it is no more, and when to look again.
#[derive(Clone, Copy, Debug)]
struct Watch {
    acknowledged: u64,
    since: Time,
    look: Time,
}

/// How it is going.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Going {
    /// Nothing waits, or some of it arrived, or it is too early to say.
    Well,
    /// Nothing of what waits arrived for too long.
    Nowhere,
}

impl Progress {
    /// Notes a message of this many bytes, after which so many are not acknowledged.
    pub(crate) fn on_written(&mut self, bytes: usize, buffered: usize, now: Time) {
        self.written += bytes as u64;
        if self.watch.is_none() {
            self.restart(buffered, now);
        }
    }

    /// Looks whether something arrived, if it is time to.
    pub(crate) fn look(&mut self, buffered: usize, now: Time) -> Going {
        let Some(watch) = self.watch.filter(|watch| watch.look <= now) else { return Going::Well };
        let is_late = now.since(watch.look) >= LATE;
        if buffered == 0 {
            self.watch = None;
        } else if self.acknowledged(buffered) > watch.acknowledged || is_late {
            self.restart(buffered, now);
        } else if now.since(watch.since) >= UNACKNOWLEDGED_MAX {
            return Going::Nowhere;
        } else {
            self.watch = Some(Watch { look: now + PROGRESS_INTERVAL, ..watch });
        }
        Going::Well
    }

    /// When to look.
    pub(crate) fn due(&self) -> Option<Time> {
        self.watch.map(|watch| watch.look)
    }

    fn restart(&mut self, buffered: usize, now: Time) {
        let acknowledged = self.acknowledged(buffered);
        self.watch = Some(Watch { acknowledged, since: now, look: now + PROGRESS_INTERVAL });
    }

    fn acknowledged(&self, buffered: usize) -> u64 {
        self.written.saturating_sub(buffered as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from_millis(seconds * 1_000)
    }

    /// Looks whenever it is time to, until then.
    fn look_until(progress: &mut Progress, buffered: usize, end: Time) -> Going {
        while let Some(due) = progress.due().filter(|due| *due <= end) {
            if progress.look(buffered, due) == Going::Nowhere {
                return Going::Nowhere;
            }
        }
        Going::Well
    }

    #[test]
    fn what_arrives_stops_the_clock() {
        let mut progress = Progress::default();
        assert_eq!(progress.due(), None);
        progress.on_written(100, 100, at(1));
        assert_eq!(look_until(&mut progress, 100, at(16)), Going::Well);
        assert_eq!(look_until(&mut progress, 0, at(21)), Going::Well);
        assert_eq!(progress.due(), None);
    }

    #[test]
    fn what_does_not_arrive_is_noticed_whatever_is_written_meanwhile() {
        let mut progress = Progress::default();
        progress.on_written(100, 100, at(1));
        progress.on_written(100, 200, at(20));
        assert_eq!(look_until(&mut progress, 200, at(20)), Going::Well, "it is too early");
        assert_eq!(look_until(&mut progress, 200, at(21)), Going::Nowhere);
    }

    #[test]
    fn a_little_is_enough_for_a_while() {
        let mut progress = Progress::default();
        progress.on_written(1_000, 1_000, at(0));
        assert_eq!(look_until(&mut progress, 1_000, at(15)), Going::Well);
        assert_eq!(look_until(&mut progress, 999, at(39)), Going::Well);
        assert_eq!(look_until(&mut progress, 999, at(40)), Going::Nowhere);
    }

    #[test]
    fn whoever_slept_looks_again() {
        let mut progress = Progress::default();
        progress.on_written(100, 100, at(0));
        assert_eq!(progress.look(100, at(60)), Going::Well);
        assert_eq!(look_until(&mut progress, 100, at(79)), Going::Well);
        assert_eq!(look_until(&mut progress, 100, at(80)), Going::Nowhere);
    }
}
