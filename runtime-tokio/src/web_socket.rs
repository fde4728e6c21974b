//! Links that are WebSockets.

use std::future::ready;
use std::io;
use std::sync::Arc;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{Connector, WebSocketStream, client_async_tls_with_config};
use tristero::{Dialer, Dialers, Dialling, Link};
use tristero_proto::signaling::{LinkFrame, RelayUrl};

use crate::anchored::Gone;
use crate::links::{MESSAGE_BYTES_MAX, Network};
use crate::proxy::{self, Proxies};
use crate::tls::{ExtraRoots, Tls};

/// Opens WebSockets as a node does for its relays, for a [`Dialer`] of your own whose medium runs
/// over them.
///
/// By default, the operating system and Mozilla say whose certificates are believed, and the
/// environment names the proxies.
#[derive(Clone, Debug)]
pub struct WebSockets(Arc<Network>);

impl WebSockets {
    /// Believes these roots too, and goes through these proxies.
    pub fn new(extra_roots: ExtraRoots, proxies: Proxies) -> Self {
        let (tls, dialers) = (Tls::new(extra_roots), Dialers::default());
        WebSockets(Arc::new(Network { tls, proxies, dialers, gone: Gone::default() }))
    }
}

impl Default for WebSockets {
    fn default() -> Self {
        WebSockets::new(ExtraRoots::default(), Proxies::default())
    }
}

impl Dialer for WebSockets {
    fn dial(&self, url: &RelayUrl) -> Dialling {
        let (network, url) = (self.0.clone(), url.clone());
        Box::pin(async move { dial(&url, None, &network).await })
    }
}

/// Opens a WebSocket, through a proxy and by TLS where that has to be.
pub(crate) async fn dial(
    url: &RelayUrl,
    protocol: Option<&'static str>,
    network: &Network,
) -> io::Result<Link> {
    let mut request = url.as_str().into_client_request().map_err(describe)?;
    if let Some(protocol) = protocol {
        let protocol = HeaderValue::from_static(protocol);
        request.headers_mut().insert("Sec-WebSocket-Protocol", protocol);
    }
    let config = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX));
    let stream = proxy::connect_to(request.uri(), network).await?;
    let is_secure = request.uri().scheme_str() == Some("wss");
    let connector = match is_secure {
        true => Connector::Rustls(network.tls.config()),
        false => Connector::Plain,
    };
    let socket = client_async_tls_with_config(request, stream, Some(config), Some(connector));
    let (socket, _) = socket.await.map_err(describe)?;
    Ok(into_link(socket))
}

fn into_link<S>(socket: WebSocketStream<S>) -> Link
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sink, messages) = socket.split();
    // Whoever said goodbye may take long to hang up.
    let messages = messages.take_while(|message| ready(!matches!(message, Ok(Message::Close(_)))));
    let frames = messages.filter_map(|message| {
        ready(match message {
            Ok(Message::Text(text)) => Some(Ok(LinkFrame::Text(text.as_str().to_owned()))),
            Ok(Message::Binary(bytes)) => Some(Ok(LinkFrame::Binary(bytes))),
            // Pings are answered by the socket.
            Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_) | Message::Close(_)) => None,
            Err(error) => Some(Err(describe(error))),
        })
    });
    let sink = sink.sink_map_err(describe).with(|frame| ready(Ok(to_message(frame))));
    Link { frames: Box::pin(frames), sink: Box::pin(sink) }
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
