//! What no honest peer does, and when it is too much.
//!
//! One such thing may be an error somewhere; it is counted and dropped. Many in a short time are
//! abuse, and the connection is closed. What honest peers do too much of, such as messages that
//! nobody registered for, is no offence.

use std::time::Duration;

use crate::limits;
use crate::time::Time;

/// Something that no honest peer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Offence {
    /// A frame or chunk that can't be read.
    #[error("malformed frames")]
    Malformed,
    /// A transmission that is not what it claims: metadata that is not JSON, text that is not
    /// UTF-8, more than a transmission may have.
    #[error("invalid transmissions")]
    InvalidTransmission,
    /// Far more transmissions begun than ended.
    #[error("too many unfinished transmissions")]
    Unfinished,
    /// Chunks that carry next to nothing, though more follow.
    #[error("tiny chunks")]
    TinyChunks,
    /// A response that nobody asked it for.
    #[error("unasked responses")]
    UnaskedResponse,
    /// A pong that nobody asked it for.
    #[error("unasked pongs")]
    UnaskedPong,
    /// Coming to rooms and leaving them without end. Each coming counts; honest ones are few.
    #[error("coming and going")]
    Restless,
    /// Too many requests at once, or several under one id.
    #[error("too many requests")]
    TooManyRequests,
}

/// How a peer behaves: each offence adds one, time takes it away again.
#[derive(Debug, Default)]
pub(crate) struct Conduct {
    level: u32,
    since: Time,
}

impl Conduct {
    /// Notes an offence. True if it is one too many.
    pub(crate) fn note(&mut self, now: Time) -> bool {
        let forgiven = now.since(self.since).as_millis() / FORGIVEN_AFTER.as_millis();
        if forgiven > 0 {
            self.level = self.level.saturating_sub(u32::try_from(forgiven).unwrap_or(u32::MAX));
            self.since = now;
        }
        self.level += 1;
        self.level > limits::OFFENCES_MAX
    }
}

/// One offence is forgiven after this long, so that a peer with an error somewhere stays.
const FORGIVEN_AFTER: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_too_much_and_a_trickle_never_is() {
        let mut conduct = Conduct::default();
        let flood = (0..=limits::OFFENCES_MAX).filter(|_| conduct.note(Time::ZERO)).count();
        assert_eq!(flood, 1);
        let mut conduct = Conduct::default();
        assert!((0..10_000).all(|n| !conduct.note(Time::from_millis(n * 100))));
    }
}
