//! The links of all peers, from both sides.

use std::collections::{BTreeMap, VecDeque};

use tristero_proto::signaling::LinkFrame;
use tristero_proto::{LinkId, Time};

use super::{ClientId, Relay};
use crate::world::Who;

/// A link of a peer.
pub(super) type LinkKey = (Who, LinkId);

/// All links.
#[derive(Debug, Default)]
pub(super) struct Links {
    by_key: BTreeMap<LinkKey, Link>,
    /// The links that relays know of. One that its peer has closed is known until the relay hears.
    clients: BTreeMap<ClientId, Client>,
    opened: u64,
    /// What came to peers that sleep.
    asleep: BTreeMap<Who, Inbox>,
}

/// A link, from its relay's side.
#[derive(Clone, Copy, Debug)]
pub(super) struct Client {
    pub(super) relay: Relay,
    pub(super) key: LinkKey,
}

/// A link, from its peer's side.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) client: ClientId,
    pub(super) relay: Relay,
    /// When the last frame in each direction arrives: none overtakes it.
    pub(super) last_up: Time,
    pub(super) last_down: Time,
    /// Whether its peer hears nothing more, and does not know.
    pub(super) is_deaf: bool,
}

/// What a peer hears of its links.
#[derive(Debug)]
pub(crate) enum LinkArrival {
    Opened(Who, LinkId),
    Frame(Who, LinkId, LinkFrame),
    Closed(Who, LinkId, &'static str),
}

/// What waits for a peer that sleeps, in order.
#[derive(Debug, Default)]
struct Inbox {
    arrivals: VecDeque<LinkArrival>,
    bytes: BTreeMap<LinkId, usize>,
}

impl Links {
    /// Adds a link that is being made; `None` if its peer has as many as it can.
    pub(super) fn add(&mut self, key: LinkKey, relay: Relay, at: Time) -> Option<ClientId> {
        let of_it = self.by_key.keys().filter(|(who, _)| *who == key.0).count();
        if of_it >= LINKS_MAX {
            return None;
        }
        self.opened += 1;
        let client = ClientId(self.opened);
        let link = Link { client, relay, last_up: at, last_down: at, is_deaf: false };
        self.by_key.insert(key, link);
        self.clients.insert(client, Client { relay, key });
        Some(client)
    }

    pub(super) fn get(&self, key: LinkKey) -> Option<&Link> {
        self.by_key.get(&key)
    }

    pub(super) fn get_mut(&mut self, key: LinkKey) -> Option<&mut Link> {
        self.by_key.get_mut(&key)
    }

    /// Removes a link that its peer knows no more.
    pub(super) fn remove(&mut self, key: LinkKey) -> Option<Link> {
        self.by_key.remove(&key)
    }

    pub(super) fn client(&self, client: ClientId) -> Option<Client> {
        self.clients.get(&client).copied()
    }

    /// Removes a link that its relay knows no more.
    pub(super) fn remove_client(&mut self, client: ClientId) -> Option<Client> {
        self.clients.remove(&client)
    }

    /// The links that a relay knows of.
    pub(super) fn clients_of(&self, relay: Relay) -> Vec<ClientId> {
        let of_it = self.clients.iter().filter(|(_, client)| client.relay == relay);
        of_it.map(|(id, _)| *id).collect()
    }

    /// The links of a peer.
    pub(super) fn keys_of(&self, who: Who) -> Vec<LinkKey> {
        self.by_key.keys().copied().filter(|(of, _)| *of == who).collect()
    }

    /// The links to a relay whose peers hear nothing.
    pub(super) fn deaf_of(&self, relay: Relay) -> Vec<LinkKey> {
        let of_it = self.by_key.iter().filter(|(_, link)| link.relay == relay && link.is_deaf);
        of_it.map(|(key, _)| *key).collect()
    }

    /// Has the peers of all links to a relay hear nothing more.
    pub(super) fn deafen(&mut self, relay: Relay) {
        for link in self.by_key.values_mut().filter(|link| link.relay == relay) {
            link.is_deaf = true;
        }
    }

    /// A peer sleeps: what comes to it waits.
    pub(super) fn sleep(&mut self, who: Who) {
        self.asleep.entry(who).or_default();
    }

    /// A peer is awake, and hears all that came meanwhile.
    pub(super) fn wake(&mut self, who: Who) -> VecDeque<LinkArrival> {
        self.asleep.remove(&who).map(|inbox| inbox.arrivals).unwrap_or_default()
    }

    /// Gives a peer what arrived for it.
    pub(super) fn arrive(&mut self, arrival: LinkArrival) -> Arrived {
        let (LinkArrival::Opened(who, link)
        | LinkArrival::Frame(who, link, _)
        | LinkArrival::Closed(who, link, _)) = arrival;
        let Some(inbox) = self.asleep.get_mut(&who) else { return Arrived::Now(arrival) };
        if let LinkArrival::Frame(_, _, frame) = &arrival {
            let bytes = inbox.bytes.entry(link).or_default();
            *bytes += frame.len() + FRAME_COST;
            if *bytes > ASLEEP_BYTES_MAX {
                return Arrived::TooMuch;
            }
        }
        inbox.arrivals.push_back(arrival);
        Arrived::Later
    }
}

/// What becomes of something that arrived.
#[derive(Debug)]
pub(super) enum Arrived {
    /// The peer hears it.
    Now(LinkArrival),
    /// The peer sleeps, and will hear it.
    Later,
    /// The peer sleeps, and so much waits for it that its link is to be ended.
    TooMuch,
}

/// Links of one peer at once: what a process may open by default. One more fails.
const LINKS_MAX: usize = 1_024;

/// What the machines of a link hold for a peer that takes nothing, in bytes, each frame with this
/// much more. A server ends a link beyond that.
const ASLEEP_BYTES_MAX: usize = 256 * 1024;
const FRAME_COST: usize = 64;
