//! One UDP socket for each local address.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::task::{Context, Poll, ready};

use socket2::{Domain, Socket, Type};
use tracing::{debug, trace};
use tristero_proto::engine::{Datagram, Path, Transmit};

use crate::reactor::{Reactor, UdpSocket};

/// Datagrams of this size and less are received whole: the largest that UDP has.
const DATAGRAM_BYTES_MAX: usize = 65_535;
/// What is asked of the operating system for each socket and direction, in bytes, so that a burst
/// of a few milliseconds is not lost. It may give less.
const SOCKET_BUFFER_BYTES: usize = 2 * 1024 * 1024;

/// The sockets of a node.
#[derive(Debug)]
pub(crate) struct Sockets<R: Reactor> {
    sockets: Vec<(SocketAddr, R::Udp)>,
    /// Where to look first, so that no socket starves the others.
    next: usize,
    buffer: Box<[u8]>,
}

/// What became of the sockets when addresses changed.
#[derive(Debug, Default)]
pub(crate) struct Rebound {
    pub(crate) added: Vec<SocketAddr>,
    pub(crate) removed: Vec<SocketAddr>,
    /// Whether some address could not be bound to.
    pub(crate) has_failed: bool,
}

impl<R: Reactor> Sockets<R> {
    /// Binds a socket to each address that it can be bound to.
    pub(crate) fn bind(addresses: &[IpAddr]) -> io::Result<Self> {
        let mut sockets = Vec::new();
        let mut last_error = io::Error::new(io::ErrorKind::AddrNotAvailable, "no address");
        for address in addresses {
            match bind::<R>(*address) {
                Ok(bound) => sockets.push(bound),
                Err(error) => {
                    debug!(%address, %error, "an address can't be used");
                    last_error = error;
                }
            }
        }
        if sockets.is_empty() {
            return Err(last_error);
        }
        Ok(Sockets { sockets, next: 0, buffer: vec![0; DATAGRAM_BYTES_MAX].into() })
    }

    /// Gives up the sockets at other addresses than these, and binds one to each that has none.
    pub(crate) fn rebind(&mut self, wanted: &[IpAddr]) -> Rebound {
        let mut rebound = Rebound::default();
        self.sockets.retain(|(address, _)| {
            let is_wanted = wanted.contains(&address.ip());
            if !is_wanted {
                rebound.removed.push(*address);
            }
            is_wanted
        });
        for ip in wanted {
            if self.sockets.iter().any(|(address, _)| address.ip() == *ip) {
                continue;
            }
            match bind::<R>(*ip) {
                Ok((address, socket)) => {
                    self.sockets.push((address, socket));
                    rebound.added.push(address);
                }
                Err(error) => {
                    debug!(%ip, %error, "an address can't be used yet");
                    rebound.has_failed = true;
                }
            }
        }
        rebound
    }

    pub(crate) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.sockets.iter().map(|(address, _)| *address)
    }

    /// Sends datagrams; what the operating system has no room for is lost.
    pub(crate) fn transmit(&self, transmit: &Transmit) {
        let socket = self.sockets.iter().find(|(address, _)| *address == transmit.path.local);
        let Some((_, socket)) = socket else {
            debug!(local = %transmit.path.local, "no socket to send from");
            return;
        };
        let segment_size = transmit.segment_size.unwrap_or(transmit.bytes.len()).max(1);
        for datagram in transmit.bytes.chunks(segment_size) {
            if let Err(error) = socket.try_send_to(datagram, transmit.path.remote) {
                trace!(remote = %transmit.path.remote, %error, "lost a datagram");
            }
        }
    }

    /// Waits for a datagram on any socket.
    pub(crate) fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Datagram<'_>> {
        let count = self.sockets.len();
        for offset in 0..count {
            let index = (self.next + offset) % count;
            let (local, socket) = &self.sockets[index];
            if let Poll::Ready((length, remote)) = poll_recv_from(socket, &mut self.buffer, cx) {
                self.next = index + 1;
                let path = Path { local: *local, remote };
                let bytes = &self.buffer[..length];
                return Poll::Ready(Datagram { path, ecn: None, bytes });
            }
        }
        Poll::Pending
    }
}

fn bind<R: Reactor>(address: IpAddr) -> io::Result<(SocketAddr, R::Udp)> {
    let address = SocketAddr::new(address, 0);
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, None)?;
    socket.set_nonblocking(true)?;
    for result in [
        socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES),
        socket.set_send_buffer_size(SOCKET_BUFFER_BYTES),
    ] {
        if let Err(error) = result {
            debug!(%error, "a socket keeps its small buffer");
        }
    }
    socket.bind(&address.into())?;
    let socket: std::net::UdpSocket = socket.into();
    Ok((socket.local_addr()?, R::udp(socket)?))
}

/// Waits for a datagram, and says how long it is and whence it came.
pub(crate) fn poll_recv_from(
    socket: &impl UdpSocket,
    buffer: &mut [u8],
    cx: &mut Context<'_>,
) -> Poll<(usize, SocketAddr)> {
    loop {
        match socket.try_recv_from(buffer) {
            Ok(received) => return Poll::Ready(received),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if let Err(error) = ready!(socket.poll_readable(cx)) {
                    // Nothing comes of a socket that the runtime gave up.
                    debug!(%error, "a socket can't be waited for");
                    return Poll::Pending;
                }
            }
            // It is that of an earlier datagram which could not be delivered.
            Err(error) => trace!(%error, "a socket's error"),
        }
    }
}
