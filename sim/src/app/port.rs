//! `Io` inside a world: what the driver of a node wants done is kept for the world to take, and what
//! the world brings is kept for the driver.
//!
//! The two share it under a lock, since an `Io` belongs to a driver that knows no world. Nothing is
//! called while the lock is held.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use tristero::{Io, IoEvent, ReadClock};
use tristero_proto::engine::{
    Datagram, Ecn, EngineInput, NetworkEvent, NetworkRequest, Path, Transmit,
};
use tristero_proto::signaling::{LinkFrame, LinkTarget};
use tristero_proto::{Deadline, Input, LinkId, Output, Time};

use super::clock::WorldClock;

/// The world's side.
#[derive(Clone, Debug)]
pub(crate) struct Port(Arc<Mutex<State>>);

/// The driver's side.
#[derive(Debug)]
pub(crate) struct SimIo {
    port: Port,
    clock: WorldClock,
    /// The datagram that came last, while the node reads it.
    datagram: Bytes,
}

#[derive(Debug, Default)]
struct State {
    /// Taken at once: the driver runs before the world goes on.
    arrivals: VecDeque<Arrival>,
    /// Taken at once, too.
    outputs: VecDeque<Output>,
    deadline: Option<Time>,
    driver: Option<Waker>,
    /// How often in a row the node wanted to be woken at once.
    haste: u32,
    /// Whether the driver has ended, and nobody takes what comes.
    is_closed: bool,
}

#[derive(Debug)]
enum Arrival {
    Datagram { path: Path, ecn: Option<Ecn>, bytes: Bytes },
    AddressAdded(SocketAddr),
    AddressRemoved(SocketAddr),
    LinkOpened(LinkId),
    LinkFrame(LinkId, LinkFrame),
    LinkClosed(LinkId, String),
    Network(NetworkEvent),
}

impl Port {
    /// The two sides.
    pub(crate) fn new(clock: WorldClock) -> (Port, SimIo) {
        let port = Port(Arc::default());
        let io = SimIo { port: port.clone(), clock, datagram: Bytes::new() };
        (port, io)
    }

    /// Brings something to the driver.
    pub(crate) fn bring(&self, input: Input<'_>) {
        let Some(arrival) = Arrival::new(input) else { return };
        let mut state = self.lock();
        if state.is_closed {
            return;
        }
        state.arrivals.push_back(arrival);
        let driver = state.driver.take();
        drop(state);
        driver.into_iter().for_each(Waker::wake);
    }

    /// Wakes the driver if what it waits for is due.
    pub(crate) fn handle_timeout(&self, now: Time) {
        let mut state = self.lock();
        let is_due = state.deadline.is_some_and(|at| at <= now);
        let driver = state.driver.take_if(|_| is_due);
        drop(state);
        driver.into_iter().for_each(Waker::wake);
    }

    /// The next thing that the driver wants done.
    pub(crate) fn poll_output(&self) -> Option<Output> {
        self.lock().outputs.pop_front()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Deadline> {
        self.lock().deadline.map(|at| Deadline::new(at, "the node of an application"))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // What is inside is whole between any two statements.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SimIo {
    fn output(&self, output: Output) {
        self.port.lock().outputs.push_back(output);
    }

    fn tell(&mut self, arrival: Arrival) -> IoEvent<'_> {
        match arrival {
            Arrival::Datagram { path, ecn, bytes } => {
                self.datagram = bytes;
                let datagrams = Datagram { path, ecn, bytes: &self.datagram };
                IoEvent::Datagrams { datagrams, segment_size: None }
            }
            Arrival::AddressAdded(address) => IoEvent::AddressAdded(address),
            Arrival::AddressRemoved(address) => IoEvent::AddressRemoved(address),
            Arrival::LinkOpened(link) => IoEvent::LinkOpened(link),
            Arrival::LinkFrame(link, frame) => IoEvent::LinkFrame(link, frame),
            Arrival::LinkClosed(link, why) => IoEvent::LinkClosed(link, why),
            Arrival::Network(event) => IoEvent::Network(event),
        }
    }
}

impl Io for SimIo {
    fn clock(&self) -> ReadClock {
        let clock = self.clock.clone();
        Arc::new(move || clock.now())
    }

    fn open_link(&mut self, link: LinkId, target: LinkTarget) {
        self.output(Output::OpenLink { link, target });
    }

    fn send_link(&mut self, link: LinkId, frame: LinkFrame) {
        self.output(Output::SendLink { link, frame });
    }

    fn close_link(&mut self, link: LinkId) {
        self.output(Output::CloseLink { link });
    }

    fn transmit(&mut self, transmit: &Transmit) {
        self.output(Output::Transmit(transmit.clone()));
    }

    fn request(&mut self, request: NetworkRequest) {
        self.output(Output::Network(request));
    }

    fn poll_event(&mut self, deadline: Option<Time>, cx: &mut Context<'_>) -> Poll<IoEvent<'_>> {
        let now = self.clock.now();
        let mut state = self.port.lock();
        if let Some(arrival) = state.arrivals.pop_front() {
            drop(state);
            return Poll::Ready(self.tell(arrival));
        }
        if deadline.is_some_and(|at| at <= now) {
            state.haste += 1;
            assert!(state.haste < HASTE_MAX, "a node wants to be woken at once, over and over");
            return Poll::Ready(IoEvent::Deadline);
        }
        state.haste = 0;
        state.deadline = deadline;
        let before = state.driver.replace(cx.waker().clone());
        drop(state);
        drop(before);
        Poll::Pending
    }

    fn poll_shut_down(&mut self, _: &mut Context<'_>) -> Poll<()> {
        // The world takes what is left to do, whether or not somebody waits for it.
        Poll::Ready(())
    }
}

impl Drop for SimIo {
    fn drop(&mut self) {
        let mut state = self.port.lock();
        state.is_closed = true;
        state.deadline = None;
        let (arrivals, driver) = (std::mem::take(&mut state.arrivals), state.driver.take());
        drop(state);
        drop((arrivals, driver));
    }
}

impl Arrival {
    fn new(input: Input<'_>) -> Option<Self> {
        Some(match input {
            Input::LinkOpened(link) => Arrival::LinkOpened(link),
            Input::LinkFrame(link, frame) => Arrival::LinkFrame(link, frame),
            Input::LinkClosed(link, why) => Arrival::LinkClosed(link, why.to_owned()),
            // A driver reads the calendar by itself, and that of the world does not drift.
            Input::WallClock(_) => return None,
            // These come from the application itself.
            Input::Engine(EngineInput::IceCredentials(..) | EngineInput::ShutDown) => return None,
            Input::Engine(EngineInput::Datagram(Datagram { path, ecn, bytes })) => {
                Arrival::Datagram { path, ecn, bytes: Bytes::copy_from_slice(bytes) }
            }
            Input::Engine(EngineInput::AddressAdded(address)) => Arrival::AddressAdded(address),
            Input::Engine(EngineInput::AddressRemoved(address)) => Arrival::AddressRemoved(address),
            Input::Engine(EngineInput::Network(event)) => Arrival::Network(event.clone()),
        })
    }
}

/// What is due may make something else due at once, but not over and over.
const HASTE_MAX: u32 = 16;
