//! What all commands say in the same way.

use std::time::Duration;

/// One decimal, which is what a glance can take.
pub(crate) fn milliseconds(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1_000.0)
}
