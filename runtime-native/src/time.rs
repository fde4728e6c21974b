//! Waiting, and not for ever.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_util::future::{Either, select};

use crate::reactor::{Reactor, Timer};

/// More than any program runs, and less than what clocks can't add.
const NEVER: Duration = Duration::from_secs(100 * 365 * 24 * 3_600);

/// Waits as long as this.
pub(crate) async fn sleep<R: Reactor>(pause: Duration) {
    sleep_until::<R>(Instant::now() + pause.min(NEVER)).await;
}

pub(crate) async fn sleep_until<R: Reactor>(at: Instant) {
    let mut timer = R::Timer::at(at);
    poll_fn(|cx| timer.poll_expired(cx)).await;
}

/// What a future gives, unless it takes longer than this.
///
/// # Errors
///
/// Fails with [`TimedOut`](io::ErrorKind::TimedOut).
pub(crate) async fn timeout<R: Reactor, F: Future>(
    patience: Duration,
    future: F,
) -> io::Result<F::Output> {
    match select(pin!(future), pin!(sleep::<R>(patience))).await {
        Either::Left((output, _)) => Ok(output),
        Either::Right(((), _)) => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// Lets others have their turn.
pub(crate) async fn yield_now() {
    let mut has_yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut has_yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
