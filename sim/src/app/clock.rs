//! The world's clock, as what runs in the world reads it.

use std::sync::{Arc, Mutex, PoisonError};

use tristero_proto::Time;

/// A clock that only the world sets. Under a lock because a [`ReadClock`](tristero::ReadClock) may
/// be read from any thread, as those of other runtimes may.
#[derive(Clone, Debug, Default)]
pub(crate) struct WorldClock(Arc<Mutex<Time>>);

impl WorldClock {
    pub(crate) fn set(&self, now: Time) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    pub(crate) fn now(&self) -> Time {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
