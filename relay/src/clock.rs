//! When a client is pinged, and when it is given up.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep};

use crate::{Limits, end::End, outbox::Outbox};

/// When to ping, and when the client has been silent for too long.
pub(crate) struct Clock<'a> {
    /// Until whichever comes first.
    sleep: Pin<&'a mut Sleep>,
    heard: Instant,
    next_ping: Instant,
    ping_interval: Duration,
    silence_max: Duration,
}

impl<'a> Clock<'a> {
    pub(crate) fn new(sleep: Pin<&'a mut Sleep>, limits: &Limits) -> Self {
        let now = Instant::now();
        let ping_interval = limits.ping_interval.clamp(PING_INTERVAL_MIN, PING_INTERVAL_MAX);
        let silence_max = limits.silence_max().min(SILENCE_MAX);
        let mut clock =
            Self { sleep, heard: now, next_ping: now + ping_interval, ping_interval, silence_max };
        clock.rewind();
        clock
    }

    /// The client gave a sign of life.
    pub(crate) fn hear(&mut self) {
        self.heard = Instant::now();
    }

    /// Pings when that is due, and ends a connection that is silent.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, outbox: &Outbox) -> Poll<End> {
        // What it is set to may be the end of a silence that has been broken.
        while self.sleep.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            if now >= self.heard + self.silence_max {
                return Poll::Ready(End::Silent);
            }
            if now >= self.next_ping {
                outbox.ping();
                self.next_ping = now + self.ping_interval;
            }
            self.rewind();
        }
        Poll::Pending
    }

    fn rewind(&mut self) {
        let due = self.next_ping.min(self.heard + self.silence_max);
        self.sleep.as_mut().reset(due);
    }
}

/// The timer can't tick at intervals of zero.
const PING_INTERVAL_MIN: Duration = Duration::from_millis(1);

/// Someone who wants no pings may ask for an interval that no clock can count.
const PING_INTERVAL_MAX: Duration = Duration::from_secs(86_400);

/// Thirty years, for who wants nobody cut.
const SILENCE_MAX: Duration = Duration::from_secs(30 * 365 * 86_400);
