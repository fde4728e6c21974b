//! What an application has in place of an async runtime.

use std::error::Error;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use tristero_proto::{Seed, Time};

use super::tasks::Spawner;
use super::timers::{Sleep, Timers};

/// Time, tasks and chance for an application of the world. Clones are the same.
///
/// Its calls are named and meant as tokio's are, so that an application that is to run in both takes
/// `runtime.sleep` here and `tokio::time::sleep` there, as a function.
#[derive(Clone, Debug)]
pub struct SimRuntime {
    timers: Timers,
    spawner: Spawner,
    seed: Seed,
}

/// Something took longer than it was allowed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed;

impl SimRuntime {
    pub(crate) fn new(timers: Timers, spawner: Spawner, seed: Seed) -> Self {
        SimRuntime { timers, spawner, seed }
    }

    /// The time in the world.
    pub fn now(&self) -> Time {
        self.timers.now()
    }

    /// Waits so long, and for a millisecond at least, so that time moves in every loop that waits.
    pub fn sleep(&self, duration: Duration) -> Sleep {
        self.sleep_until(self.now() + duration.max(SLEEP_MIN))
    }

    /// Waits until then; not at all if that is now or before.
    pub fn sleep_until(&self, at: Time) -> Sleep {
        self.timers.sleep_until(at)
    }

    /// Waits for something, for so long at most. What is ready in the last moment is in time.
    pub fn timeout<F: Future>(
        &self,
        patience: Duration,
        future: F,
    ) -> impl Future<Output = Result<F::Output, Elapsed>> + use<F> {
        let mut sleep = self.sleep(patience);
        async move {
            let mut future = pin!(future);
            poll_fn(|cx| match future.as_mut().poll(cx) {
                Poll::Ready(result) => Poll::Ready(Ok(result)),
                Poll::Pending => Pin::new(&mut sleep).poll(cx).map(|()| Err(Elapsed)),
            })
            .await
        }
    }

    /// Begins a task, which goes on by itself, even after the application's own future has ended. It
    /// ends with the peer. `Send` is asked for as tokio does, though nothing is sent anywhere.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.spawner.spawn(task);
    }

    /// A number that follows from the world's seed and the peer's place in it: the same in each call
    /// with the same label. Whatever is random in the application comes from one.
    pub fn seed(&self, label: &str) -> u64 {
        u64::from_be_bytes(self.seed.rng(label).bytes())
    }
}

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it took too long")
    }
}

impl Error for Elapsed {}

/// The grain of tokio's timers.
const SLEEP_MIN: Duration = Duration::from_millis(1);
