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
        self.next = Some(Next { at, done: 0 });
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
        next.at = now + BURST.get(next.done).copied().unwrap_or(HEARTBEAT);
        next.done += 1;
        true
    }

    /// When the next announce is due.
    pub(crate) fn next(&self) -> Option<Time> {
        self.next.as_ref().map(|next| next.at)
    }
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
}
