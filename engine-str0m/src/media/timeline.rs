//! From the times of a track to those of its packets.
//!
//! Packets count from a random number on, for ever. A track may begin anew: what writes it may be
//! replaced by another that counts from zero. So a leap that no clock makes is none; what follows is
//! as much later as it came later.
//!
//! spec: RFC 3550, section 5.1

use std::time::Duration;

use tristero_proto::Time;
use tristero_proto::media::MediaTime;

/// The times of one track on one connection.
#[derive(Clone, Debug)]
pub(crate) struct Timeline {
    first: u64,
    last: Option<Moment>,
}

#[derive(Clone, Copy, Debug)]
struct Moment {
    /// In ticks of the track.
    said: u64,
    /// In ticks of the packets.
    sent: u64,
    rate: u32,
    at: Time,
}

/// In which order frames are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Each after those that were sent before it.
    OfSending,
    /// A little before some of them, maybe.
    Any,
}

impl Timeline {
    /// Times that begin with a number that was drawn.
    pub(crate) fn new(drawn: u32) -> Self {
        // Frames that are to be shown out of order go back a little.
        Timeline { first: u64::from(drawn).max(1 << 24), last: None }
    }

    /// What a frame's time is in packets, in ticks of the given rate that never wrap around. Only
    /// pictures that need others may be shown before one that was sent before.
    pub(crate) fn place(&mut self, time: MediaTime, rate: u32, order: Order, now: Time) -> u64 {
        let said = time.rescaled(rate).ticks();
        let sent = match self.last {
            None => self.first,
            Some(last) => last.follow(said, rate, order, now),
        };
        self.last = Some(Moment { said, sent, rate, at: now });
        sent
    }
}

impl Moment {
    fn follow(self, said: u64, rate: u32, order: Order, now: Time) -> u64 {
        let ticks = |time: Duration| {
            let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
            MediaTime::new(nanos, 1_000_000_000).rescaled(rate).ticks()
        };
        let passed = ticks(now.since(self.at));
        let is_back = match order {
            Order::OfSending => said <= self.said,
            Order::Any => said < self.said.saturating_sub(ticks(BACK_MAX)),
        };
        let is_leap = is_back
            || rate != self.rate
            || said > self.said.saturating_add(passed).saturating_add(ticks(FORWARD_MAX));
        if is_leap {
            let step = passed.clamp(ticks(LEAP_MIN).max(1), ticks(FORWARD_MAX));
            return self.sent.saturating_add(step);
        }
        let difference = said.abs_diff(self.said);
        if said >= self.said {
            self.sent.saturating_add(difference)
        } else {
            self.sent.saturating_sub(difference)
        }
    }
}

/// No frame is shown so much later than the one before it, beyond what passed between them.
const FORWARD_MAX: Duration = Duration::from_secs(10);

/// Nor so much earlier.
const BACK_MAX: Duration = Duration::from_secs(1);

/// What is between two frames at least where the time leaps.
const LEAP_MIN: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u32 = 90_000;

    fn place(timeline: &mut Timeline, millis: u64, now: u64) -> u64 {
        timeline.place(MediaTime::new(millis, 1_000), RATE, Order::Any, Time::from_millis(now))
    }

    #[test]
    fn packets_keep_the_distances_of_frames() {
        let mut timeline = Timeline::new(1 << 30);
        assert_eq!(place(&mut timeline, 5_000, 0), 1 << 30);
        assert_eq!(place(&mut timeline, 5_100, 1), (1 << 30) + 9_000);
        assert_eq!(place(&mut timeline, 5_066, 2), (1 << 30) + 5_940, "it is shown before");
        assert_eq!(place(&mut timeline, 15_000, 3), (1 << 30) + 900_000, "a pause");
    }

    #[test]
    fn a_track_may_count_from_a_number_that_is_as_large_as_can_be() {
        let mut timeline = Timeline::new(0);
        let mut place = |ticks| {
            timeline.place(MediaTime::new(ticks, RATE), RATE, Order::Any, Time::from_millis(0))
        };
        let first = place(u64::MAX - 9_000);
        assert_eq!(place(u64::MAX - 3_000), first + 6_000);
        assert_eq!(place(u64::MAX - 6_000), first + 3_000);
    }

    #[test]
    fn a_track_that_begins_anew_goes_on() {
        let mut timeline = Timeline::new(0);
        let first = place(&mut timeline, 60_000, 0);
        assert_eq!(first, 1 << 24);
        let second = place(&mut timeline, 0, 40);
        assert_eq!(second, first + 3_600);
        assert_eq!(place(&mut timeline, 33, 73), second + 2_970);
        assert_eq!(place(&mut timeline, 90_000_000, 106), second + 2_970 * 2);
        let again =
            timeline.place(MediaTime::new(0, 8_000), 8_000, Order::Any, Time::from_millis(106));
        assert_eq!(again, second + 2_970 * 2 + 80, "another clock");
        let time = MediaTime::new(0, 8_000);
        let key = timeline.place(time, 8_000, Order::OfSending, Time::from_millis(116));
        assert_eq!(key, again + 80, "nothing that needs no other is shown before others");
        assert!(place(&mut timeline, u64::MAX, u64::MAX / 2_000_000) > again);
    }
}
