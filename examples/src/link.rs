//! One WebSocket to a relay, which never waits.
//!
//! A link is asked to [`advance`](Link::advance) after its token became ready, until it has nothing
//! to say. It goes through three states, of which each ends when the stream below would block:
//! connecting, shaking hands, and open. `wss:` is refused, because there is no TLS here: put one of
//! `rustls` between the stream and the WebSocket.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use tristero_proto::signaling::{LinkFrame, LinkTarget};
use tungstenite::client::{IntoClientRequest as _, client_with_config};
use tungstenite::handshake::MidHandshake;
use tungstenite::handshake::client::{ClientHandshake, Request};
use tungstenite::http::HeaderValue;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Error, HandshakeError, Message, WebSocket};

/// The largest message that is taken from a relay, in bytes.
const MESSAGE_BYTES_MAX: usize = 1024 * 1024;
/// What may wait to be written, in bytes. A link that falls behind by more is closed: what is said
/// there soon is worth nothing.
const UNWRITTEN_BYTES_MAX: usize = 1024 * 1024;

/// What happened to a link.
#[derive(Debug, PartialEq, Eq)]
pub enum LinkEvent {
    /// It stands.
    Opened,
    /// A message came.
    Frame(LinkFrame),
    /// A ping or the like came, which is no message and takes time all the same.
    Silent,
    /// It could not be opened, or is gone. This is the last.
    Closed(String),
}

/// One WebSocket.
#[derive(Debug)]
pub struct Link {
    token: Token,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    /// TCP connects to one address after another.
    Connecting {
        stream: TcpStream,
        request: Request,
        others: Vec<SocketAddr>,
    },
    /// The relay has our request.
    Shaking(MidHandshake<ClientHandshake<TcpStream>>),
    Open(Box<WebSocket<TcpStream>>),
    /// It has failed, and this is to be told.
    Failed(String),
    Over,
}

/// What a step led to.
enum Step {
    /// The link is in another state, and may go on at once.
    On(Phase),
    /// The stream would block in this state.
    Wait(Phase),
    /// In this state, it has something to say.
    Say(Phase, LinkEvent),
}

impl Link {
    /// Begins to open a link. What fails is said later.
    pub fn open(target: &LinkTarget, token: Token, registry: &Registry) -> Self {
        let phase = begin(target, token, registry).unwrap_or_else(|error| failed(&error));
        Link { token, phase }
    }

    /// One that fails for this reason.
    pub fn refused(why: &str) -> Self {
        Link { token: Token(usize::MAX), phase: Phase::Failed(why.to_owned()) }
    }

    /// Under what it is registered.
    pub fn token(&self) -> Token {
        self.token
    }

    /// Goes on where the stream blocked, and says what came of it. To be called when the token
    /// became ready, until `None`.
    pub fn advance(&mut self, registry: &Registry) -> Option<LinkEvent> {
        loop {
            let step = match std::mem::replace(&mut self.phase, Phase::Over) {
                Phase::Connecting { stream, request, others } => {
                    connect(stream, request, others, self.token, registry)
                }
                Phase::Shaking(handshake) => shaken(handshake.handshake()),
                Phase::Open(socket) => read(socket),
                Phase::Failed(why) => Step::Say(Phase::Over, LinkEvent::Closed(why)),
                Phase::Over => return None,
            };
            let (phase, said) = match step {
                Step::On(phase) => (phase, None),
                Step::Wait(phase) => {
                    self.phase = phase;
                    return None;
                }
                Step::Say(phase, event) => (phase, Some(event)),
            };
            self.phase = phase;
            if said.is_some() {
                return said;
            }
        }
    }

    /// Writes a message, or keeps it until the stream takes it. False if the link has failed, which
    /// [`advance`](Self::advance) tells.
    pub fn send(&mut self, frame: LinkFrame) -> bool {
        let Phase::Open(socket) = &mut self.phase else { return true };
        let message = match frame {
            LinkFrame::Text(text) => Message::Text(text.into()),
            LinkFrame::Binary(bytes) => Message::Binary(bytes),
        };
        let sent = unless_blocked(socket.send(message));
        let failure = sent.err().map(|error| match error {
            Error::WriteBufferFull(_) => "the relay does not keep up".to_owned(),
            error => error.to_string(),
        });
        if let Some(why) = failure {
            self.phase = Phase::Failed(why);
            return false;
        }
        true
    }

    /// Says goodbye, if the relay listens. What it does not take at once is lost.
    pub fn close(mut self) {
        if let Phase::Open(socket) = &mut self.phase {
            let _ = socket.close(None);
            let _ = socket.flush();
        }
    }
}

/// Finds the relay's addresses, and begins to connect to the first. To look a name up takes as long
/// as in [`network`](crate::network).
fn begin(target: &LinkTarget, token: Token, registry: &Registry) -> io::Result<Phase> {
    let unsupported = |why: &str| Err(io::Error::new(io::ErrorKind::Unsupported, why));
    let LinkTarget::WebSocket { url, protocol } = target else {
        return unsupported("this loop has WebSockets alone");
    };
    let mut request = url.as_str().into_client_request().map_err(io::Error::other)?;
    if let Some(protocol) = protocol {
        let protocol = HeaderValue::from_static(protocol);
        request.headers_mut().insert("Sec-WebSocket-Protocol", protocol);
    }
    if request.uri().scheme_str() != Some("ws") {
        return unsupported("this loop has no TLS");
    }
    let host = request.uri().host().unwrap_or_default().trim_matches(['[', ']']);
    let port = request.uri().port_u16().unwrap_or(80);
    let addresses = (host, port).to_socket_addrs()?.collect();
    dial(request, addresses, token, registry)
}

/// Begins to connect to the first of some addresses.
fn dial(
    request: Request,
    mut addresses: Vec<SocketAddr>,
    token: Token,
    registry: &Registry,
) -> io::Result<Phase> {
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the relay has no address");
    let mut stream = loop {
        if addresses.is_empty() {
            return Err(failure);
        }
        match TcpStream::connect(addresses.remove(0)) {
            Ok(stream) => break stream,
            Err(error) => failure = error,
        }
    };
    // Signals are short, and somebody waits for them.
    let _ = stream.set_nodelay(true);
    registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
    Ok(Phase::Connecting { stream, request, others: addresses })
}

/// Looks whether TCP stands; then the WebSocket's handshake begins.
fn connect(
    stream: TcpStream,
    request: Request,
    others: Vec<SocketAddr>,
    token: Token,
    registry: &Registry,
) -> Step {
    let connected = match stream.take_error() {
        Ok(None) => stream.peer_addr(),
        Ok(Some(error)) | Err(error) => Err(error),
    };
    match connected {
        Ok(_) => {
            let config = WebSocketConfig::default()
                .max_message_size(Some(MESSAGE_BYTES_MAX))
                .max_frame_size(Some(MESSAGE_BYTES_MAX))
                .max_write_buffer_size(UNWRITTEN_BYTES_MAX);
            shaken(client_with_config(request, stream, Some(config)))
        }
        Err(error) if error.kind() == io::ErrorKind::NotConnected => {
            Step::Wait(Phase::Connecting { stream, request, others })
        }
        Err(error) if others.is_empty() => Step::On(failed(&error)),
        Err(_) => match dial(request, others, token, registry) {
            Ok(phase) => Step::Wait(phase),
            Err(error) => Step::On(failed(&error)),
        },
    }
}

/// How far the WebSocket's handshake is.
fn shaken<R>(
    result: Result<(WebSocket<TcpStream>, R), HandshakeError<ClientHandshake<TcpStream>>>,
) -> Step {
    match result {
        Ok((socket, _)) => Step::Say(Phase::Open(Box::new(socket)), LinkEvent::Opened),
        Err(HandshakeError::Interrupted(handshake)) => Step::Wait(Phase::Shaking(handshake)),
        Err(HandshakeError::Failure(error)) => Step::On(failed(&error)),
    }
}

/// Reads one message, and writes what waits.
fn read(mut socket: Box<WebSocket<TcpStream>>) -> Step {
    if let Err(error) = unless_blocked(socket.flush()) {
        return Step::On(failed(&error));
    }
    let frame = match socket.read() {
        Ok(Message::Text(text)) => LinkFrame::Text(text.as_str().to_owned()),
        Ok(Message::Binary(bytes)) => LinkFrame::Binary(bytes),
        // Pings are answered by the socket.
        Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => {
            return Step::Say(Phase::Open(socket), LinkEvent::Silent);
        }
        Ok(Message::Close(_)) => {
            return Step::On(Phase::Failed("the relay closed the link".to_owned()));
        }
        Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
            return Step::Wait(Phase::Open(socket));
        }
        Err(error) => return Step::On(failed(&error)),
    };
    Step::Say(Phase::Open(socket), LinkEvent::Frame(frame))
}

/// What the stream does not take yet is not a failure: it stays in the buffer.
fn unless_blocked(result: tungstenite::Result<()>) -> tungstenite::Result<()> {
    match result {
        Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
        result => result,
    }
}

fn failed(error: &dyn std::error::Error) -> Phase {
    Phase::Failed(error.to_string())
}
