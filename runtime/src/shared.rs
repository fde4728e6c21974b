//! The node between its handles and its driver.
//!
//! Handles call the node directly under a lock, as short as the call, and wake the driver, which
//! performs what came of it. Only waiting is asynchronous: on an inbox. Nobody is woken while the
//! lock is held, so a waker may itself call the node.

mod media;
mod sent;
mod tracks;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use atomic_waker::AtomicWaker;
use tristero_proto::{
    Event, HandshakeId, JoinError, Node, Output, RoomConfig, RoomKey, SendId, SendReport, Time,
};

use crate::desk::Desk;
use crate::engine::AnyEngine;
use crate::inbox::{Bounds, Inbox, Outlet, Wakes};
use crate::io::ReadClock;
use crate::unread::Unread;
pub(crate) use sent::{RelayId, SentTo, SentTracks};
pub(crate) use tracks::{ArrivedStream, ArrivedTrack, KnownTrack, ReadTrack, ReaderId, Tracks};

/// See the [module](self).
pub(crate) struct Shared {
    state: Mutex<State>,
    clock: ReadClock,
    unread: Unread,
    pub(crate) driver: AtomicWaker,
}

/// What is behind the lock.
pub(crate) struct State {
    pub(crate) node: Node<AnyEngine>,
    /// What the driver has to perform.
    pub(crate) outputs: VecDeque<Output>,
    desks: BTreeMap<RoomKey, Desk>,
    /// What peers send.
    pub(crate) tracks: Tracks,
    /// What we send.
    pub(crate) sent: SentTracks,
    /// Who waits until the driver has performed all outputs.
    flushes: Vec<Outlet<()>>,
    /// Who waits until the driver has ended.
    ends: Vec<Outlet<()>>,
    life: Life,
    /// Who is to be woken when the lock is released.
    wakes: Wakes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    Running,
    /// The node is shut down, and the driver does what is left to do.
    ShutDown,
    /// The driver has ended, or is gone.
    Ended,
}

impl Shared {
    pub(crate) fn new(node: Node<AnyEngine>, clock: ReadClock, unread: Unread) -> Self {
        let state = State {
            node,
            outputs: VecDeque::new(),
            desks: BTreeMap::new(),
            tracks: Tracks::new(&unread),
            sent: SentTracks::default(),
            flushes: Vec::new(),
            ends: Vec::new(),
            life: Life::Running,
            wakes: Wakes::default(),
        };
        Shared { state: Mutex::new(state), clock, unread, driver: AtomicWaker::new() }
    }

    pub(crate) fn now(&self) -> Time {
        (self.clock)()
    }

    pub(crate) fn unread(&self) -> &Unread {
        &self.unread
    }

    /// Works under the lock, and wakes whom that concerns after it.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        // A node that panicked is not to be trusted, but its handles must still be able to end.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let result = work(&mut state);
        let wakes = std::mem::take(&mut state.wakes);
        drop(state);
        wakes.wake();
        result
    }

    /// Calls the node, tells its readers what came of it, and lets the driver do the rest.
    pub(crate) fn call<T>(&self, call: impl FnOnce(&mut State, Time) -> T) -> T {
        let now = self.now();
        let result = self.with(|state| {
            let result = call(state, now);
            state.drain(now);
            result
        });
        self.driver.wake();
        result
    }

    pub(crate) fn join(&self, config: RoomConfig) -> Result<RoomKey, JoinError> {
        self.call(|state, now| {
            if state.life != Life::Running {
                return Err(JoinError::ShutDown);
            }
            let room = state.node.join(config, now)?;
            state.desks.entry(room).or_insert_with(|| Desk::new(self.unread)).handles += 1;
            Ok(room)
        })
    }

    pub(crate) fn leave(&self, room: RoomKey) {
        self.call(|state, now| state.leave(room, now));
    }

    /// One handle of the room, as [`join`](Self::join) gives them, is gone.
    pub(crate) fn release(&self, room: RoomKey) {
        self.call(|state, now| {
            let Some(desk) = state.desks.get_mut(&room) else { return };
            desk.handles -= 1;
            if desk.handles == 0 {
                state.leave(room, now);
            }
        });
    }

    pub(crate) fn shut_down(&self) {
        self.call(|state, now| state.node.shut_down(now));
    }

    /// Resolves when the driver has ended.
    pub(crate) async fn ended(&self) {
        let (inbox, outlet) = Inbox::new(Bounds::OWN);
        self.with(|state| state.wait(outlet, |state| &mut state.ends));
        inbox.next().await;
    }

    /// Resolves when the driver has performed what is asked of it so far, or has ended.
    pub(crate) async fn flushed(&self) {
        let (inbox, outlet) = Inbox::new(Bounds::OWN);
        self.call(|state, now| {
            // What was just sent is due at once, and has to be among the outputs.
            state.node.handle_timeout(now);
            state.wait(outlet, |state| &mut state.flushes);
        });
        inbox.next().await;
    }
}

impl State {
    /// The node, and the desk of one of its rooms; `None` if that was left.
    pub(crate) fn room(&mut self, room: RoomKey) -> Option<(&mut Node<AnyEngine>, &mut Desk)> {
        Some((&mut self.node, self.desks.get_mut(&room)?))
    }

    /// What became of a call of `send` that was just made, if it is over already.
    pub(crate) fn take_sent(
        &mut self,
        room: RoomKey,
        send: SendId,
        now: Time,
    ) -> Option<SendReport> {
        self.desks.get_mut(&room)?.begin_send(send);
        self.drain(now);
        self.desks.get_mut(&room)?.take_sent()
    }

    /// A handshake is decided here: nothing more of it is heard.
    pub(crate) fn end_handshake(&mut self, room: RoomKey, handshake: HandshakeId) {
        if let Some(desk) = self.desks.get_mut(&room) {
            desk.handshakes.on_over(handshake, &mut self.wakes);
        }
    }

    /// Tells the readers what the node says, and keeps what is to be performed.
    pub(crate) fn drain(&mut self, now: Time) {
        while let Some(output) = self.node.poll_output() {
            match output {
                Output::Event(event) => self.on_event(event, now),
                output => self.outputs.push_back(output),
            }
        }
    }

    /// All outputs were performed. True if that was all there is to do.
    pub(crate) fn on_performed(&mut self) -> bool {
        self.flushes.drain(..).for_each(|flush| flush.end(&mut self.wakes));
        self.life == Life::ShutDown
    }

    /// The driver ends: nobody is to wait for anything any more.
    pub(crate) fn end(&mut self) {
        self.life = Life::Ended;
        for (room, desk) in std::mem::take(&mut self.desks) {
            desk.end(&mut self.wakes);
            self.end_tracks_of(room, None);
        }
        let waiting = self.flushes.drain(..).chain(self.ends.drain(..));
        waiting.for_each(|outlet| outlet.end(&mut self.wakes));
    }

    fn leave(&mut self, room: RoomKey, now: Time) {
        self.node.leave(room, now);
        if let Some(desk) = self.desks.remove(&room) {
            desk.end(&mut self.wakes);
            self.end_tracks_of(room, Some(now));
        }
    }

    /// Lets somebody wait for the driver, if there is one.
    fn wait(&mut self, outlet: Outlet<()>, queue: impl FnOnce(&mut State) -> &mut Vec<Outlet<()>>) {
        if self.life == Life::Ended {
            outlet.end(&mut self.wakes);
        } else {
            queue(self).push(outlet);
        }
    }

    fn on_event(&mut self, event: Event, now: Time) {
        if event == Event::ShutDown {
            self.life = Life::ShutDown;
        }
        self.on_media_event(&event, now);
        let Some(room) = event.room() else { return };
        let Some(desk) = self.desks.get_mut(&room) else { return };
        let Event::Request { peer, request, .. } = event else {
            return desk.on_event(event, &mut self.wakes);
        };
        let call = request.call;
        if let Err(why) = desk.calls.on_request(peer, request, &mut self.wakes) {
            // If it is over already then nobody needs to know.
            let _ = self.node.respond(room, call, Err(why.to_string()), now);
        }
    }
}

#[cfg(test)]
mod tests;
