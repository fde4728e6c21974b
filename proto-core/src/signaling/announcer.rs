//! When a room announces itself on one relay: a burst at first, then a slow heartbeat.
//!
//! Newcomers wake the subscribed incumbents, so the heartbeat may be slow; a fast one brought a
//! public relay down. Nothing that happens in a room makes it faster: a peer that was lost is asked
//! for alone, and of relays that come and go each return after the first brings one announce.
//!
//! spec: docs/protocol.md, section 2, "Announcing"

use std::time::Duration;

use crate::time::Time;

/// The pauses of the burst, after the announce that is made at once.
const BURST: [Duration; 3] =
    [Duration::from_millis(233), Duration::from_millis(533), Duration::from_millis(1_333)];
/// The pause between announces after the burst.
const HEARTBEAT: Duration = Duration::from_millis(60_000);
/// A relay that is back gets a new burst this long after the one before at the earliest, and one
/// announce until then. The first of those is made at once.
const BURST_PAUSE: Duration = Duration::from_millis(60_000);
/// Any other comes this long after the announce before at the earliest.
const RETURN_PAUSE: Duration = Duration::from_millis(5_333);

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct Announcer {
    next: Option<Next>,
    last_burst: Option<Time>,
    /// Whether the relay was away since the last burst.
    has_returned: bool,
    /// When the last announce was made.
    last: Option<Time>,
    /// What the relay wants instead of the heartbeat.
    interval: Option<Duration>,
    /// The relay wants none before.
    held_until: Option<Time>,
}

#[derive(Debug)]
struct Next {
    at: Time,
    /// How many announces of the burst were made.
    done: usize,
}

impl Announcer {
    /// Begins announcing, because the subscription stands: with a burst, if the last one is old
    /// enough.
    pub(crate) fn begin(&mut self, now: Time) {
        if self.last_burst.is_some_and(|last| now.since(last) < BURST_PAUSE) {
            let is_first = !std::mem::replace(&mut self.has_returned, true);
            let earliest = self.last.filter(|_| !is_first).map(|last| last + RETURN_PAUSE);
            return self.plan(earliest.map_or(now, |earliest| now.max(earliest)), BURST.len());
        }
        self.last_burst = Some(now);
        self.has_returned = false;
        self.plan(now, 0);
    }

    /// Begins the heartbeat without a burst: at once, but for the pause that any return keeps. A room
    /// may be woken and left alone over and over.
    pub(crate) fn beat(&mut self, now: Time) {
        let earliest = self.last.map_or(now, |last| last + RETURN_PAUSE);
        self.plan(now.max(earliest), BURST.len());
    }

    /// Makes the next announce at the pace of a heartbeat where the relay wants a slower one.
    pub(crate) fn hurry(&mut self, now: Time) {
        let soon = self.last.map_or(now, |last| now.max(last + HEARTBEAT));
        if let Some(next) = &mut self.next {
            next.at = next.at.min(soon);
        }
    }

    fn plan(&mut self, at: Time, done: usize) {
        self.next = Some(Next { at, done });
    }

    /// Ends announcing, because the relay is lost.
    pub(crate) fn stop(&mut self) {
        self.next = None;
    }

    /// Whether an announce is due; if so it counts as made.
    pub(crate) fn take_due(&mut self, now: Time) -> bool {
        let is_due = self.next().is_some_and(|at| at <= now);
        let Some(next) = self.next.as_mut().filter(|_| is_due) else { return false };
        next.done += 1;
        next.at = now + pause_after(next.done, self.interval);
        self.last = Some(now);
        true
    }

    /// The relay wants announces so often. It counts from the last one.
    pub(crate) fn announce_every(&mut self, interval: Duration) {
        self.interval = Some(interval);
        if let (Some(next), Some(last)) = (&mut self.next, self.last) {
            next.at = last + pause_after(next.done, self.interval);
        }
    }

    /// The relay wants no announce before then.
    pub(crate) fn hold_until(&mut self, until: Time) {
        self.held_until = Some(until);
    }

    /// When the next announce is due.
    pub(crate) fn next(&self) -> Option<Time> {
        self.next.as_ref().map(|next| next.at.max(self.held_until.unwrap_or_default()))
    }
}

/// How long to wait after so many announces of a burst.
fn pause_after(done: usize, interval: Option<Duration>) -> Duration {
    let interval = interval.unwrap_or(HEARTBEAT);
    let of_burst = done.checked_sub(1).and_then(|index| BURST.get(index));
    of_burst.map_or(interval, |pause| interval.min(*pause))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announces(announcer: &mut Announcer, until: Time) -> Vec<Time> {
        let mut made = Vec::new();
        while let Some(at) = announcer.next().filter(|at| *at <= until) {
            assert!(announcer.take_due(at));
            made.push(at);
        }
        made
    }

    #[test]
    fn a_burst_of_four_is_followed_by_one_announce_a_minute() {
        let mut announcer = Announcer::default();
        announcer.begin(Time::ZERO);
        let made = announces(&mut announcer, Time::from_millis(125_000));
        let expected = [0, 233, 766, 2_099, 62_099, 122_099].map(Time::from_millis);
        assert_eq!(made, expected);
    }

    #[test]
    fn a_relay_that_comes_and_goes_gets_one_announce_each_time_and_not_too_soon() {
        let mut announcer = Announcer::default();
        let mut made = Vec::new();
        for second in 0..59 {
            announcer.stop();
            announcer.begin(Time::from_millis(second * 1_000));
            made.extend(announces(&mut announcer, Time::from_millis(second * 1_000 + 999)));
        }
        assert!(made.len() <= 4 + 59_000 / 5_333, "{made:?}");
        assert_eq!(made[..5], [0, 233, 766, 1_000, 6_333].map(Time::from_millis));
        assert!(made.len() >= 10, "it hears of us all the same: {made:?}");
        announcer.stop();
        announcer.begin(Time::from_millis(60_000));
        let made = announces(&mut announcer, Time::from_millis(63_000));
        assert_eq!(made.len(), 4, "a minute later there is a burst again: {made:?}");
    }

    #[test]
    fn a_room_that_wakes_and_rests_over_and_over_is_not_announced_too_often() {
        let mut announcer = Announcer::default();
        let mut made = Vec::new();
        for second in 0..59 {
            announcer.begin(Time::from_millis(second * 1_000));
            made.extend(announces(&mut announcer, Time::from_millis(second * 1_000 + 499)));
            announcer.beat(Time::from_millis(second * 1_000 + 500));
            made.extend(announces(&mut announcer, Time::from_millis(second * 1_000 + 999)));
        }
        assert!(made.len() <= 4 + 59_000 / 5_333, "{made:?}");
    }

    #[test]
    fn a_slow_heartbeat_can_be_hurried_to_one_a_minute() {
        let mut announcer = Announcer::default();
        announcer.announce_every(Duration::from_secs(120));
        announcer.beat(Time::ZERO);
        announces(&mut announcer, Time::ZERO);
        announcer.hurry(Time::from_millis(1_000));
        assert_eq!(announcer.next(), Some(Time::from_millis(60_000)));
        announcer.hurry(Time::from_millis(70_000));
        assert_eq!(announcer.next(), Some(Time::from_millis(60_000)), "it is due already");
        announcer.stop();
        announcer.hurry(Time::from_millis(70_000));
        assert_eq!(announcer.next(), None);
    }

    #[test]
    fn a_relay_may_want_more_announces_or_none_for_a_while() {
        let mut announcer = Announcer::default();
        announcer.begin(Time::ZERO);
        announces(&mut announcer, Time::from_millis(3_000));
        announcer.announce_every(Duration::from_secs(10));
        let made = announces(&mut announcer, Time::from_millis(33_000));
        assert_eq!(made, [12_099, 22_099, 32_099].map(Time::from_millis));
        announcer.announce_every(Duration::from_secs(120));
        assert_eq!(announcer.next(), Some(Time::from_millis(152_099)));
        announcer.hold_until(Time::from_millis(200_000));
        assert_eq!(announcer.next(), Some(Time::from_millis(200_000)));
        announcer.announce_every(Duration::from_secs(10));
        assert_eq!(announcer.next(), Some(Time::from_millis(200_000)), "not by its own interval");
        announcer.begin(Time::from_millis(100_000));
        announcer.hold_until(Time::from_millis(200_000));
        assert_eq!(announcer.next(), Some(Time::from_millis(200_000)), "not by a burst either");
    }
}
