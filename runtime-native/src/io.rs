//! `Io`, as far as it is the same on every runtime.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tristero::{Io, IoEvent, ReadClock};
use tristero_proto::engine::{NetworkRequest, Transmit};
use tristero_proto::signaling::{LinkFrame, LinkTarget};
use tristero_proto::{LinkId, Time};

use crate::interfaces::{Interfaces, Retries};
use crate::links::{LinkEvent, Links, Network};
use crate::reactor::{Reactor, Timer as _};
use crate::servers::Servers;
use crate::udp::Sockets;

/// Links may take this long to close when the node is shut down.
const SHUT_DOWN_TIMEOUT: Duration = Duration::from_secs(2);
/// So many events of links and servers come before the sockets have their turn.
const IN_A_ROW_MAX: u32 = 8;

/// Sockets, links and a timer.
#[derive(Debug)]
pub(crate) struct NativeIo<R: Reactor> {
    epoch: Instant,
    sockets: Sockets<R>,
    links: Links<R>,
    servers: Servers<R>,
    network: Arc<Network>,
    interfaces: Interfaces,
    /// Addresses that came or went, to be told.
    changes: VecDeque<Change>,
    /// When to look again for addresses that were of no use, and how often that was done.
    bind_again: Option<R::Timer>,
    retries: Retries,
    timer: R::Timer,
    /// What the timer waits for, unless that is over.
    waits_until: Option<Instant>,
    /// How many events of links and servers were told since the sockets had their turn.
    in_a_row: u32,
    /// Whether the last that was told is that something is due.
    was_due: bool,
    shut_down_by: Option<Instant>,
}

/// What happened to an address of ours.
#[derive(Debug)]
enum Change {
    Added(SocketAddr),
    Removed(SocketAddr),
}

impl<R: Reactor> NativeIo<R> {
    pub(crate) fn bind(
        epoch: Instant,
        with_loopback: bool,
        network: Network,
    ) -> std::io::Result<Self> {
        let interfaces = Interfaces::watch::<R>(with_loopback);
        let sockets = Sockets::bind(&interfaces.addresses()?.usable)?;
        let network = Arc::new(network);
        Ok(NativeIo {
            epoch,
            interfaces,
            changes: sockets.addresses().map(Change::Added).collect(),
            bind_again: None,
            retries: Retries::default(),
            sockets,
            links: Links::new(network.clone()),
            servers: Servers::new(network.clone(), with_loopback),
            network,
            timer: R::Timer::at(epoch),
            waits_until: None,
            in_a_row: 0,
            was_due: false,
            shut_down_by: None,
        })
    }

    /// What the sockets are bound to.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.sockets.addresses()
    }

    fn poll_timer(&mut self, at: Instant, cx: &mut Context<'_>) -> Poll<()> {
        if self.waits_until != Some(at) {
            self.timer.set(at);
            self.waits_until = Some(at);
        }
        ready!(self.timer.poll_expired(cx));
        self.waits_until = None;
        Poll::Ready(())
    }

    /// Waits until there is another address, or one less.
    fn poll_change(&mut self, cx: &mut Context<'_>) -> Poll<IoEvent<'static>> {
        let is_due = |timer: &mut R::Timer| timer.poll_expired(cx).is_ready();
        let mut is_changed = self.bind_again.as_mut().is_some_and(is_due);
        while self.interfaces.poll_change(cx).is_ready() {
            is_changed = true;
            self.retries = Retries::default();
        }
        if is_changed {
            self.rebind();
            // So that whoever is to wake us next knows whom.
            if let Some(timer) = &mut self.bind_again {
                let _ = timer.poll_expired(cx);
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
            self.bind_again = pause.map(|pause| R::Timer::at(Instant::now() + pause));
        }
    }

    /// Waits for links and for servers, in turns.
    fn poll_streams(&mut self, cx: &mut Context<'_>) -> Poll<IoEvent<'static>> {
        if self.in_a_row.is_multiple_of(2)
            && let Poll::Ready(event) = self.poll_link(cx)
        {
            return Poll::Ready(event);
        }
        if let Poll::Ready(event) = self.servers.poll_event(cx) {
            return Poll::Ready(IoEvent::Network(event));
        }
        self.poll_link(cx)
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

impl<R: Reactor> Io for NativeIo<R> {
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
        // What was read at once is told at once, so that it is heeded together.
        if self.sockets.has_unread() {
            return Poll::Ready(self.sockets.take());
        }
        // What is too far away for the clock is never.
        let deadline = deadline.and_then(|at| self.epoch.checked_add(at.since_epoch()));
        let is_due = deadline.is_some_and(|at| at <= Instant::now());
        // Something may always be due, and the rest has its turn all the same.
        self.was_due = is_due && !self.was_due;
        if self.was_due {
            return Poll::Ready(IoEvent::Deadline);
        }
        if let Poll::Ready(change) = self.poll_change(cx) {
            return Poll::Ready(change);
        }
        if self.in_a_row >= IN_A_ROW_MAX {
            // There may be more, and nobody was asked to tell.
            cx.waker().wake_by_ref();
        } else if let Poll::Ready(event) = self.poll_streams(cx) {
            self.in_a_row += 1;
            return Poll::Ready(event);
        }
        self.in_a_row = 0;
        if self.sockets.poll_read(cx).is_ready() {
            return Poll::Ready(self.sockets.take());
        }
        if is_due || deadline.is_some_and(|at| self.poll_timer(at, cx).is_ready()) {
            return Poll::Ready(IoEvent::Deadline);
        }
        Poll::Pending
    }

    fn poll_shut_down(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let until = *self.shut_down_by.get_or_insert_with(|| Instant::now() + SHUT_DOWN_TIMEOUT);
        if self.poll_timer(until, cx).is_ready() {
            return Poll::Ready(());
        }
        self.links.poll_shut_down(cx)
    }
}
