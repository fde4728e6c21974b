//! What an async runtime has to supply.

use std::fmt::Debug;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Instant;

use futures_util::io::{AsyncRead, AsyncWrite};
use futures_util::stream::BoxStream;
use quinn_udp::UdpSockRef;

/// Tasks, timers and sockets of an async runtime.
///
/// Nothing here knows of links, relays or WebRTC: whoever supplies this has a runtime for Trystero
/// rooms. It is named by a type alone and has no state of its own; a runtime that has to be entered,
/// as tokio's, is entered by whoever calls [`node`](crate::node).
pub trait Reactor: Debug + Send + Sync + Unpin + 'static {
    /// See [`Timer`].
    type Timer: Timer;
    /// See [`UdpSocket`].
    type Udp: UdpSocket;
    /// A TCP connection.
    type Tcp: AsyncRead + AsyncWrite + Debug + Send + Unpin + 'static;

    /// Runs a task that nobody waits for, also while nobody waits for anything else: it is polled by a
    /// thread of the runtime. A panic in it may end it and nothing else.
    fn spawn(task: impl Future<Output = ()> + Send + 'static);

    /// Does something that blocks for some milliseconds, where it holds up no task: each time for a
    /// mebibyte of a file, once at a time for each file. If it panics, the future may panic too.
    fn unblock<T: Send + 'static>(
        work: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = T> + Send;

    /// Takes a socket that is bound and does not block (`O_NONBLOCK`).
    fn udp(socket: std::net::UdpSocket) -> io::Result<Self::Udp>;

    /// Connects to an address, and sets `TCP_NODELAY`: what is said is short, and somebody waits for it.
    /// Dropping the future gives it up.
    fn connect(address: SocketAddr) -> impl Future<Output = io::Result<Self::Tcp>> + Send;

    /// The address that a connection was made from.
    fn local_addr(connection: &Self::Tcp) -> io::Result<SocketAddr>;

    /// Has an item whenever an address of an interface of this machine came or went; which, is found out
    /// anew each time. The crate `if-watch` is a source. Where there is none an error will do, and a
    /// stream that ends: a machine that moves to another network is then not noticed.
    fn address_changes() -> io::Result<BoxStream<'static, io::Result<()>>>;
}

/// Waits for a moment.
pub trait Timer: Debug + Send + Unpin + 'static {
    /// A timer for this moment.
    fn at(at: Instant) -> Self;

    /// Waits for this moment and no more for the last, which may be over or not.
    fn set(&mut self, at: Instant);

    /// Ready once the moment has come. It is not asked again after that before it is [`set`](Self::set).
    fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

/// A UDP socket.
pub trait UdpSocket: Debug + Send + Sync + Unpin + 'static {
    /// Ready when it may be that there is a datagram to read. It is asked after
    /// [`try_recv_from`](Self::try_recv_from) had none, by one task at a time, and has to wake it when
    /// there is one from then on, be it before or after this call. Being ready without a datagram is no
    /// fault; being so always would take all of a processor.
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Reads a datagram, or fails with [`WouldBlock`](io::ErrorKind::WouldBlock).
    fn try_recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)>;

    /// Has datagrams read, many at once where the operating system can. As
    /// [`try_recv_from`](Self::try_recv_from) it fails with [`WouldBlock`](io::ErrorKind::WouldBlock) if
    /// there is none, which `read` says.
    fn try_read<T>(&self, read: impl FnOnce(UdpSockRef<'_>) -> io::Result<T>) -> io::Result<T>;

    /// Has datagrams sent, many at once where the operating system can. Fails with
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there is no room, which `write` says.
    fn try_write<T>(&self, write: impl FnOnce(UdpSockRef<'_>) -> io::Result<T>) -> io::Result<T>;

    /// Sends a datagram, or fails, with [`WouldBlock`](io::ErrorKind::WouldBlock) if there is no room.
    fn try_send_to(&self, datagram: &[u8], target: SocketAddr) -> io::Result<usize>;
}
