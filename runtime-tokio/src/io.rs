//! `Io` on tokio.

use std::collections::VecDeque;
use std::future::Future as _;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::time::Sleep;
use tristero::{Io, IoEvent, ReadClock};
use tristero_proto::engine::{NetworkRequest, Transmit};
use tristero_proto::signaling::{LinkFrame, LinkTarget};
use tristero_proto::{LinkId, Time};

use crate::interfaces::{Interfaces, Retries};
use crate::links::{LinkEvent, Links, Network};
use crate::servers::Servers;
use crate::udp::Sockets;

/// Links may take this long to close when the node is shut down.
const SHUT_DOWN_TIMEOUT: Duration = Duration::from_secs(2);

/// Sockets, links and a timer.
#[derive(Debug)]
pub(crate) struct TokioIo {
    epoch: Instant,
    sockets: Sockets,
    links: Links,
    servers: Servers,
    network: Arc<Network>,
    interfaces: Interfaces,
    /// Addresses that came or went, to be told.
    changes: VecDeque<Change>,
    /// When to look again for addresses that were of no use, and how often that was done.
    bind_again: Option<Pin<Box<Sleep>>>,
    retries: Retries,
    timer: Pin<Box<Sleep>>,
    is_shutting_down: bool,
}

/// What happened to an address of ours.
#[derive(Debug)]
enum Change {
    Added(SocketAddr),
    Removed(SocketAddr),
}

impl TokioIo {
    pub(crate) fn bind(
        epoch: Instant,
        with_loopback: bool,
        network: Network,
    ) -> std::io::Result<Self> {
        let interfaces = Interfaces::watch(with_loopback);
        let sockets = Sockets::bind(&interfaces.addresses()?.usable)?;
        let network = Arc::new(network);
        Ok(TokioIo {
            epoch,
            interfaces,
            changes: sockets.addresses().map(Change::Added).collect(),
            bind_again: None,
            retries: Retries::default(),
            sockets,
            links: Links::new(network.clone()),
            servers: Servers::new(network.clone(), with_loopback),
            network,
            timer: Box::pin(tokio::time::sleep(Duration::ZERO)),
            is_shutting_down: false,
        })
    }

    /// What the sockets are bound to.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.sockets.addresses()
    }

    fn set_timer(&mut self, at: Instant) {
        let at = at.into();
        if self.timer.deadline() != at {
            self.timer.as_mut().reset(at);
        }
    }

    /// Waits until there is another address, or one less.
    fn poll_change(&mut self, cx: &mut Context<'_>) -> Poll<IoEvent<'static>> {
        let mut is_changed =
            self.bind_again.as_mut().is_some_and(|at| at.as_mut().poll(cx).is_ready());
        while self.interfaces.poll_change(cx).is_ready() {
            is_changed = true;
            self.retries = Retries::default();
        }
        if is_changed {
            self.rebind();
            // So that whoever is to wake us next knows whom.
            if let Some(at) = &mut self.bind_again {
                let _ = at.as_mut().poll(cx);
            }
        }
        match self.changes.pop_front() {
            Some(Change::Added(address)) => Poll::Ready(IoEvent::AddressAdded(address)),
            Some(Change::Removed(address)) => Poll::Ready(IoEvent::AddressRemoved(address)),
            None => Poll::Pending,
        }
    }

    fn rebind(&mut self) {
        self.bind_again = None;
        let Ok(wanted) = self.interfaces.addresses() else { return };
        let rebound = self.sockets.rebind(&wanted.usable);
        let ips =
            |addresses: &[SocketAddr]| addresses.iter().map(SocketAddr::ip).collect::<Vec<_>>();
        self.network.gone.note(&ips(&rebound.added), &ips(&rebound.removed));
        // First where we are reached now, so that no moment is without.
        self.changes.extend(rebound.added.into_iter().map(Change::Added));
        self.changes.extend(rebound.removed.into_iter().map(Change::Removed));
        if rebound.has_failed || wanted.has_others {
            let pause = self.retries.next_pause();
            self.bind_again = pause.map(|pause| Box::pin(tokio::time::sleep(pause)));
        }
    }

    fn poll_link(&mut self, cx: &mut Context<'_>) -> Poll<IoEvent<'static>> {
        let (link, event) = ready!(self.links.poll_event(cx));
        Poll::Ready(match event {
            LinkEvent::Opened => IoEvent::LinkOpened(link),
            LinkEvent::Frame(frame) => IoEvent::LinkFrame(link, frame),
            LinkEvent::Closed(why) => IoEvent::LinkClosed(link, why),
        })
    }
}

impl Io for TokioIo {
    fn clock(&self) -> ReadClock {
        let epoch = self.epoch;
        Arc::new(move || Time::from_epoch(epoch.elapsed()))
    }

    fn unix(&self) -> Option<Duration> {
        SystemTime::now().duration_since(UNIX_EPOCH).ok()
    }

    fn open_link(&mut self, link: LinkId, target: LinkTarget) {
        self.links.open(link, target);
    }

    fn send_link(&mut self, link: LinkId, frame: LinkFrame) {
        self.links.send(link, frame);
    }

    fn close_link(&mut self, link: LinkId) {
        self.links.close(link);
    }

    fn transmit(&mut self, transmit: &Transmit) {
        self.sockets.transmit(transmit);
    }

    fn request(&mut self, request: NetworkRequest) {
        self.servers.request(request);
    }

    fn poll_event(&mut self, deadline: Option<Time>, cx: &mut Context<'_>) -> Poll<IoEvent<'_>> {
        if let Poll::Ready(change) = self.poll_change(cx) {
            return Poll::Ready(change);
        }
        // What is too far away for the clock is never.
        if let Some(at) = deadline.and_then(|at| self.epoch.checked_add(at.since_epoch())) {
            self.set_timer(at);
            if self.timer.as_mut().poll(cx).is_ready() {
                return Poll::Ready(IoEvent::Deadline);
            }
        }
        if let Poll::Ready(event) = self.servers.poll_event(cx) {
            return Poll::Ready(IoEvent::Network(event));
        }
        // Links have little to say, and tokio's budget for a task keeps even that in bounds, so
        // they don't starve the sockets.
        if let Poll::Ready(event) = self.poll_link(cx) {
            return Poll::Ready(event);
        }
        self.sockets.poll_recv(cx).map(IoEvent::Datagram)
    }

    fn poll_shut_down(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !std::mem::replace(&mut self.is_shutting_down, true) {
            self.set_timer(Instant::now() + SHUT_DOWN_TIMEOUT);
        }
        if self.timer.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        self.links.poll_shut_down(cx)
    }
}
