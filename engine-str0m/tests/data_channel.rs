//! Which data channel counts, and what peers do with it.

#![allow(clippy::unwrap_used)]

mod harness;

use std::time::Duration;

use harness::foreign::Foreign;
use harness::{World, conn};
use tristero_proto::ConnId;
use tristero_proto::engine::{CloseReason, Engine, SendOutcome};

const A: (usize, ConnId) = (0, ConnId::from_number(1));
const B: (usize, ConnId) = (1, ConnId::from_number(2));

#[test]
fn the_answerer_may_speak_before_the_offerer_knows_that_the_channel_is_open() {
    let mut world = World::new(2);
    world.negotiate(A, B);
    world.run_until(|world| world.is_open(B));
    assert!(!world.is_open(A), "the acknowledgement is on its way");
    for message in [&b"one"[..], b"two"] {
        assert_eq!(world.send(B, message), SendOutcome::Taken);
    }
    // The harness asserts that a connection opens before its first message.
    world.run_until(|world| world.hosts[0].log(A.1).messages.len() == 2);
    assert_eq!(world.hosts[0].log(A.1).messages, [&b"one"[..], b"two"]);
}

#[test]
fn an_answerer_that_waits_for_sctp_like_werift_is_not_waited_for() {
    let mut world = World::new(1);
    let mut foreign = Foreign::answer_like_werift(&mut world, conn(1));
    foreign.run_until(&mut world, |foreign, world| {
        world.is_open(A) && foreign.channel("data").is_some()
    });
    foreign.write("data", true, b"hello");
    foreign.run_until(&mut world, |_, world| !world.hosts[0].log(A.1).messages.is_empty());
    assert_eq!(world.send(A, &[1; 65_536]), SendOutcome::Taken);
    assert_eq!(world.send(A, &[1; 65_537]), SendOutcome::Refused);
}

#[test]
fn a_channel_that_the_answerer_opens_is_closed_and_changes_nothing() {
    let mut world = World::new(1);
    let mut foreign = Foreign::answer_to(&mut world, conn(1));
    foreign.open("data");
    foreign.run_until(&mut world, |_, world| {
        world.is_open(A) && world.hosts[0].engine.counters().surplus_channels == 1
    });
    assert_eq!(world.send(A, b"over the first"), SendOutcome::Taken);
    foreign.run_until(&mut world, |foreign, _| {
        foreign.events.iter().any(|event| matches!(event, str0m::Event::ChannelClose(_)))
    });
    foreign.run_for(&mut world, Duration::from_secs(1));
    assert!(world.closed(A).is_empty());
    let arrived = foreign.events.iter().filter_map(|event| match event {
        str0m::Event::ChannelData(data) => Some(data.data.clone()),
        _ => None,
    });
    assert_eq!(arrived.collect::<Vec<_>>(), [b"over the first"]);
}

#[test]
fn only_the_label_data_counts_and_only_once() {
    let mut world = World::new(1);
    let mut foreign = Foreign::offer_to(&mut world, conn(1), &["chat"]);
    foreign
        .run_until(&mut world, |_, world| world.hosts[0].engine.counters().surplus_channels == 1);
    assert!(!world.is_open(A));
    foreign.open("data");
    foreign.run_until(&mut world, |_, world| world.is_open(A));
    foreign.open("data");
    foreign
        .run_until(&mut world, |_, world| world.hosts[0].engine.counters().surplus_channels == 2);
    assert!(world.closed(A).is_empty());
}

#[test]
fn a_peer_that_opens_channel_after_channel_is_cut() {
    let mut world = World::new(1);
    let mut foreign = Foreign::offer_to(&mut world, conn(1), &["data"]);
    foreign.run_until(&mut world, |_, world| world.is_open(A));
    for _ in 0..16 {
        foreign.open("more");
    }
    foreign
        .run_until(&mut world, |_, world| world.hosts[0].engine.counters().surplus_channels == 16);
    assert!(world.closed(A).is_empty());
    foreign.open("too much");
    foreign.run_until(&mut world, |_, world| world.closed(A) == [CloseReason::Failed]);
}

#[test]
fn text_is_ignored_and_counted() {
    let mut world = World::new(1);
    let mut foreign = Foreign::offer_to(&mut world, conn(1), &["data"]);
    foreign.run_until(&mut world, |foreign, world| {
        world.is_open(A) && foreign.channel("data").is_some()
    });
    foreign.write("data", false, b"text");
    foreign.write("data", true, b"binary");
    foreign.run_until(&mut world, |_, world| !world.hosts[0].log(A.1).messages.is_empty());
    assert_eq!(world.hosts[0].log(A.1).messages, [&b"binary"[..]]);
    assert_eq!(world.hosts[0].engine.counters().text_messages, 1);
}

#[test]
fn a_peer_that_closes_the_channel_ends_the_connection() {
    let mut world = World::new(1);
    let mut foreign = Foreign::offer_to(&mut world, conn(1), &["data"]);
    foreign.run_until(&mut world, |foreign, world| {
        world.is_open(A) && foreign.channel("data").is_some()
    });
    let channel = foreign.channel("data").unwrap();
    foreign.rtc.direct_api().close_data_channel(channel);
    foreign.run_until(&mut world, |_, world| world.closed(A) == [CloseReason::Remote]);
    foreign.run_until(&mut world, |foreign, _| {
        foreign.events.iter().any(|event| matches!(event, str0m::Event::Closed))
    });
}

#[test]
fn a_peer_that_closes_is_heard_and_hears_us() {
    let mut world = World::new(2);
    world.connect(A, B);
    world.close(B);
    assert_eq!(world.closed(B), [CloseReason::Local]);
    world.run_until(|world| !world.closed(A).is_empty());
    assert_eq!(world.closed(A), [CloseReason::Remote]);
    assert_eq!(world.send(A, b"late"), SendOutcome::Refused);
    assert_eq!(world.hosts[0].engine.connection_info(A.1), None);
}

#[test]
fn a_certificate_that_was_not_announced_ends_the_connection() {
    let mut world = World::new(2);
    let offer = world.offer(0, A.1, harness::trickle()).unwrap();
    let at = offer.find("a=fingerprint:sha-256 ").unwrap() + "a=fingerprint:sha-256 ".len();
    let mut other = offer.clone();
    let byte = if offer[at..].starts_with("00") { "11" } else { "00" };
    other.replace_range(at..at + 2, byte);
    let answer = world.answer(1, B.1, &other);
    world.accept(0, A.1, &answer);
    world.run_until(|world| !world.closed(B).is_empty());
    assert_eq!(world.closed(B), [CloseReason::Failed]);
    assert!(!world.is_open(A) && !world.is_open(B));
}

#[test]
fn what_was_sent_before_the_end_arrives_though_both_arrive_at_once() {
    for (sender, receiver) in [(A, B), (B, A)] {
        let mut world = World::new(2);
        world.connect(A, B);
        world.run_for(Duration::from_secs(1));
        assert_eq!(world.send(sender, b"last words"), SendOutcome::Taken);
        world.close(sender);
        world.run_until(|world| !world.closed(receiver).is_empty());
        let log = world.hosts[receiver.0].log(receiver.1);
        assert_eq!(log.messages, [&b"last words"[..]]);
        assert_eq!(log.closed, [CloseReason::Remote]);
    }
}
