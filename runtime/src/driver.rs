//! The loop that every runtime runs: perform what the node wants, wait, tell it what happened.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::thread;
use std::time::Duration;

use tracing::debug;
use tristero_proto::engine::{Engine, EngineInput};
use tristero_proto::{Clock, Input, Node, NodeConfig, Output, Seed, Time};

use crate::engine::AnyEngine;
use crate::handle::NodeHandle;
use crate::io::{Io, IoEvent};
use crate::shared::{Shared, State};
use crate::trains::Trains;
use crate::unread::Unread;

/// What the calendar shows is told anew if it is this far from what the node would think.
const DRIFT_MAX: Duration = Duration::from_secs(1);
/// How many events, of which each datagram is one, are taken before other tasks get their turn.
const EVENTS_PER_TURN: usize = 128;

/// What a node is made of; for those who write a runtime.
#[derive(Clone, Debug)]
pub struct Parts<E> {
    /// What the node is told.
    pub config: NodeConfig,
    /// WebRTC.
    pub engine: E,
    /// All its random numbers come of this.
    pub seed: Seed,
    /// The two clocks now, the first of which is the one of the [`Io`].
    pub clock: Clock,
    /// How much may wait to be read.
    pub unread: Unread,
}

/// Drives a node until it is shut down.
///
/// A runtime spawns this future; it ends once the last handle is gone, or after
/// [`NodeHandle::shut_down`], when all goodbyes were sent. Dropping it ends the node at once: peers
/// are told so by datagrams that may be lost, and relays are not.
#[must_use = "a node does nothing unless its driver is polled"]
pub struct Driver<I: Io> {
    io: I,
    shared: Arc<Shared>,
    /// What the node takes the calendar to be.
    clock: Clock,
    phase: Phase,
    trains: Trains,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Running,
    Ending,
    Over,
}

/// Puts a node between handles and a driver.
pub fn drive<I, E>(parts: Parts<E>, io: I) -> (NodeHandle, Driver<I>)
where
    I: Io,
    E: Engine + Send + 'static,
{
    let Parts { config, engine, seed, clock, unread } = parts;
    let node = Node::new(config, AnyEngine::new(engine), seed, clock);
    let shared = Arc::new(Shared::new(node, io.clock(), unread));
    let handle = NodeHandle::new(shared.clone());
    (handle, Driver { io, shared, clock, phase: Phase::Running, trains: Trains::default() })
}

impl<I: Io> Driver<I> {
    /// Performs all outputs. True if the node is shut down.
    fn perform(&mut self) -> bool {
        let Driver { io, shared, trains, .. } = self;
        shared.with(|state| {
            while let Some(output) = state.outputs.pop_front() {
                match output {
                    Output::OpenLink { link, target } => io.open_link(link, target),
                    Output::SendLink { link, frame } => io.send_link(link, frame),
                    Output::CloseLink { link } => io.close_link(link),
                    Output::Transmit(transmit) => {
                        if let Some(train) = trains.couple(transmit) {
                            io.transmit(&train);
                        }
                    }
                    Output::Network(request) => io.request(request),
                    other => debug!(?other, "this runtime does not know what to do"),
                }
            }
            if let Some(train) = trains.take() {
                io.transmit(&train);
            }
            state.on_performed()
        })
    }

    /// Waits for one event and feeds it to the node. Says how much of a turn that was.
    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<usize> {
        let Driver { io, shared, clock, .. } = self;
        let deadline = shared.with(|state| state.node.poll_timeout());
        let unix = io.unix();
        let event = ready!(io.poll_event(deadline.map(|deadline| deadline.at), cx));
        let now = shared.now();
        let mut taken = 1;
        shared.with(|state| {
            let State { node, .. } = state;
            if let Some(unix) = unix.filter(|unix| has_drifted(*clock, *unix, now)) {
                *clock = Clock { now, unix };
                node.handle_input(Input::WallClock(unix), now);
            }
            match event {
                IoEvent::Datagrams { datagrams, segment_size } => {
                    for datagram in datagrams.split(segment_size) {
                        taken += 1;
                        node.handle_input(Input::Engine(EngineInput::Datagram(datagram)), now);
                    }
                }
                IoEvent::AddressAdded(address) => {
                    node.handle_input(Input::Engine(EngineInput::AddressAdded(address)), now);
                }
                IoEvent::AddressRemoved(address) => {
                    node.handle_input(Input::Engine(EngineInput::AddressRemoved(address)), now);
                }
                IoEvent::LinkOpened(link) => node.handle_input(Input::LinkOpened(link), now),
                IoEvent::LinkFrame(link, frame) => {
                    node.handle_input(Input::LinkFrame(link, frame), now);
                }
                IoEvent::LinkClosed(link, why) => {
                    node.handle_input(Input::LinkClosed(link, &why), now);
                }
                IoEvent::Network(event) => {
                    node.handle_input(Input::Engine(EngineInput::Network(&event)), now);
                }
                IoEvent::Deadline => node.handle_timeout(now),
            }
            state.drain(now);
        });
        Poll::Ready(taken)
    }
}

fn has_drifted(clock: Clock, unix: Duration, now: Time) -> bool {
    let expected = clock.unix.saturating_add(now.since(clock.now));
    unix.abs_diff(expected) > DRIFT_MAX
}

impl<I: Io + Unpin> Future for Driver<I> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        this.shared.driver.register(cx.waker());
        let mut taken = 0;
        while taken < EVENTS_PER_TURN {
            match this.phase {
                Phase::Running => {
                    if this.perform() {
                        this.phase = Phase::Ending;
                    } else {
                        taken += ready!(this.poll_step(cx));
                    }
                }
                Phase::Ending => {
                    if this.io.poll_shut_down(cx).is_pending() {
                        return Poll::Pending;
                    }
                    this.shared.with(State::end);
                    this.phase = Phase::Over;
                }
                Phase::Over => return Poll::Ready(()),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<I: Io> Driver<I> {
    /// Says goodbye to whom a datagram reaches, for more can't be waited for.
    fn part(&mut self) {
        let Driver { io, shared, .. } = self;
        let now = shared.now();
        shared.with(|state| {
            state.node.shut_down(now);
            // What an engine was given waits for the others of its turn, and there is no other turn.
            state.node.handle_timeout(now);
            state.drain(now);
            for output in state.outputs.drain(..) {
                if let Output::Transmit(transmit) = output {
                    io.transmit(&transmit);
                }
            }
        });
    }
}

impl<I: Io> Drop for Driver<I> {
    fn drop(&mut self) {
        // A runtime that goes away takes its tasks with it; nobody is to wait for this one.
        if self.phase == Phase::Running && !thread::panicking() {
            self.part();
        }
        self.shared.with(State::end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_calendar_that_was_set_has_drifted_and_one_that_goes_on_has_not() {
        let clock = Clock { now: Time::from_millis(5_000), unix: Duration::from_secs(100) };
        let now = Time::from_millis(65_000);
        assert!(!has_drifted(clock, Duration::from_secs(160), now));
        assert!(!has_drifted(clock, Duration::from_secs(161), now));
        assert!(has_drifted(clock, Duration::from_secs(3_600), now));
        assert!(has_drifted(clock, Duration::from_secs(10), now));
    }
}
