//! Tasks, timers and sockets of smol.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use if_watch::smol::IfWatcher;
use smol::{Async, net::TcpStream};
use tristero_native::{Reactor, Timer, UdpSockRef, UdpSocket};

/// smol's global executor and reactor, which begin with their first task.
#[derive(Clone, Copy, Debug, Default)]
pub struct Smol;

impl Reactor for Smol {
    type Timer = SmolTimer;
    type Udp = SmolUdp;
    type Tcp = TcpStream;

    fn spawn(task: impl Future<Output = ()> + Send + 'static) {
        smol::spawn(task).detach();
    }

    async fn unblock<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
        smol::unblock(work).await
    }

    fn udp(socket: std::net::UdpSocket) -> io::Result<SmolUdp> {
        Async::new_nonblocking(socket).map(SmolUdp)
    }

    async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    fn local_addr(connection: &TcpStream) -> io::Result<SocketAddr> {
        connection.local_addr()
    }

    fn address_changes() -> io::Result<BoxStream<'static, io::Result<()>>> {
        Ok(IfWatcher::new()?.map(|change| change.map(drop)).boxed())
    }
}

/// See [`Timer`].
#[derive(Debug)]
pub struct SmolTimer(smol::Timer);

impl Timer for SmolTimer {
    fn at(at: Instant) -> Self {
        SmolTimer(smol::Timer::at(at))
    }

    fn set(&mut self, at: Instant) {
        self.0.set_at(at);
    }

    fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx).map(drop)
    }
}

/// See [`UdpSocket`].
#[derive(Debug)]
pub struct SmolUdp(Async<std::net::UdpSocket>);

impl UdpSocket for SmolUdp {
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_readable(cx)
    }

    fn try_recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.0.get_ref().recv_from(buffer)
    }

    fn try_read<T>(&self, read: impl FnOnce(UdpSockRef<'_>) -> io::Result<T>) -> io::Result<T> {
        read(self.0.get_ref().into())
    }

    fn try_write<T>(&self, write: impl FnOnce(UdpSockRef<'_>) -> io::Result<T>) -> io::Result<T> {
        write(self.0.get_ref().into())
    }

    fn try_send_to(&self, datagram: &[u8], target: SocketAddr) -> io::Result<usize> {
        self.0.get_ref().send_to(datagram, target)
    }
}
