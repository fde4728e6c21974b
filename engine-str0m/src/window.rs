//! How much of one connection may be in flight.
//!
//! A path that is full holds its rate times its round trip; less leaves it idle, and more only waits
//! somewhere, and costs: the SCTP below walks through all that is in flight whenever it is emptied. So
//! twice of what the peer acknowledges in a round trip is allowed, which is enough to find out that it
//! could be more. Where the path is short the least that is allowed is more than enough.
//!
//! That walk goes from message to message, or part of one, so a message weighs as if it had
//! [`MESSAGE_WEIGHT_MIN`] bytes at least.
//!
//! What the network bears is not decided here: SCTP's own congestion window is.

use std::collections::VecDeque;
use std::time::Duration;

use tristero_proto::Time;

use crate::limits::{
    IN_FLIGHT_MAX, IN_FLIGHT_MIN, IN_FLIGHT_PAUSED, MESSAGE_WEIGHT_MIN, ROUND_MIN,
};

/// What one connection has in flight, and may have.
#[derive(Debug)]
pub(crate) struct Window {
    allowed: usize,
    /// The bytes of each message that is in flight, the oldest first. Of the first, some may have
    /// arrived. Bounded by what is allowed.
    messages: VecDeque<usize>,
    /// The sum of them.
    whole: usize,
    /// Those of it that have not arrived.
    bytes: usize,
    weight: usize,
    /// The weight of all that was ever acknowledged.
    acknowledged: u64,
    round: Option<Round>,
    /// Since when nothing is in flight.
    empty: Option<Time>,
}

/// What was acknowledged when a round trip began.
#[derive(Clone, Copy, Debug)]
struct Round {
    acknowledged: u64,
    began: Time,
}

impl Window {
    pub(crate) fn new() -> Self {
        Window {
            allowed: IN_FLIGHT_MIN,
            messages: VecDeque::new(),
            whole: 0,
            bytes: 0,
            weight: 0,
            acknowledged: 0,
            round: None,
            empty: None,
        }
    }

    /// Whether a message of this many bytes may be written. One that is alone may always.
    pub(crate) fn takes(&self, bytes: usize) -> bool {
        self.weight == 0 || self.weight + weight(bytes) <= self.allowed
    }

    /// Notes a message that was written.
    pub(crate) fn on_written(&mut self, bytes: usize, now: Time) {
        if self.empty.take().is_some_and(|since| now.since(since) > ROUND_MIN) {
            // There was nothing to be sent, which says nothing of the path.
            self.round = None;
        }
        self.messages.push_back(bytes);
        self.whole += bytes;
        self.bytes = self.bytes.saturating_add(bytes);
        self.weight += weight(bytes);
    }

    /// Notes that so many bytes are in flight still. True if they are fewer than before.
    pub(crate) fn on_left(&mut self, bytes: usize, rtt: Option<Duration>, now: Time) -> bool {
        let before = self.bytes;
        while let Some(first) = self.messages.front().copied()
            && self.whole - first >= bytes
        {
            self.messages.pop_front();
            self.whole -= first;
            self.weight -= weight(first);
            self.acknowledged += weight(first) as u64;
        }
        self.bytes = bytes;
        if let Some(rtt) = rtt {
            self.go_round(rtt, now);
        }
        if self.weight == 0 {
            self.empty.get_or_insert(now);
        }
        bytes < before
    }

    /// The weight in flight at which a message of this many bytes that was not taken is, and a quarter
    /// of what is allowed is free: to call for every message that is acknowledged would cost more than
    /// it brings.
    pub(crate) fn low_water(&self, bytes: usize) -> usize {
        self.allowed.saturating_sub(weight(bytes)).min(self.allowed - self.allowed / 4)
    }

    /// The bytes that are in flight.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What is in flight, each message with its weight.
    pub(crate) fn weight(&self) -> usize {
        self.weight
    }

    /// How long datagrams may wait for others that come meanwhile.
    pub(crate) fn pause(&self) -> Duration {
        let nanos = if self.weight >= IN_FLIGHT_PAUSED { self.weight } else { 0 };
        Duration::from_nanos(nanos as u64)
    }

    /// Measures once in a round trip.
    fn go_round(&mut self, rtt: Duration, now: Time) {
        let acknowledged = self.acknowledged;
        let round = *self.round.get_or_insert(Round { acknowledged, began: now });
        let took = now.since(round.began);
        if took < rtt.max(ROUND_MIN) {
            return;
        }
        let delivered = u128::from(acknowledged - round.acknowledged);
        let per_trip = delivered * rtt.as_nanos() / took.as_nanos();
        let wanted = usize::try_from(2 * per_trip).unwrap_or(usize::MAX);
        // One round in which less was there to be sent says little.
        let shrunk = self.allowed - self.allowed / 8;
        self.allowed = wanted.max(shrunk).clamp(IN_FLIGHT_MIN, IN_FLIGHT_MAX);
        self.round = Some(Round { acknowledged, began: now });
    }
}

fn weight(bytes: usize) -> usize {
    bytes.max(MESSAGE_WEIGHT_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Option<Duration> = Some(Duration::from_millis(100));
    const MESSAGE: usize = 16 * 1024;

    /// Writes messages of this size until no more is taken.
    fn fill(window: &mut Window, bytes: usize, now: Time) {
        while window.takes(bytes) {
            window.on_written(bytes, now);
        }
    }

    /// A path that takes this many bytes in a round trip of 100 ms is kept busy for so many of them.
    fn after(trips: u64, path: usize) -> Window {
        let mut window = Window::new();
        for trip in 0..trips {
            let now = Time::from_millis(trip * 100);
            // All of what the path takes arrives at once, and may be all there is.
            window.on_left(window.bytes.saturating_sub(path), RTT, now);
            fill(&mut window, MESSAGE, now);
        }
        window
    }

    #[test]
    fn it_doubles_with_every_round_trip_until_the_path_is_full() {
        let (first, second, third) =
            (after(1, MESSAGE * 32), after(2, MESSAGE * 32), after(3, MESSAGE * 32));
        assert_eq!(first.allowed, IN_FLIGHT_MIN);
        assert_eq!(second.allowed, 2 * IN_FLIGHT_MIN);
        assert_eq!(third.allowed, 4 * IN_FLIGHT_MIN);
        assert_eq!(after(20, MESSAGE * 32).allowed, MESSAGE * 64);
        assert_eq!(after(20, usize::MAX).allowed, IN_FLIGHT_MAX);
    }

    #[test]
    fn a_short_path_has_the_least_however_fast_it_is() {
        let mut window = Window::new();
        let rtt = Some(Duration::from_micros(200));
        for millis in 0..100 {
            fill(&mut window, MESSAGE, Time::from_millis(millis));
            window.on_left(1, rtt, Time::from_millis(millis));
        }
        assert_eq!(window.allowed, IN_FLIGHT_MIN);
    }

    #[test]
    fn it_shrinks_slowly_and_only_while_something_is_sent() {
        let mut window = after(20, usize::MAX);
        window.on_left(0, RTT, Time::from_millis(2_000));
        assert_eq!((window.allowed, window.weight()), (IN_FLIGHT_MAX, 0));
        window.on_written(MESSAGE, Time::from_millis(20_000));
        window.on_left(MESSAGE, RTT, Time::from_millis(20_000));
        assert_eq!(window.allowed, IN_FLIGHT_MAX);
        window.on_left(MESSAGE, RTT, Time::from_millis(20_100));
        assert_eq!(window.allowed, IN_FLIGHT_MAX - IN_FLIGHT_MAX / 8);
    }

    #[test]
    fn many_small_messages_weigh_more_than_they_have_bytes() {
        let mut window = Window::new();
        fill(&mut window, 100, Time::ZERO);
        assert_eq!(window.messages.len(), IN_FLIGHT_MIN / MESSAGE_WEIGHT_MIN);
        assert!(window.on_left(150, RTT, Time::ZERO), "some arrived");
        assert_eq!(window.weight(), 2 * MESSAGE_WEIGHT_MIN, "of one of the two, a part");
        assert!(!window.on_left(150, RTT, Time::ZERO));
    }

    #[test]
    fn a_message_larger_than_all_that_is_allowed_is_taken_alone() {
        let mut window = Window::new();
        assert!(window.takes(2 * IN_FLIGHT_MIN));
        window.on_written(1, Time::ZERO);
        assert!(!window.takes(2 * IN_FLIGHT_MIN));
        assert_eq!(window.low_water(2 * IN_FLIGHT_MIN), 0);
        assert_eq!(window.low_water(1), IN_FLIGHT_MIN - IN_FLIGHT_MIN / 4);
    }

    #[test]
    fn datagrams_wait_for_others_only_where_much_is_in_flight() {
        let mut window = Window::new();
        window.on_written(1_000, Time::ZERO);
        assert_eq!(window.pause(), Duration::ZERO);
        window.on_written(IN_FLIGHT_PAUSED, Time::ZERO);
        assert!(window.pause() > Duration::ZERO);
    }
}
