//! WebSockets as a transport of libp2p, opened by somebody else.
//!
//! libp2p has one of its own. It believes no certificates but those that Mozilla believes, unless
//! it is given others one by one, knows no proxies, and takes messages of up to 256 MiB from a
//! node. Relays of the other strategies are reached by WebSockets too, and these are opened in the
//! same way.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::future::{BoxFuture, Pending};
use futures_util::io::{AsyncRead, AsyncWrite};
use futures_util::{Sink, StreamExt as _, TryStreamExt as _};
use libp2p::core::transport::{DialOpts, ListenerId, TransportError, TransportEvent};
use libp2p::core::{Multiaddr, Transport};
use libp2p::multiaddr::Protocol;
use tristero::{Dialer, Link};
use tristero_proto::signaling::{LinkFrame, RelayUrl};

/// What is written goes out in messages of at most so many bytes, which every node takes.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// Dials nodes whose addresses have `ws` or `wss`, and listens to nobody.
pub(crate) struct WebSockets(pub(crate) Arc<dyn Dialer>);

impl Transport for WebSockets {
    type Output = ByteStream;
    type Error = io::Error;
    type ListenerUpgrade = Pending<io::Result<ByteStream>>;
    type Dial = BoxFuture<'static, io::Result<ByteStream>>;

    fn listen_on(
        &mut self,
        _: ListenerId,
        address: Multiaddr,
    ) -> Result<(), TransportError<io::Error>> {
        Err(TransportError::MultiaddrNotSupported(address))
    }

    fn remove_listener(&mut self, _: ListenerId) -> bool {
        false
    }

    fn dial(
        &mut self,
        address: Multiaddr,
        _: DialOpts,
    ) -> Result<Self::Dial, TransportError<io::Error>> {
        let Some(url) = url_of(&address) else {
            return Err(TransportError::MultiaddrNotSupported(address));
        };
        let dialling = self.0.dial(&url);
        Ok(Box::pin(async move { dialling.await.map(ByteStream::new) }))
    }

    fn poll(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, io::Error>> {
        Poll::Pending
    }
}

/// The URL of a node's WebSocket, if that is what its address names. A name for TLS takes the place
/// of an address.
fn url_of(address: &Multiaddr) -> Option<RelayUrl> {
    let mut parts = address.iter().peekable();
    let host = match parts.next()? {
        Protocol::Dns(name) | Protocol::Dns4(name) | Protocol::Dns6(name) => name.into_owned(),
        Protocol::Ip4(ip) => ip.to_string(),
        Protocol::Ip6(ip) => format!("[{ip}]"),
        _ => return None,
    };
    let Protocol::Tcp(port) = parts.next()? else { return None };
    let has_tls = parts.next_if(|part| matches!(part, Protocol::Tls)).is_some();
    let name = parts.next_if(|part| matches!(part, Protocol::Sni(_)));
    let host = match name {
        Some(Protocol::Sni(name)) => name.into_owned(),
        _ => host,
    };
    let (scheme, path) = match parts.next()? {
        Protocol::Ws(path) if has_tls => ("wss", path),
        Protocol::Ws(path) => ("ws", path),
        Protocol::Wss(path) => ("wss", path),
        _ => return None,
    };
    RelayUrl::web_socket(&format!("{scheme}://{host}:{port}{path}")).ok()
}

/// A link as a stream of bytes.
pub(crate) struct ByteStream {
    reader: Pin<Box<dyn AsyncRead + Send>>,
    sink: Pin<Box<dyn Sink<LinkFrame, Error = io::Error> + Send>>,
}

impl ByteStream {
    fn new(link: Link) -> Self {
        let bytes = link.frames.map(|frame| match frame? {
            LinkFrame::Binary(bytes) => Ok(bytes),
            LinkFrame::Text(_) => {
                Err(io::Error::new(io::ErrorKind::InvalidData, "a node of libp2p sends bytes"))
            }
        });
        ByteStream { reader: Box::pin(bytes.into_async_read()), sink: link.sink }
    }
}

impl AsyncRead for ByteStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.reader.as_mut().poll_read(cx, buffer)
    }
}

impl AsyncWrite for ByteStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.sink.as_mut().poll_ready(cx))?;
        let part = &bytes[..bytes.len().min(MESSAGE_BYTES_MAX)];
        self.sink.as_mut().start_send(LinkFrame::Binary(Bytes::copy_from_slice(part)))?;
        Poll::Ready(Ok(part.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.sink.as_mut().poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.sink.as_mut().poll_close(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_websockets_are_urls_and_others_are_not() {
        let url =
            |address: &str| url_of(&address.parse().unwrap()).map(|url| url.as_str().to_owned());
        let id = "/p2p/12D3KooWA6CwiQqaNB6TuzwXKAfJjc8grXWJTvpJE5GtkDyUPnhc";
        for (address, expected) in [
            ("/dns4/node.example/tcp/443/wss", "wss://node.example/"),
            ("/dns6/node.example/tcp/8000/tls/ws", "wss://node.example:8000/"),
            ("/ip4/127.0.0.1/tcp/60000/ws", "ws://127.0.0.1:60000/"),
            ("/ip6/::1/tcp/60000/ws", "ws://[::1]:60000/"),
            ("/ip4/192.0.2.1/tcp/443/tls/sni/node.example/ws", "wss://node.example/"),
            ("/dns/node.example/tcp/443/x-parity-wss/%2fwaku", "wss://node.example/waku"),
        ] {
            assert_eq!(url(address).as_deref(), Some(expected), "{address}");
            assert_eq!(url(&format!("{address}{id}")).as_deref(), Some(expected), "{address}");
        }
        assert_eq!(url("/ip4/127.0.0.1/tcp/60000"), None);
        assert_eq!(url("/ip4/127.0.0.1/udp/60000/quic-v1"), None);
    }
}
