//! The relays of a world, and the links of its peers to them.
//!
//! A relay is a [`Service`]: a small server that reads and writes frames, as strict as a real one. A
//! link delivers in order, as a WebSocket does, and takes its time; what else may go wrong with it is
//! the world's to say. A relay that crashes forgets everything, and its links end.

mod service;
mod ws;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tristero_proto::signaling::{LinkFrame, LinkTarget, RelayUrl, Strategy};
use tristero_proto::{LinkId, RelayConfig, Time};

pub use service::{ClientId, Service, ServiceOutput};
pub use ws::WsService;

use crate::queue::Queue;
use crate::world::Who;

/// A relay of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Relay(u32);

/// A link of a peer.
type LinkKey = (Who, LinkId);

/// All relays, and all links to them.
#[derive(Debug)]
pub struct Relays {
    latency: Duration,
    relays: Vec<RelayHost>,
    links: BTreeMap<LinkKey, Link>,
    /// The links that relays know of. One that its peer has closed is known until the relay hears.
    clients: BTreeMap<ClientId, Client>,
    on_their_way: Queue<Passing>,
    arrivals: VecDeque<LinkArrival>,
    next_client: u64,
}

/// A relay, and how to make it anew.
#[derive(Debug)]
struct RelayHost {
    strategy: Arc<dyn Strategy>,
    url: RelayUrl,
    service: Box<dyn Service>,
    is_up: bool,
}

/// A link, from its relay's side.
#[derive(Clone, Copy, Debug)]
struct Client {
    relay: Relay,
    key: LinkKey,
}

/// A link, from its peer's side.
#[derive(Debug)]
struct Link {
    client: ClientId,
    /// When the last frame in each direction arrives: none overtakes it.
    last_up: Time,
    last_down: Time,
}

/// What is on its way.
#[derive(Debug)]
enum Passing {
    Dialled(ClientId),
    Opened(LinkKey),
    Up(ClientId, LinkFrame),
    Hung(ClientId),
    Down(LinkKey, LinkFrame),
    Closed(LinkKey, &'static str),
}

/// What a peer hears of its links.
#[derive(Debug)]
pub(crate) enum LinkArrival {
    Opened(Who, LinkId),
    Frame(Who, LinkId, LinkFrame),
    Closed(Who, LinkId, &'static str),
}

impl Relays {
    pub(crate) fn new() -> Self {
        Relays {
            latency: LATENCY,
            relays: Vec::new(),
            links: BTreeMap::new(),
            clients: BTreeMap::new(),
            on_their_way: Queue::default(),
            arrivals: VecDeque::new(),
            next_client: 0,
        }
    }

    /// Adds a relay that runs this service.
    pub fn add(&mut self, service: impl Service + 'static) -> Relay {
        let relay = Relay::nth(self.relays.len());
        let url = service.url(&format!("relay-{}.sim", relay.0 + 1));
        let strategy = service.strategy();
        self.relays.push(RelayHost { strategy, url, service: Box::new(service), is_up: true });
        relay
    }

    /// How rooms name a relay.
    pub fn config(&self, relay: Relay) -> RelayConfig {
        let host = &self.relays[relay.number()];
        RelayConfig { strategy: host.strategy.clone(), url: host.url.clone() }
    }

    /// How long a frame takes in each direction.
    pub fn set_latency(&mut self, latency: Duration) {
        self.latency = latency;
    }

    /// Ends a relay: it forgets everything, its links end, and no new one opens.
    pub fn stop(&mut self, relay: Relay, now: Time) {
        let host = &mut self.relays[relay.number()];
        host.is_up = false;
        host.service.forget();
        let of_it = self.clients.iter().filter(|(_, client)| client.relay == relay);
        for client in of_it.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.close_down(client, "the relay went away", now);
        }
    }

    /// Lets a relay that was stopped take links again.
    pub fn start(&mut self, relay: Relay) {
        self.relays[relay.number()].is_up = true;
    }

    /// Opens a link of a peer: after a round trip for TCP and one for the WebSocket.
    pub(crate) fn open(&mut self, key: LinkKey, target: &LinkTarget, now: Time) {
        let url = match target {
            LinkTarget::WebSocket { url, .. } | LinkTarget::Custom { url } => url,
            _ => return self.on_their_way.push(now, Passing::Closed(key, "no such medium")),
        };
        let at = now + self.latency * 3;
        let Some(number) = self.relays.iter().position(|host| host.url == *url) else {
            return self.on_their_way.push(at, Passing::Closed(key, "there is no such host"));
        };
        self.next_client += 1;
        let client = ClientId(self.next_client);
        let relay = Relay::nth(number);
        self.links.insert(key, Link { client, last_up: at, last_down: at });
        self.clients.insert(client, Client { relay, key });
        self.on_their_way.push(at, Passing::Dialled(client));
    }

    /// Sends a frame of a peer.
    pub(crate) fn send(&mut self, key: LinkKey, frame: LinkFrame, now: Time) {
        if let Some(link) = self.links.get_mut(&key) {
            link.last_up = link.last_up.max(now + self.latency);
            self.on_their_way.push(link.last_up, Passing::Up(link.client, frame));
        }
    }

    /// Closes a link for its peer, who hears no more of it.
    pub(crate) fn close(&mut self, key: LinkKey, now: Time) {
        if let Some(link) = self.links.remove(&key) {
            let at = link.last_up.max(now + self.latency);
            self.on_their_way.push(at, Passing::Hung(link.client));
        }
    }

    /// Ends all links of a peer that is no more.
    pub(crate) fn close_all(&mut self, who: Who, now: Time) {
        let of_it = self.links.keys().copied().filter(|(of, _)| *of == who);
        for key in of_it.collect::<Vec<_>>() {
            self.close(key, now);
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Time) {
        while let Some(passing) = self.on_their_way.pop_due(now) {
            self.pass(passing, now);
        }
        for relay in (0..self.relays.len()).map(Relay::nth) {
            let service = &mut self.relays[relay.number()].service;
            if service.poll_timeout().is_some_and(|at| at <= now) {
                service.handle_timeout(now);
                self.serve(relay, now);
            }
        }
    }

    pub(crate) fn poll_arrival(&mut self) -> Option<LinkArrival> {
        self.arrivals.pop_front()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Time> {
        let of_services = self.relays.iter().filter_map(|host| host.service.poll_timeout());
        self.on_their_way.next_at().into_iter().chain(of_services).min()
    }

    fn pass(&mut self, passing: Passing, now: Time) {
        match passing {
            Passing::Dialled(client) => self.on_dialled(client, now),
            Passing::Opened((who, link)) => {
                if self.links.contains_key(&(who, link)) {
                    self.arrivals.push_back(LinkArrival::Opened(who, link));
                }
            }
            Passing::Up(client, frame) => {
                if let Some(Client { relay, .. }) = self.clients.get(&client).copied() {
                    self.relays[relay.number()].service.on_frame(client, frame, now);
                    self.serve(relay, now);
                }
            }
            Passing::Hung(client) => {
                if let Some(Client { relay, .. }) = self.clients.remove(&client) {
                    self.relays[relay.number()].service.on_close(client);
                    self.serve(relay, now);
                }
            }
            Passing::Down((who, link), frame) => {
                if self.links.contains_key(&(who, link)) {
                    self.arrivals.push_back(LinkArrival::Frame(who, link, frame));
                }
            }
            Passing::Closed((who, link), why) => {
                // A peer that closed it meanwhile hears no more of it.
                if self.links.remove(&(who, link)).is_some() {
                    self.arrivals.push_back(LinkArrival::Closed(who, link, why));
                }
            }
        }
    }

    fn on_dialled(&mut self, client: ClientId, now: Time) {
        let Some(Client { relay, key }) = self.clients.get(&client).copied() else { return };
        let host = &mut self.relays[relay.number()];
        if !host.is_up {
            return self.close_down(client, "nobody listens there", now);
        }
        host.service.on_open(client, now);
        let at = now + self.latency;
        self.on_their_way.push(at, Passing::Opened(key));
        if let Some(link) = self.links.get_mut(&key) {
            link.last_down = at;
        }
        self.serve(relay, now);
    }

    /// Takes what a service wants sent.
    fn serve(&mut self, relay: Relay, now: Time) {
        while let Some(output) = self.relays[relay.number()].service.poll_output() {
            match output {
                ServiceOutput::Send(client, frame) => self.send_down(client, frame, now),
                ServiceOutput::Close(client, why) => {
                    self.relays[relay.number()].service.on_close(client);
                    self.close_down(client, why, now);
                }
            }
        }
    }

    fn send_down(&mut self, client: ClientId, frame: LinkFrame, now: Time) {
        let Some(Client { key, .. }) = self.clients.get(&client).copied() else { return };
        if let Some(link) = self.links.get_mut(&key) {
            link.last_down = link.last_down.max(now + self.latency);
            self.on_their_way.push(link.last_down, Passing::Down(key, frame));
        }
    }

    /// Ends a link from the relay's side.
    fn close_down(&mut self, client: ClientId, why: &'static str, now: Time) {
        let Some(Client { key, .. }) = self.clients.remove(&client) else { return };
        let sent = self.links.get(&key).map_or(now, |link| link.last_down);
        self.on_their_way.push(sent.max(now + self.latency), Passing::Closed(key, why));
    }
}

impl Relay {
    fn nth(number: usize) -> Self {
        Relay(u32::try_from(number).expect("nobody makes so many relays"))
    }

    fn number(self) -> usize {
        self.0 as usize
    }
}

/// What most of the world has to a server that is not near.
const LATENCY: Duration = Duration::from_millis(30);
