//! WebSocket links: a task each.

use std::collections::HashMap;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_tls_with_config};
use tristero_proto::LinkId;
use tristero_proto::signaling::{LinkFrame, LinkTarget};

use crate::tls;

/// Messages that wait to be written to one link. A link that falls behind by more is closed: the
/// relay does not keep up, and what is said there soon is worth nothing.
const OUTBOUND_MAX: usize = 1_024;
/// Events of all links that wait for the node. Links wait while there are more.
const INBOUND_MAX: usize = 64;
/// The largest message that is taken from a relay, in bytes.
const MESSAGE_BYTES_MAX: usize = 1024 * 1024;
/// A relay that takes nothing for this long is given up.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// A link that closes may take this long for what it still has to send.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

type WebSocket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// What happened to a link.
#[derive(Debug)]
pub(crate) enum LinkEvent {
    Opened,
    Frame(LinkFrame),
    Closed(String),
}

/// All links of a node.
#[derive(Debug)]
pub(crate) struct Links {
    links: HashMap<LinkId, mpsc::Sender<LinkFrame>>,
    events: mpsc::Receiver<(LinkId, LinkEvent)>,
    /// Given to each task.
    sender: mpsc::Sender<(LinkId, LinkEvent)>,
    /// Links that fell behind, to be reported.
    overrun: Vec<LinkId>,
    /// Becomes ready when the last task has ended.
    tasks: mpsc::Receiver<()>,
    task: Option<mpsc::Sender<()>>,
}

impl Links {
    pub(crate) fn new() -> Self {
        let (sender, events) = mpsc::channel(INBOUND_MAX);
        let (task, tasks) = mpsc::channel(1);
        let (links, overrun) = (HashMap::new(), Vec::new());
        Links { links, events, sender, overrun, tasks, task: Some(task) }
    }

    pub(crate) fn open(&mut self, link: LinkId, target: LinkTarget) {
        let (sender, frames) = mpsc::channel(OUTBOUND_MAX);
        self.links.insert(link, sender);
        let events = self.sender.clone();
        let task = self.task.clone();
        tokio::spawn(async move {
            let closed = run(link, target, frames, &events).await;
            // Nobody listens once the node is gone.
            let _ = events.send((link, LinkEvent::Closed(closed))).await;
            drop(task);
        });
    }

    pub(crate) fn send(&mut self, link: LinkId, frame: LinkFrame) {
        let Some(sender) = self.links.get(&link) else { return };
        if sender.try_send(frame).is_err() {
            self.links.remove(&link);
            self.overrun.push(link);
        }
    }

    /// Closes a link once what waits there is written.
    pub(crate) fn close(&mut self, link: LinkId) {
        self.links.remove(&link);
    }

    pub(crate) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<(LinkId, LinkEvent)> {
        if let Some(link) = self.overrun.pop() {
            let why = "the relay does not keep up".to_owned();
            return Poll::Ready((link, LinkEvent::Closed(why)));
        }
        loop {
            let Poll::Ready(Some((link, event))) = self.events.poll_recv(cx) else {
                return Poll::Pending;
            };
            // Of a link that was closed here nothing more is told.
            if self.links.contains_key(&link) {
                if matches!(event, LinkEvent::Closed(_)) {
                    self.links.remove(&link);
                }
                return Poll::Ready((link, event));
            }
        }
    }

    /// Closes all links and waits for their tasks.
    pub(crate) fn poll_shut_down(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.links.clear();
        self.task = None;
        // Tasks may wait for room to say that they are done.
        while let Poll::Ready(Some(_)) = self.events.poll_recv(cx) {}
        self.tasks.poll_recv(cx).map(|_| ())
    }
}

/// Runs a link to its end, and says why it ended.
async fn run(
    link: LinkId,
    target: LinkTarget,
    mut frames: mpsc::Receiver<LinkFrame>,
    events: &mpsc::Sender<(LinkId, LinkEvent)>,
) -> String {
    let socket = tokio::select! {
        socket = dial(target) => socket,
        () = closed_unused(&mut frames) => return "closed".to_owned(),
    };
    let mut socket = match socket {
        Ok(socket) => socket,
        Err(error) => return describe(&error),
    };
    if events.send((link, LinkEvent::Opened)).await.is_err() {
        return "closed".to_owned();
    }
    let ended = exchange(link, &mut socket, &mut frames, events).await;
    let _ = timeout(CLOSE_TIMEOUT, socket.close(None)).await;
    ended.map_or_else(|error| describe(&error), str::to_owned)
}

/// Waits until the node closes a link that does not stand yet.
async fn closed_unused(frames: &mut mpsc::Receiver<LinkFrame>) {
    // Nothing is sent before the link is open.
    while frames.recv().await.is_some() {}
}

async fn dial(target: LinkTarget) -> Result<WebSocket, Error> {
    let LinkTarget::WebSocket { url, protocol } = target else {
        let why = "this runtime has no link of this kind";
        return Err(Error::Io(std::io::Error::new(std::io::ErrorKind::Unsupported, why)));
    };
    let mut request = url.as_str().into_client_request()?;
    if let Some(protocol) = protocol {
        let protocol = HeaderValue::from_static(protocol);
        request.headers_mut().insert("Sec-WebSocket-Protocol", protocol);
    }
    let config = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX));
    let connector = url.as_str().starts_with("wss:").then(tls::connector);
    let (socket, _) = connect_async_tls_with_config(request, Some(config), true, connector).await?;
    Ok(socket)
}

async fn exchange(
    link: LinkId,
    socket: &mut WebSocket,
    frames: &mut mpsc::Receiver<LinkFrame>,
    events: &mpsc::Sender<(LinkId, LinkEvent)>,
) -> Result<&'static str, Error> {
    loop {
        let message = tokio::select! {
            frame = frames.recv() => {
                let Some(frame) = frame else { return Ok("closed") };
                let Ok(written) = timeout(WRITE_TIMEOUT, write(socket, frame, frames)).await else {
                    return Ok("the relay does not keep up");
                };
                written?;
                continue;
            }
            message = socket.next() => message,
        };
        let frame = match message {
            Some(Ok(Message::Text(text))) => LinkFrame::Text(text.as_str().to_owned()),
            Some(Ok(Message::Binary(bytes))) => LinkFrame::Binary(bytes),
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
            Some(Ok(Message::Close(_))) | None => return Ok("the relay closed the link"),
            Some(Err(error)) => return Err(error),
        };
        if events.send((link, LinkEvent::Frame(frame))).await.is_err() {
            return Ok("closed");
        }
    }
}

/// Writes a message, and those that wait behind it.
async fn write(
    socket: &mut WebSocket,
    frame: LinkFrame,
    frames: &mut mpsc::Receiver<LinkFrame>,
) -> Result<(), Error> {
    socket.feed(to_message(frame)).await?;
    while let Ok(frame) = frames.try_recv() {
        socket.feed(to_message(frame)).await?;
    }
    socket.flush().await
}

fn to_message(frame: LinkFrame) -> Message {
    match frame {
        LinkFrame::Text(text) => Message::Text(text.into()),
        LinkFrame::Binary(bytes) => Message::Binary(bytes),
    }
}

fn describe(error: &Error) -> String {
    match error {
        Error::Io(error) => error.to_string(),
        Error::Http(response) => format!("the relay answered {}", response.status()),
        error => error.to_string(),
    }
}
