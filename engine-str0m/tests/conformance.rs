//! The suite that every engine runs.

#![allow(clippy::disallowed_methods)]

use std::time::Instant;

use tristero_proto::Seed;
use tristero_proto::testing::conformance;
use tristero_str0m::Str0mEngine;

fn make(seed: &Seed) -> Str0mEngine {
    Str0mEngine::new(seed, Instant::now())
}

#[test]
fn connects_and_exchanges_messages_with_trickle() {
    conformance::connects_and_exchanges_messages(make, true);
}

#[test]
fn connects_and_exchanges_messages_without_trickle() {
    conformance::connects_and_exchanges_messages(make, false);
}

#[test]
fn trickles_an_address_that_is_found_later() {
    conformance::trickles_an_address_that_is_found_later(make);
}

#[test]
fn waits_for_an_address_without_trickle() {
    conformance::waits_for_an_address_without_trickle(make);
}

#[test]
fn pushes_back_and_says_when_it_is_drained() {
    conformance::pushes_back_and_says_when_it_is_drained(make);
}

#[test]
fn closes_audibly_and_once() {
    conformance::closes_audibly_and_once(make);
}

#[test]
fn notices_a_silent_peer() {
    conformance::notices_a_silent_peer(make);
}

#[test]
fn refuses_what_is_no_description() {
    conformance::refuses_what_is_no_description(make);
}

#[test]
fn ignores_ids_that_name_nothing() {
    conformance::ignores_ids_that_name_nothing(make);
}

#[test]
fn survives_datagrams_from_strangers() {
    conformance::survives_datagrams_from_strangers(make);
}

#[test]
fn sends_tracks_and_ends_them() {
    conformance::sends_tracks_and_ends_them(make);
}

#[test]
fn gives_up_what_it_proposed() {
    conformance::gives_up_what_it_proposed(make);
}

#[test]
fn ends_all_tracks_before_the_connection() {
    conformance::ends_all_tracks_before_the_connection(make);
}
