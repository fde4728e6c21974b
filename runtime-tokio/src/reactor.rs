//! Tasks, timers and sockets of tokio.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use if_watch::tokio::IfWatcher;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep_until};
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt as _};
use tristero_native::{Reactor, Timer, UdpSockRef, UdpSocket};

/// The runtime that is entered where a node is made.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tokio;

impl Reactor for Tokio {
    type Timer = TokioTimer;
    type Udp = TokioUdp;
    type Tcp = Compat<TcpStream>;

    fn spawn(task: impl Future<Output = ()> + Send + 'static) {
        tokio::spawn(task);
    }

    async fn unblock<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
        match tokio::task::spawn_blocking(work).await {
            Ok(done) => done,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                // The runtime ends, and with it whoever waits here.
                Err(_) => std::future::pending().await,
            },
        }
    }

    fn udp(socket: std::net::UdpSocket) -> io::Result<TokioUdp> {
        tokio::net::UdpSocket::from_std(socket).map(TokioUdp)
    }

    async fn connect(address: SocketAddr) -> io::Result<Compat<TcpStream>> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(stream.compat())
    }

    fn local_addr(connection: &Compat<TcpStream>) -> io::Result<SocketAddr> {
        connection.get_ref().local_addr()
    }

    fn address_changes() -> io::Result<BoxStream<'static, io::Result<()>>> {
        Ok(IfWatcher::new()?.map(|change| change.map(drop)).boxed())
    }
}

/// See [`Timer`].
#[derive(Debug)]
pub struct TokioTimer(Pin<Box<Sleep>>);

impl Timer for TokioTimer {
    fn at(at: Instant) -> Self {
        TokioTimer(Box::pin(sleep_until(at.into())))
    }

    fn set(&mut self, at: Instant) {
        // `reset` to a later moment would leave tokio to wake at the old one, and at this again.
        self.0.as_mut().set(sleep_until(at.into()));
    }

    fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}

/// See [`UdpSocket`].
#[derive(Debug)]
pub struct TokioUdp(tokio::net::UdpSocket);

impl UdpSocket for TokioUdp {
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_recv_ready(cx)
    }

    fn try_recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.0.try_recv_from(buffer)
    }

    fn try_read<T>(&self, read: impl FnOnce(UdpSockRef<'_>) -> io::Result<T>) -> io::Result<T> {
        self.0.try_io(Interest::READABLE, || read((&self.0).into()))
    }

    fn try_write<T>(&self, write: impl FnOnce(UdpSockRef<'_>) -> io::Result<T>) -> io::Result<T> {
        self.0.try_io(Interest::WRITABLE, || write((&self.0).into()))
    }

    fn try_send_to(&self, datagram: &[u8], target: SocketAddr) -> io::Result<usize> {
        self.0.try_send_to(datagram, target)
    }
}
