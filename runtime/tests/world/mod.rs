//! Nodes in one process, where nothing happens unless it is asked for.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::Future;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use serde_json::{Value, json};
use tristero::proto::engine::{Datagram, NetworkRequest, Path, Transmit};
use tristero::proto::signaling::{LinkFrame, LinkTarget};
use tristero::proto::testing::MemoryEngine;
use tristero::proto::{Clock, LinkId, NodeConfig, Seed, Time};
use tristero::{Config, Driver, Io, IoEvent, NodeHandle, Parts, ReadClock, Room, Unread, drive};

/// A relay, a network and a clock.
#[derive(Clone, Default)]
pub(crate) struct World(Arc<Mutex<State>>);

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
pub(crate) struct Inhabitant {
    pub(crate) handle: NodeHandle,
    address: SocketAddr,
    driver: Driver<MemoryIo>,
}

pub(crate) struct MemoryIo {
    world: World,
    address: SocketAddr,
    /// What came last, while the node reads it.
    datagram: Option<Transmit>,
}

impl World {
    pub(crate) fn add(&self, number: u8, unread: Unread) -> Inhabitant {
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
    pub(crate) fn run(&self, inhabitants: &mut [&mut Inhabitant]) {
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
    pub(crate) fn meet(&self, a: &mut Inhabitant, b: &mut Inhabitant) -> (Room, Room) {
        let config = Config::new("app").relay("ws://relay.example");
        let join = |inhabitant: &Inhabitant| inhabitant.handle.join(&config, "room").unwrap();
        let (in_a, in_b) = (join(a), join(b));
        for _ in 0..100 {
            self.run(&mut [a, b]);
            if !in_a.peers().is_empty() && !in_b.peers().is_empty() {
                return (in_a, in_b);
            }
            self.pass(Duration::from_millis(100));
        }
        panic!("they did not meet");
    }

    /// Lets time go by.
    pub(crate) fn pass(&self, time: Duration) {
        let mut state = self.state();
        state.now = state.now + time;
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

pub(crate) fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// What is there already.
pub(crate) fn now<T>(future: impl Future<Output = T>) -> T {
    let Poll::Ready(ready) = poll(&mut pin!(future)) else { panic!("it is not there yet") };
    ready
}
