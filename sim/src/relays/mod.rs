//! The relays of a world, and the links of its peers to them.
//!
//! A relay is a [`Service`]: a small server that reads and writes frames, as strict as a real one. A
//! link delivers in order, as a WebSocket does, and takes its time; what else may go wrong with it is
//! in [`Faults`]. A relay that crashes forgets everything, and its links end.

mod announces;
mod faults;
mod links;
mod mqtt;
mod mqtt_packet;
mod nostr;
mod nostr_event;
mod operator;
mod passing;
mod service;
mod tracker;
mod ws;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tristero_proto::crypto::Topic;
use tristero_proto::signaling::{LinkFrame, LinkTarget, RelayUrl, Strategy};
use tristero_proto::{RelayConfig, Seed, Time};

pub use announces::Announce;
pub use faults::{Faults, LinkFault, Rate};
pub use mqtt::MqttService;
pub use nostr::{NostrService, Verdicts};
pub use service::{ClientId, Excess, Message, Service, ServiceOutput};
pub use tracker::TrackerService;
pub use ws::WsService;

pub(crate) use links::LinkArrival;

use announces::Announces;
use faults::Trouble;
use links::{LinkKey, Links};
use passing::{Passing, Sent};

use crate::queue::Queue;
use crate::world::Who;

/// A relay of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Relay(u32);

/// All relays, and all links to them.
#[derive(Debug)]
pub struct Relays {
    seed: Seed,
    latency: Duration,
    relays: Vec<RelayHost>,
    links: Links,
    on_their_way: Queue<Passing>,
    arrivals: VecDeque<LinkArrival>,
    announces: Announces,
}

/// A relay, and how it is.
#[derive(Debug)]
struct RelayHost {
    strategy: Arc<dyn Strategy>,
    url: RelayUrl,
    service: Box<dyn Service>,
    is_up: bool,
    trouble: Trouble,
}

impl Relays {
    pub(crate) fn new(seed: Seed) -> Self {
        Relays {
            seed,
            latency: LATENCY,
            relays: Vec::new(),
            links: Links::default(),
            on_their_way: Queue::default(),
            arrivals: VecDeque::new(),
            announces: Announces::default(),
        }
    }

    /// Adds a relay that runs this service.
    pub fn add(&mut self, service: impl Service + 'static) -> Relay {
        let relay = Relay::nth(self.relays.len());
        let url = service.url(&format!("relay-{}.sim", relay.0 + 1));
        let strategy = service.strategy();
        let trouble = Trouble::new(self.seed.rng(&format!("trouble of relay {}", relay.0)));
        self.relays.push(RelayHost {
            strategy,
            url,
            service: Box::new(service),
            is_up: true,
            trouble,
        });
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

    /// Sets what is wrong with a relay from now on, in place of what was.
    pub fn set_faults(&mut self, relay: Relay, faults: Faults, now: Time) {
        let links = faults.links;
        self.relays[relay.number()].trouble.begin(faults, now);
        if links != LinkFault::Stalled {
            self.release(relay, now);
        }
        if links == LinkFault::HalfOpen {
            self.links.deafen(relay);
        } else {
            self.end_deaf(relay, now);
        }
    }

    /// The announces that relays have heard, the oldest first; those of long ago are forgotten.
    pub fn announces(&self) -> impl DoubleEndedIterator<Item = &Announce> {
        self.announces.iter()
    }

    /// The links of a peer that stand or are being made: each by its relay.
    pub(crate) fn links(&self, who: Who) -> impl Iterator<Item = Relay> {
        let keys = self.links.keys_of(who).into_iter();
        keys.filter_map(|key| self.links.get(key).map(|link| link.relay))
    }

    /// Ends a relay: it forgets everything, its links end, and no new one opens.
    pub fn stop(&mut self, relay: Relay, now: Time) {
        let host = &mut self.relays[relay.number()];
        host.is_up = false;
        host.service.forget();
        for client in self.links.clients_of(relay) {
            self.close_down(client, "the relay went away", now);
        }
    }

    /// Lets a relay that was stopped take links again.
    pub fn start(&mut self, relay: Relay) {
        self.relays[relay.number()].is_up = true;
    }

    /// Notes the topic of a room that a peer joins, by which its announces are known.
    pub(crate) fn add_root(&mut self, root: &Topic) {
        self.announces.add_root(root);
    }

    /// Opens a link of a peer: after a round trip for TCP and one for the WebSocket.
    pub(crate) fn open(&mut self, key: LinkKey, target: &LinkTarget, now: Time) {
        let (url, asked) = match target {
            LinkTarget::WebSocket { url, protocol } => (url, *protocol),
            LinkTarget::Custom { url } => (url, None),
            _ => return self.on_their_way.push(now, Passing::Failed(key, "no such medium")),
        };
        let at = now + self.latency * 3;
        let Some(number) = self.relays.iter().position(|host| host.url == *url) else {
            return self.on_their_way.push(at, Passing::Failed(key, "there is no such host"));
        };
        if self.relays[number].service.sub_protocol() != asked {
            let why = "it speaks another sub-protocol";
            return self.on_their_way.push(at, Passing::Failed(key, why));
        }
        match self.links.add(key, Relay::nth(number), at) {
            Some(client) => self.on_their_way.push(at, Passing::Dialled(client)),
            None => self.on_their_way.push(now, Passing::Failed(key, "too many links are open")),
        }
    }

    /// Sends a frame of a peer.
    pub(crate) fn send(&mut self, key: LinkKey, frame: LinkFrame, now: Time) {
        let Some(link) = self.links.get_mut(key) else { return };
        link.last_up = link.last_up.max(now + self.latency);
        let is_in_trouble = self.relays[link.relay.number()].trouble.is_any();
        let sent = Sent { at: now, is_in_trouble };
        let up = Passing::Up { client: link.client, frame, sent };
        self.on_their_way.push(link.last_up, up);
    }

    /// Closes a link for its peer, who hears no more of it.
    pub(crate) fn close(&mut self, key: LinkKey, now: Time) {
        if let Some(link) = self.links.remove(key) {
            let at = link.last_up.max(now + self.latency);
            self.on_their_way.push(at, Passing::Hung(link.client));
        }
    }

    /// Ends all links of a peer that is no more.
    pub(crate) fn close_all(&mut self, who: Who, now: Time) {
        for key in self.links.keys_of(who) {
            self.close(key, now);
        }
        self.links.wake(who);
    }

    /// A peer sleeps: what comes to it waits for it, up to a bound.
    pub(crate) fn sleep(&mut self, who: Who) {
        self.links.sleep(who);
    }

    /// A peer is awake, and hears what came meanwhile.
    pub(crate) fn wake(&mut self, who: Who) {
        let waiting = self.links.wake(who);
        self.arrivals.extend(waiting);
    }

    pub(crate) fn handle_timeout(&mut self, now: Time) {
        while let Some(passing) = self.on_their_way.pop_due(now) {
            self.pass(passing, now);
        }
        for relay in (0..self.relays.len()).map(Relay::nth) {
            let service = &mut self.relays[relay.number()].service;
            if service.poll_timeout().is_some_and(|at| at <= now) {
                service.handle_timeout(now);
                self.serve(relay, Sent::by_itself(now), now);
            }
            if self.relays[relay.number()].trouble.invents_at.is_some_and(|at| at <= now) {
                self.invent(relay, now);
            }
        }
    }

    pub(crate) fn poll_arrival(&mut self) -> Option<LinkArrival> {
        self.arrivals.pop_front()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Time> {
        let of_services = self.relays.iter().filter_map(|host| host.service.poll_timeout());
        let of_operators = self.relays.iter().filter_map(|host| host.trouble.invents_at);
        self.on_their_way.next_at().into_iter().chain(of_services).chain(of_operators).min()
    }
}

impl Relay {
    fn nth(number: usize) -> Self {
        Relay(u32::try_from(number).expect("nobody makes so many relays"))
    }

    /// From 0, in the order in which they were added.
    pub(crate) fn number(self) -> usize {
        self.0 as usize
    }
}

/// What most of the world has to a server that is not near.
const LATENCY: Duration = Duration::from_millis(30);
