//! The loop that every runtime runs: perform what the node wants, wait, tell it what happened.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tracing::debug;
use tristero_proto::engine::{Engine, EngineInput};
use tristero_proto::{Input, Node, Output};

use crate::handle::NodeHandle;
use crate::io::{Io, IoEvent};
use crate::shared::{Life, Shared};

/// How many events are taken before other tasks get their turn.
const EVENTS_PER_TURN: usize = 256;

/// Drives a node until it is shut down.
///
/// A runtime spawns this future; it ends once the last handle is gone, or after
/// [`NodeHandle::shut_down`], when all goodbyes were sent.
#[must_use = "a node does nothing unless its driver is polled"]
pub struct Driver<I, E> {
    io: I,
    shared: Arc<Shared<E>>,
    phase: Phase,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Running,
    Ending,
    Over,
}

/// Puts a node between handles and a driver.
pub fn drive<I, E>(node: Node<E>, io: I) -> (NodeHandle, Driver<I, E>)
where
    I: Io,
    E: Engine + Send + 'static,
{
    let shared = Arc::new(Shared::new(node, io.clock()));
    let handle = NodeHandle::new(shared.clone());
    (handle, Driver { io, shared, phase: Phase::Running })
}

impl<I: Io, E: Engine> Driver<I, E> {
    /// Performs all outputs. True if the node is shut down.
    fn perform(&mut self) -> bool {
        let mut state = self.shared.lock();
        while let Some(output) = state.outputs.pop_front() {
            match output {
                Output::OpenLink { link, target } => self.io.open_link(link, target),
                Output::SendLink { link, frame } => self.io.send_link(link, frame),
                Output::CloseLink { link } => self.io.close_link(link),
                Output::Transmit(transmit) => self.io.transmit(&transmit),
                other => debug!(?other, "this runtime does not know what to do"),
            }
        }
        state.on_performed();
        state.life == Life::ShutDown
    }

    /// Waits for one event and feeds it to the node.
    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let deadline = self.shared.lock().node.poll_timeout();
        let event = match self.io.poll_event(deadline.map(|deadline| deadline.at), cx) {
            Poll::Ready(event) => event,
            Poll::Pending => return Poll::Pending,
        };
        let now = self.shared.now();
        let mut state = self.shared.lock();
        let input = match event {
            IoEvent::Datagram(datagram) => Input::Engine(EngineInput::Datagram(datagram)),
            IoEvent::AddressAdded(address) => Input::Engine(EngineInput::AddressAdded(address)),
            IoEvent::AddressRemoved(address) => Input::Engine(EngineInput::AddressRemoved(address)),
            IoEvent::LinkOpened(link) => Input::LinkOpened(link),
            IoEvent::LinkFrame(link, frame) => Input::LinkFrame(link, frame),
            IoEvent::LinkClosed(link, why) => {
                state.node.handle_input(Input::LinkClosed(link, &why), now);
                state.drain();
                return Poll::Ready(());
            }
            IoEvent::Deadline => {
                state.node.handle_timeout(now);
                state.drain();
                return Poll::Ready(());
            }
        };
        state.node.handle_input(input, now);
        state.drain();
        Poll::Ready(())
    }
}

impl<I: Io + Unpin, E: Engine> Future for Driver<I, E> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        this.shared.driver.register(cx.waker());
        for _ in 0..EVENTS_PER_TURN {
            match this.phase {
                Phase::Running => {
                    if this.perform() {
                        this.phase = Phase::Ending;
                    } else if this.poll_step(cx).is_pending() {
                        return Poll::Pending;
                    }
                }
                Phase::Ending => {
                    if this.io.poll_shut_down(cx).is_pending() {
                        return Poll::Pending;
                    }
                    this.shared.lock().end();
                    this.phase = Phase::Over;
                }
                Phase::Over => return Poll::Ready(()),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<I, E> Drop for Driver<I, E> {
    fn drop(&mut self) {
        // A runtime that goes away takes its tasks with it; nobody is to wait for this one.
        self.shared.lock().end();
    }
}
