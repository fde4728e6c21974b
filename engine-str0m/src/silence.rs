//! When a peer that says nothing any more is gone.
//!
//! str0m notices that only after some 20 s and never gives up, so an open connection has a clock
//! of its own. What counts as a sign of life is authentic: a STUN message with the right key, a
//! message, or room in the send buffer, which an acknowledgement made. DTLS datagrams as such don't
//! count, because two connections may share a path, and one of them may be dead.

use std::time::Duration;

use tristero_proto::Time;

/// The clock of one connection.
#[derive(Debug)]
pub(crate) struct Silence {
    limit: Duration,
    heard: Time,
    /// When to look again. Signs of life don't move it, so that datagrams cost nothing here; every
    /// look does, and an open connection is looked at whenever ICE checks it.
    look: Option<Time>,
}

impl Silence {
    /// A clock that does not run yet.
    pub(crate) fn new(limit: Duration) -> Self {
        Silence { limit, heard: Time::ZERO, look: None }
    }

    /// Starts the clock.
    pub(crate) fn start(&mut self, now: Time) {
        self.heard = now;
        self.look = Some(now + self.limit);
    }

    /// Notes a sign of life.
    pub(crate) fn hear(&mut self, now: Time) {
        self.heard = now;
    }

    /// Whether nothing was heard for too long; asked so much later than the connection was to be
    /// woken.
    pub(crate) fn is_over(&mut self, late: Duration, now: Time) -> bool {
        if self.look.is_none() {
            return false;
        }
        if late >= LATE {
            // It was us who slept: what arrived meanwhile was not read yet.
            self.start(now);
            return false;
        }
        let end = self.heard + self.limit;
        self.look = Some(end);
        end <= now
    }

    /// When to ask again.
    pub(crate) fn due(&self) -> Option<Time> {
        self.look
    }
}

/// A connection that is woken so late after it was due says that the process or the machine slept.
pub(crate) const LATE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from_millis(seconds * 1_000)
    }

    fn nine_seconds() -> Silence {
        Silence::new(Duration::from_secs(9))
    }

    const IN_TIME: Duration = Duration::ZERO;

    #[test]
    fn a_clock_that_was_not_started_never_ends() {
        let mut silence = nine_seconds();
        assert_eq!(silence.due(), None);
        assert!(!silence.is_over(IN_TIME, at(1_000)));
        assert!(!silence.is_over(LATE, at(1_000)));
        assert_eq!(silence.due(), None);
    }

    #[test]
    fn signs_of_life_put_the_end_off() {
        let mut silence = nine_seconds();
        silence.start(at(10));
        silence.hear(at(15));
        assert_eq!(silence.due(), Some(at(19)), "it is only moved when it is looked at");
        assert!(!silence.is_over(IN_TIME, at(17)));
        assert_eq!(silence.due(), Some(at(24)));
        assert!(silence.is_over(IN_TIME, at(24)));
    }

    #[test]
    fn whoever_slept_does_not_blame_the_peer() {
        let mut silence = nine_seconds();
        silence.start(at(10));
        assert!(!silence.is_over(Duration::from_secs(7), at(20)));
        assert_eq!(silence.due(), Some(at(29)));
        assert!(silence.is_over(IN_TIME, at(29)));
    }
}
