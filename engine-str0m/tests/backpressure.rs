//! What becomes of messages that don't fit.

#![allow(clippy::unwrap_used)]

mod harness;

use std::time::Duration;

use harness::{World, trickle};
use tristero_proto::ConnId;
use tristero_proto::engine::SendOutcome;

const A: (usize, ConnId) = (0, ConnId::from_number(1));
const B: (usize, ConnId) = (1, ConnId::from_number(2));
const MESSAGE_BYTES_MAX: usize = 256 * 1024;

fn messages(world: &World) -> usize {
    world.hosts[1].log(B.1).messages.len()
}

fn drained(world: &World) -> usize {
    world.hosts[0].log(A.1).drained
}

#[test]
fn a_large_message_that_does_not_fit_is_called_for_when_it_does() {
    let mut world = World::new(2);
    world.connect(A, B);
    // Little enough that half of the buffer stays free, so that nothing crosses the middle.
    assert_eq!(world.send(A, &[1; 50_000]), SendOutcome::Taken);
    let large = vec![2; MESSAGE_BYTES_MAX];
    assert_eq!(world.send(A, &large), SendOutcome::Full);
    assert_eq!(world.send(A, b"small"), SendOutcome::Full, "nobody overtakes");
    world.run_until(|world| drained(world) == 1);
    assert_eq!(world.send(A, &large), SendOutcome::Taken);
    world.run_until(|world| messages(world) == 2);
    assert!(world.hosts[1].log(B.1).messages[1] == large);
    assert_eq!(drained(&world), 1, "nobody waits any more");
}

#[test]
fn a_flood_arrives_whole_and_in_order() {
    let mut world = World::new(2);
    world.connect(A, B);
    let mut sent = 0_u32;
    while sent < 300 {
        let mut message = vec![7; 16_384];
        message[..4].copy_from_slice(&sent.to_be_bytes());
        match world.send(A, &message) {
            SendOutcome::Taken => sent += 1,
            SendOutcome::Full => {
                let before = drained(&world);
                world.run_until(|world| drained(world) > before);
            }
            SendOutcome::Refused => panic!("the connection is open"),
        }
    }
    world.run_until(|world| messages(world) == 300);
    let numbers = world.hosts[1]
        .log(B.1)
        .messages
        .iter()
        .map(|message| u32::from_be_bytes(message[..4].try_into().unwrap()));
    assert!(numbers.eq(0..300));
}

#[test]
fn a_message_that_the_peer_would_not_take_is_refused() {
    let mut world = World::new(2);
    let offer = world.offer(0, A.1, trickle()).unwrap();
    let answer = world.answer(1, B.1, &offer);
    assert!(answer.contains("a=max-message-size:262144\r\n"), "{answer}");
    let smaller = answer.replace("a=max-message-size:262144", "a=max-message-size:1000");
    world.accept(0, A.1, &smaller);
    world.run_until(|world| world.is_open(A) && world.is_open(B));
    assert_eq!(world.send(A, &[1; 1_001]), SendOutcome::Refused);
    world.assert_delivers(A, B, &[1; 1_000]);
    world.assert_delivers(B, A, &[1; 100_000]);
    assert_eq!(world.send(B, &vec![1; MESSAGE_BYTES_MAX + 1]), SendOutcome::Refused);
}

#[test]
fn an_empty_message_is_refused_and_the_channel_goes_on() {
    let mut world = World::new(2);
    world.connect(A, B);
    assert_eq!(world.send(A, b""), SendOutcome::Refused);
    world.assert_delivers(A, B, b"after it");
}

#[test]
fn nothing_can_be_sent_before_the_channel_is_open() {
    let mut world = World::new(2);
    world.negotiate(A, B);
    assert_eq!(world.send(A, b"early"), SendOutcome::Refused);
    world.run_until(|world| world.is_open(A) && world.is_open(B));
    world.assert_delivers(A, B, b"in time");
}

#[test]
fn as_much_is_in_flight_as_fills_the_path() {
    let mut world = World::new(2);
    world.connect(A, B);
    let message = vec![7; 16_384];
    let send_for = |world: &mut World, time: Duration| {
        let (end, before) = (world.now + time, messages(world));
        while world.now < end {
            while world.send(A, &message) == SendOutcome::Taken {}
            let drained_before = drained(world);
            world.run_until(|world| drained(world) > drained_before);
        }
        (messages(world) - before) * message.len()
    };
    send_for(&mut world, Duration::from_millis(300));
    let bytes = send_for(&mut world, Duration::from_millis(200));
    // The receiver's window is 1 MiB, and a round trip takes 10 ms.
    assert!(bytes > 16 * 1024 * 1024, "{bytes} bytes in 200 ms");
}
