//! When a room announces itself on one relay: a burst at first, then a slow heartbeat.
//!
//! Newcomers wake the subscribed incumbents, so the heartbeat may be slow; a fast one brought a
//! public relay down.
//!
//! spec: docs/protocol.md, section 2, "Announcing"

use std::time::Duration;

use crate::time::Time;

/// The pauses of the burst, after the announce that is made at once.
const BURST: [Duration; 3] =
    [Duration::from_millis(233), Duration::from_millis(533), Duration::from_millis(1_333)];
/// The pause between announces after the burst.
const HEARTBEAT: Duration = Duration::from_millis(60_000);
/// A new burst begins this long after the one before at the earliest.
const BURST_PAUSE: Duration = Duration::from_millis(5_333);

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct Announcer {
    next: Option<Next>,
    last_burst: Option<Time>,
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
    /// Begins a burst, because the subscription stands or a peer was lost: at once, or as soon as
    /// the last one is old enough.
    pub(crate) fn burst(&mut self, now: Time) {
        let at = match self.last_burst {
            // It is planned already.
            Some(last) if last > now => last,
            Some(last) => now.max(last + BURST_PAUSE),
            None => now,
        };
        self.last_burst = Some(at);
        let at = self.held_until.map_or(at, |until| until.max(at));
        self.next = Some(Next { at, done: 0 });
    }

    /// Begins the heartbeat at once, without a burst.
    pub(crate) fn beat(&mut self, now: Time) {
        self.next = Some(Next { at: now, done: BURST.len() });
    }

    /// Like [`burst`](Self::burst), but only where announces are being made at all.
    pub(crate) fn burst_again(&mut self, now: Time) {
        let has_burst_ahead = self.next.as_ref().is_some_and(|next| next.done < BURST.len());
        if self.next.is_some() && !has_burst_ahead {
            self.burst(now);
        }
    }

    /// Ends announcing, because the relay is lost.
    pub(crate) fn stop(&mut self) {
        self.next = None;
    }

    /// Whether an announce is due; if so it counts as made.
    pub(crate) fn take_due(&mut self, now: Time) -> bool {
        let Some(next) = self.next.as_mut().filter(|next| next.at <= now) else { return false };
        next.done += 1;
        next.at = now + pause_after(next.done, self.interval);
        if let Some(until) = self.held_until {
            next.at = next.at.max(until);
        }
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
        if let Some(next) = &mut self.next {
            next.at = next.at.max(until);
        }
    }

    /// When the next announce is due.
    pub(crate) fn next(&self) -> Option<Time> {
        self.next.as_ref().map(|next| next.at)
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
        announcer.burst(Time::ZERO);
        let made = announces(&mut announcer, Time::from_millis(125_000));
        let expected = [0, 233, 766, 2_099, 62_099, 122_099].map(Time::from_millis);
        assert_eq!(made, expected);
    }

    #[test]
    fn a_relay_that_comes_and_goes_does_not_put_the_next_burst_off_for_ever() {
        let mut announcer = Announcer::default();
        for n in 0..100 {
            announcer.burst(Time::from_millis(n * 10));
            announcer.stop();
        }
        announcer.burst(Time::from_millis(1_000));
        assert_eq!(announcer.next(), Some(Time::from_millis(5_333)));
    }

    #[test]
    fn bursts_are_5_333_ms_apart_and_do_not_pile_up() {
        let mut announcer = Announcer::default();
        announcer.burst_again(Time::ZERO);
        assert_eq!(announcer.next(), None, "nothing to repeat before the subscription stands");
        announcer.burst(Time::ZERO);
        announcer.burst_again(Time::from_millis(10));
        assert_eq!(announces(&mut announcer, Time::from_millis(3_000)).len(), 4);
        announcer.burst_again(Time::from_millis(3_000));
        announcer.burst_again(Time::from_millis(3_100));
        assert_eq!(announcer.next(), Some(Time::from_millis(5_333)));
        announcer.stop();
        assert_eq!(announcer.next(), None);
    }

    #[test]
    fn a_relay_may_want_more_announces_or_none_for_a_while() {
        let mut announcer = Announcer::default();
        announcer.burst(Time::ZERO);
        announces(&mut announcer, Time::from_millis(3_000));
        announcer.announce_every(Duration::from_secs(10));
        let made = announces(&mut announcer, Time::from_millis(33_000));
        assert_eq!(made, [12_099, 22_099, 32_099].map(Time::from_millis));
        announcer.announce_every(Duration::from_secs(120));
        assert_eq!(announcer.next(), Some(Time::from_millis(152_099)));
        announcer.hold_until(Time::from_millis(200_000));
        assert_eq!(announcer.next(), Some(Time::from_millis(200_000)));
        announcer.burst(Time::from_millis(100_000));
        announcer.hold_until(Time::from_millis(200_000));
        assert_eq!(announcer.next(), Some(Time::from_millis(200_000)), "not by a burst either");
    }
}
