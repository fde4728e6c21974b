//! What all tasks of a relay share.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::{
    Limits, Stats,
    handle::{Phase, stopping},
    hub::Hub,
    stats::Meters,
};

pub(crate) struct Shared {
    pub(crate) limits: Limits,
    pub(crate) hub: Arc<Hub>,
    pub(crate) meters: Meters,
    pub(crate) phase: watch::Sender<Phase>,
    slots: Arc<Semaphore>,
    slots_max: usize,
}

/// The right to be one of the [`connections_max`](Limits::connections_max) WebSockets.
pub(crate) struct Slot {
    _permit: OwnedSemaphorePermit,
}

impl Shared {
    pub(crate) fn new(limits: Limits) -> Self {
        let slots_max = limits.connections_max.min(Semaphore::MAX_PERMITS);
        Self {
            hub: Arc::new(Hub::new(&limits)),
            meters: Meters::default(),
            phase: watch::Sender::new(Phase::Running),
            slots: Arc::new(Semaphore::new(slots_max)),
            slots_max,
            limits,
        }
    }

    /// Takes a slot for one more WebSocket, if one is free.
    pub(crate) fn take_slot(&self) -> Option<Slot> {
        let permit = Arc::clone(&self.slots).try_acquire_owned().ok()?;
        Some(Slot { _permit: permit })
    }

    pub(crate) fn is_full(&self) -> bool {
        self.slots.available_permits() == 0
    }

    pub(crate) fn stats(&self) -> Stats {
        Stats {
            connections: self.slots_max - self.slots.available_permits(),
            topics: self.hub.topics(),
            counters: self.meters.read(),
        }
    }

    /// Whether the relay is to end.
    pub(crate) fn is_stopping(&self) -> bool {
        *self.phase.borrow() != Phase::Running
    }

    /// Waits until the relay is to end.
    pub(crate) fn stopping(&self) -> impl Future<Output = ()> + Send + use<> {
        stopping(self.phase.subscribe())
    }
}
