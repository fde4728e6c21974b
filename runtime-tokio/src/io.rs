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

use crate::addresses::local_addresses;
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
    new_addresses: VecDeque<SocketAddr>,
    timer: Pin<Box<Sleep>>,
    is_shutting_down: bool,
}

impl TokioIo {
    pub(crate) fn bind(
        epoch: Instant,
        with_loopback: bool,
        network: Network,
    ) -> std::io::Result<Self> {
        let sockets = Sockets::bind(&local_addresses(with_loopback)?)?;
        let network = Arc::new(network);
        Ok(TokioIo {
            epoch,
            new_addresses: sockets.addresses().collect(),
            sockets,
            links: Links::new(network.clone()),
            servers: Servers::new(network),
            timer: Box::pin(tokio::time::sleep(Duration::ZERO)),
            is_shutting_down: false,
        })
    }

    fn set_timer(&mut self, at: Instant) {
        let at = at.into();
        if self.timer.deadline() != at {
            self.timer.as_mut().reset(at);
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
        if let Some(address) = self.new_addresses.pop_front() {
            return Poll::Ready(IoEvent::AddressAdded(address));
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
