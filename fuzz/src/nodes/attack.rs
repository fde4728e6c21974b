//! What relays, networks and strangers do.

use std::net::SocketAddr;

use tristero_proto::crypto::{RoomToken, SignalKey, Topic};
use tristero_proto::engine::EngineInput;
use tristero_proto::signaling::LinkFrame;
use tristero_proto::wire::{OfferId, Signal, SignalBody};
use tristero_proto::{Input, LinkId, PeerId, Seed};

use super::{Play, Step, names};
use crate::script;
use crate::world::{Who, address, datagram, delivery};

impl Play {
    /// A socket is gone, or there is another one.
    pub(super) fn change_address(&mut self, who: Who, pick: u8) {
        let address = address(who);
        let input = match pick % 2 {
            0 => EngineInput::AddressRemoved(address),
            _ => EngineInput::AddressAdded(address),
        };
        self.world.input(who, Input::Engine(input));
    }

    pub(super) fn open_link(&mut self, who: Who, pick: u8) {
        let Some(link) = self.link(who, pick) else { return };
        self.world.input(who, Input::LinkOpened(link));
    }

    pub(super) fn close_link(&mut self, who: Who, pick: u8) {
        let Some(link) = self.link(who, pick) else { return };
        self.world.relay.forget(who, link);
        self.world.input(who, Input::LinkClosed(link, "it is gone"));
    }

    pub(super) fn link_text(&mut self, who: Who, pick: u8, bytes: &[u8]) {
        let Some(link) = self.link(who, pick) else { return };
        let text = String::from_utf8_lossy(bytes).into_owned();
        self.world.input(who, Input::LinkFrame(link, LinkFrame::Text(text)));
    }

    pub(super) fn link_bytes(&mut self, who: Who, pick: u8, bytes: &[u8]) {
        let Some(link) = self.link(who, pick) else { return };
        let frame = LinkFrame::Binary(bytes.to_vec().into());
        self.world.input(who, Input::LinkFrame(link, frame));
    }

    /// Someone publishes something under a topic of a room.
    pub(super) fn publish(&mut self, place: u8, topic: u8, bytes: &[u8]) {
        let (app, room, _) = names(place);
        let topic = match topic % 3 {
            0 => Topic::root(app, room),
            of => Topic::of_peer(app, room, &self.world.id(Who(usize::from(of - 1)))),
        };
        let text = delivery(topic.as_str(), &String::from_utf8_lossy(bytes));
        for (who, link) in self.world.relay.subscribers(topic.as_str()) {
            let frame = LinkFrame::Text(text.clone());
            self.world.input(who, Input::LinkFrame(link, frame));
        }
    }

    /// Someone who may know the password publishes a signal, in the name of anyone.
    pub(super) fn signal(&mut self, step: &Step) {
        let [place, kind, name] = step.picks;
        let from = match name % 4 {
            0 => self.world.id(step.who),
            1 => self.world.id(Who(1 - step.who.0)),
            2 => PeerId::new("0").expect("this is an id"),
            _ => PeerId::new("z").expect("this is an id"),
        };
        let (app, room, password) = names(place);
        let password = if kind & 0x80 > 0 { "guess" } else { password };
        let key = SignalKey::derive(password, app, room);
        let text = String::from_utf8_lossy(&step.bytes);
        let sealed = key.seal(&text, &mut Seed::from_number(name.into()).rng("forged"));
        let offer_id = OfferId::from_wire(["o", "p", "q", "r"][usize::from(name >> 4) % 4]);
        let body = match (kind % 4, &offer_id) {
            (1, Some(offer_id)) => SignalBody::Offer { offer_id: offer_id.clone(), sealed },
            (2, _) => SignalBody::Answer { offer_id: offer_id.filter(|_| kind & 4 > 0), sealed },
            (3, _) => {
                // The in-memory engine believes it, and sends what it has to say there.
                self.world.deceive();
                SignalBody::Candidate { offer_id: offer_id.filter(|_| kind & 4 > 0), sealed }
            }
            (0, _) if kind & 4 > 0 => SignalBody::Standing { sealed },
            _ => SignalBody::Announce,
        };
        let signal = Signal { from, is_passive: kind & 8 > 0, body };
        self.publish(place, kind >> 4, signal.emit().as_bytes());
    }

    pub(super) fn datagram(&mut self, who: Who, remote: u8, bytes: &[u8]) {
        let remote = SocketAddr::from(([10, 0, 0, 1], 998 + u16::from(remote % 8)));
        self.world.forge(who, remote, bytes);
    }

    /// A datagram of one of the connections.
    pub(super) fn forge(&mut self, who: Who, way: u8, kind: u8, body: &[u8]) {
        let ways = self.world.ways(Who(1 - who.0));
        let Some(way) = ways.get(usize::from(way) % ways.len().max(1)).copied() else { return };
        let kind = b"MMMMHABFPK"[usize::from(kind) % 10];
        self.world.forge(who, way.path.remote, &datagram(way, kind, body));
    }

    /// Chunks of a room, as anyone who is connected may send.
    pub(super) fn chunk(&mut self, step: &Step) {
        let [way, place, times] = step.picks;
        let (app, room, _) = names(place);
        let token = RoomToken::of_room(app, room);
        for frame in script::flood(&token, &step.bytes, times.into()) {
            self.forge(step.who, way, 0, &frame);
        }
    }

    fn link(&self, who: Who, pick: u8) -> Option<LinkId> {
        let links = self.world.relay.links(who);
        // Mostly the one that stands.
        let index = if pick >= 200 { usize::from(pick) % links.len().max(1) } else { links.len() };
        links.get(index).or(links.last()).copied()
    }
}
