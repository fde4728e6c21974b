//! The machine's addresses, and that they change: a cable is pulled, a phone leaves the house.

use std::fmt;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use tracing::debug;

use crate::addresses::{LocalAddresses, local_addresses};
use crate::reactor::Reactor;

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
pub(crate) struct Interfaces {
    /// None where the system does not tell; then they are what they were at first.
    changes: Option<BoxStream<'static, std::io::Result<()>>>,
    with_loopback: bool,
}

impl Interfaces {
    pub(crate) fn watch<R: Reactor>(with_loopback: bool) -> Self {
        let changes = R::address_changes();
        let changes = changes.inspect_err(|error| debug!(%error, "addresses are not watched")).ok();
        Interfaces { changes, with_loopback }
    }

    /// The addresses to have sockets at.
    pub(crate) fn addresses(&self) -> std::io::Result<LocalAddresses> {
        local_addresses(self.with_loopback)
    }

    /// Waits until some address came or went.
    pub(crate) fn poll_change(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(changes) = &mut self.changes else { return Poll::Pending };
        match changes.poll_next_unpin(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Some(Ok(()))) => return Poll::Ready(()),
            Poll::Ready(Some(Err(error))) => debug!(%error, "addresses are watched no longer"),
            Poll::Ready(None) => debug!("addresses are watched no longer"),
        }
        self.changes = None;
        Poll::Pending
    }
}

impl fmt::Debug for Interfaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interfaces")
            .field("with_loopback", &self.with_loopback)
            .finish_non_exhaustive()
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
