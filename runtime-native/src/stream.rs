//! Streams of bytes: TCP, and TLS above it.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::thread;

use futures_channel::oneshot;
use futures_rustls::TlsConnector;
use futures_util::io::{AsyncRead, AsyncWrite};
use rustls::pki_types::ServerName;

use crate::anchored::{Anchored, Gone};
use crate::reactor::Reactor;
use crate::tls::Tls;

/// A stream of bytes, whatever is below.
pub(crate) trait ByteStream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> ByteStream for S {}

impl fmt::Debug for dyn ByteStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ByteStream")
    }
}

/// Connects by TCP to a host, at the first of its addresses that answers. An address of IPv6 may be
/// in brackets.
pub(crate) async fn connect<R: Reactor>(
    host: &str,
    port: u16,
    gone: &Gone,
) -> io::Result<Box<dyn ByteStream>> {
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in resolve(unbracketed(host), port).await? {
        match R::connect(address).await {
            Ok(stream) => {
                let local = R::local_addr(&stream)?.ip();
                return Ok(Box::new(Anchored::new(stream, local, gone)));
            }
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// Puts TLS above a stream. An address of IPv6 may be in brackets.
pub(crate) async fn secure(
    stream: Box<dyn ByteStream>,
    host: &str,
    tls: &Tls,
) -> io::Result<Box<dyn ByteStream>> {
    let name = ServerName::try_from(unbracketed(host).to_owned());
    let name = name.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    Ok(Box::new(TlsConnector::from(tls.config()).connect(name, stream).await?))
}

/// Asks the operating system for the addresses of a host.
///
/// It has a thread of its own: an async runtime may wait, where it ends, for all that blocks in its
/// pool, and a name server that says nothing takes half a minute.
pub(crate) async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let host = host.to_owned();
    let (sender, found) = oneshot::channel();
    thread::Builder::new().name("resolve".to_owned()).spawn(move || {
        let addresses = (host, port).to_socket_addrs();
        // Nobody waits any more if it took too long.
        drop(sender.send(addresses.map(Iterator::collect)));
    })?;
    found.await.map_err(io::Error::other)?
}

fn unbracketed(host: &str) -> &str {
    host.trim_matches(['[', ']'])
}
