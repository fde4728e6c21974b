//! One UDP socket for each local address.
//!
//! `mio` tells once that a socket has become readable, and then no more until it was read empty. So
//! which sockets may have more is remembered here, and a turn may end before all is read: nobody who
//! sends very much keeps the loop from the rest of its work.

use std::io;
use std::net::{IpAddr, SocketAddr};

use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};
use socket2::SockRef;
use tracing::{debug, trace};
use tristero_proto::engine::{Datagram, Path, Transmit};

/// The largest datagram that UDP has, in bytes.
const DATAGRAM_BYTES_MAX: usize = 65_535;

/// Twenty peers that all speak at once fill what operating systems give by themselves.
const SOCKET_BUFFER_BYTES: usize = 2 * 1024 * 1024;

/// The sockets of a node.
#[derive(Debug)]
pub struct Sockets {
    sockets: Vec<Socket>,
    /// Which is read first, so that none starves the others.
    next: usize,
    buffer: Box<[u8]>,
}

#[derive(Debug)]
struct Socket {
    address: SocketAddr,
    socket: UdpSocket,
    token: Token,
    /// Whether there may be something to read.
    is_ready: bool,
}

impl Sockets {
    /// Binds a socket to each address, under one token after another.
    ///
    /// # Errors
    ///
    /// Fails if one can't be bound.
    pub fn bind(addresses: &[IpAddr], first: Token, registry: &Registry) -> io::Result<Self> {
        let mut sockets = Vec::new();
        for (number, ip) in addresses.iter().enumerate() {
            let mut socket = bind(*ip)?;
            let token = Token(first.0 + number);
            registry.register(&mut socket, token, Interest::READABLE)?;
            let address = socket.local_addr()?;
            sockets.push(Socket { address, socket, token, is_ready: false });
        }
        Ok(Sockets { sockets, next: 0, buffer: vec![0; DATAGRAM_BYTES_MAX].into() })
    }

    /// What the sockets are bound to.
    pub fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.sockets.iter().map(|socket| socket.address)
    }

    /// Notes that something happened; false if the token is of none of these.
    pub fn note_ready(&mut self, token: Token) -> bool {
        let Some(socket) = self.sockets.iter_mut().find(|socket| socket.token == token) else {
            return false;
        };
        socket.is_ready = true;
        true
    }

    /// Whether there may be something to read.
    pub fn is_ready(&self) -> bool {
        self.sockets.iter().any(|socket| socket.is_ready)
    }

    /// The next datagram, of whichever socket has one. Never waits.
    pub fn receive(&mut self) -> Option<Datagram<'_>> {
        let count = self.sockets.len();
        for offset in 0..count {
            let index = (self.next + offset) % count;
            let Socket { address, socket, is_ready, .. } = &mut self.sockets[index];
            while *is_ready {
                match socket.recv_from(&mut self.buffer) {
                    Ok((length, remote)) => {
                        self.next = index + 1;
                        let path = Path { local: *address, remote };
                        return Some(Datagram { path, ecn: None, bytes: &self.buffer[..length] });
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => *is_ready = false,
                    // That of an earlier datagram which could not be delivered.
                    Err(error) => trace!(%address, %error, "a socket's error"),
                }
            }
        }
        None
    }

    /// Sends datagrams; what the operating system has no room for is lost, as on any path.
    pub fn transmit(&self, transmit: &Transmit) {
        let Some(Socket { socket, .. }) =
            self.sockets.iter().find(|socket| socket.address == transmit.path.local)
        else {
            debug!(local = %transmit.path.local, "no socket to send from");
            return;
        };
        let segment_size = transmit.segment_size.unwrap_or(transmit.bytes.len()).max(1);
        for datagram in transmit.bytes.chunks(segment_size) {
            if let Err(error) = socket.send_to(datagram, transmit.path.remote) {
                trace!(remote = %transmit.path.remote, %error, "lost a datagram");
            }
        }
    }
}

/// A socket with room for what many peers send at once; the operating system may give it less.
fn bind(ip: IpAddr) -> io::Result<UdpSocket> {
    let socket = std::net::UdpSocket::bind(SocketAddr::new(ip, 0))?;
    socket.set_nonblocking(true)?;
    let options = SockRef::from(&socket);
    for result in [
        options.set_recv_buffer_size(SOCKET_BUFFER_BYTES),
        options.set_send_buffer_size(SOCKET_BUFFER_BYTES),
    ] {
        if let Err(error) = result {
            debug!(%error, "a socket keeps its small buffer");
        }
    }
    Ok(UdpSocket::from_std(socket))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use mio::{Events, Poll};

    use super::*;

    #[test]
    fn who_sends_much_to_one_socket_keeps_nobody_from_another() {
        let mut poll = Poll::new().unwrap();
        let loopback = IpAddr::from(Ipv4Addr::LOCALHOST);
        let mut sockets = Sockets::bind(&[loopback; 2], Token(5), poll.registry()).unwrap();
        let addresses: Vec<SocketAddr> = sockets.addresses().collect();
        let sender = std::net::UdpSocket::bind((loopback, 0)).unwrap();
        for to in [0, 0, 0, 1] {
            sender.send_to(b"x", addresses[to]).unwrap();
        }
        let mut ready = Events::with_capacity(8);
        while !sockets.sockets.iter().all(|socket| socket.is_ready) {
            poll.poll(&mut ready, None).unwrap();
            assert!(ready.iter().all(|event| sockets.note_ready(event.token())));
        }
        let read = std::iter::from_fn(|| Some(sockets.receive()?.path.local));
        let read: Vec<SocketAddr> = read.collect();
        assert_eq!(read, [0, 1, 0, 0].map(|socket: usize| addresses[socket]));
        assert!(!sockets.is_ready());
    }
}
