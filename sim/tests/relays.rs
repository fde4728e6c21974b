//! Peers meet over relays of every kind, whatever is wrong with them.

#![allow(clippy::unwrap_used, reason = "a test that can not go on may panic")]

mod common;
// A hostile operator changes bytes, and what comes of that depends on which bytes they were.
#[path = "../src/entropy.rs"]
mod entropy;

use std::time::Duration;

use common::{KINDS, Kind};
use tristero_proto::signaling::RelayState;
use tristero_proto::{Event, RelayConfig, RoomConfig, RoomKey, Time};
use tristero_sim::{Faults, LinkFault, NostrService, PeerOptions, Relay, Verdicts, Who, World};

/// A room, its relays and who joined it.
struct Party {
    world: World,
    relays: Vec<Relay>,
    config: RoomConfig,
    peers: Vec<(Who, RoomKey)>,
}

impl Party {
    /// Nobody, and relays of these kinds.
    fn new(seed: u64, kinds: &[Kind]) -> Self {
        let mut world = World::new(seed);
        let added: Vec<(Relay, RelayConfig)> =
            kinds.iter().map(|kind| kind.add_to(&mut world, seed)).collect();
        let (relays, configs) = added.into_iter().unzip();
        let config = RoomConfig { relays: configs, ..RoomConfig::new("app", "room") };
        Party { world, relays, config, peers: Vec::new() }
    }

    fn with(mut self, count: usize) -> Self {
        (0..count).for_each(|_| _ = self.add());
        self
    }

    fn add(&mut self) -> (Who, RoomKey) {
        let who = self.world.add_peer(PeerOptions::default());
        let room = self.world.join(who, self.config.clone()).unwrap();
        self.peers.push((who, room));
        (who, room)
    }

    fn leave(&mut self, peer: (Who, RoomKey)) {
        self.peers.retain(|other| *other != peer);
        self.world.with(peer.0, |node, now| node.leave(peer.1, now));
    }

    /// Sets what is wrong with all relays.
    fn set_faults(&mut self, faults: &Faults) {
        for relay in &self.relays {
            self.world.set_relay_faults(*relay, faults.clone());
        }
    }

    fn has_met(&mut self, patience: Duration) -> bool {
        let peers = self.peers.clone();
        let count = peers.len() - 1;
        let has_met = |world: &World| {
            peers.iter().all(|(who, room)| world.members(*who, *room).len() == count)
        };
        self.world.run_until(patience, has_met)
    }

    /// How often somebody was told that a peer left.
    fn farewells(&self) -> usize {
        let is_one = |event: &&Event| matches!(event, Event::PeerLeft { .. });
        self.peers.iter().map(|(who, _)| self.world.events(*who).filter(is_one).count()).sum()
    }

    fn states(&self) -> Vec<RelayState> {
        let relays = |(who, room): &(Who, RoomKey)| {
            self.world.node(*who).map(|node| node.relays(*room)).unwrap_or_default()
        };
        self.peers.iter().flat_map(relays).map(|status| status.state).collect()
    }
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

#[test]
fn two_peers_meet_over_each_service() {
    for kind in KINDS {
        let mut party = Party::new(1, &[kind]).with(2);
        assert!(party.has_met(secs(5)), "{kind:?}");
        let malformed = party.peers.iter().flat_map(|(who, room)| {
            party.world.node(*who).unwrap().relays(*room).into_iter().map(|status| status.malformed)
        });
        assert_eq!(malformed.sum::<u64>(), 0, "{kind:?}");
    }
}

#[test]
fn two_peers_meet_over_nostr_relays_that_say_late_or_never_what_they_took() {
    for verdicts in [Verdicts::Last, Verdicts::Silent] {
        let mut party = Party::new(2, &[]);
        let (_, relay) = party.world.add_relay(NostrService::new(verdicts));
        party.config.relays.push(relay);
        party = party.with(2);
        assert!(party.has_met(secs(5)), "{verdicts:?}");
    }
}

#[test]
fn four_meet_over_two_services_at_once_with_one_connection_each() {
    for (seed, one) in (10..).zip(KINDS) {
        for other in KINDS {
            let mut party = Party::new(seed, &[one, other]).with(4);
            assert!(party.has_met(secs(150)), "{one:?} and {other:?}");
            party.world.run_for(secs(150));
            assert_eq!(party.farewells(), 0, "{one:?} and {other:?}");
            let joined = |(who, _): &(Who, RoomKey)| {
                let is_one = |event: &&Event| matches!(event, Event::PeerJoined { .. });
                party.world.events(*who).filter(is_one).count()
            };
            assert!(party.peers.iter().all(|peer| joined(peer) == 3), "{one:?} and {other:?}");
        }
    }
}

#[test]
fn messages_that_are_late_doubled_or_overtaken_bring_peers_together_all_the_same() {
    let faults = [
        Faults::default().with_delay(secs(2)),
        Faults::default().with_doubled(100),
        Faults::default().with_reordered(50),
        Faults::default().with_replayed(50),
    ];
    for kind in KINDS {
        for (seed, faults) in (20..).zip(&faults) {
            let mut party = Party::new(seed, &[kind]);
            party.set_faults(faults);
            party = party.with(3);
            assert!(party.has_met(secs(150)), "{kind:?}, {faults:?}");
            party.world.run_for(secs(60));
            assert_eq!(party.farewells(), 0, "{kind:?}, {faults:?}");
        }
    }
}

#[test]
fn peers_meet_where_one_in_five_messages_is_lost() {
    for kind in KINDS {
        let mut party = Party::new(30, &[kind]);
        party.set_faults(&Faults::default().with_loss(20));
        party = party.with(3);
        assert!(party.has_met(secs(400)), "{kind:?}");
    }
}

#[test]
fn peers_meet_once_a_stall_is_over() {
    for kind in KINDS {
        let mut party = Party::new(40, &[kind]);
        party.set_faults(&Faults::default().with_links(LinkFault::Stalled));
        party = party.with(2);
        assert!(!party.has_met(secs(10)), "{kind:?}");
        party.set_faults(&Faults::default());
        assert!(party.has_met(secs(80)), "{kind:?}");
    }
}

#[test]
fn what_a_stalled_relay_holds_passes_in_the_end() {
    for kind in KINDS {
        let mut party = Party::new(41, &[kind]).with(1);
        party.world.run_for(secs(5));
        party.set_faults(&Faults::default().with_links(LinkFault::Stalled));
        party.add();
        party.world.run_for(secs(5));
        party.set_faults(&Faults::default());
        assert!(party.has_met(secs(10)), "{kind:?}");
    }
}

/// Over ws, Nostr and trackers nothing is ever said to a link alone, so only its end tells. MQTT asks
/// its broker once a minute.
#[test]
fn a_link_that_is_half_open_is_noticed_by_mqtt_alone_and_by_all_when_it_ends() {
    for kind in KINDS {
        let mut party = Party::new(50, &[kind]).with(1);
        party.world.run_for(secs(5));
        party.set_faults(&Faults::default().with_links(LinkFault::HalfOpen));
        party.add();
        let is_noticed = party.has_met(secs(200));
        assert_eq!(is_noticed, kind == Kind::Mqtt, "{kind:?}");
        party.set_faults(&Faults::default());
        assert!(party.has_met(secs(150)), "{kind:?}");
    }
}

#[test]
fn a_relay_that_refuses_links_is_dialled_until_it_takes_one() {
    for kind in KINDS {
        let mut party = Party::new(60, &[kind]);
        party.set_faults(&Faults::default().with_links(LinkFault::Refused));
        party = party.with(2);
        party.world.run_for(secs(60));
        let is_waiting = |state: &RelayState| matches!(state, RelayState::BackingOff { .. });
        assert!(party.states().iter().any(is_waiting), "{kind:?}: {:?}", party.states());
        party.set_faults(&Faults::default());
        assert!(party.has_met(secs(130)), "{kind:?}");
    }
}

#[test]
fn a_relay_that_takes_little_of_each_peer_brings_them_together_when_it_takes_more() {
    for kind in KINDS {
        let mut party = Party::new(70, &[kind]);
        party.set_faults(&Faults::default().with_rate(2, secs(20)));
        party = party.with(3);
        party.world.run_for(secs(30));
        assert!(party.states().iter().all(|state| !matches!(state, RelayState::Retired { .. })));
        party.set_faults(&Faults::default());
        assert!(party.has_met(secs(300)), "{kind:?}");
    }
}

#[test]
fn peers_meet_again_over_a_relay_that_was_away() {
    for kind in KINDS {
        let mut party = Party::new(80, &[kind]).with(2);
        assert!(party.has_met(secs(5)), "{kind:?}");
        let relay = party.relays[0];
        party.world.stop_relay(relay);
        party.world.run_for(secs(30));
        party.add();
        party.world.run_for(secs(30));
        party.world.start_relay(relay);
        assert!(party.has_met(secs(130)), "{kind:?}");
        assert_eq!(party.farewells(), 0, "{kind:?}");
    }
}

#[test]
fn a_hostile_operator_parts_nobody() {
    for kind in KINDS {
        for seed in 90..94 {
            let mut party = Party::new(seed, &[kind]).with(3);
            assert!(party.has_met(secs(150)), "{kind:?}, seed {seed}");
            party.set_faults(&Faults::default().with_hostile_operator());
            // Somebody who comes and goes gives the operator something to repeat.
            for _ in 0..6 {
                let newcomer = party.add();
                party.world.run_for(secs(20));
                party.leave(newcomer);
                party.world.run_for(secs(10));
            }
            let (first, room) = party.peers[0];
            let met: Vec<_> =
                party.peers[1..].iter().map(|(who, _)| party.world.id(*who)).collect();
            assert!(party.has_met(secs(30)), "{kind:?}, seed {seed}");
            let lost = party.world.events(first).filter(|event| {
                matches!(event, Event::PeerLeft { room: of, peer, .. }
                    if *of == room && met.contains(peer))
            });
            assert_eq!(lost.count(), 0, "{kind:?}, seed {seed}");
            party.set_faults(&Faults::default());
            party.add();
            assert!(party.has_met(secs(200)), "{kind:?}, seed {seed}");
        }
    }
}

#[test]
fn what_comes_over_a_link_waits_for_a_peer_that_sleeps() {
    let mut party = Party::new(100, &[Kind::Ws]).with(1);
    party.world.run_for(secs(5));
    let (sleeper, _) = party.peers[0];
    party.world.sleep(sleeper);
    party.add();
    party.world.run_for(secs(4));
    party.world.wake(sleeper);
    assert!(party.has_met(secs(2)), "it hears the announce that it slept through");
}

#[test]
fn a_link_ends_for_which_too_much_waits() {
    let mut party = Party::new(101, &[Kind::Ws]).with(1);
    party.world.run_for(secs(5));
    let (sleeper, room) = party.peers[0];
    party.world.sleep(sleeper);
    party.set_faults(&Faults::default().with_hostile_operator());
    party.world.run_for(secs(60));
    party.set_faults(&Faults::default());
    party.world.wake(sleeper);
    let status = party.world.node(sleeper).unwrap().relays(room).remove(0);
    assert_eq!(status.last_error.as_deref(), Some("it took nothing for too long"));
    party.add();
    assert!(party.has_met(secs(10)));
}

#[test]
fn a_room_is_announced_once_a_minute_at_most_while_others_come_and_go() {
    let mut party = Party::new(110, &KINDS).with(3);
    assert!(party.has_met(secs(10)));
    let settled = Time::ZERO + secs(60);
    party.world.run_for(settled.since(party.world.now()));
    let residents = party.peers.clone();
    for _ in 0..30 {
        let newcomer = party.add();
        party.world.run_for(secs(10));
        party.leave(newcomer);
        party.world.run_for(secs(10));
    }
    for (who, _) in residents {
        for relay in party.relays.clone() {
            let is_one = |announce: &&tristero_sim::Announce| {
                announce.who == who && announce.relay == relay && announce.at >= settled
            };
            let count = party.world.announces().filter(is_one).count();
            // In ten minutes; one each 5.3 s would be 112.
            assert!((5..=11).contains(&count), "{who:?} announced {count} times on {relay:?}");
        }
    }
}

#[test]
fn equal_seeds_give_equal_runs_whatever_is_wrong() {
    let run = |seed| {
        let mut party = Party::new(seed, &KINDS).with(2);
        party.set_faults(&Faults::default().with_hostile_operator().with_loss(10).with_doubled(10));
        party.world.run_for(secs(20));
        party.add();
        party.world.run_for(secs(40));
        party.world.digest()
    };
    // On a thread of its own, where the randomness of the operating system begins anew.
    let digest = |seed| std::thread::scope(|scope| scope.spawn(|| run(seed)).join().unwrap());
    for seed in 120..124 {
        assert_eq!(digest(seed), digest(seed), "seed {seed}");
        assert_ne!(digest(seed), digest(seed + 100));
    }
}
