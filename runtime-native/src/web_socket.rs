//! Links that are WebSockets.

use std::fmt;
use std::future::ready;
use std::io;
use std::marker::PhantomData;
use std::sync::Arc;
use std::task::{Poll, ready};

use async_tungstenite::tungstenite::client::IntoClientRequest as _;
use async_tungstenite::tungstenite::http::HeaderValue;
use async_tungstenite::tungstenite::protocol::WebSocketConfig;
use async_tungstenite::tungstenite::{Error, Message};
use async_tungstenite::{WebSocketStream, client_async_with_config};
use futures_util::{SinkExt as _, Stream, StreamExt as _, stream};
use tristero::{Dialer, Dialers, Dialling, Link};
use tristero_proto::signaling::{LinkFrame, RelayUrl};

use crate::anchored::Gone;
use crate::links::{MESSAGE_BYTES_MAX, Network};
use crate::proxy::{self, Proxies};
use crate::reactor::Reactor;
use crate::stream::{ByteStream, secure};
use crate::tls::{ExtraRoots, Tls};

/// So many pings and the like are read before others get their turn.
const SILENT_MAX: u32 = 64;

/// Opens WebSockets as a node does for its relays, for a [`Dialer`] of your own whose medium runs
/// over them.
///
/// By default, the operating system and Mozilla say whose certificates are believed, and the
/// environment names the proxies.
pub struct WebSockets<R> {
    network: Arc<Network>,
    reactor: PhantomData<R>,
}

impl<R> WebSockets<R> {
    /// Believes these roots too, and goes through these proxies.
    pub fn new(extra_roots: ExtraRoots, proxies: Proxies) -> Self {
        let (tls, dialers) = (Tls::new(extra_roots), Dialers::default());
        let network = Arc::new(Network { tls, proxies, dialers, gone: Gone::default() });
        WebSockets { network, reactor: PhantomData }
    }
}

impl<R> Clone for WebSockets<R> {
    fn clone(&self) -> Self {
        WebSockets { network: self.network.clone(), reactor: PhantomData }
    }
}

impl<R> fmt::Debug for WebSockets<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WebSockets").field(&self.network).finish()
    }
}

impl<R> Default for WebSockets<R> {
    fn default() -> Self {
        WebSockets::new(ExtraRoots::default(), Proxies::default())
    }
}

impl<R: Reactor> Dialer for WebSockets<R> {
    fn dial(&self, url: &RelayUrl) -> Dialling {
        let (network, url) = (self.network.clone(), url.clone());
        Box::pin(async move { dial::<R>(&url, None, &network).await })
    }
}

/// Opens a WebSocket, through a proxy and by TLS where that has to be.
pub(crate) async fn dial<R: Reactor>(
    url: &RelayUrl,
    protocol: Option<&'static str>,
    network: &Network,
) -> io::Result<Link> {
    let mut request = url.as_str().into_client_request().map_err(describe)?;
    if let Some(protocol) = protocol {
        let protocol = HeaderValue::from_static(protocol);
        request.headers_mut().insert("Sec-WebSocket-Protocol", protocol);
    }
    // Without a bound, a relay that pings and reads no answer would fill the memory with them.
    let config = WebSocketConfig::default()
        .max_write_buffer_size(2 * MESSAGE_BYTES_MAX)
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX));
    let no_host = || io::Error::new(io::ErrorKind::InvalidInput, "the URL names no host");
    let host = request.uri().host().ok_or_else(no_host)?;
    let is_secure = request.uri().scheme_str() == Some("wss");
    let port = request.uri().port_u16().unwrap_or(if is_secure { 443 } else { 80 });
    let mut stream = proxy::connect::<R>(host, port, is_secure, network).await?;
    if is_secure {
        stream = secure(stream, host, &network.tls).await?;
    }
    let socket = client_async_with_config(request, stream, Some(config));
    let (socket, _) = socket.await.map_err(describe)?;
    Ok(into_link(socket))
}

fn into_link(socket: WebSocketStream<Box<dyn ByteStream>>) -> Link {
    let (sink, messages) = socket.split();
    let sink = sink.sink_map_err(describe).with(|frame| ready(Ok(to_message(frame))));
    Link { frames: Box::pin(frames(messages)), sink: Box::pin(sink) }
}

/// What is said in messages, until they end.
fn frames(
    mut messages: impl Stream<Item = Result<Message, Error>> + Unpin,
) -> impl Stream<Item = io::Result<LinkFrame>> {
    stream::poll_fn(move |cx| {
        for _ in 0..SILENT_MAX {
            return Poll::Ready(match ready!(messages.poll_next_unpin(cx)) {
                Some(Ok(Message::Text(text))) => {
                    Some(Ok(LinkFrame::Text(text.as_str().to_owned())))
                }
                Some(Ok(Message::Binary(bytes))) => Some(Ok(LinkFrame::Binary(bytes))),
                // Pings are answered by the socket.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
                Some(Err(error)) => Some(Err(describe(error))),
                // Whoever said goodbye may take long to hang up.
                Some(Ok(Message::Close(_))) | None => None,
            });
        }
        // There may be more, and others have waited for their turn.
        cx.waker().wake_by_ref();
        Poll::Pending
    })
}

fn to_message(frame: LinkFrame) -> Message {
    match frame {
        LinkFrame::Text(text) => Message::Text(text.into()),
        LinkFrame::Binary(bytes) => Message::Binary(bytes),
    }
}

fn describe(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error,
        Error::Http(response) => {
            io::Error::other(format!("the relay answered {}", response.status()))
        }
        error => io::Error::other(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::{Context, Wake};

    use super::*;

    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_relay_that_only_pings_lets_others_have_their_turn() {
        let pings = stream::repeat_with(|| Ok(Message::Ping(Vec::new().into())));
        let mut frames = pin!(frames(pings));
        let woken = Arc::new(Woken(AtomicBool::new(false)));
        let polled = frames.as_mut().poll_next(&mut Context::from_waker(&woken.clone().into()));
        assert!(polled.is_pending() && woken.0.load(Ordering::SeqCst), "it will be asked again");
    }

    #[test]
    fn a_goodbye_is_the_end_whatever_follows() {
        let said = ["before", "after"].map(|text| Ok(Message::Text(text.into())));
        let [before, after] = said;
        let mut frames = pin!(frames(stream::iter([before, Ok(Message::Close(None)), after])));
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let Poll::Ready(Some(Ok(first))) = frames.as_mut().poll_next(&mut cx) else { panic!() };
        assert_eq!(first, LinkFrame::Text("before".to_owned()));
        assert!(matches!(frames.as_mut().poll_next(&mut cx), Poll::Ready(None)));
    }
}
