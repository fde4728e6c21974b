//! Nodes next to a peer that behaves as Trystero in JavaScript does.

#![allow(clippy::unwrap_used, reason = "a test that can not go on may panic")]

mod common;

use std::time::Duration;

use common::{KINDS, Kind};
use tristero_proto::wire::{ActionName, Payload};
use tristero_proto::{
    ActionKind, ActionOptions, Event, LeaveReason, RequestFailure, RequestOptions, RoomConfig,
    RoomKey, SendOptions,
};
use tristero_sim::{PeerOptions, Relay, Who, World};

/// Who has the smaller id, and so leads: in JavaScript's order digits come before letters.
const IDS: [[&str; 2]; 2] = [
    ["0000000000000000ours", "zzzzzzzzzzzzzzzzzzjs"],
    ["zzzzzzzzzzzzzzzzours", "000000000000000000js"],
];

/// One of ours and one in JavaScript, in one room.
struct Pair {
    world: World,
    relay: Relay,
    config: RoomConfig,
    ours: (Who, RoomKey),
    js: (Who, RoomKey),
}

impl Pair {
    fn new(seed: u64, kind: Kind, ids: [&str; 2], password: &str) -> Self {
        let mut world = World::new(seed);
        let (relay, relay_config) = kind.add_to(&mut world, seed);
        let config = RoomConfig {
            relays: vec![relay_config],
            password: password.into(),
            ..RoomConfig::new("app", "room")
        };
        let ours = world.add_peer(PeerOptions::default().with_id(ids[0]));
        let ours = (ours, world.join(ours, config.clone()).unwrap());
        let js = world.add_js_peer(PeerOptions::default().with_id(ids[1]));
        let js = (js, world.join(js, config.clone()).unwrap());
        let mut pair = Pair { world, relay, config, ours, js };
        pair.register();
        pair
    }

    fn met(seed: u64, kind: Kind, ids: [&str; 2]) -> Self {
        let mut pair = Pair::new(seed, kind, ids, "");
        assert!(pair.has_met(secs(150)), "{kind:?}, {ids:?}");
        pair.world.take_told();
        pair
    }

    fn register(&mut self) {
        let kinds = [("chat", ActionKind::Message), ("ask", ActionKind::Request { handled: true })];
        let ((ours, room), (js, there)) = (self.ours, self.js);
        for (action, kind) in kinds {
            let options = ActionOptions { kind, progress: false };
            let registered =
                self.world.with(ours, |node, now| node.register(room, &name(action), options, now));
            registered.unwrap().unwrap();
            self.world.with_js(js, |js, now| js.register(there, &name(action), kind, now));
        }
    }

    fn has_met(&mut self, patience: Duration) -> bool {
        let ends = [self.ours, self.js];
        let is_there =
            |world: &World| ends.iter().all(|(who, room)| world.members(*who, *room).len() == 1);
        self.world.run_until(patience, is_there)
    }

    /// Runs until one of the two was told something like this.
    fn hears<T>(
        &mut self,
        who: Who,
        patience: Duration,
        read: impl Fn(&Event) -> Option<T>,
    ) -> Option<T> {
        let is_told = |world: &World| world.events(who).any(|event| read(event).is_some());
        let is_told = self.world.run_until(patience, is_told);
        is_told.then(|| self.world.events(who).find_map(read)).flatten()
    }
}

fn name(action: &str) -> ActionName {
    ActionName::new(action).unwrap()
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn message(event: &Event) -> Option<Payload> {
    match event {
        Event::Message { message, .. } => Some(message.payload.clone()),
        _ => None,
    }
}

fn farewell(event: &Event) -> Option<LeaveReason> {
    match event {
        Event::PeerLeft { reason, .. } => Some(*reason),
        _ => None,
    }
}

#[test]
fn they_meet_over_each_service_whoever_leads() {
    for kind in KINDS {
        for ids in IDS {
            for password in ["", "secret"] {
                let mut pair = Pair::new(1, kind, ids, password);
                // At a tracker a smaller id ignores the offers of larger ones while its own are out.
                assert!(pair.has_met(secs(130)), "{kind:?}, {ids:?}, password {password:?}");
            }
        }
    }
}

#[test]
fn a_newcomer_meets_who_waited() {
    for kind in KINDS {
        for ids in IDS {
            let mut pair = Pair::new(2, kind, ids, "");
            let ((ours, room), (js, there)) = (pair.ours, pair.js);
            pair.world.with(ours, |node, now| node.leave(room, now));
            pair.world.run_for(secs(200));
            pair.ours = (ours, pair.world.join(ours, pair.config.clone()).unwrap());
            assert!(pair.has_met(secs(130)), "{kind:?}, {ids:?}");
            pair.world.with_js(js, |js, now| js.leave(there, now));
            pair.world.run_for(secs(200));
            pair.js = (js, pair.world.join(js, pair.config.clone()).unwrap());
            assert!(pair.has_met(secs(130)), "{kind:?}, {ids:?}, the other way round");
        }
    }
}

#[test]
fn messages_arrive_both_ways_whatever_their_size() {
    for ids in IDS {
        let mut pair = Pair::met(3, Kind::Ws, ids);
        let ((ours, room), (js, there)) = (pair.ours, pair.js);
        let payloads = [
            Payload::from(""),
            Payload::from("a text"),
            Payload::Json(serde_json::json!({ "n": [1, null] })),
            Payload::from(vec![7; 16_348]),
            Payload::from(vec![8; 200_000]),
        ];
        for payload in payloads {
            pair.world.take_told();
            let sent = pair.world.with(ours, |node, now| {
                node.send(room, &name("chat"), payload.clone(), &SendOptions::default(), now)
            });
            sent.unwrap().unwrap();
            assert_eq!(pair.hears(js, secs(10), message).as_ref(), Some(&payload));
            pair.world
                .with_js(js, |js, now| js.send(there, &name("chat"), payload.clone(), None, now));
            assert_eq!(pair.hears(ours, secs(10), message).as_ref(), Some(&payload));
        }
    }
}

#[test]
fn requests_are_answered_and_refused_both_ways() {
    let mut pair = Pair::met(4, Kind::Ws, IDS[0]);
    let ((ours, room), (js, there)) = (pair.ours, pair.js);
    let (our_id, js_id) = (pair.world.id(ours), pair.world.id(js));
    let call = |event: &Event| match event {
        Event::Request { request, .. } => Some((request.call, request.payload.clone())),
        _ => None,
    };
    let response = |event: &Event| match event {
        Event::Response { result, .. } => Some(result.clone()),
        _ => None,
    };
    for answer in [Ok(Payload::from(vec![9; 50_000])), Err("no".to_owned())] {
        pair.world.take_told();
        let expected = match &answer {
            Ok(payload) => Ok(payload.clone()),
            Err(why) => Err(RequestFailure::Rejected(why.clone())),
        };
        let asked = pair.world.with(ours, |node, now| {
            let options = RequestOptions::to(js_id.clone());
            node.request(room, &name("ask"), "of js".into(), options, now)
        });
        asked.unwrap().unwrap();
        let (number, payload) = pair.hears(js, secs(5), call).unwrap();
        assert_eq!(payload, "of js".into());
        pair.world.with_js(js, |js, now| js.respond(there, number, answer.clone(), now));
        let result = pair.hears(ours, secs(5), response).unwrap();
        assert_eq!(result.map(|response| response.payload), expected);

        pair.world.with_js(js, |js, now| {
            js.request(there, &name("ask"), "of ours".into(), (&our_id, None), now)
        });
        let (number, payload) = pair.hears(ours, secs(5), call).unwrap();
        assert_eq!(payload, "of ours".into());
        pair.world.with(ours, |node, now| node.respond(room, number, answer.clone(), now));
        let result = pair.hears(js, secs(5), response).unwrap();
        assert_eq!(result.map(|response| response.payload), expected);
    }
}

#[test]
fn pings_are_answered_both_ways() {
    let mut pair = Pair::met(5, Kind::Ws, IDS[0]);
    let ((ours, room), (js, there)) = (pair.ours, pair.js);
    let (our_id, js_id) = (pair.world.id(ours), pair.world.id(js));
    let pong = |event: &Event| match event {
        Event::Pong { rtt, .. } => *rtt,
        _ => None,
    };
    pair.world.with(ours, |node, now| node.ping(room, &js_id, now)).unwrap().unwrap();
    assert!(pair.hears(ours, secs(5), pong).is_some());
    pair.world.with_js(js, |js, now| js.ping(there, &our_id, now));
    assert!(pair.hears(js, secs(5), pong).is_some());
}

#[test]
fn whoever_leaves_says_so_and_is_met_again_over_the_connection_that_stands() {
    let mut pair = Pair::met(6, Kind::Ws, IDS[0]);
    let ((ours, room), (js, there)) = (pair.ours, pair.js);
    pair.world.with_js(js, |js, now| js.leave(there, now));
    assert_eq!(pair.hears(ours, secs(2), farewell), Some(LeaveReason::Left));
    pair.js = (js, pair.world.join(js, pair.config.clone()).unwrap());
    assert!(pair.has_met(secs(3)));
    pair.world.take_told();
    pair.world.with(ours, |node, now| node.leave(room, now));
    assert_eq!(pair.hears(js, secs(2), farewell), Some(LeaveReason::Left));
    pair.ours = (ours, pair.world.join(ours, pair.config.clone()).unwrap());
    assert!(pair.has_met(secs(3)));
}

#[test]
fn two_rooms_share_a_connection() {
    let mut pair = Pair::met(7, Kind::Ws, IDS[0]);
    let ((ours, _), (js, _)) = (pair.ours, pair.js);
    pair.world.stop_relay(pair.relay);
    let other = RoomConfig { room_id: "other".into(), ..pair.config.clone() };
    pair.ours = (ours, pair.world.join(ours, other.clone()).unwrap());
    pair.js = (js, pair.world.join(js, other).unwrap());
    assert!(pair.has_met(secs(3)), "presence is all that it takes");
}

/// JavaScript hears nothing for 10 s, drops the peer and does not close the connection. Ours hears
/// its checks all the while and takes it for connected, until it asks for a connection again.
#[test]
fn a_peer_that_javascript_has_dropped_meets_it_again() {
    for ids in IDS {
        let mut pair = Pair::met(8, Kind::Ws, ids);
        let ((ours, room), (js, _)) = (pair.ours, pair.js);
        let hosts = [ours, js].map(|who| pair.world.host(who));
        pair.world.network().cut_way(hosts[0], hosts[1], secs(12));
        assert!(pair.hears(js, secs(12), farewell).is_some());
        assert_eq!(pair.world.members(ours, room).len(), 1, "nobody told it");
        assert!(pair.hears(ours, secs(70), farewell).is_some());
        assert!(pair.has_met(secs(10)), "{ids:?}");
    }
}

/// The same, where ours is about to let it into a room that it said it was in.
#[test]
fn a_peer_that_javascript_has_dropped_is_met_in_another_room() {
    for ids in IDS {
        let mut pair = Pair::met(9, Kind::Ws, ids);
        let ((ours, room), (js, _)) = (pair.ours, pair.js);
        let other = RoomConfig { room_id: "other".into(), ..pair.config.clone() };
        pair.js = (js, pair.world.join(js, other.clone()).unwrap());
        pair.world.run_for(secs(1));
        let hosts = [ours, js].map(|who| pair.world.host(who));
        pair.world.network().cut_way(hosts[0], hosts[1], secs(12));
        assert!(pair.hears(js, secs(12), farewell).is_some());
        pair.world.with(ours, |node, now| node.leave(room, now));
        pair.ours = (ours, pair.world.join(ours, other).unwrap());
        assert!(pair.has_met(secs(20)), "{ids:?}");
    }
}

#[test]
fn they_meet_again_after_a_partition() {
    for (seed, kind) in (10..).zip(KINDS) {
        for ids in IDS {
            for lasts in [8, 15, 40] {
                let mut pair = Pair::met(seed, kind, ids);
                let host = pair.world.host(pair.js.0);
                pair.world.network().partition(&[host], secs(lasts));
                pair.world.run_for(secs(lasts));
                assert!(pair.has_met(secs(250)), "{kind:?}, {ids:?}, {lasts} s");
                pair.world.run_for(secs(60));
                assert!(pair.has_met(secs(0)), "{kind:?}, {ids:?}, {lasts} s");
            }
        }
    }
}

#[test]
fn newcomers_meet_it_over_a_relay_that_was_away() {
    for (seed, kind) in (20..).zip(KINDS) {
        let mut pair = Pair::met(seed, kind, IDS[0]);
        pair.world.stop_relay(pair.relay);
        pair.world.run_for(secs(5));
        pair.world.start_relay(pair.relay);
        pair.world.run_for(secs(60));
        assert!(pair.has_met(secs(0)), "{kind:?}: a relay parts nobody");
        let newcomer = pair.world.add_peer(PeerOptions::default());
        let room = pair.world.join(newcomer, pair.config.clone()).unwrap();
        let has_met = |world: &World| world.members(newcomer, room).len() == 2;
        assert!(pair.world.run_until(secs(130), has_met), "{kind:?}");
    }
}

/// Each may answer what the other offers to anyone, and again what it offers later.
#[test]
fn second_answers_on_a_tracker_lead_to_one_member() {
    for seed in 30..50 {
        for ids in IDS {
            let mut pair = Pair::new(seed, Kind::Tracker, ids, "");
            assert!(pair.has_met(secs(250)), "seed {seed}, {ids:?}");
            pair.world.run_for(secs(300));
            assert!(pair.has_met(secs(0)), "seed {seed}, {ids:?}");
            let load = pair.world.node(pair.ours.0).unwrap().load();
            assert_eq!(load.peers, 1, "seed {seed}, {ids:?}: {load:?}");
        }
    }
}

#[test]
fn two_in_javascript_meet_too() {
    for kind in [Kind::Ws, Kind::Nostr, Kind::Mqtt] {
        let mut pair = Pair::new(60, kind, IDS[0], "secret");
        let other = pair.world.add_js_peer(PeerOptions::default());
        let room = pair.world.join(other, pair.config.clone()).unwrap();
        let has_met = |world: &World| world.members(other, room).len() == 2;
        assert!(pair.world.run_until(secs(70), has_met), "{kind:?}");
    }
}

#[test]
fn a_wrong_password_keeps_it_out() {
    for ids in IDS {
        let mut pair = Pair::new(70, Kind::Ws, ids, "secret");
        let (js, there) = pair.js;
        pair.world.with_js(js, |js, now| js.leave(there, now));
        let wrong = RoomConfig { password: "other".into(), ..pair.config.clone() };
        pair.world.join(js, wrong).unwrap();
        let who = if ids == IDS[0] { js } else { pair.ours.0 };
        let failure = |event: &Event| match event {
            Event::JoinFailed { failure, .. } => Some(failure.code()),
            _ => None,
        };
        assert_eq!(pair.hears(who, secs(70), failure), Some("offer-password"), "{ids:?}");
        assert!(!pair.has_met(secs(30)));
    }
}

#[test]
fn equal_seeds_give_equal_runs() {
    let digest = |seed| {
        let mut pair = Pair::new(seed, Kind::Ws, IDS[0], "secret");
        pair.world.run_for(secs(100));
        pair.world.digest()
    };
    assert_eq!(digest(80), digest(80));
    assert_ne!(digest(80), digest(81));
}
