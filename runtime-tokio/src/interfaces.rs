//! The machine's addresses, and that they change: a cable is pulled, a phone leaves the house.

use std::task::{Context, Poll};
use std::time::Duration;

use if_watch::tokio::IfWatcher;
use tracing::debug;

use crate::addresses::{LocalAddresses, local_addresses};

/// An address of IPv6 can't be bound to while the machine asks whether somebody else has it, and
/// one of an interface that has no carrier yet leads nowhere. Nothing tells when that is over, so
/// it is tried again after this long, and each time after twice as long.
const BIND_AGAIN_AFTER: Duration = Duration::from_millis(200);
/// An address that is of no use after so many times stays so.
const BINDS_MAX: u32 = 6;

/// When to look again for addresses that are of no use yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Retries(u32);

impl Retries {
    /// How long to wait before the next; `None` if there were enough.
    pub(crate) fn next_pause(&mut self) -> Option<Duration> {
        let pause = (self.0 < BINDS_MAX).then(|| BIND_AGAIN_AFTER * 2_u32.pow(self.0));
        self.0 = self.0.saturating_add(1);
        pause
    }
}

/// Watches the addresses of the interfaces.
#[derive(Debug)]
pub(crate) struct Interfaces {
    /// None where the system does not tell; then they are what they were at first.
    watcher: Option<IfWatcher>,
    with_loopback: bool,
}

impl Interfaces {
    pub(crate) fn watch(with_loopback: bool) -> Self {
        let watcher = IfWatcher::new();
        let watcher = watcher.inspect_err(|error| debug!(%error, "addresses are not watched")).ok();
        Interfaces { watcher, with_loopback }
    }

    /// The addresses to have sockets at.
    pub(crate) fn addresses(&self) -> std::io::Result<LocalAddresses> {
        local_addresses(self.with_loopback)
    }

    /// Waits until some address came or went.
    pub(crate) fn poll_change(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(watcher) = &mut self.watcher else { return Poll::Pending };
        match watcher.poll_if_event(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(_)) => Poll::Ready(()),
            Poll::Ready(Err(error)) => {
                debug!(%error, "addresses are watched no longer");
                self.watcher = None;
                Poll::Pending
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_looked_for_again_ever_more_seldom_and_then_never() {
        let mut retries = Retries::default();
        let pauses: Vec<u128> =
            std::iter::from_fn(|| retries.next_pause()).map(|pause| pause.as_millis()).collect();
        assert_eq!(pauses, [200, 400, 800, 1_600, 3_200, 6_400]);
        assert_eq!(retries.next_pause(), None);
    }
}
