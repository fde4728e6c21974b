//! Time as the STUN and TURN crates want it.

use std::time::Duration;
use stun_proto::Instant;
use tristero_proto::Time;

pub(crate) fn instant(time: Time) -> Instant {
    let nanos = time.since_epoch().as_nanos();
    Instant::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX / 2))
}

pub(crate) fn time(instant: Instant) -> Time {
    let zero = Instant::from_nanos(0);
    Time::from_epoch(instant.checked_duration_since(zero).unwrap_or(Duration::ZERO))
}
