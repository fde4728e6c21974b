//! Random walks: nodes come and go at random, everything takes as long as it likes, and in the end
//! all meet. Each walk follows from its seed.

#![allow(clippy::unwrap_used, reason = "a test that can not go on may panic")]

#[cfg(target_arch = "wasm32")]
#[macro_use]
extern crate tristero_wasm_harness;

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use common::{Who, World, room};
use tristero_proto::{Event, JoinFailure, PeerId, Rng, RoomConfig, RoomKey, Seed};

const STEPS: usize = 40;
const PAUSES: [u64; 6] = [0, 5, 20, 100, 400, 3_000];
/// The last visit may come too late for a burst, so that a heartbeat has to be waited for.
const PATIENCE: Duration = Duration::from_secs(90);

/// Who is where, and whom each was told of.
struct Walk {
    world: World,
    rng: Rng,
    keys: BTreeMap<(Who, usize), RoomKey>,
    members: BTreeMap<(Who, RoomKey), BTreeSet<PeerId>>,
    configs: Vec<RoomConfig>,
    seed: u64,
}

impl Walk {
    fn new(seed: u64, nodes: usize, configs: Vec<RoomConfig>) -> (Self, Vec<Who>) {
        let mut world = World::new();
        let source = Seed::from_number(seed);
        world.jitter = Some((source.rng("jitter"), Duration::from_millis(100)));
        let all = (0..nodes).map(|n| world.add(&format!("peer{n}"))).collect();
        let (keys, members) = (BTreeMap::new(), BTreeMap::new());
        (Walk { world, rng: source.rng("walk"), keys, members, configs, seed }, all)
    }

    fn pick(&mut self, count: usize) -> usize {
        usize::try_from(self.rng.below(count as u64)).unwrap()
    }

    /// Joins the room, or leaves it if it was joined.
    fn toggle(&mut self, who: Who, index: usize) {
        if let Some(key) = self.keys.remove(&(who, index)) {
            self.check(who);
            self.world.leave(who, key);
            assert_eq!(self.world.take_events(who), [], "nothing follows leave");
            self.members.remove(&(who, key));
        } else {
            let key = self.world.join(who, self.configs[index].clone());
            self.world.register(who, key, "x");
            self.keys.insert((who, index), key);
        }
    }

    /// Holds what a node said against the promises of its events.
    fn check(&mut self, who: Who) {
        let seed = self.seed;
        for event in self.world.take_events(who) {
            match event {
                Event::PeerJoined { room, peer } => {
                    let is_new = self.members.entry((who, room)).or_default().insert(peer);
                    assert!(is_new, "walk {seed}: joined twice");
                }
                Event::PeerLeft { room, peer, .. } => {
                    let was_there = self.members.entry((who, room)).or_default().remove(&peer);
                    assert!(was_there, "walk {seed}: left without having joined");
                }
                Event::Message { room, peer, .. } => {
                    let members = self.members.entry((who, room)).or_default();
                    assert!(members.contains(&peer), "walk {seed}: a message of a stranger");
                }
                Event::JoinFailed { failure, .. } => {
                    assert_ne!(failure, JoinFailure::PasswordProof, "walk {seed}");
                }
                _ => {}
            }
        }
    }
}

fn walk(seed: u64, nodes: usize, configs: Vec<RoomConfig>) {
    let rooms = configs.len();
    let (mut walk, all) = Walk::new(seed, nodes, configs);
    for _ in 0..STEPS {
        let (who, index) = (all[walk.pick(nodes)], walk.pick(rooms));
        walk.toggle(who, index);
        for ((who, _), key) in walk.keys.clone() {
            if walk.pick(3) == 0 {
                walk.world.send(who, key, "x", "hello");
            }
        }
        let pause = PAUSES[walk.pick(PAUSES.len())];
        walk.world.run_for(Duration::from_millis(pause));
        all.iter().for_each(|who| walk.check(*who));
    }
    for who in &all {
        for index in 0..rooms {
            if !walk.keys.contains_key(&(*who, index)) {
                walk.toggle(*who, index);
            }
        }
    }
    walk.world.run_for(PATIENCE);
    for ((who, index), key) in &walk.keys {
        let met = walk.world.node(*who).peers(*key).count();
        assert_eq!(met, nodes - 1, "walk {seed}: {who:?} in room {index}");
    }
}

#[test]
fn two_that_share_rooms_always_end_up_together() {
    for seed in 0..60 {
        walk(seed, 2, vec![room("app", "one"), room("app", "two")]);
    }
}

#[test]
fn so_do_they_with_passwords() {
    let private = |name| RoomConfig { password: "secret".into(), ..room("app", name) };
    for seed in 0..60 {
        walk(seed, 2, vec![private("one"), private("two")]);
    }
}

#[test]
fn so_do_three_in_three_rooms() {
    for seed in 0..40 {
        walk(seed, 3, vec![room("app", "one"), room("app", "two"), room("app", "three")]);
    }
}
