//! A relay from the outside: watching it and ending it.

use std::{fmt, sync::Arc};

use tokio::sync::watch;

use crate::{Stats, shared::Shared};

/// Watches and ends a relay; clones are of the same relay.
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
}

/// Where a relay is in its life; it only moves on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Running,
    Stopping,
    Stopped,
}

/// Ends the relay's life when it is dropped, however its task ends.
pub(crate) struct Life {
    shared: Arc<Shared>,
}

impl Handle {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// What the relay holds and has counted.
    pub fn stats(&self) -> Stats {
        self.shared.stats()
    }

    /// Asks the relay to end: it stops accepting, tells all clients (close code 1001), and waits
    /// for them up to [`Limits::shutdown_timeout`](crate::Limits::shutdown_timeout). Returns at
    /// once; asking again has no effect.
    pub fn shutdown(&self) {
        self.shared.phase.send_if_modified(|phase| {
            let is_running = *phase == Phase::Running;
            if is_running {
                *phase = Phase::Stopping;
            }
            is_running
        });
    }

    /// Waits until the relay has ended and its port is free.
    pub async fn stopped(&self) {
        let mut phase = self.shared.phase.subscribe();
        let stopped = phase.wait_for(|phase| *phase == Phase::Stopped).await;
        stopped.expect("this handle keeps the sender");
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

impl Life {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.shared.phase.send_replace(Phase::Stopped);
    }
}

/// Waits until the relay is to end, or has ended.
pub(crate) async fn stopping(mut phase: watch::Receiver<Phase>) {
    // The sender is gone only when the relay is.
    let _ = phase.wait_for(|phase| *phase != Phase::Running).await;
}
