//! How many offers of one peer are answered.

use std::time::Duration;

use crate::time::Time;

/// Of offers that restart ICE one is answered within this time: each has us look for paths at the
/// addresses that it names.
const RESTART_PAUSE: Duration = Duration::from_secs(1);

/// An offer of tracks costs a parsed description. Over a long time one is answered in this time.
const OFFER_PAUSE: Duration = Duration::from_millis(250);

/// Whoever was quiet may offer as often at once, as an application that adds and removes many things.
const BURST: u32 = 16;

/// See the [module](self).
#[derive(Debug, Default)]
pub(super) struct Budget {
    /// When all that was answered is paid for.
    paid_at: Time,
    restarted: Option<Time>,
    /// Their credentials for ICE, as they said last.
    credentials: Option<String>,
}

impl Budget {
    /// When this offer may be answered.
    pub(super) fn ready_at(&self, offer: &str) -> Time {
        let credit = OFFER_PAUSE * (BURST - 1);
        let paid = Time::from_epoch(self.paid_at.since_epoch().saturating_sub(credit));
        let restarted = self.restarted.filter(|_| self.restarts(offer));
        restarted.map_or(paid, |restarted| paid.max(restarted + RESTART_PAUSE))
    }

    /// It is answered.
    pub(super) fn spend(&mut self, offer: &str, now: Time) {
        self.paid_at = self.paid_at.max(now) + OFFER_PAUSE;
        if self.restarts(offer) {
            self.restarted = Some(now);
        }
        self.note(offer);
    }

    /// They said a description that is in use.
    pub(super) fn note(&mut self, sdp: &str) {
        self.credentials = credentials(sdp).map(str::to_owned);
    }

    /// Whether a description has other credentials than they said last.
    pub(super) fn is_stale(&self, sdp: &str) -> bool {
        self.credentials.is_some() && self.restarts(sdp)
    }

    fn restarts(&self, offer: &str) -> bool {
        credentials(offer) != self.credentials.as_deref()
    }
}

fn credentials(sdp: &str) -> Option<&str> {
    sdp.lines().find_map(|line| line.strip_prefix("a=ice-ufrag:"))
}
