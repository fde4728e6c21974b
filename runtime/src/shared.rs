//! The node between its handles and its driver.
//!
//! Handles call the node directly under a lock, as short as the call, and wake the driver, which
//! performs what came of it. Only waiting is asynchronous: for an inbox, or for the end of a send.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use atomic_waker::AtomicWaker;
use futures_channel::oneshot;
use tristero_proto::engine::{ConnectionInfo, Engine};
use tristero_proto::signaling::RelayStatus;
use tristero_proto::wire::{ActionName, Payload};
use tristero_proto::{
    ActionOptions, Event, JoinError, Node, Output, PeerId, RegisterError, RoomConfig, RoomKey,
    SendError, SendId, SendOptions, SendReport, Time,
};

use crate::action::{Received, Receiving};
use crate::inbox::{Inbox, Outlet};
use crate::io::ReadClock;
use crate::room::RoomEvent;

/// A part of what is sent to one peer was handed over.
pub(crate) type Progress = (PeerId, f64);

/// What handles can do, whichever engine the node has.
pub(crate) trait Backend: Send + Sync {
    fn self_id(&self) -> PeerId;
    fn join(&self, config: RoomConfig) -> Result<RoomKey, JoinError>;
    fn leave(&self, room: RoomKey);
    /// One handle of the room, as [`join`](Self::join) gives them, is gone.
    fn release(&self, room: RoomKey);
    fn peers(&self, room: RoomKey) -> Vec<PeerId>;
    fn relays(&self, room: RoomKey) -> Vec<RelayStatus>;
    fn connection_info(&self, room: RoomKey, peer: &PeerId) -> Option<ConnectionInfo>;
    fn events(&self, room: RoomKey) -> Inbox<RoomEvent>;
    fn messages(
        &self,
        room: RoomKey,
        action: &ActionName,
    ) -> Result<Inbox<Received>, RegisterError>;
    fn receiving(
        &self,
        room: RoomKey,
        action: &ActionName,
    ) -> Result<Inbox<Receiving>, RegisterError>;
    fn send(
        &self,
        room: RoomKey,
        action: &ActionName,
        payload: Payload,
        options: &SendOptions,
    ) -> Result<Sending, SendError>;
    fn shut_down(&self);
    /// Resolves, by an error, when the driver has ended.
    fn ended(&self) -> oneshot::Receiver<()>;
    /// Resolves when the driver has performed what is asked of it so far.
    fn flushed(&self) -> oneshot::Receiver<()>;
}

/// A call of `send` that is under way.
#[derive(Debug)]
pub(crate) struct Sending {
    pub(crate) done: oneshot::Receiver<SendReport>,
    pub(crate) progress: Inbox<Progress>,
}

/// Failures to join that are kept for the first reader of events. The oldest is dropped.
const UNHEARD_MAX: usize = 64;

/// See the [module](self).
pub(crate) struct Shared<E> {
    state: Mutex<State<E>>,
    clock: ReadClock,
    pub(crate) driver: AtomicWaker,
}

pub(crate) struct State<E> {
    pub(crate) node: Node<E>,
    /// What the driver has to perform.
    pub(crate) outputs: VecDeque<Output>,
    rooms: BTreeMap<RoomKey, Occupied>,
    flushes: Vec<oneshot::Sender<()>>,
    ends: Vec<oneshot::Sender<()>>,
    pub(crate) life: Life,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    Running,
    /// The node is shut down, and the driver does what is left to do.
    ShutDown,
    /// The driver has ended, or is gone.
    Ended,
}

/// A room that was not left: who reads what of it, and what is being sent there. All of it ends
/// with this.
#[derive(Default)]
struct Occupied {
    handles: usize,
    /// Failures that came before anyone read events; all else can be asked for later.
    unheard: VecDeque<RoomEvent>,
    sends: BTreeMap<SendId, (oneshot::Sender<SendReport>, Outlet<Progress>)>,
    events: Vec<Outlet<RoomEvent>>,
    messages: BTreeMap<ActionName, Vec<Outlet<Received>>>,
    receiving: BTreeMap<ActionName, Vec<Outlet<Receiving>>>,
}

impl<E: Engine> Shared<E> {
    pub(crate) fn new(node: Node<E>, clock: ReadClock) -> Self {
        let state = State {
            node,
            outputs: VecDeque::new(),
            rooms: BTreeMap::new(),
            flushes: Vec::new(),
            ends: Vec::new(),
            life: Life::Running,
        };
        Shared { state: Mutex::new(state), clock, driver: AtomicWaker::new() }
    }

    pub(crate) fn now(&self) -> Time {
        (self.clock)()
    }

    /// Calls the node, tells its readers what came of it, and lets the driver do the rest.
    fn call<T>(&self, call: impl FnOnce(&mut State<E>, Time) -> T) -> T {
        let mut state = self.lock();
        let result = call(&mut state, self.now());
        state.drain();
        drop(state);
        self.driver.wake();
        result
    }
}

impl<E> Shared<E> {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State<E>> {
        // A node that panicked is not to be trusted, but its handles must still be able to end.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<E> State<E> {
    /// The driver ends: nobody is to wait for anything any more.
    pub(crate) fn end(&mut self) {
        self.life = Life::Ended;
        self.rooms.clear();
        self.flushes.clear();
        self.ends.clear();
    }
}

impl<E: Engine> State<E> {
    fn leave(&mut self, room: RoomKey, now: Time) {
        self.node.leave(room, now);
        self.rooms.remove(&room);
    }

    /// Tells the readers what the node says, and keeps what is to be performed.
    pub(crate) fn drain(&mut self) {
        while let Some(output) = self.node.poll_output() {
            match output {
                Output::Event(event) => self.dispatch(event),
                output => self.outputs.push_back(output),
            }
        }
    }

    /// All outputs were performed.
    pub(crate) fn on_performed(&mut self) {
        for flush in self.flushes.drain(..) {
            // Whoever waited may have gone.
            let _ = flush.send(());
        }
    }

    fn dispatch(&mut self, event: Event) {
        match event {
            Event::PeerJoined { room, peer } => self.tell(room, &RoomEvent::PeerJoined { peer }),
            Event::PeerLeft { room, peer, reason } => {
                self.tell(room, &RoomEvent::PeerLeft { peer, reason });
            }
            Event::JoinFailed { room, peer, failure } => {
                self.tell(room, &RoomEvent::JoinFailed { peer, failure });
            }
            Event::Message { room, peer, message } => {
                let size = message.size;
                let received =
                    Received { peer, payload: message.payload, metadata: message.metadata };
                let occupied = self.rooms.get_mut(&room);
                let readers = occupied.and_then(|o| o.messages.get_mut(&message.action));
                push_all(readers, &received, size);
            }
            Event::Receiving { room, peer, action, fraction, metadata } => {
                let occupied = self.rooms.get_mut(&room);
                let readers = occupied.and_then(|o| o.receiving.get_mut(&action));
                push_all(readers, &Receiving { peer, fraction, metadata }, 0);
            }
            Event::Sending { room, send, peer, fraction } => {
                let occupied = self.rooms.get(&room);
                if let Some((_, progress)) = occupied.and_then(|o| o.sends.get(&send)) {
                    progress.push((peer, fraction), 0);
                }
            }
            Event::Sent { room, send, report } => {
                let occupied = self.rooms.get_mut(&room);
                if let Some((done, _)) = occupied.and_then(|o| o.sends.remove(&send)) {
                    // Whoever sent may not have waited.
                    let _ = done.send(report);
                }
            }
            Event::Relay { room, status } => self.tell(room, &RoomEvent::Relay(status)),
            Event::ShutDown => self.life = Life::ShutDown,
            _ => {}
        }
    }

    fn tell(&mut self, room: RoomKey, event: &RoomEvent) {
        let Some(occupied) = self.rooms.get_mut(&room) else { return };
        let is_failure = matches!(event, RoomEvent::JoinFailed { .. });
        if is_failure && occupied.events.is_empty() {
            occupied.unheard.push_back(event.clone());
            if occupied.unheard.len() > UNHEARD_MAX {
                occupied.unheard.pop_front();
            }
        }
        push_all(Some(&mut occupied.events), event, 0);
    }
}

impl<E: Engine + Send> Backend for Shared<E> {
    fn self_id(&self) -> PeerId {
        self.lock().node.self_id().clone()
    }

    fn join(&self, config: RoomConfig) -> Result<RoomKey, JoinError> {
        self.call(|state, now| {
            if state.life != Life::Running {
                return Err(JoinError::ShutDown);
            }
            let room = state.node.join(config, now)?;
            state.rooms.entry(room).or_default().handles += 1;
            Ok(room)
        })
    }

    fn leave(&self, room: RoomKey) {
        self.call(|state, now| state.leave(room, now));
    }

    fn release(&self, room: RoomKey) {
        self.call(|state, now| {
            let Some(occupied) = state.rooms.get_mut(&room) else { return };
            occupied.handles -= 1;
            if occupied.handles == 0 {
                state.leave(room, now);
            }
        });
    }

    fn peers(&self, room: RoomKey) -> Vec<PeerId> {
        self.lock().node.peers(room).cloned().collect()
    }

    fn relays(&self, room: RoomKey) -> Vec<RelayStatus> {
        self.lock().node.relays(room)
    }

    fn connection_info(&self, room: RoomKey, peer: &PeerId) -> Option<ConnectionInfo> {
        self.lock().node.connection_info(room, peer)
    }

    fn events(&self, room: RoomKey) -> Inbox<RoomEvent> {
        let (inbox, outlet) = Inbox::new();
        let mut state = self.lock();
        let relays = state.node.relays(room).into_iter().map(RoomEvent::Relay);
        let peers = state.node.peers(room).cloned();
        let joined = peers.map(|peer| RoomEvent::PeerJoined { peer });
        for event in relays.chain(joined).collect::<Vec<_>>() {
            outlet.push(event, 0);
        }
        if let Some(occupied) = state.rooms.get_mut(&room) {
            for event in occupied.unheard.drain(..) {
                outlet.push(event, 0);
            }
            occupied.events.push(outlet);
        }
        inbox
    }

    fn messages(
        &self,
        room: RoomKey,
        action: &ActionName,
    ) -> Result<Inbox<Received>, RegisterError> {
        self.call(|state, now| {
            let occupied = state.rooms.get_mut(&room).ok_or(RegisterError::RoomGone)?;
            let has_progress = occupied.receiving.contains_key(action);
            let options = ActionOptions { progress: has_progress };
            let (inbox, outlet) = Inbox::new();
            occupied.messages.entry(action.clone()).or_default().push(outlet);
            state.node.register(room, action, options, now)?;
            Ok(inbox)
        })
    }

    fn receiving(
        &self,
        room: RoomKey,
        action: &ActionName,
    ) -> Result<Inbox<Receiving>, RegisterError> {
        self.call(|state, now| {
            let occupied = state.rooms.get_mut(&room).ok_or(RegisterError::RoomGone)?;
            let (inbox, outlet) = Inbox::new();
            occupied.receiving.entry(action.clone()).or_default().push(outlet);
            state.node.register(room, action, ActionOptions { progress: true }, now)?;
            Ok(inbox)
        })
    }

    fn send(
        &self,
        room: RoomKey,
        action: &ActionName,
        payload: Payload,
        options: &SendOptions,
    ) -> Result<Sending, SendError> {
        self.call(|state, now| {
            let occupied = state.rooms.get_mut(&room).ok_or(SendError::RoomGone)?;
            let send = state.node.send(room, action, payload, options, now)?;
            let (sender, done) = oneshot::channel();
            let (progress, outlet) = Inbox::new();
            occupied.sends.insert(send, (sender, outlet));
            Ok(Sending { done, progress })
        })
    }

    fn shut_down(&self) {
        self.call(|state, now| state.node.shut_down(now));
    }

    fn ended(&self) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.lock();
        if state.life != Life::Ended {
            state.ends.push(sender);
        }
        receiver
    }

    fn flushed(&self) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        self.call(|state, _| {
            if state.life != Life::Ended {
                state.flushes.push(sender);
            }
        });
        receiver
    }
}

fn push_all<T: Clone>(readers: Option<&mut Vec<Outlet<T>>>, item: &T, size: usize) {
    if let Some(readers) = readers {
        readers.retain(|reader| reader.push(item.clone(), size));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tristero_proto::testing::MemoryEngine;
    use tristero_proto::{Clock, JoinFailure, NodeConfig, Seed};

    use super::*;
    use crate::Config;

    #[test]
    fn a_failure_before_anyone_reads_events_is_not_lost() {
        let seed = Seed::from_number(1);
        let clock = Clock { now: Time::ZERO, unix: Duration::ZERO };
        let engine = MemoryEngine::new(&seed);
        let node = Node::new(NodeConfig::default(), engine, seed, clock);
        let shared = Shared::new(node, Arc::new(|| Time::ZERO));
        let config = Config::new("app").relay("ws://localhost").room("room").unwrap();
        let room = shared.join(config).unwrap();
        let peer = PeerId::new("peer").unwrap();
        let failure = JoinFailure::OfferPassword;
        let event = Event::JoinFailed { room, peer: peer.clone(), failure: failure.clone() };
        shared.lock().dispatch(event);
        let told = RoomEvent::JoinFailed { peer, failure };
        let read = |events: &Inbox<RoomEvent>| -> Vec<RoomEvent> {
            std::iter::from_fn(|| events.try_next()).collect()
        };
        let events = shared.events(room);
        assert!(read(&events).contains(&told));
        assert!(!read(&shared.events(room)).contains(&told), "it is told once");
    }
}
