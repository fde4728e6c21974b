//! The machine's addresses, and that they change: a cable is pulled, a phone leaves the house.

use std::net::IpAddr;
use std::task::{Context, Poll};
use std::time::Duration;

use if_watch::tokio::IfWatcher;
use tracing::debug;

use crate::addresses::local_addresses;

/// An address of IPv6 can't be bound to while the machine asks whether somebody else has it, and
/// nothing tells when it is done: it is tried again after this long.
pub(crate) const BIND_AGAIN_AFTER: Duration = Duration::from_secs(2);
/// One that can't be bound to after so many times is of no use.
pub(crate) const BINDS_MAX: u8 = 5;

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
    pub(crate) fn addresses(&self) -> std::io::Result<Vec<IpAddr>> {
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
