//! Bounds that need no sockets: nodes in one process, where nothing happens unless it is asked for.

#![allow(clippy::unwrap_used, reason = "a test that can not go on may panic")]

#[path = "memory/media.rs"]
mod media;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_io::AsyncRead;
use serde_json::{Value, json};
use tristero::proto::engine::{Datagram, NetworkRequest, Path, Transmit};
use tristero::proto::signaling::{LinkFrame, LinkTarget};
use tristero::proto::testing::MemoryEngine;
use tristero::proto::{Clock, LinkId, NodeConfig, Seed, Time};
use tristero::{
    Action, Config, Driver, Handshake, Handshakes, Incoming, IncomingError, Io, IoEvent,
    NodeHandle, Parts, ReadClock, RequestAction, RequestError, Requesting, RequestingMany,
    Requests, Responder, Responses, Room, RoomEvents, Sending, TransferAction, Transferring,
    Unread, drive,
};

const MIB: usize = 1024 * 1024;

/// A relay, a network and a clock.
#[derive(Clone, Default)]
struct World(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    now: Time,
    arrivals: BTreeMap<SocketAddr, VecDeque<Arrival>>,
    subscriptions: BTreeMap<String, BTreeSet<(SocketAddr, LinkId)>>,
}

enum Arrival {
    Address,
    LinkOpened(LinkId),
    LinkFrame(LinkId, String),
    Datagram(Transmit),
}

/// A node, which does something when it is run.
struct Inhabitant {
    handle: NodeHandle,
    address: SocketAddr,
    driver: Driver<MemoryIo>,
}

struct MemoryIo {
    world: World,
    address: SocketAddr,
    /// What came last, while the node reads it.
    datagram: Option<Transmit>,
}

impl World {
    fn add(&self, number: u8, unread: Unread) -> Inhabitant {
        let address = SocketAddr::from(([10, 0, 0, number], 1));
        let seed = Seed::from_number(u64::from(number));
        let parts = Parts {
            config: NodeConfig::default(),
            engine: MemoryEngine::new(&seed),
            seed,
            clock: Clock { now: Time::ZERO, unix: Duration::ZERO },
            unread,
        };
        self.deliver(address, Arrival::Address);
        let io = MemoryIo { world: self.clone(), address, datagram: None };
        let (handle, driver) = drive(parts, io);
        Inhabitant { handle, address, driver }
    }

    /// Lets these nodes do what there is to do now; the others stand still.
    fn run(&self, inhabitants: &mut [&mut Inhabitant]) {
        loop {
            for inhabitant in &mut *inhabitants {
                assert!(poll(&mut inhabitant.driver).is_pending(), "the node goes on");
            }
            let arrivals = &self.state().arrivals;
            let is_idle = |inhabitant: &&mut Inhabitant| arrivals[&inhabitant.address].is_empty();
            if inhabitants.iter().all(is_idle) {
                return;
            }
        }
    }

    /// Two rooms of two nodes that have met.
    fn meet(&self, a: &mut Inhabitant, b: &mut Inhabitant) -> (Room, Room) {
        let config = Config::new("app").relay("ws://relay.example");
        let join = |inhabitant: &Inhabitant| inhabitant.handle.join(&config, "room").unwrap();
        let (in_a, in_b) = (join(a), join(b));
        for _ in 0..100 {
            self.run(&mut [a, b]);
            if !in_a.peers().is_empty() && !in_b.peers().is_empty() {
                return (in_a, in_b);
            }
            let mut state = self.state();
            state.now = state.now + Duration::from_millis(100);
        }
        panic!("they did not meet");
    }

    fn deliver(&self, to: SocketAddr, arrival: Arrival) {
        self.state().arrivals.entry(to).or_default().push_back(arrival);
    }

    fn relay(&self, from: (SocketAddr, LinkId), said: &Value) {
        let topic = said["topic"].as_str().unwrap();
        let mut state = self.state();
        let subscribers = state.subscriptions.entry(topic.to_owned()).or_default();
        match said["type"].as_str().unwrap() {
            "subscribe" => _ = subscribers.insert(from),
            "unsubscribe" => _ = subscribers.remove(&from),
            _ => {
                let frame = json!({ "topic": topic, "payload": said["payload"] }).to_string();
                for (address, link) in subscribers.clone() {
                    let arrivals = state.arrivals.entry(address).or_default();
                    arrivals.push_back(Arrival::LinkFrame(link, frame.clone()));
                }
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl Io for MemoryIo {
    fn clock(&self) -> ReadClock {
        let world = self.world.clone();
        Arc::new(move || world.state().now)
    }

    fn open_link(&mut self, link: LinkId, _: LinkTarget) {
        self.world.deliver(self.address, Arrival::LinkOpened(link));
    }

    fn send_link(&mut self, link: LinkId, frame: LinkFrame) {
        let LinkFrame::Text(text) = frame else { panic!("a relay is told texts") };
        self.world.relay((self.address, link), &serde_json::from_str(&text).unwrap());
    }

    fn close_link(&mut self, _: LinkId) {}

    fn transmit(&mut self, transmit: &Transmit) {
        self.world.deliver(transmit.path.remote, Arrival::Datagram(transmit.clone()));
    }

    fn request(&mut self, request: NetworkRequest) {
        panic!("the engine in memory asks for nothing: {request:?}");
    }

    fn poll_event(&mut self, deadline: Option<Time>, _: &mut Context<'_>) -> Poll<IoEvent<'_>> {
        let mut state = self.world.state();
        let now = state.now;
        let arrival = state.arrivals.get_mut(&self.address).and_then(VecDeque::pop_front);
        drop(state);
        match arrival {
            None if deadline.is_some_and(|at| at <= now) => Poll::Ready(IoEvent::Deadline),
            None => Poll::Pending,
            Some(Arrival::Address) => Poll::Ready(IoEvent::AddressAdded(self.address)),
            Some(Arrival::LinkOpened(link)) => Poll::Ready(IoEvent::LinkOpened(link)),
            Some(Arrival::LinkFrame(link, text)) => {
                Poll::Ready(IoEvent::LinkFrame(link, LinkFrame::Text(text)))
            }
            Some(Arrival::Datagram(transmit)) => {
                let Transmit { path, bytes, segment_size, .. } = &*self.datagram.insert(transmit);
                let path = Path { local: path.remote, remote: path.local };
                let datagrams = Datagram { path, ecn: None, bytes };
                Poll::Ready(IoEvent::Datagrams { datagrams, segment_size: *segment_size })
            }
        }
    }

    fn poll_shut_down(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }
}

/// A source without end, which counts what was read of it.
#[derive(Clone, Default)]
struct Endless(Arc<AtomicUsize>);

impl AsyncRead for Endless {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.0.fetch_add(buffer.len(), Ordering::Relaxed);
        Poll::Ready(Ok(buffer.len()))
    }
}

fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// What is there already.
fn now<T>(future: impl Future<Output = T>) -> T {
    let Poll::Ready(ready) = poll(&mut pin!(future)) else { panic!("it is not there yet") };
    ready
}

/// All that an application holds may be shared between its threads, or move there.
#[test]
fn handles_and_futures_are_for_any_thread() {
    fn shared<T: Send + Sync>() {}
    fn moved<T: Send>() {}
    shared::<(NodeHandle, Room, Action<String>, RequestAction<u8, u8>, TransferAction)>();
    shared::<(RoomEvents, Requests<u8, u8>, Responder<u8>, Handshakes, Handshake, Incoming)>();
    moved::<(Sending, Requesting<u8>, RequestingMany<u8>, Responses<u8>, Transferring<Endless>)>();
}

fn files(room: &Room) -> TransferAction {
    room.transfer_action("file").unwrap()
}

/// What waits of a transfer, and how it ended.
fn read(mut incoming: Incoming) -> (usize, IncomingError) {
    let mut length = 0;
    loop {
        match now(incoming.piece()) {
            Ok(piece) => length += piece.expect("it is not complete").len(),
            Err(error) => return (length, error),
        }
    }
}

#[test]
fn a_source_is_read_only_as_fast_as_the_other_side_takes_it() {
    let world = World::default();
    let (mut a, mut b) = (world.add(1, Unread::default()), world.add(2, Unread::default()));
    let (in_a, in_b) = world.meet(&mut a, &mut b);
    let (from_a, mut at_b) = (files(&in_a), files(&in_b));
    let source = Endless::default();
    let mut sending = from_a.send_from(source.clone()).into_future();
    let read = || source.0.load(Ordering::Relaxed);
    for _ in 0..100 {
        assert!(poll(&mut sending).is_pending());
        world.run(&mut [&mut a]);
    }
    let before = read();
    assert!(before > 0 && before <= 2 * MIB, "{before} bytes were read for one who takes nothing");
    while read() < 8 * MIB {
        let last = read();
        for _ in 0..100 {
            world.run(&mut [&mut a, &mut b]);
            assert!(poll(&mut sending).is_pending());
        }
        assert!(read() > last, "it goes on when they are taken");
    }
    assert!(now(at_b.recv()).is_some());
}

#[test]
fn transfers_that_nobody_reads_are_bounded_together() {
    let world = World::default();
    let mut unread = Unread::default();
    unread.transfer_bytes = 3 * MIB;
    unread.all_transfer_bytes = 4 * MIB;
    let (mut a, mut b) = (world.add(1, Unread::default()), world.add(2, unread));
    let (in_a, in_b) = world.meet(&mut a, &mut b);
    let (one, other) =
        (in_a.transfer_action("one").unwrap(), in_a.transfer_action("other").unwrap());
    let (mut at_one, mut at_other) =
        (in_b.transfer_action("one").unwrap(), in_b.transfer_action("other").unwrap());
    let mut first = one.send_from(Endless::default()).into_future();
    let mut second = other.send_from(Endless::default()).into_future();
    for _ in 0..20 {
        assert!(poll(&mut first).is_pending() && poll(&mut second).is_pending());
        world.run(&mut [&mut a, &mut b]);
    }
    let (first, why) = read(now(at_one.recv()).unwrap());
    assert_eq!(why, IncomingError::TooSlow);
    let (second, why) = read(now(at_other.recv()).unwrap());
    assert_eq!(why, IncomingError::TooSlow);
    assert!(first <= 3 * MIB && second <= 3 * MIB, "{first} and {second}");
    assert!(first + second <= 4 * MIB && first + second > 3 * MIB, "{first} and {second}");
}

#[test]
fn requests_beyond_what_may_wait_are_rejected() {
    let world = World::default();
    let mut unread = Unread::default();
    unread.messages = 2;
    let (mut a, mut b) = (world.add(1, Unread::default()), world.add(2, unread));
    let (in_a, in_b) = world.meet(&mut a, &mut b);
    let ask: RequestAction<i32, i32> = in_a.request_action("n").unwrap();
    let answer: RequestAction<i32, i32> = in_b.request_action("n").unwrap();
    let mut requests = answer.requests();
    let mut asking: Vec<_> = (0..3).map(|n| ask.request(in_b.self_id(), n).into_future()).collect();
    world.run(&mut [&mut a, &mut b]);
    let Poll::Ready(Err(RequestError::Rejected(why))) = poll(&mut asking[2]) else {
        panic!("the last one is too many");
    };
    assert_eq!(why, "too much waits already");
    let (request, responder) = now(requests.recv()).unwrap().unwrap();
    assert_eq!(request.value, 0);
    now(responder.respond(7)).unwrap();
    world.run(&mut [&mut a, &mut b]);
    assert_eq!(poll(&mut asking[0]), Poll::Ready(Ok(7)));
    assert!(poll(&mut asking[1]).is_pending());
}

#[test]
fn what_was_dropped_is_aborted_and_nothing_of_it_is_kept() {
    let world = World::default();
    let (mut a, mut b) = (world.add(1, Unread::default()), world.add(2, Unread::default()));
    let (in_a, in_b) = world.meet(&mut a, &mut b);
    let (from_a, mut at_b) = (files(&in_a), files(&in_b));
    let source = Endless::default();
    let mut sending = from_a.send_from(source.clone()).into_future();
    for _ in 0..10 {
        assert!(poll(&mut sending).is_pending());
        world.run(&mut [&mut a, &mut b]);
    }
    drop(sending);
    let read = source.0.load(Ordering::Relaxed);
    let mut next = from_a.send_from(&b"next"[..]).metadata(json!(2)).into_future();
    while poll(&mut next).is_pending() {
        world.run(&mut [&mut a, &mut b]);
    }
    world.run(&mut [&mut a, &mut b]);
    assert_eq!(source.0.load(Ordering::Relaxed), read, "nobody reads it any more");
    let first = now(at_b.recv()).unwrap();
    let mut second = now(at_b.recv()).unwrap();
    assert_eq!((first.metadata, second.metadata.take()), (None, Some(json!(2))));
    assert_eq!(now(second.piece()).unwrap().unwrap(), &b"next"[..]);
    assert_eq!(now(second.piece()), Ok(None));
}
