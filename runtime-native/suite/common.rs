//! Nodes with real sockets, over a real relay, on this machine.

#![allow(dead_code, reason = "each test uses what it needs of this")]
#![allow(clippy::unwrap_used, reason = "a test that can not go on may panic")]

use std::future::{Future, IntoFuture, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::LazyLock;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_channel::oneshot;
use futures_util::future::{Either, select};
use futures_util::io::AsyncRead;
use tokio::task::JoinHandle;
use tristero_native::{Reactor as _, Timer as _};
use tristero_relay::{Config as RelayConfig, Relay};

use crate::rooms::{
    Config, LeaveReason, NodeHandle, Options, Proxies, Room, RoomEvent, RoomEvents, node,
};
#[allow(unused_imports, reason = "each test uses what it needs of this")]
pub(crate) use crate::runtime::run;
use crate::runtime::{Reactor, Timer};

/// Far more than anything here takes, even on a machine that is busy with something else.
const PATIENCE: Duration = Duration::from_secs(60);

/// What servers run on, whatever nodes do. It ends with the tests.
static SERVERS: LazyLock<tokio::runtime::Runtime> = LazyLock::new(|| {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(1).enable_all().build().unwrap()
});

/// Runs what a server does.
pub(crate) fn serve<T: Send + 'static>(
    server: impl Future<Output = T> + Send + 'static,
) -> JoinHandle<T> {
    SERVERS.spawn(server)
}

/// Runs a task.
pub(crate) fn spawn<T: Send + 'static>(task: impl Future<Output = T> + Send + 'static) -> Task<T> {
    let (sender, done) = oneshot::channel();
    // Not every test wants to know.
    Reactor::spawn(async { drop(sender.send(task.await)) });
    Task(done)
}

/// A task that runs; `.await` gives what it gives, or an error if it panicked.
pub(crate) struct Task<T>(oneshot::Receiver<T>);

impl<T> IntoFuture for Task<T> {
    type Output = Result<T, oneshot::Canceled>;
    type IntoFuture = oneshot::Receiver<T>;

    fn into_future(self) -> Self::IntoFuture {
        self.0
    }
}

/// Starts a relay.
pub(crate) async fn relay() -> String {
    let address = "127.0.0.1:0".parse().unwrap();
    let started = serve(async move {
        let relay = Relay::bind(RelayConfig::new(address)).await.unwrap();
        let url = relay.url();
        let _handle = relay.spawn();
        url
    });
    started.await.unwrap()
}

/// A configuration with a relay of its own.
pub(crate) async fn config() -> Config {
    Config::new("app").relay(relay().await)
}

pub(crate) fn peer() -> NodeHandle {
    // Whatever proxies there are, a test's relays are on this machine.
    peer_with(Options { proxies: Proxies::none(), ..Options::default() })
}

pub(crate) fn peer_with(options: Options) -> NodeHandle {
    node(Options { loopback: true, ..options }).unwrap()
}

/// What a future gives, which is not to take long.
pub(crate) async fn soon<T>(future: impl IntoFuture<Output = T>) -> T {
    let mut timer = Timer::at(Instant::now() + PATIENCE);
    let too_long = poll_fn(|cx| timer.poll_expired(cx));
    match select(pin!(future.into_future()), pin!(too_long)).await {
        Either::Left((output, _)) => output,
        Either::Right(_) => panic!("it takes far too long"),
    }
}

/// What a future gives within so many polls; it is dropped after them.
pub(crate) async fn within<T>(polls: usize, future: impl IntoFuture<Output = T>) -> Option<T> {
    let mut future = pin!(future.into_future());
    let mut left = polls;
    let limited = poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    });
    soon(limited).await
}

/// Waits for an event that is of interest, and says what of it is.
pub(crate) async fn until<T>(
    events: &mut RoomEvents,
    of_interest: impl Fn(RoomEvent) -> Option<T>,
) -> T {
    soon(async {
        loop {
            let event = events.recv().await.expect("the room ended");
            if let Some(interesting) = of_interest(event) {
                return interesting;
            }
        }
    })
    .await
}

pub(crate) async fn joined(events: &mut RoomEvents, room: &Room) {
    until(events, |event| match event {
        RoomEvent::PeerJoined { peer } => (peer == *room.self_id()).then_some(()),
        _ => None,
    })
    .await;
}

pub(crate) async fn left(events: &mut RoomEvents) -> LeaveReason {
    until(events, |event| match event {
        RoomEvent::PeerLeft { reason, .. } => Some(reason),
        _ => None,
    })
    .await
}

/// Two rooms of two nodes that have met.
pub(crate) async fn met(config: &Config) -> (Room, Room) {
    let a = peer().join(config, "room").unwrap();
    let b = peer().join(config, "room").unwrap();
    have_met(&a, &b).await;
    (a, b)
}

/// Waits until two have met.
pub(crate) async fn have_met(a: &Room, b: &Room) {
    joined(&mut a.events(), b).await;
    joined(&mut b.events(), a).await;
}

/// Bytes in which no part repeats, so that a part that went astray would be noticed.
pub(crate) fn bytes(length: usize) -> Vec<u8> {
    let words = (0u32..).map(|n| n.wrapping_mul(0x9e37_79b1).to_le_bytes());
    words.flatten().take(length).collect()
}

/// A source without end, each byte of which is zero.
pub(crate) struct Endless;

impl AsyncRead for Endless {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        buffer.fill(0);
        Poll::Ready(Ok(buffer.len()))
    }
}
