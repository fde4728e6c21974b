//! Peers that tell names in the place of their addresses: who meets them all the same.

#![allow(clippy::unwrap_used, reason = "a test that can not go on may panic")]

use std::time::Duration;

use tristero_proto::ice::{HostCandidates, IceConfig, IceServer};
use tristero_proto::{RelayConfig, RoomConfig, RoomKey};
use tristero_sim::{Nat, PeerOptions, Who, World, WsService};

/// Enough for two peers to meet if they can, and for names to be known.
const PATIENCE: Duration = Duration::from_secs(30);

/// A world with a relay, and the name of a STUN server.
struct Place {
    world: World,
    relay: RelayConfig,
}

type Member = (Who, RoomKey);

impl Place {
    fn new() -> Self {
        let mut world = World::new(1);
        let (_, relay) = world.add_relay(WsService::new());
        let stun = world.network().add_stun_server();
        world.add_name("stun.example", stun.ip());
        Place { world, relay }
    }

    fn add(&mut self, options: PeerOptions, ice: &IceConfig, trickle: bool) -> Member {
        let who = self.world.add_peer(options);
        let (relays, ice) = (vec![self.relay.clone()], ice.clone());
        let mut config = RoomConfig { relays, ice, ..RoomConfig::new("app", "room") };
        config.trickle = Some(trickle);
        (who, self.world.join(who, config).unwrap())
    }

    fn have_met(&mut self, a: Member, b: Member) -> bool {
        self.world.run_for(PATIENCE);
        let sees = |(a, room): Member, (b, _): Member| {
            self.world.members(a, room).contains(&self.world.id(b))
        };
        sees(a, b) && sees(b, a)
    }

    fn kinds(&self, (a, room): Member, (b, _): Member) -> (&'static str, &'static str) {
        let b = self.world.id(b);
        self.world.node(a).unwrap().connection_info(room, &b).unwrap().candidate_kinds
    }
}

fn hidden() -> IceConfig {
    IceConfig::none().with_host_candidates(HostCandidates::Mdns)
}

fn stun() -> IceServer {
    IceServer::new("stun:stun.example".parse().unwrap())
}

#[test]
fn peers_on_one_network_find_each_other_by_their_names() {
    for trickle in [true, false] {
        let mut place = Place::new();
        let nat = place.world.network().add_nat(Nat::udp_blocked());
        let options = || PeerOptions::default().behind(nat);
        let [a, b] = [(); 2].map(|()| place.add(options(), &hidden(), trickle));
        assert!(place.have_met(a, b));
        assert_eq!(place.kinds(a, b), ("host", "host"));
        assert_eq!(place.kinds(b, a), ("host", "host"));
    }
}

#[test]
fn a_peer_that_is_hidden_meets_one_that_is_not_by_reaching_it() {
    let mut place = Place::new();
    let a = place.add(PeerOptions::default(), &hidden(), true);
    let b = place.add(PeerOptions::default(), &IceConfig::none(), true);
    assert!(place.have_met(a, b));
    assert_eq!(place.kinds(b, a), ("host", "prflx"));
}

#[test]
fn where_no_multicast_gets_through_two_that_are_hidden_need_a_server() {
    for trickle in [true, false] {
        let mut place = Place::new();
        let [a, b] = [(); 2].map(|()| place.add(PeerOptions::default(), &hidden(), trickle));
        assert!(!place.have_met(a, b));

        // Where no NAT is, STUN tells the address that is hidden.
        let mut place = Place::new();
        let ice = hidden().with_servers([stun()]);
        let [a, b] = [(); 2].map(|()| place.add(PeerOptions::default(), &ice, trickle));
        assert!(place.have_met(a, b));
        assert_eq!(place.kinds(a, b).1, "srflx");
    }
}
