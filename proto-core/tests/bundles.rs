//! Small messages that are sent in one go, as one message between two of ours.

#![allow(clippy::unwrap_used, reason = "a test that can not go on may panic")]

#[cfg(target_arch = "wasm32")]
#[macro_use]
extern crate tristero_wasm_harness;

mod common;

use std::time::Duration;

use common::{Who, World, room};
use tristero_proto::wire::{Capabilities, Frame, Hello, Payload};
use tristero_proto::{Event, RoomKey};

const SECOND: Duration = Duration::from_secs(1);

/// Two that have met, the second of which takes messages of `chat` and `talk`.
fn met() -> (World, Who, Who, RoomKey) {
    let (mut world, ann, bob, key) = World::met(&room("app", "room"));
    world.register(bob, key, "chat");
    world.register(bob, key, "talk");
    // The hellos are there too.
    world.run_for(SECOND);
    (world, ann, bob, key)
}

fn numbers(messages: u32) -> Vec<Payload> {
    (0..messages).map(|number| Payload::Text(number.to_string())).collect()
}

fn received(world: &World, who: Who) -> Vec<Payload> {
    world.messages(who).into_iter().map(|message| message.payload).collect()
}

fn sent(world: &World, who: Who) -> usize {
    world.events(who).iter().filter(|event| matches!(event, Event::Sent { .. })).count()
}

#[test]
fn a_hundred_messages_are_one_and_arrive_in_their_order() {
    let (mut world, ann, bob, key) = met();
    let before = world.transmits(ann);
    numbers(100).into_iter().for_each(|number| world.send(ann, key, "chat", number));
    assert_eq!(sent(&world, ann), 100, "each is over at once");
    assert_eq!(world.transmits(ann), before, "others may follow");
    let now = world.now;
    world.with(ann, |node| node.handle_timeout(now));
    assert_eq!(world.transmits(ann), before + 1);
    world.run_for(SECOND);
    assert_eq!(received(&world, bob), numbers(100));
}

#[test]
fn to_others_each_message_is_one() {
    let (mut world, ann, bob, key) = met();
    let mut hello = Vec::new();
    let capabilities = Capabilities(Capabilities::OURS.0 & !Capabilities::BUNDLES);
    Frame::emit_hello(Hello { capabilities, secret: None }, &mut hello);
    world.forge(bob, ann, &hello);
    world.run_for(SECOND);
    let before = world.transmits(ann);
    numbers(10).into_iter().for_each(|number| world.send(ann, key, "chat", number));
    assert_eq!(world.transmits(ann), before + 10);
    world.run_for(SECOND);
    assert_eq!(received(&world, bob), numbers(10));
}

#[test]
fn large_messages_and_those_of_other_actions_keep_their_place() {
    let (mut world, ann, bob, key) = met();
    let large = || Payload::Binary(vec![7; 50_000].into());
    for number in numbers(20) {
        world.send(ann, key, "chat", number.clone());
        world.send(ann, key, "chat", large());
        world.send(ann, key, "talk", number);
    }
    world.run_for(SECOND);
    let of = |action: &str| -> Vec<Payload> {
        let messages = world.messages(bob).into_iter();
        messages.filter(|m| m.action.as_str() == action).map(|m| m.payload).collect()
    };
    assert_eq!(of("talk"), numbers(20));
    let expected: Vec<Payload> = numbers(20).into_iter().flat_map(|n| [n, large()]).collect();
    assert_eq!(of("chat"), expected);
}

#[test]
fn what_was_sent_arrives_before_the_goodbye() {
    let (mut world, ann, bob, key) = met();
    numbers(10).into_iter().for_each(|number| world.send(ann, key, "chat", number));
    world.leave(ann, key);
    world.run_for(SECOND);
    assert!(world.has_left(bob, ann));
    assert_eq!(received(&world, bob), numbers(10));
}

#[test]
fn what_was_sent_arrives_before_a_node_is_shut_down() {
    let (mut world, ann, bob, key) = met();
    numbers(10).into_iter().for_each(|number| world.send(ann, key, "chat", number));
    let now = world.now;
    world.with(ann, |node| node.shut_down(now));
    world.run_for(SECOND);
    assert_eq!(received(&world, bob), numbers(10));
}

#[test]
fn nothing_is_lost_while_a_connection_takes_no_more() {
    let (mut world, ann, bob, key) = met();
    world.isolate(bob);
    // Far more than is taken while nothing arrives, and less than may wait.
    numbers(3_000).into_iter().for_each(|number| world.send(ann, key, "chat", number));
    for _ in 0..20 {
        world.send(ann, key, "chat", Payload::Binary(vec![7; 100_000].into()));
        world.run_for(Duration::from_millis(1));
    }
    world.reconnect(bob);
    world.run_for(SECOND);
    let received = received(&world, bob);
    assert_eq!(received.len(), 3_020);
    assert_eq!(received[..3_000], numbers(3_000));
    assert_eq!(sent(&world, ann), 3_020);
}

#[test]
fn a_bundle_that_is_cut_off_is_an_offence_and_nothing_of_it_is_taken() {
    let (mut world, ann, bob, key) = met();
    let dropped = world.node(bob).dropped(key);
    let mut forged = vec![4, 0, 1, b't', 0, 36];
    forged.extend([b'a'; 36]);
    forged.extend([0, 40, 1]);
    world.forge(ann, bob, &forged);
    world.run_for(SECOND);
    assert_eq!(received(&world, bob), []);
    assert_eq!(world.node(bob).dropped(key), dropped, "it names no room");
    assert!(!world.has_left(bob, ann), "one is forgiven");
    world.send(ann, key, "chat", "still here");
    world.run_for(SECOND);
    assert_eq!(received(&world, bob), ["still here".into()]);
}
