//! Links to relays: a task each, whatever the medium.

use std::collections::HashMap;
use std::io;
use std::marker::PhantomData;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_channel::mpsc;
use futures_util::future::{Either, select};
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use tristero::{Dialers, Link};
use tristero_proto::LinkId;
use tristero_proto::signaling::{LinkFrame, LinkTarget};

use crate::anchored::Gone;
use crate::proxy::Proxies;
use crate::reactor::Reactor;
use crate::time::timeout;
use crate::tls::Tls;
use crate::web_socket;

/// Messages that wait to be written to one link. A link that falls behind by more is closed: the
/// relay does not keep up, and what is said there soon is worth nothing.
const OUTBOUND_MAX: usize = 1_024;
/// Events of all links that wait for the node. Links wait while there are more.
const INBOUND_MAX: usize = 64;
/// The largest message that is taken from a relay, in bytes.
pub(crate) const MESSAGE_BYTES_MAX: usize = 1024 * 1024;
/// A relay that takes nothing for this long is given up.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// A link that closes may take this long for what it still has to send.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Why a link ended that the node does not want any more.
const CLOSED: &str = "closed";
/// Why a link ended that an application should have dialled.
const PANICKED: &str = "what dials this relay panicked";
/// Why a link ended that the node still wants.
const FELL_BEHIND: &str = "the relay does not keep up";

/// How relays are reached.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) tls: Tls,
    pub(crate) proxies: Proxies,
    pub(crate) dialers: Dialers,
    pub(crate) gone: Gone,
}

/// What happened to a link.
#[derive(Debug)]
pub(crate) enum LinkEvent {
    Opened,
    Frame(LinkFrame),
    Closed(String),
}

/// All links of a node.
#[derive(Debug)]
pub(crate) struct Links<R> {
    network: Arc<Network>,
    links: HashMap<LinkId, mpsc::Sender<LinkFrame>>,
    events: mpsc::Receiver<(LinkId, LinkEvent)>,
    /// Given to each task.
    sender: mpsc::Sender<(LinkId, LinkEvent)>,
    /// Links that fell behind, to be reported.
    overrun: Vec<LinkId>,
    /// Becomes ready when the last task has ended.
    tasks: mpsc::Receiver<()>,
    task: Option<mpsc::Sender<()>>,
    reactor: PhantomData<R>,
}

impl<R: Reactor> Links<R> {
    pub(crate) fn new(network: Arc<Network>) -> Self {
        let (sender, events) = mpsc::channel(INBOUND_MAX);
        let (task, tasks) = mpsc::channel(1);
        let (links, overrun, task) = (HashMap::new(), Vec::new(), Some(task));
        Links { network, links, events, sender, overrun, tasks, task, reactor: PhantomData }
    }

    pub(crate) fn open(&mut self, link: LinkId, target: LinkTarget) {
        let (sender, frames) = mpsc::channel(OUTBOUND_MAX);
        self.links.insert(link, sender);
        let (network, mut events) = (self.network.clone(), self.sender.clone());
        let task = self.task.clone();
        R::spawn(async move {
            let running = run::<R>(link, &target, &network, frames, &mut events);
            // A dialer is the application's, and a link that ends without a word would stay for ever.
            let closed = AssertUnwindSafe(running).catch_unwind().await;
            let closed = closed.unwrap_or_else(|_| PANICKED.to_owned());
            // Nobody listens once the node is gone.
            let _ = events.send((link, LinkEvent::Closed(closed))).await;
            drop(task);
        });
    }

    pub(crate) fn send(&mut self, link: LinkId, frame: LinkFrame) {
        let Some(sender) = self.links.get_mut(&link) else { return };
        // One that has ended says why itself.
        if sender.try_send(frame).is_err_and(|error| error.is_full()) {
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
            return Poll::Ready((link, LinkEvent::Closed(FELL_BEHIND.to_owned())));
        }
        loop {
            let Poll::Ready(Some((link, event))) = self.events.poll_next_unpin(cx) else {
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
        while let Poll::Ready(Some(_)) = self.events.poll_next_unpin(cx) {}
        self.tasks.poll_next_unpin(cx).map(|_| ())
    }
}

/// Runs a link to its end, and says why it ended.
async fn run<R: Reactor>(
    id: LinkId,
    target: &LinkTarget,
    network: &Network,
    mut frames: mpsc::Receiver<LinkFrame>,
    events: &mut mpsc::Sender<(LinkId, LinkEvent)>,
) -> String {
    let dialled = {
        let (dialling, closing) = (dial::<R>(target, network), closed_unused(&mut frames));
        match select(pin!(dialling), pin!(closing)).await {
            Either::Left((dialled, _)) => dialled,
            Either::Right(((), _)) => return CLOSED.to_owned(),
        }
    };
    let mut link = match dialled {
        Ok(link) => link,
        Err(error) => return error.to_string(),
    };
    if events.send((id, LinkEvent::Opened)).await.is_err() {
        return CLOSED.to_owned();
    }
    let ended = exchange::<R>(id, &mut link, &mut frames, events).await;
    let _ = timeout::<R, _>(CLOSE_TIMEOUT, link.sink.close()).await;
    ended.map_or_else(|error| error.to_string(), str::to_owned)
}

/// Waits until the node closes a link that does not stand yet.
async fn closed_unused(frames: &mut mpsc::Receiver<LinkFrame>) {
    // Nothing is sent before the link is open.
    while frames.next().await.is_some() {}
}

async fn dial<R: Reactor>(target: &LinkTarget, network: &Network) -> io::Result<Link> {
    let unsupported = |why: &str| Err(io::Error::new(io::ErrorKind::Unsupported, why));
    match target {
        LinkTarget::WebSocket { url, protocol } => {
            web_socket::dial::<R>(url, *protocol, network).await
        }
        LinkTarget::Custom { url } => match network.dialers.dialer(url) {
            Some(dialer) => dialer.dial(url).await,
            None => unsupported("nothing dials relays of this kind: see Options::dialers"),
        },
        _ => unsupported("this runtime has no link of this kind"),
    }
}

async fn exchange<R: Reactor>(
    id: LinkId,
    link: &mut Link,
    frames: &mut mpsc::Receiver<LinkFrame>,
    events: &mut mpsc::Sender<(LinkId, LinkEvent)>,
) -> io::Result<&'static str> {
    loop {
        // What is to be sent is first: the node says only so much, and a relay might never end.
        let frame = match select(frames.next(), link.frames.next()).await {
            Either::Left((None, _)) => return Ok(CLOSED),
            Either::Left((Some(frame), _)) => {
                match timeout::<R, _>(WRITE_TIMEOUT, write(link, frame, frames)).await {
                    Ok(written) => written?,
                    Err(_) => return Ok(FELL_BEHIND),
                }
                continue;
            }
            Either::Right((frame, _)) => frame,
        };
        let Some(frame) = frame.transpose()? else { return Ok("the relay closed the link") };
        if frame.len() > MESSAGE_BYTES_MAX {
            return Ok("the relay sent a message that is too long");
        }
        if events.send((id, LinkEvent::Frame(frame))).await.is_err() {
            return Ok(CLOSED);
        }
    }
}

/// Writes a message, and those that wait behind it.
async fn write(
    link: &mut Link,
    frame: LinkFrame,
    frames: &mut mpsc::Receiver<LinkFrame>,
) -> io::Result<()> {
    link.sink.feed(frame).await?;
    while let Ok(frame) = frames.try_recv() {
        link.sink.feed(frame).await?;
    }
    link.sink.flush().await
}
