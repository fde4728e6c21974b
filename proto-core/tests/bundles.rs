//! Small messages that are sent in one go, as one message between two of ours.

#![allow(clippy::unwrap_used, reason = "a test that can not go on may panic")]

#[cfg(target_arch = "wasm32")]
#[macro_use]
extern crate tristero_wasm_harness;

mod common;

use std::time::Duration;

use common::{Who, World, room};
use tristero_proto::crypto::RoomToken;
use tristero_proto::wire::{Capabilities, Frame, Hello, Payload};
use tristero_proto::{Event, RoomKey, limits};

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
    let before = world.transmits(ann);
    // Of each round one waits for the others of its turn, and one is many chunks.
    let large = || Payload::Binary(vec![7; 100_000].into());
    for number in numbers(40) {
        world.send(ann, key, "chat", number);
        world.send(ann, key, "chat", large());
        world.run_for(Duration::from_millis(1));
    }
    assert!(world.transmits(ann) - before < 40 * 7, "it takes no more");
    assert!(sent(&world, ann) < 80);
    world.reconnect(bob);
    world.run_for(SECOND);
    let expected: Vec<Payload> = numbers(40).into_iter().flat_map(|n| [n, large()]).collect();
    assert_eq!(received(&world, bob), expected);
    assert_eq!(sent(&world, ann), 80);
}

/// A bundle of two messages on `chat`.
fn bundle() -> Vec<u8> {
    let token = RoomToken::of_room("app", "room");
    let mut bundle = vec![4, 0, u8::try_from(token.as_bytes().len()).unwrap()];
    bundle.extend(token.as_bytes());
    for nonce in [7, 8] {
        let mut chunk = [&b"chat"[..], &[0; 28], &[0, nonce, 1, 255], b"forged"].concat();
        bundle.extend(u16::try_from(chunk.len()).unwrap().to_be_bytes());
        bundle.append(&mut chunk);
    }
    bundle
}

#[test]
fn a_bundle_that_is_cut_off_is_an_offence_and_nothing_of_it_is_taken() {
    let (mut world, ann, bob, _) = met();
    let whole = bundle();
    world.forge(ann, bob, &whole);
    world.run_for(SECOND);
    assert_eq!(received(&world, bob), ["forged".into(), "forged".into()]);
    let cut_off = &whole[..whole.len() - 1];
    for _ in 0..limits::OFFENCES_MAX {
        world.forge(ann, bob, cut_off);
    }
    world.run_for(Duration::from_millis(100));
    assert_eq!(received(&world, bob).len(), 2);
    assert!(!world.has_left(bob, ann), "so many are forgiven");
    for _ in 0..100 {
        world.forge(ann, bob, cut_off);
    }
    world.run_for(SECOND);
    assert!(world.has_left(bob, ann), "it is cut");
}

#[test]
fn what_follows_a_goodbye_in_a_bundle_is_not_heard() {
    let (mut world, ann, bob, _) = met();
    let mut bundle = bundle();
    let at = bundle.windows(4).position(|window| window == b"chat").unwrap();
    bundle[at..at + 7].copy_from_slice(b"@_leave");
    world.forge(ann, bob, &bundle);
    world.run_for(SECOND);
    assert!(world.has_left(bob, ann));
    assert_eq!(received(&world, bob), []);
}
