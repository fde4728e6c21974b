//! Restarts of ICE that somebody asks for, while the path lives.

#![allow(clippy::unwrap_used, reason = "a test that can not go on may panic")]

use std::time::Duration;

use tristero_proto::wire::{ActionName, Payload};
use tristero_proto::{
    ActionKind, ActionOptions, Event, RestartError, RoomConfig, RoomKey, SendOptions,
};
use tristero_sim::{Nat, PeerOptions, Realm, Relay, Who, World, WsService};

/// Two peers who have met, and say something all the time.
struct Talkers {
    world: World,
    relay: Relay,
    peers: [(Who, RoomKey); 2],
    said: u64,
}

/// How often each says something.
const SAY_EVERY: Duration = Duration::from_millis(20);

/// What is said arrives within this time, as if nothing happened: no packet is sent again.
const DELAY_MAX: Duration = Duration::from_millis(400);

impl Talkers {
    fn meet(seed: u64) -> Self {
        let mut world = World::new(seed);
        let (relay, config) = world.add_relay(WsService::new());
        let config = RoomConfig { relays: vec![config], ..RoomConfig::new("app", "room") };
        let peers = [(); 2].map(|()| {
            let who = world.add_peer(PeerOptions::default());
            (who, world.join(who, config.clone()).unwrap())
        });
        let have_met = world.run_until(Duration::from_secs(30), |world| {
            peers.iter().all(|(who, room)| world.members(*who, *room).len() == 1)
        });
        assert!(have_met);
        for (who, room) in peers {
            let options = ActionOptions { kind: ActionKind::Message, progress: false };
            let registered =
                world.with(who, |node, now| node.register(room, &talk(), options, now));
            registered.unwrap().unwrap();
        }
        world.take_told();
        Talkers { world, relay, peers, said: 0 }
    }

    /// Both say something again and again.
    fn talk_for(&mut self, time: Duration) {
        let end = self.world.now() + time;
        while self.world.now() < end {
            self.say();
            self.world.run_for(SAY_EVERY);
        }
    }

    fn say(&mut self) {
        for (who, room) in self.peers {
            let payload = Payload::from(self.said.to_string().as_str());
            let sent = self.world.with(who, |node, now| {
                node.send(room, &talk(), payload, &SendOptions::default(), now).map(|_| ())
            });
            sent.unwrap().unwrap();
        }
        self.said += 1;
    }

    fn restart(&mut self, side: usize) -> Result<(), RestartError> {
        let (who, room) = self.peers[side];
        let peer = self.world.id(self.peers[1 - side].0);
        self.world.with(who, |node, now| node.restart_ice(room, &peer, now)).unwrap()
    }

    /// How often each side has restarted.
    fn restarts(&self) -> [u32; 2] {
        [0, 1].map(|side| {
            let (who, room) = self.peers[side];
            let peer = self.world.id(self.peers[1 - side].0);
            self.world.node(who).unwrap().connection_info(room, &peer).unwrap().restarts
        })
    }

    /// Nobody has left, and all that was said was heard, in order.
    fn assert_nothing_lost(&mut self) {
        self.world.run_for(DELAY_MAX);
        for (who, room) in self.peers {
            assert!(!self.world.events(who).any(|event| matches!(event, Event::PeerLeft { .. })));
            let heard: Vec<Payload> = self
                .world
                .events(who)
                .filter_map(|event| match event {
                    Event::Message { room: at, message, .. } if *at == room => {
                        Some(message.payload.clone())
                    }
                    _ => None,
                })
                .collect();
            let said: Vec<Payload> =
                (0..self.said).map(|number| Payload::from(number.to_string().as_str())).collect();
            assert_eq!(heard, said);
        }
    }
}

fn talk() -> ActionName {
    ActionName::new("talk").unwrap()
}

#[test]
fn a_restart_while_the_path_lives_needs_no_relay_and_loses_nothing() {
    for side in [0, 1] {
        let mut talkers = Talkers::meet(1);
        talkers.world.stop_relay(talkers.relay);
        talkers.talk_for(Duration::from_secs(1));
        for restarts in 1..=3 {
            talkers.restart(side).unwrap();
            talkers.talk_for(Duration::from_secs(4));
            assert_eq!(talkers.restarts(), [restarts; 2]);
            talkers.assert_nothing_lost();
        }
    }
}

#[test]
fn of_two_that_restart_at_once_one_does_and_nothing_is_lost() {
    for seed in 0..10 {
        let mut talkers = Talkers::meet(seed);
        talkers.world.stop_relay(talkers.relay);
        talkers.talk_for(Duration::from_secs(1));
        talkers.restart(0).unwrap();
        talkers.world.run_for(Duration::from_millis(seed * 5));
        talkers.restart(1).unwrap();
        talkers.talk_for(Duration::from_secs(10));
        let [a, b] = talkers.restarts();
        assert!(a == b && (1..=2).contains(&a), "{seed}: {a} and {b}");
        talkers.assert_nothing_lost();
    }
}

#[test]
fn a_path_that_ends_while_a_restart_is_under_way_is_replaced() {
    for (seed, after) in (0..).zip([0, 10, 20, 30, 50, 80, 200, 1_000]) {
        for mover in [0, 1] {
            let mut talkers = Talkers::meet(seed);
            let nat = talkers.world.network().add_nat(Nat::port_restricted());
            talkers.restart(0).unwrap();
            talkers.world.run_for(Duration::from_millis(after));
            let (who, _) = talkers.peers[mover];
            talkers.world.roam_to(who, Realm::Behind(nat));
            talkers.talk_for(Duration::from_secs(2));
            // SCTP says again what was lost, each time after twice as long.
            talkers.world.run_for(Duration::from_secs(12));
            talkers.assert_nothing_lost();
        }
    }
}

#[test]
fn who_asks_too_often_is_heard_in_the_end() {
    let mut talkers = Talkers::meet(1);
    talkers.world.stop_relay(talkers.relay);
    for _ in 0..200 {
        talkers.restart(0).unwrap();
        talkers.talk_for(SAY_EVERY);
    }
    talkers.talk_for(Duration::from_secs(10));
    let [a, b] = talkers.restarts();
    assert!(a == b && (2..=4).contains(&a), "{a} and {b}");
    talkers.assert_nothing_lost();
}

#[test]
fn who_is_not_there_is_no_peer_to_restart_with() {
    let mut talkers = Talkers::meet(1);
    let ((who, room), stranger) = (talkers.peers[0], talkers.world.id(talkers.peers[0].0));
    let restarted = talkers.world.with(who, |node, now| node.restart_ice(room, &stranger, now));
    assert_eq!(restarted, Some(Err(RestartError::NotInRoom)));
    talkers.world.with(who, |node, now| node.leave(room, now));
    assert_eq!(talkers.restart(0), Err(RestartError::RoomGone));
}
