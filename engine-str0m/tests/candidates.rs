//! Candidates of the other side: early, late, useless and too many.

#![allow(clippy::unwrap_used)]

mod harness;

use harness::{World, conn, trickle};
use tristero_proto::engine::Engine;
use tristero_proto::wire::CandidateInit;

/// A description without its candidates.
fn without_candidates(sdp: &str) -> String {
    sdp.split_inclusive("\r\n").filter(|line| !line.starts_with("a=candidate")).collect()
}

fn init(candidate: &str) -> CandidateInit {
    CandidateInit { candidate: candidate.to_owned(), ..CandidateInit::default() }
}

fn ufrag_of(sdp: &str) -> &str {
    sdp.lines().find_map(|line| line.strip_prefix("a=ice-ufrag:")).unwrap()
}

/// Two hosts that agreed on descriptions without any candidates.
fn agreed() -> (World, String) {
    let mut world = World::new(2);
    let offer = world.offer(0, conn(1), trickle()).unwrap();
    let answer = world.answer(1, conn(2), &without_candidates(&offer));
    (world, answer)
}

#[test]
fn candidates_that_come_before_the_answer_wait_for_it() {
    let (mut world, answer) = agreed();
    let now = world.now;
    let early = CandidateInit {
        username_fragment: Some(ufrag_of(&answer).to_owned()),
        ..init("a=candidate:1 1 UDP 2122252543 10.0.0.2 4000 typ host")
    };
    world.hosts[0].engine.add_remote_candidate(conn(1), &early, now);
    world.accept(0, conn(1), &without_candidates(&answer));
    world.run_until(|world| world.is_open((0, conn(1))) && world.is_open((1, conn(2))));
}

#[test]
fn useless_candidates_are_counted_and_do_no_harm() {
    let (mut world, answer) = agreed();
    world.accept(0, conn(1), &without_candidates(&answer));
    let now = world.now;
    let engine = &mut world.hosts[0].engine;
    for useless in [
        "",
        "candidate:1 1 udp 1 0a1b2c3d.local 4000 typ host",
        "candidate:1 1 tcp 1 10.0.0.2 9 typ host tcptype active",
        "candidate:1 2 udp 1 10.0.0.2 4000 typ host",
        "candidate:1 1 udp 1 10.0.0.2 0 typ host",
        "nonsense",
    ] {
        engine.add_remote_candidate(conn(1), &init(useless), now);
    }
    let other_generation = CandidateInit {
        username_fragment: Some("else".to_owned()),
        ..init("candidate:1 1 udp 1 10.0.0.2 4000 typ host")
    };
    engine.add_remote_candidate(conn(1), &other_generation, now);
    assert_eq!(engine.counters().name_candidates, 1);
    assert_eq!(engine.counters().unusable_candidates, 5);
    world.drain();
    assert!(world.sent.is_empty(), "none of them was tried");

    let good = init("candidate:1 1 udp 1 10.0.0.2 4000 typ host generation 0 network-cost 999");
    world.hosts[0].engine.add_remote_candidate(conn(1), &good, now);
    world.run_until(|world| world.is_open((0, conn(1))) && world.is_open((1, conn(2))));
}

#[test]
fn candidates_beyond_the_limit_are_counted_before_and_after_the_answer() {
    let (mut world, answer) = agreed();
    let now = world.now;
    let flood = |world: &mut World, net: u8| {
        for n in 0..=255 {
            let candidate = init(&format!("candidate:1 1 udp 1 10.9.{net}.{n} 4000 typ host"));
            world.hosts[0].engine.add_remote_candidate(conn(1), &candidate, now);
        }
    };
    flood(&mut world, 0);
    assert_eq!(world.hosts[0].engine.counters().surplus_candidates, 128);
    world.accept(0, conn(1), &answer);
    flood(&mut world, 1);
    // The answer brought one more than there is room for, with those that waited.
    assert_eq!(world.hosts[0].engine.counters().surplus_candidates, 128 + 1 + 256);
    world.run_until(|world| world.is_open((0, conn(1))) && world.is_open((1, conn(2))));
}

#[test]
fn candidates_in_a_description_pass_the_same_rules() {
    let mut world = World::new(2);
    let offer = world.offer(0, conn(1), trickle()).unwrap();
    let useless = "a=candidate:2 1 tcp 1 10.0.0.2 9 typ host tcptype active generation 0\r\n\
                   a=candidate:3 1 udp 1 0a1b.local 5 typ host generation 0 network-cost 999\r\n\
                   a=candidate:nonsense\r\na=end-of-candidates\r\n";
    let answer = world.answer(1, conn(2), &format!("{offer}{useless}"));
    assert_eq!(world.hosts[1].engine.counters().name_candidates, 1);
    assert_eq!(world.hosts[1].engine.counters().unusable_candidates, 2);
    world.accept(0, conn(1), &answer);
    world.run_until(|world| world.is_open((0, conn(1))) && world.is_open((1, conn(2))));
}

#[test]
fn a_peer_whose_addresses_are_unknown_is_reached_once_it_reaches_us() {
    let mut world = World::new(2);
    let offer = world.offer(0, conn(1), trickle()).unwrap();
    let answer = world.answer(1, conn(2), &offer);
    world.accept(0, conn(1), &without_candidates(&answer));
    world.run_until(|world| world.is_open((0, conn(1))) && world.is_open((1, conn(2))));
    world.run_for(std::time::Duration::from_secs(5));
    let info = world.hosts[0].engine.connection_info(conn(1)).unwrap();
    assert_eq!(info.candidate_kinds, ("host", "prflx"));
    assert_eq!(info.path.unwrap().remote, world.hosts[1].address);
    assert_eq!(info.rtt, Some(harness::LATENCY * 2));
    assert_eq!(info.dtls_version, Some("DTLS 1.3"));
    assert!(info.bytes_received > 1_000 && info.bytes_sent > 1_000, "{info:?}");
}
