//! What is on its way between peers and relays, and what becomes of it.

use std::time::Duration;

use tristero_proto::Time;
use tristero_proto::signaling::LinkFrame;

use super::faults::{INVENTS_EVERY, LinkFault};
use super::links::{Arrived, Client, LinkArrival, LinkKey};
use super::service::{ClientId, Excess, Message, ServiceOutput};
use super::{Announce, Relay, Relays, operator};

/// Something that is on its way.
#[derive(Debug)]
pub(super) enum Passing {
    /// A peer asks for a link.
    Dialled(ClientId),
    /// It is told that it has one.
    Opened(LinkKey),
    /// It is told that it gets none.
    Failed(LinkKey, &'static str),
    /// A frame of a peer.
    Up { client: ClientId, frame: LinkFrame, sent: Sent },
    /// A peer has closed a link.
    Hung(ClientId),
    /// A message that its relay has not passed on yet.
    Late(ClientId, Vec<LinkFrame>),
    /// A frame of a relay.
    Down(LinkKey, LinkFrame),
    /// A relay has closed a link.
    Closed(LinkKey, &'static str),
}

/// When a peer sent something.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    pub(super) at: Time,
    /// Whether something was wrong with the relay then.
    pub(super) is_in_trouble: bool,
}

impl Sent {
    /// Nothing was sent; the relay does something by itself.
    pub(super) fn by_itself(now: Time) -> Self {
        Sent { at: now, is_in_trouble: false }
    }
}

impl Relays {
    pub(super) fn pass(&mut self, passing: Passing, now: Time) {
        let Some(passing) = self.hold(passing, now) else { return };
        match passing {
            Passing::Dialled(client) => self.on_dialled(client, now),
            Passing::Opened((who, link)) => {
                if self.is_heard((who, link)) {
                    self.arrive(LinkArrival::Opened(who, link), now);
                }
            }
            Passing::Failed((who, link), why) => {
                self.arrive(LinkArrival::Closed(who, link, why), now);
            }
            Passing::Up { client, frame, sent } => self.on_frame(client, frame, sent, now),
            Passing::Hung(client) => {
                if let Some(Client { relay, .. }) = self.links.remove_client(client) {
                    self.relays[relay.number()].service.on_close(client);
                    self.serve(relay, Sent::by_itself(now), now);
                }
            }
            Passing::Late(client, frames) => self.send_down(client, frames, now),
            Passing::Down((who, link), frame) => {
                if self.is_heard((who, link)) {
                    self.arrive(LinkArrival::Frame(who, link, frame), now);
                }
            }
            Passing::Closed((who, link), why) => {
                // A peer that closed it meanwhile hears no more of it.
                if self.is_heard((who, link)) && self.links.remove((who, link)).is_some() {
                    self.arrive(LinkArrival::Closed(who, link, why), now);
                }
            }
        }
    }

    /// Keeps what a stalled relay does not let pass. What closes a link is heard all the same.
    fn hold(&mut self, passing: Passing, now: Time) -> Option<Passing> {
        let (relay, client) = match &passing {
            Passing::Dialled(client) | Passing::Up { client, .. } | Passing::Late(client, _) => {
                (self.links.client(*client)?.relay, *client)
            }
            Passing::Opened(key) | Passing::Down(key, _) => {
                let link = self.links.get(*key)?;
                (link.relay, link.client)
            }
            Passing::Failed(..) | Passing::Hung(_) | Passing::Closed(..) => return Some(passing),
        };
        let trouble = &mut self.relays[relay.number()].trouble;
        if trouble.faults.links != LinkFault::Stalled {
            return Some(passing);
        }
        if trouble.hold(passing).is_some() {
            self.relays[relay.number()].service.on_close(client);
            self.close_down(client, "too much waits to be sent", now);
        }
        None
    }

    /// Lets all that was kept pass.
    pub(super) fn release(&mut self, relay: Relay, now: Time) {
        for passing in self.relays[relay.number()].trouble.release() {
            if let Passing::Down(key, _) | Passing::Opened(key) = &passing
                && let Some(link) = self.links.get_mut(*key)
            {
                // What is sent from now on comes after it.
                link.last_down = link.last_down.max(now);
            }
            self.on_their_way.push(now, passing);
        }
    }

    /// Ends the links whose peers have not heard anything, and now do.
    pub(super) fn end_deaf(&mut self, relay: Relay, now: Time) {
        for key in self.links.deaf_of(relay) {
            let Some(link) = self.links.get_mut(key) else { continue };
            link.is_deaf = false;
            let client = link.client;
            self.on_their_way.push(now, Passing::Closed(key, "the link was dead"));
            self.on_their_way.push(now, Passing::Hung(client));
        }
    }

    /// Sends to someone what an operator has made up.
    pub(super) fn invent(&mut self, relay: Relay, now: Time) {
        let clients = self.links.clients_of(relay);
        let host = &mut self.relays[relay.number()];
        let pause =
            host.trouble.rng.duration_below(INVENTS_EVERY * 2).max(Duration::from_millis(1));
        host.trouble.invents_at = Some(now + pause);
        let picked = host.trouble.rng.below(clients.len() as u64);
        let frames = operator::invent(host.service.as_mut(), &mut host.trouble);
        if let Some(client) = clients.get(usize::try_from(picked).unwrap_or(0)) {
            self.send_down(*client, frames, now);
        }
    }

    fn on_dialled(&mut self, client: ClientId, now: Time) {
        let Some(Client { relay, key }) = self.links.client(client) else { return };
        let host = &mut self.relays[relay.number()];
        if !host.is_up {
            return self.close_down(client, "nobody listens there", now);
        }
        if host.trouble.faults.links == LinkFault::Refused {
            return self.close_down(client, "the relay takes no more links", now);
        }
        host.service.on_open(client, now);
        let at = now + self.latency;
        self.on_their_way.push(at, Passing::Opened(key));
        if let Some(link) = self.links.get_mut(key) {
            link.last_down = at;
        }
        self.serve(relay, Sent::by_itself(now), now);
    }

    fn on_frame(&mut self, client: ClientId, frame: LinkFrame, sent: Sent, now: Time) {
        let Some(Client { relay, key }) = self.links.client(client) else { return };
        let host = &mut self.relays[relay.number()];
        let excess = match host.trouble.is_excess(key.0, now) {
            true => host.service.on_excess(&frame),
            false => Excess::Take,
        };
        match excess {
            Excess::Take => host.service.on_frame(client, frame, now),
            Excess::Refuse(answer) => self.send_down(client, vec![answer], now),
            Excess::End(why) => {
                host.service.on_close(client);
                self.close_down(client, why, now);
            }
        }
        self.serve(relay, sent, now);
    }

    /// Takes what a service wants done. `sent` is when the frame was that it is about.
    pub(super) fn serve(&mut self, relay: Relay, sent: Sent, now: Time) {
        while let Some(output) = self.relays[relay.number()].service.poll_output() {
            match output {
                ServiceOutput::Send(client, frame) => self.send_down(client, vec![frame], now),
                ServiceOutput::Deliver(client, message) => {
                    self.deliver(relay, client, &message, now);
                }
                ServiceOutput::Announced(client, topic) => self.on_announce(client, &topic, sent),
                ServiceOutput::Close(client, why) => {
                    self.relays[relay.number()].service.on_close(client);
                    self.close_down(client, why, now);
                }
            }
        }
    }

    fn on_announce(&mut self, client: ClientId, topic: &str, sent: Sent) {
        let Some(Client { relay, key: (who, link) }) = self.links.client(client) else { return };
        let Sent { at, is_in_trouble } = sent;
        let announce =
            |number, root| Announce { number, at, who, relay, link, root, is_in_trouble };
        self.announces.add(topic, announce);
    }

    /// Passes a message on, as well as the relay does that now.
    fn deliver(&mut self, relay: Relay, client: ClientId, message: &Message, now: Time) {
        let trouble = &mut self.relays[relay.number()].trouble;
        let copies = trouble.copies();
        let old = trouble.replay(message);
        for late in copies {
            if late.is_zero() {
                self.send_down(client, message.frames.clone(), now);
            } else {
                self.on_their_way.push(now + late, Passing::Late(client, message.frames.clone()));
            }
        }
        if let Some(old) = old {
            self.send_down(client, old.frames, now);
        }
    }

    fn send_down(&mut self, client: ClientId, frames: Vec<LinkFrame>, now: Time) {
        let Some(Client { key, .. }) = self.links.client(client) else { return };
        let Some(link) = self.links.get_mut(key) else { return };
        link.last_down = link.last_down.max(now + self.latency);
        for frame in frames {
            self.on_their_way.push(link.last_down, Passing::Down(key, frame));
        }
    }

    /// Ends a link from the relay's side.
    pub(super) fn close_down(&mut self, client: ClientId, why: &'static str, now: Time) {
        let Some(Client { key, .. }) = self.links.remove_client(client) else { return };
        let sent = self.links.get(key).map_or(now, |link| link.last_down);
        self.on_their_way.push(sent.max(now + self.latency), Passing::Closed(key, why));
    }

    fn arrive(&mut self, arrival: LinkArrival, now: Time) {
        let (LinkArrival::Opened(who, link)
        | LinkArrival::Frame(who, link, _)
        | LinkArrival::Closed(who, link, _)) = arrival;
        match self.links.arrive(arrival) {
            Arrived::Now(arrival) => self.arrivals.push_back(arrival),
            Arrived::Later => {}
            Arrived::TooMuch => {
                let Some(client) = self.links.get((who, link)).map(|link| link.client) else {
                    return;
                };
                if let Some(Client { relay, .. }) = self.links.client(client) {
                    self.relays[relay.number()].service.on_close(client);
                    self.close_down(client, "it took nothing for too long", now);
                }
            }
        }
    }

    /// Whether the peer of a link hears what comes over it.
    fn is_heard(&self, key: LinkKey) -> bool {
        self.links.get(key).is_some_and(|link| !link.is_deaf)
    }
}
