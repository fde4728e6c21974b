//! One UDP socket for each local address.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::task::{Context, Poll, ready};

use quinn_udp::{EcnCodepoint, RecvMeta, UdpSocketState};
use socket2::{Domain, Socket, Type};
use tracing::{debug, trace};
use tristero::IoEvent;
use tristero_proto::engine::{Datagram, Ecn, Path, Transmit};

use crate::reactor::{Reactor, UdpSocket};

/// Datagrams of this size and less are received whole: the largest that UDP has, and as much as the
/// operating system gives of several that came one after another.
const BUFFER_BYTES: usize = 65_535;
/// So many buffers are filled by one system call. Each has all that one peer sent in a row.
const BUFFERS: usize = 8;
/// What is asked of the operating system for each socket and direction, in bytes, so that a burst
/// of a few milliseconds is not lost. It may give less.
const SOCKET_BUFFER_BYTES: usize = 2 * 1024 * 1024;

/// The sockets of a node.
#[derive(Debug)]
pub(crate) struct Sockets<R: Reactor> {
    sockets: Vec<Bound<R>>,
    /// Where to look first, so that no socket starves the others.
    next: usize,
    buffers: Box<[u8]>,
    batch: Batch,
}

/// A socket at an address.
#[derive(Debug)]
struct Bound<R: Reactor> {
    address: SocketAddr,
    socket: R::Udp,
    /// What the operating system can do for it.
    state: UdpSocketState,
}

/// What was read by one system call.
#[derive(Debug)]
struct Batch {
    local: SocketAddr,
    metas: [RecvMeta; BUFFERS],
    unread: Range<usize>,
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
        let batch = Batch {
            local: SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0),
            metas: Default::default(),
            unread: 0..0,
        };
        let buffers = vec![0; BUFFERS * BUFFER_BYTES].into();
        Ok(Sockets { sockets, next: 0, buffers, batch })
    }

    /// Gives up the sockets at other addresses than these, and binds one to each that has none.
    pub(crate) fn rebind(&mut self, wanted: &[IpAddr]) -> Rebound {
        let mut rebound = Rebound::default();
        self.sockets.retain(|bound| {
            let is_wanted = wanted.contains(&bound.address.ip());
            if !is_wanted {
                rebound.removed.push(bound.address);
            }
            is_wanted
        });
        for ip in wanted {
            if self.sockets.iter().any(|bound| bound.address.ip() == *ip) {
                continue;
            }
            match bind::<R>(*ip) {
                Ok(bound) => {
                    rebound.added.push(bound.address);
                    self.sockets.push(bound);
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
        self.sockets.iter().map(|bound| bound.address)
    }

    /// Sends datagrams; what the operating system has no room for is lost.
    pub(crate) fn transmit(&self, transmit: &Transmit) {
        let bound = self.sockets.iter().find(|bound| bound.address == transmit.path.local);
        let Some(Bound { socket, state, .. }) = bound else {
            debug!(local = %transmit.path.local, "no socket to send from");
            return;
        };
        let size = transmit.segment_size.unwrap_or(transmit.bytes.len()).max(1);
        for contents in transmit.bytes.chunks(size * state.max_gso_segments()) {
            let datagrams = quinn_udp::Transmit {
                destination: transmit.path.remote,
                ecn: transmit.ecn.map(codepoint),
                contents,
                segment_size: (contents.len() > size).then_some(size),
                src_ip: None,
            };
            let sent = socket.try_write(|socket| state.try_send(socket, &datagrams));
            let Err(error) = sent else { continue };
            trace!(remote = %transmit.path.remote, %error, "lost datagrams");
            if datagrams.segment_size.is_some() && state.max_gso_segments() == 1 {
                // The operating system has just been found out not to cut them.
                self.transmit(&Transmit {
                    bytes: transmit.bytes.slice_ref(contents),
                    ..transmit.clone()
                });
            }
        }
    }

    /// Whether datagrams were read that nobody has taken.
    pub(crate) fn has_unread(&self) -> bool {
        !self.batch.unread.is_empty()
    }

    /// Takes datagrams that were read, of one peer.
    ///
    /// # Panics
    ///
    /// Panics if there are none.
    pub(crate) fn take(&mut self) -> IoEvent<'_> {
        let Batch { local, metas, unread } = &mut self.batch;
        let index = unread.next().expect("there is something to take");
        let meta = &metas[index];
        let bytes = &self.buffers[index * BUFFER_BYTES..][..meta.len];
        let path = Path { local: *local, remote: meta.addr };
        let datagrams = Datagram { path, ecn: meta.ecn.map(mark), bytes };
        let segment_size = (meta.stride < meta.len).then_some(meta.stride);
        IoEvent::Datagrams { datagrams, segment_size }
    }

    /// Waits for datagrams on any socket, and reads many at once, for [`take`](Self::take).
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let count = self.sockets.len();
        for offset in 0..count {
            let index = (self.next + offset) % count;
            let Bound { address, socket, state } = &self.sockets[index];
            let Batch { local, metas, unread } = &mut self.batch;
            let buffers = &mut self.buffers;
            let read = poll_try(socket, cx, || {
                let mut chunks = buffers.chunks_exact_mut(BUFFER_BYTES);
                let mut slices: [IoSliceMut<'_>; BUFFERS] = std::array::from_fn(|_| {
                    IoSliceMut::new(chunks.next().expect("there is one for each"))
                });
                socket.try_read(|socket| state.recv(socket, &mut slices, metas))
            });
            if let Poll::Ready(read) = read {
                self.next = index + 1;
                (*local, *unread) = (*address, 0..read);
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }
}

fn bind<R: Reactor>(address: IpAddr) -> io::Result<Bound<R>> {
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
    let state = UdpSocketState::new((&socket).into())?;
    let socket: std::net::UdpSocket = socket.into();
    Ok(Bound { address: socket.local_addr()?, socket: R::udp(socket)?, state })
}

/// Waits for a datagram, and says how long it is and whence it came.
pub(crate) fn poll_recv_from(
    socket: &impl UdpSocket,
    buffer: &mut [u8],
    cx: &mut Context<'_>,
) -> Poll<(usize, SocketAddr)> {
    poll_try(socket, cx, || socket.try_recv_from(buffer))
}

/// Tries to read until it does, and waits in between.
fn poll_try<T>(
    socket: &impl UdpSocket,
    cx: &mut Context<'_>,
    mut read: impl FnMut() -> io::Result<T>,
) -> Poll<T> {
    loop {
        match read() {
            Ok(read) => return Poll::Ready(read),
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

fn codepoint(mark: Ecn) -> EcnCodepoint {
    match mark {
        Ecn::Ect0 => EcnCodepoint::Ect0,
        Ecn::Ect1 => EcnCodepoint::Ect1,
        Ecn::Ce => EcnCodepoint::Ce,
    }
}

fn mark(codepoint: EcnCodepoint) -> Ecn {
    match codepoint {
        EcnCodepoint::Ect0 => Ecn::Ect0,
        EcnCodepoint::Ect1 => Ecn::Ect1,
        EcnCodepoint::Ce => Ecn::Ce,
    }
}
