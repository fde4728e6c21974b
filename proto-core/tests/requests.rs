//! Requests between members: each ends in one way, and only one.

#![allow(clippy::unwrap_used, reason = "a test that can not go on may panic")]

#[cfg(target_arch = "wasm32")]
#[macro_use]
extern crate tristero_wasm_harness;

mod common;

use std::time::Duration;

use common::{Who, World, action, room};
use serde_json::json;
use tristero_proto::wire::Payload;
use tristero_proto::{
    ActionKind, ActionOptions, Event, PeerId, RegisterError, RequestFailure, RequestOptions,
    RespondError, RoomKey, limits,
};

/// Two members; the second has registered `ask` for requests.
fn met() -> (World, Who, Who, RoomKey) {
    let (mut world, a, b, key) = World::met(&room("app", "room"));
    world.register_requests(b, key, "ask");
    (world, a, b, key)
}

fn to(world: &World, who: Who) -> RequestOptions {
    RequestOptions::to(world.id(who))
}

fn failures(world: &World, who: Who) -> Vec<RequestFailure> {
    world.responses(who).into_iter().filter_map(|(_, result)| result.err()).collect()
}

#[test]
fn a_request_and_its_response_carry_values_of_every_kind_and_metadata() {
    let (mut world, a, b, key) = met();
    let binary: Payload = vec![7; 100_000].into();
    for payload in [Payload::from("text"), json!({ "x": 1 }).into(), binary, json!(null).into()] {
        let metadata = Some(json!(["meta"]));
        let options = RequestOptions { metadata: metadata.clone(), ..to(&world, b) };
        let request = world.request(a, key, "ask", payload.clone(), options);
        world.run_until(|world| !world.requests(b).is_empty());
        let asked = world.requests(b).remove(0);
        assert_eq!((&asked.payload, &asked.metadata), (&payload, &metadata));
        world.respond(b, key, asked.call, Ok(asked.payload));
        world.run_until(|world| !world.responses(a).is_empty());
        let (answered, result) = world.responses(a).remove(0);
        assert_eq!((answered, result.unwrap().payload), (request, payload));
        world.take_events(a);
        world.take_events(b);
    }
}

#[test]
fn a_request_is_rejected_with_the_words_of_its_handler() {
    let (mut world, a, b, key) = met();
    let options = to(&world, b);
    world.request(a, key, "ask", "?", options);
    world.run_until(|world| !world.requests(b).is_empty());
    let call = world.requests(b)[0].call;
    world.respond(b, key, call, Err("ü".repeat(limits::REJECTION_BYTES_MAX)));
    world.run_until(|world| !world.responses(a).is_empty());
    let [RequestFailure::Rejected(why)] = &failures(&world, a)[..] else { panic!() };
    assert_eq!(why.len(), limits::REJECTION_BYTES_MAX, "the rest is cut off");
}

#[test]
fn time_runs_out_from_the_end_of_sending_and_a_late_response_is_dropped() {
    let (mut world, a, b, key) = met();
    let timeout = Some(Duration::from_millis(400));
    let options = RequestOptions { timeout, ..to(&world, b) };
    world.request(a, key, "ask", vec![0; 4_000_000], options);
    world.run_until(|world| !world.requests(b).is_empty());
    assert!(world.responses(a).is_empty(), "sending takes longer than the timeout");
    world.run_until(|world| !world.responses(a).is_empty());
    assert_eq!(failures(&world, a), [RequestFailure::TimedOut]);
    let call = world.requests(b)[0].call;
    world.take_events(a);
    world.respond(b, key, call, Ok("late".into()));
    world.run_for(Duration::from_secs(1));
    assert_eq!(world.events(a), []);
}

#[test]
fn without_a_handler_a_request_is_held_for_half_a_second() {
    let (mut world, a, b, key) = met();
    world.register_as(b, key, "later", ActionKind::Request { handled: false });
    let options = to(&world, b);
    world.request(a, key, "later", "in time", options.clone());
    world.run_for(Duration::from_millis(400));
    world.register_requests(b, key, "later");
    assert_eq!(world.requests(b)[0].payload, Payload::from("in time"));
    world.register_as(b, key, "later", ActionKind::Request { handled: false });
    world.request(a, key, "later", "in vain", options);
    let asked = world.now;
    world.run_until(|world| !world.responses(a).is_empty());
    assert_eq!(failures(&world, a), [RequestFailure::NoHandler]);
    assert!(world.now.since(asked) >= Duration::from_millis(500));
    assert_eq!(world.requests(b).len(), 1);
}

#[test]
fn what_nobody_registered_is_held_and_a_message_action_takes_it_as_a_message() {
    let (mut world, a, b, key) = met();
    let options = to(&world, b);
    world.request(a, key, "unknown", "?", options);
    world.run_for(Duration::from_secs(60));
    assert_eq!(world.responses(a), [], "there is no answer and no default timeout");
    world.register(b, key, "unknown");
    let metadata = world.messages(b)[0].metadata.clone().unwrap();
    assert_eq!(metadata["r"].as_str().unwrap().len(), 20);
}

#[test]
fn a_message_on_an_action_for_requests_is_dropped_and_counted() {
    let (mut world, a, b, key) = met();
    let before = world.node(b).dropped(key);
    world.send(a, key, "ask", "no request");
    world.run_for(Duration::from_secs(1));
    assert_eq!(world.node(b).dropped(key) - before, 1);
    assert_eq!(world.requests(b), []);
}

#[test]
fn a_peer_that_leaves_answers_nothing_and_both_sides_hear_of_it_before_it_is_gone() {
    let (mut world, a, b, key) = met();
    world.register_requests(a, key, "ask");
    let (to_a, to_b) = (to(&world, a), to(&world, b));
    world.request(a, key, "ask", "?", to_b);
    world.request(b, key, "ask", "?", to_a);
    world.run_until(|world| !world.requests(a).is_empty() && !world.requests(b).is_empty());
    let call = world.requests(a)[0].call;
    world.take_events(a);
    world.leave(b, key);
    world.run_until(|world| world.has_left(a, b));
    assert_eq!(failures(&world, a), [RequestFailure::Disconnected]);
    assert!(world.events(a).contains(&Event::CallEnded { room: key, call }));
    assert!(matches!(world.events(a).last(), Some(Event::PeerLeft { .. })));
    let now = world.now;
    let late = world.with(a, |node| node.respond(key, call, Ok("late".into()), now));
    assert_eq!(late, Err(RespondError::Over));
}

#[test]
fn one_that_is_not_there_is_disconnected_at_once() {
    let (mut world, a, _, key) = met();
    let stranger = PeerId::new("stranger").unwrap();
    world.request(a, key, "ask", "?", RequestOptions::to(stranger));
    assert_eq!(failures(&world, a), [RequestFailure::Disconnected]);
}

#[test]
fn an_aborted_request_says_nothing_more_and_stops_being_sent() {
    let (mut world, a, b, key) = met();
    let options = to(&world, b);
    let request = world.request(a, key, "ask", vec![0; 4_000_000], options.clone());
    world.run_for(Duration::from_millis(20));
    let now = world.now;
    world.with(a, |node| node.abort_request(key, request, now));
    let second = world.request(a, key, "ask", "second", options);
    world.run_until(|world| !world.requests(b).is_empty());
    assert_eq!(world.requests(b)[0].payload, Payload::from("second"), "the first never came");
    let call = world.requests(b)[0].call;
    world.respond(b, key, call, Ok("!".into()));
    world.run_until(|world| !world.responses(a).is_empty());
    assert_eq!(world.responses(a)[0].0, second);
}

#[test]
fn a_large_response_does_not_hold_up_a_small_one() {
    let (mut world, a, b, key) = met();
    let options = to(&world, b);
    let large = world.request(a, key, "ask", "large", options.clone());
    let small = world.request(a, key, "ask", "small", options);
    world.run_until(|world| world.requests(b).len() == 2);
    let calls: Vec<_> = world.requests(b).iter().map(|request| request.call).collect();
    world.respond(b, key, calls[0], Ok(vec![0; 4_000_000].into()));
    world.respond(b, key, calls[1], Ok("small".into()));
    world.run_until(|world| world.responses(a).len() == 2);
    let order: Vec<_> = world.responses(a).into_iter().map(|(request, _)| request).collect();
    assert_eq!(order, [small, large]);
}

#[test]
fn a_response_is_not_given_up_while_its_peer_is_there() {
    let (mut world, a, b, key) = met();
    let options = to(&world, b);
    world.request(a, key, "ask", "a", options);
    world.run_until(|world| world.requests(b).len() == 1);
    world.stalls.insert(a);
    let call = world.requests(b)[0].call;
    world.respond(b, key, call, Ok(vec![1; 2_000_000].into()));
    world.run_for(limits::SEND_STALL_MAX * 2);
    let is_over = world.events(b).iter().any(|event| matches!(event, Event::Sent { .. }));
    assert!(!is_over, "it waits until the connection takes it");
}

#[test]
fn more_requests_than_may_be_open_are_rejected_at_once() {
    let (mut world, a, b, key) = met();
    let options = to(&world, b);
    for _ in 0..=limits::CALLS_MAX {
        world.request(a, key, "ask", "?", options.clone());
    }
    world.run_until(|world| !world.responses(a).is_empty());
    assert_eq!(failures(&world, a), [RequestFailure::Rejected("too many requests".into())]);
    assert_eq!(world.requests(b).len(), limits::CALLS_MAX);
    let call = world.requests(b)[0].call;
    world.respond(b, key, call, Ok("!".into()));
    world.request(a, key, "ask", "?", options);
    world.run_until(|world| world.requests(b).len() > limits::CALLS_MAX);
}

#[test]
fn a_name_is_used_for_one_kind_of_action() {
    let (mut world, _, b, key) = met();
    let now = world.now;
    let options = ActionOptions::default();
    let again = world.with(b, |node| node.register(key, &action("ask"), options, now));
    assert_eq!(again, Err(RegisterError::OtherKind(action("ask"))));
}

#[test]
fn pings_are_answered_in_order_and_a_peer_that_leaves_owes_no_answer() {
    let (mut world, a, b, key) = met();
    let (id, now) = (world.id(b), world.now);
    let first = world.with(a, |node| node.ping(key, &id, now)).unwrap();
    let second = world.with(a, |node| node.ping(key, &id, now)).unwrap();
    world.run_for(Duration::from_secs(1));
    let pongs = |world: &World| -> Vec<_> {
        let pong = |event: &Event| match event {
            Event::Pong { ping, rtt, .. } => Some((*ping, *rtt)),
            _ => None,
        };
        world.events(a).iter().filter_map(pong).collect()
    };
    let rtt = Some(Duration::from_millis(10));
    assert_eq!(pongs(&world), [(first, rtt), (second, rtt)]);
    world.network_is_cut = true;
    let now = world.now;
    let third = world.with(a, |node| node.ping(key, &id, now)).unwrap();
    world.run_until(|world| world.has_left(a, b));
    assert_eq!(pongs(&world)[2], (third, None));
    assert!(matches!(world.events(a).last(), Some(Event::PeerLeft { .. })));
}
