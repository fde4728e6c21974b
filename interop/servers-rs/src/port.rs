//! A free port for servers that have to be told one.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Socket, Type};

/// A port of loopback that is kept free for a server, as long as this lives.
///
/// It is bound and does not listen: nothing else is given that port, while a socket that may share
/// addresses, as listening ones do, can still be bound to it.
pub(crate) struct ReservedPort {
    /// Held and never used.
    _socket: Socket,
    address: SocketAddr,
}

impl ReservedPort {
    /// Reserves some port that nobody has.
    pub(crate) fn any() -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        // The first is what tokio's listeners have, the second what aquatic's has.
        socket.set_reuse_address(true)?;
        #[cfg(unix)]
        socket.set_reuse_port(true)?;
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        let address = socket.local_addr()?.as_socket();
        let address = address.ok_or_else(|| io::Error::other("it has no address"))?;
        Ok(Self { _socket: socket, address })
    }

    /// Where the server is to listen.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}
