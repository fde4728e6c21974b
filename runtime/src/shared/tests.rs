mod media;

use std::sync::{Arc, Weak, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use tristero_proto::testing::MemoryEngine;
use tristero_proto::{Clock, JoinFailure, NodeConfig, PeerId, Seed};

use super::*;
use crate::events::RoomEvent;
use crate::room::Room;
use crate::{Config, NodeHandle};

/// Far longer than anything here takes; what takes longer is locked for ever.
const PATIENCE: Duration = Duration::from_secs(60);

fn room() -> (Arc<Shared>, RoomKey, Room) {
    let seed = Seed::from_number(1);
    let clock = Clock { now: Time::ZERO, unix: Duration::ZERO };
    let engine = AnyEngine::new(MemoryEngine::new(&seed));
    let node = Node::new(NodeConfig::default(), engine, seed, clock);
    let shared = Arc::new(Shared::new(node, Arc::new(|| Time::ZERO), Unread::default()));
    let config = Config::new("app").relay("ws://localhost").room("room").unwrap();
    let key = shared.join(config).unwrap();
    (shared.clone(), key, Room::new(NodeHandle::new(shared), key))
}

fn failure(room: RoomKey) -> (Event, RoomEvent) {
    let peer = PeerId::new("peer").unwrap();
    let failure = JoinFailure::OfferPassword;
    let event = Event::JoinFailed { room, peer: peer.clone(), failure: failure.clone() };
    (event, RoomEvent::JoinFailed { peer, failure })
}

#[test]
fn a_failure_before_anyone_reads_events_is_not_lost() {
    let (shared, key, room) = room();
    let (event, told) = failure(key);
    shared.with(|state| state.on_event(event, Time::ZERO));
    let has_it = || {
        let mut events = room.events();
        std::iter::from_fn(|| events.try_recv()).any(|event| event == told)
    };
    assert!(has_it());
    assert!(!has_it(), "it is told once");
}

/// What a task that is polled where it is woken does: it calls the room.
struct Inline {
    room: Weak<Shared>,
    key: RoomKey,
    name: &'static str,
    woken: mpsc::Sender<&'static str>,
}

impl Wake for Inline {
    fn wake(self: Arc<Self>) {
        if let Some(shared) = self.room.upgrade() {
            shared.call(|state, _| state.room(self.key).is_some());
        }
        self.woken.send(self.name).unwrap();
    }
}

/// Polls once with a waker that calls the room.
fn poll<T>(
    shared: &Arc<Shared>,
    key: RoomKey,
    name: &'static str,
    woken: &mpsc::Sender<&'static str>,
    poll: impl FnOnce(&mut Context<'_>) -> Poll<T>,
) {
    let room = Arc::downgrade(shared);
    let waker = Waker::from(Arc::new(Inline { room, key, name, woken: woken.clone() }));
    assert!(poll(&mut Context::from_waker(&waker)).is_pending());
}

#[test]
fn wakers_may_call_the_room_and_are_woken_in_order() {
    let (woken, names) = mpsc::channel();
    thread::spawn(move || {
        let (shared, key, room) = room();
        let (mut first, mut second) = (room.events(), room.events());
        for events in [&mut first, &mut second] {
            while events.try_recv().is_some() {}
        }
        poll(&shared, key, "first", &woken, |cx| first.poll_recv(cx));
        poll(&shared, key, "second", &woken, |cx| second.poll_recv(cx));
        shared.with(|state| state.on_event(failure(key).0, Time::ZERO));
        while first.try_recv().is_some() {}
        poll(&shared, key, "at the end", &woken, |cx| first.poll_recv(cx));
        shared.with(State::end);
    });
    for name in ["first", "second", "at the end"] {
        assert_eq!(names.recv_timeout(PATIENCE), Ok(name));
    }
}
