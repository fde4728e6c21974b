//! The core's own time.
//!
//! `std::time::Instant` can't be made in wasm, written down or replayed, so the core counts from
//! an epoch that its runtime chose. Nothing here reads a clock.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Add;
use std::time::Duration;

/// A moment on the runtime's monotonic clock: the time since an epoch that the runtime chose.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(Duration);

impl Time {
    /// The epoch itself.
    pub const ZERO: Time = Time(Duration::ZERO);

    /// The moment this long after the epoch.
    pub const fn from_epoch(since: Duration) -> Self {
        Time(since)
    }

    /// The moment this many milliseconds after the epoch.
    pub const fn from_millis(millis: u64) -> Self {
        Time(Duration::from_millis(millis))
    }

    /// How long after the epoch this is.
    pub const fn since_epoch(self) -> Duration {
        self.0
    }

    /// How long after `earlier` this is; zero if it is before.
    pub fn since(self, earlier: Time) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Time {
    type Output = Time;

    fn add(self, after: Duration) -> Time {
        Time(self.0.saturating_add(after))
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// The two clocks at the start of a node: the monotonic one and the calendar.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// The monotonic time now.
    pub now: Time,
    /// The time since 1970-01-01T00:00:00Z at that moment.
    pub unix: Duration,
}

/// When to call `handle_timeout`, and what for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline {
    /// The moment. It may lie in the past: then call at once.
    pub at: Time,
    /// What is due then, for logs and simulators.
    pub why: &'static str,
}

impl Deadline {
    /// A deadline.
    pub const fn new(at: Time, why: &'static str) -> Self {
        Deadline { at, why }
    }

    /// The earlier of two deadlines.
    pub fn earlier(a: Option<Deadline>, b: Option<Deadline>) -> Option<Deadline> {
        match (a, b) {
            (Some(a), Some(b)) => Some(if b.at < a.at { b } else { a }),
            (a, b) => a.or(b),
        }
    }
}

/// The deadlines of many parts, in order, so that a timeout touches what is due and nothing else.
#[derive(Debug)]
pub(crate) struct DueSet<K> {
    by_key: BTreeMap<K, Deadline>,
    by_time: BTreeSet<(Time, K)>,
}

impl<K: Ord + Clone> DueSet<K> {
    pub(crate) fn new() -> Self {
        DueSet { by_key: BTreeMap::new(), by_time: BTreeSet::new() }
    }

    /// Notes what `key` said when it was asked last; `None` forgets it.
    pub(crate) fn set(&mut self, key: K, deadline: Option<Deadline>) {
        if let Some(old) = self.by_key.get(&key) {
            if Some(*old) == deadline {
                return;
            }
            self.by_time.remove(&(old.at, key.clone()));
        }
        match deadline {
            Some(new) => {
                self.by_time.insert((new.at, key.clone()));
                self.by_key.insert(key, new);
            }
            None => {
                self.by_key.remove(&key);
            }
        }
    }

    /// Takes one key out that is due.
    pub(crate) fn pop_due(&mut self, now: Time) -> Option<K> {
        let (at, _) = self.by_time.first()?;
        if *at > now {
            return None;
        }
        let (_, key) = self.by_time.pop_first()?;
        self.by_key.remove(&key);
        Some(key)
    }

    /// How many keys have a deadline.
    pub(crate) fn len(&self) -> usize {
        self.by_key.len()
    }

    /// The earliest deadline.
    pub(crate) fn next(&self) -> Option<Deadline> {
        let (_, key) = self.by_time.first()?;
        self.by_key.get(key).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_due_set_yields_what_is_due_in_order_and_only_once() {
        let mut due = DueSet::new();
        due.set('b', Some(Deadline::new(Time::from_millis(20), "b")));
        due.set('a', Some(Deadline::new(Time::from_millis(30), "a")));
        due.set('c', Some(Deadline::new(Time::from_millis(5), "c")));
        due.set('c', None);
        due.set('a', Some(Deadline::new(Time::from_millis(10), "a, sooner")));
        assert_eq!(due.next().map(|d| d.why), Some("a, sooner"));
        assert_eq!(due.pop_due(Time::from_millis(9)), None);
        assert_eq!(due.pop_due(Time::from_millis(20)), Some('a'));
        assert_eq!(due.pop_due(Time::from_millis(20)), Some('b'));
        assert_eq!(due.pop_due(Time::from_millis(20)), None);
        assert_eq!(due.next(), None);
    }
}
