//! What small messages allocate once everything has its size.

#![allow(clippy::unwrap_used, reason = "a test that can not go on may panic")]

mod world;

use std::future::IntoFuture;

use tristero::{Action, Room, Sent, Unread};
use world::{Inhabitant, World, now, poll};

const MESSAGES: u64 = 100;
/// What grows with the bundles that messages travel in, and not with the messages.
const BUNDLES: u64 = 10;

/// Two peers that have met, and have an action in common.
struct Pair {
    world: World,
    a: Inhabitant,
    b: Inhabitant,
    in_b: Room,
    from: Action<String>,
    at: Action<String>,
    _in_a: Room,
}

/// How often memory was asked for.
struct Allocated {
    to_send: u64,
    to_receive: u64,
}

impl Pair {
    fn new() -> Self {
        let world = World::default();
        let (mut a, mut b) = (world.add(1, Unread::default()), world.add(2, Unread::default()));
        let (in_a, in_b) = world.meet(&mut a, &mut b);
        let (from, at) = (in_a.action("chat").unwrap(), in_b.action("chat").unwrap());
        Pair { world, a, b, in_b, from, at, _in_a: in_a }
    }

    /// Sends texts that are there already, and receives them.
    fn exchange(&mut self, is_targeted: bool) -> Allocated {
        let texts: Vec<String> = (0..MESSAGES).map(|n| format!("{n:0>98}")).collect();
        let to_send = allocation_counter::measure(|| {
            for text in texts {
                let sending = self.from.send(text);
                let sending = if is_targeted { sending.to(self.in_b.self_id()) } else { sending };
                let Sent { delivered, .. } = now(sending.into_future()).unwrap();
                assert_eq!(delivered.len(), 1);
            }
            self.world.run(&mut [&mut self.a]);
        });
        let to_receive = allocation_counter::measure(|| {
            self.world.run(&mut [&mut self.a, &mut self.b]);
            for _ in 0..MESSAGES {
                assert_eq!(now(self.at.recv()).unwrap().unwrap().value.len(), 98);
            }
        });
        assert!(poll(&mut std::pin::pin!(self.at.recv())).is_pending(), "nothing came twice");
        Allocated { to_send: to_send.count_total, to_receive: to_receive.count_total }
    }
}

#[test]
fn a_small_message_allocates_nothing_but_the_text_that_is_received() {
    for is_targeted in [false, true] {
        let mut pair = Pair::new();
        // Queues and tables grow to their size.
        for _ in 0..3 {
            pair.exchange(is_targeted);
        }
        let Allocated { to_send, to_receive } = pair.exchange(is_targeted);
        println!("{MESSAGES} messages: {to_send} allocations to send, {to_receive} to receive");
        assert!(to_send <= BUNDLES, "{to_send} for {MESSAGES} messages");
        assert!(to_receive <= MESSAGES + BUNDLES, "{to_receive} for {MESSAGES} messages");
    }
}
