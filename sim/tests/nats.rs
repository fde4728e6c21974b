//! Which peers meet across NATs, with what the engine knows: its own addresses, and those at which
//! it is seen.

#![allow(clippy::unwrap_used, reason = "a test that can not go on may panic")]

use std::time::Duration;

use tristero_proto::wire::{ActionName, Payload};
use tristero_proto::{
    ActionKind, ActionOptions, Event, JoinFailure, RoomConfig, RoomKey, SendOptions,
};
use tristero_sim::{Family, Nat, PeerOptions, Realm, Who, World, WsService};

/// Two peers who join one room at once.
struct Couple {
    world: World,
    peers: [(Who, RoomKey); 2],
}

impl Couple {
    fn new(seed: u64, places: impl FnOnce(&mut World) -> [PeerOptions; 2]) -> Self {
        let mut world = World::new(seed);
        let (_, relay) = world.add_relay(WsService::new());
        let config = RoomConfig { relays: vec![relay], ..RoomConfig::new("app", "room") };
        let peers = places(&mut world).map(|options| {
            let who = world.add_peer(options);
            (who, world.join(who, config.clone()).unwrap())
        });
        Couple { world, peers }
    }

    fn who(&self) -> [Who; 2] {
        self.peers.map(|(who, _)| who)
    }

    fn is_together(&self) -> bool {
        self.peers.iter().all(|(who, room)| self.world.members(*who, *room).len() == 1)
    }

    /// Whether they are together within a time that is enough for it.
    fn meets(&mut self) -> bool {
        let [(a, at_a), (b, at_b)] = self.peers;
        self.world.run_until(PATIENCE, |world| {
            !world.members(a, at_a).is_empty() && !world.members(b, at_b).is_empty()
        })
    }

    /// Whether theory says that they meet.
    fn can_meet(&self) -> bool {
        let [a, b] = self.who();
        self.world.can_reach(a, b)
    }

    /// Whether a message from the first arrives at the second.
    fn can_talk(&mut self) -> bool {
        let [(a, at_a), (b, at_b)] = self.peers;
        let action = ActionName::new("a").unwrap();
        let options = ActionOptions { kind: ActionKind::Message, progress: false };
        for (who, room) in self.peers {
            // It may be registered from before.
            let _ = self.world.with(who, |node, now| node.register(room, &action, options, now));
        }
        self.world.take_told();
        let payload = Payload::from("hello");
        let sent = self.world.with(a, |node, now| {
            node.send(at_a, &action, payload, &SendOptions::default(), now).map(|_| ())
        });
        sent.unwrap().unwrap();
        self.world.run_until(PATIENCE, |world| {
            world
                .events(b)
                .any(|event| matches!(event, Event::Message { room, .. } if *room == at_b))
        })
    }
}

const PATIENCE: Duration = Duration::from_secs(30);

fn public() -> PeerOptions {
    PeerOptions::default()
}

#[test]
fn a_peer_behind_any_nat_meets_one_with_a_public_address() {
    let nats = [
        Nat::full_cone(),
        Nat::address_restricted(),
        Nat::port_restricted(),
        Nat::symmetric(),
        Nat::carrier_grade(),
    ];
    for (seed, nat) in (0..).zip(nats) {
        for is_first in [true, false] {
            let mut couple = Couple::new(seed, |world| {
                let inside = public().behind(world.network().add_nat(nat));
                if is_first { [inside, public()] } else { [public(), inside] }
            });
            assert!(couple.can_meet() && couple.meets() && couple.can_talk(), "{nat:?}");
        }
    }
}

#[test]
fn a_peer_behind_two_nats_meets_one_with_a_public_address() {
    let mut couple = Couple::new(1, |world| {
        let carrier = world.network().add_nat(Nat::carrier_grade());
        let home = world.network().add_nat(Nat::port_restricted().behind(carrier));
        [public().behind(home), public()]
    });
    assert!(couple.can_meet() && couple.meets() && couple.can_talk());
}

#[test]
fn peers_behind_one_nat_meet_by_their_private_addresses() {
    for nat in [Nat::symmetric(), Nat::udp_blocked()] {
        let mut couple = Couple::new(1, |world| {
            let nat = world.network().add_nat(nat);
            [(); 2].map(|()| public().behind(nat))
        });
        assert!(couple.can_meet() && couple.meets() && couple.can_talk(), "{nat:?}");
        assert_eq!(couple.world.network().counters().unroutable, 0);
    }
}

#[test]
fn peers_behind_two_nats_do_not_meet_and_are_told_why() {
    // They know no address at which they are seen outside, as long as nobody asks a STUN server.
    for nat in [Nat::full_cone(), Nat::symmetric()] {
        let mut couple =
            Couple::new(1, |world| [(); 2].map(|()| public().behind(world.network().add_nat(nat))));
        assert!(!couple.can_meet() && !couple.meets(), "{nat:?}");
        for who in couple.who() {
            let is_told = couple.world.events(who).any(|event| {
                let Event::JoinFailed { failure, .. } = event else { return false };
                matches!(failure, JoinFailure::NotConnected { .. })
            });
            assert!(is_told, "{nat:?}: {who:?}");
        }
    }
}

#[test]
fn nobody_is_met_from_where_udp_is_blocked() {
    let mut couple = Couple::new(1, |world| {
        [public().behind(world.network().add_nat(Nat::udp_blocked())), public()]
    });
    assert!(!couple.can_meet() && !couple.meets());
}

#[test]
fn peers_behind_two_nats_meet_over_ipv6() {
    let mut couple = Couple::new(1, |world| {
        [(); 2].map(|()| {
            let nat = world.network().add_nat(Nat::port_restricted());
            public().behind(nat).with_families(&[Family::V4, Family::V6])
        })
    });
    assert!(couple.can_meet() && couple.meets() && couple.can_talk());
}

#[test]
fn peers_with_ipv6_alone_meet() {
    let mut couple = Couple::new(1, |_| [(); 2].map(|()| public().with_families(&[Family::V6])));
    assert!(couple.can_meet() && couple.meets() && couple.can_talk());
}

#[test]
fn peers_are_together_again_after_a_nat_forgot_its_mappings() {
    for nat in [Nat::port_restricted(), Nat::full_cone().with_random_ports(), Nat::symmetric()] {
        let mut id = None;
        let mut couple = Couple::new(1, |world| {
            let nat = world.network().add_nat(nat);
            id = Some(nat);
            [public().behind(nat), public()]
        });
        assert!(couple.meets());
        couple.world.network().forget_mappings(id.unwrap());
        couple.world.run_for(PATIENCE);
        assert!(couple.is_together() && couple.can_talk(), "{nat:?}");
    }
}

#[test]
fn a_peer_that_moves_behind_a_nat_and_back_is_met_again() {
    let mut couple = Couple::new(1, |_| [public(), public()]);
    assert!(couple.meets());
    let nat = couple.world.network().add_nat(Nat::port_restricted());
    let [mover, _] = couple.who();
    for realm in [Realm::Behind(nat), Realm::Public] {
        couple.world.roam_to(mover, realm);
        couple.world.run_for(PATIENCE * 2);
        assert!(couple.can_meet() && couple.is_together() && couple.can_talk(), "{realm:?}");
    }
}

#[test]
fn a_peer_that_moves_is_not_lost() {
    for nat in [None, Some(Nat::port_restricted()), Some(Nat::symmetric())] {
        let mut couple = Couple::new(1, |_| [public(), public()]);
        assert!(couple.meets());
        couple.world.take_told();
        let nat = nat.map(|nat| couple.world.network().add_nat(nat));
        let place = nat.map_or(Realm::Public, Realm::Behind);
        let [mover, other] = couple.who();
        couple.world.roam_to(mover, place);
        // Both ways, long before either side gives up a path.
        couple.world.run_for(Duration::from_secs(4));
        assert!(couple.can_talk(), "{place:?}");
        couple.world.run_for(PATIENCE);
        let has_left =
            |who| couple.world.events(who).any(|event| matches!(event, Event::PeerLeft { .. }));
        assert!(!has_left(mover) && !has_left(other), "{place:?}");
    }
}

#[test]
fn peers_that_move_at_once_are_not_lost() {
    let mut couple = Couple::new(1, |_| [public(), public()]);
    assert!(couple.meets());
    couple.world.take_told();
    let [a, b] = couple.who();
    for _ in 0..3 {
        couple.world.roam(a);
        couple.world.roam(b);
        couple.world.run_for(PATIENCE);
        assert!(couple.can_talk());
    }
    let has_left =
        |who| couple.world.events(who).any(|event| matches!(event, Event::PeerLeft { .. }));
    assert!(!has_left(a) && !has_left(b));
}

#[test]
fn a_quiet_connection_outlives_the_mappings_of_its_nat() {
    let mut couple = Couple::new(1, |world| {
        let nat = Nat::port_restricted().with_mapping_timeout(Duration::from_secs(20));
        [public().behind(world.network().add_nat(nat.without_inbound_refresh())), public()]
    });
    assert!(couple.meets());
    couple.world.take_told();
    couple.world.run_for(Duration::from_secs(300));
    let [a, b] = couple.who();
    let has_left =
        |who| couple.world.events(who).any(|event| matches!(event, Event::PeerLeft { .. }));
    assert!(couple.is_together() && !has_left(a) && !has_left(b));
    assert!(couple.can_talk());
}

#[test]
fn equal_seeds_give_equal_runs_behind_nats() {
    let digest = |seed| {
        let mut couple = Couple::new(seed, |world| {
            [public().behind(world.network().add_nat(Nat::symmetric())), public()]
        });
        couple.world.run_for(PATIENCE);
        couple.world.digest()
    };
    assert_eq!(digest(1), digest(1));
    assert_ne!(digest(1), digest(2));
}
