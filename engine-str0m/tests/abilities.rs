//! What two of ours can do beyond WebRTC as browsers have it: DTLS 1.3, and SCTP that begins in
//! descriptions. Towards all others everything is as ever.

#![allow(clippy::unwrap_used)]

mod harness;

use std::time::Duration;

use harness::foreign::Foreign;
use harness::{World, conn, trickle};
use tristero_proto::ConnId;
use tristero_proto::engine::{DescriptionError, Engine, Proposal};

type End = (usize, ConnId);

const A: End = (0, ConnId::from_number(1));
const B: End = (1, ConnId::from_number(2));

const SNAP: &str = "a=sctp-init:";
const DTLS_13: &str = "a=x-tristero-dtls:1.3\r\n";

fn without(sdp: &str, name: &str) -> String {
    sdp.split_inclusive('\n').filter(|line| !line.starts_with(name)).collect()
}

fn line<'a>(sdp: &'a str, name: &str) -> &'a str {
    sdp.split_inclusive('\n').find(|line| line.starts_with(name)).unwrap()
}

fn version(world: &World, (host, id): End) -> &'static str {
    world.hosts[host].engine.connection_info(id).unwrap().dtls_version.unwrap()
}

fn assert_talk(world: &mut World) {
    world.run_until(|world| world.is_open(A) && world.is_open(B));
    world.assert_delivers(A, B, b"there");
    world.assert_delivers(B, A, b"and back");
}

#[test]
fn two_of_ours_do_both_and_say_so() {
    let mut world = World::new(2);
    let offer = world.offer(0, A.1, trickle()).unwrap();
    assert!(offer.contains(SNAP) && offer.contains(DTLS_13), "{offer}");
    let answer = world.answer(1, B.1, &offer);
    assert!(answer.contains(SNAP) && !answer.contains(DTLS_13), "{answer}");
    world.accept(0, A.1, &answer);
    assert_talk(&mut world);
    assert_eq!([version(&world, A), version(&world, B)], ["DTLS 1.3"; 2]);
}

#[test]
fn an_offer_that_says_nothing_is_answered_as_ever() {
    let mut world = World::new(2);
    let offer = world.offer(0, A.1, trickle()).unwrap();
    let answer = world.answer(1, B.1, &without(&without(&offer, SNAP), "a=x-tristero-dtls:"));
    assert!(!answer.contains(SNAP), "{answer}");
    world.accept(0, A.1, &answer);
    assert_talk(&mut world);
    assert_eq!([version(&world, A), version(&world, B)], ["DTLS 1.2"; 2]);
}

#[test]
fn who_answers_and_begins_dtls_gets_1_2_and_who_waits_for_us_gets_what_it_can() {
    let mut world = World::new(1);
    let mut foreign = Foreign::answer_like_werift(&mut world, A.1);
    foreign.run_until(&mut world, |_, world| world.is_open(A));
    assert_eq!(version(&world, A), "DTLS 1.2");
    let mut world = World::new(1);
    let mut foreign = Foreign::answer_to(&mut world, A.1);
    foreign.run_until(&mut world, |_, world| world.is_open(A));
    assert_eq!(version(&world, A), "DTLS 1.2", "a client says hello to both");
    let mut world = World::new(1);
    let mut foreign = Foreign::offer_to(&mut world, A.1, &["data"]);
    foreign.run_until(&mut world, |_, world| world.is_open(A));
    assert_eq!(version(&world, A), "DTLS 1.2");
}

#[test]
fn nothing_is_open_before_dtls_is() {
    for (deaf, open) in [(0, false), (1, false)] {
        let mut world = World::new(2);
        world.hears_stun_only = Some(deaf);
        world.negotiate(A, B);
        // Longer than it takes to find a path, and not so long that a server runs out of answers.
        world.run_for(Duration::from_secs(1));
        assert_eq!([world.is_open(A), world.is_open(B)], [open; 2], "host {deaf} hears no DTLS");
        world.hears_stun_only = None;
        assert_talk(&mut world);
    }
}

#[test]
fn an_answer_that_repeats_our_own_beginning_does_not_mean_it() {
    let mut world = World::new(2);
    let offer = world.offer(0, A.1, trickle()).unwrap();
    // As libdatachannel does with lines that it does not know.
    let answer = world.answer(1, B.1, &without(&offer, SNAP)) + line(&offer, SNAP);
    world.accept(0, A.1, &answer);
    assert_talk(&mut world);
}

#[test]
fn a_beginning_that_makes_no_sense_is_none() {
    let long = "A".repeat(40_000);
    let zeros = format!("AQAAFA{}", "A".repeat(22));
    for hostile in ["", "AAAA", "%%%%", &long, &zeros, "AgAAGiJOSh8AEAAA/////xZs80iACAAGgsA="] {
        let mut world = World::new(2);
        let offer = world.offer(0, A.1, trickle()).unwrap();
        let changed = without(&offer, SNAP) + SNAP + hostile + "\r\n";
        let answer = world.answer(1, B.1, &changed);
        assert!(!answer.contains(SNAP), "{hostile}");
        world.accept(0, A.1, &(answer + SNAP + hostile + "\r\n"));
        assert_talk(&mut world);
    }
}

#[test]
fn of_two_beginnings_the_first_that_makes_sense_counts() {
    let mut world = World::new(2);
    let offer = world.offer(0, A.1, trickle()).unwrap();
    let ours = line(&offer, SNAP).to_owned();
    let other = world.offer(0, conn(7), trickle()).unwrap();
    let many = [SNAP, "AAAA\r\n", &ours, &line(&other, SNAP).repeat(100)].concat();
    let answer = world.answer(1, B.1, &(without(&offer, SNAP) + &many));
    world.accept(0, A.1, &answer);
    assert_talk(&mut world);
}

#[test]
fn a_beginning_that_is_not_the_peers_leads_nowhere_and_harms_nobody() {
    let mut world = World::new(2);
    let (other, bystander) = ((0, conn(3)), (1, conn(4)));
    world.connect(other, bystander);
    let offer = world.offer(0, A.1, trickle()).unwrap();
    let foreign = world.offer(0, conn(7), trickle()).unwrap();
    let answer = world.answer(1, B.1, &(without(&offer, SNAP) + line(&foreign, SNAP)));
    world.accept(0, A.1, &answer);
    world.run_for(Duration::from_secs(60));
    assert!(!world.is_open(A), "what the other side says is not for it");
    world.assert_delivers(other, bystander, b"nobody else minds");
    world.close(A);
    world.close(B);
}

#[test]
fn a_restart_may_leave_the_beginning_out_but_not_change_it() {
    let mut world = World::new(2);
    world.connect(A, B);
    let now = world.now;
    world.hosts[0].engine.propose(A.1, &Proposal::Restart, now);
    world.drain();
    let offer = world.hosts[0].log(A.1).descriptions.last().unwrap().clone();
    let first = world.hosts[0].log(A.1).descriptions[0].clone();
    assert_eq!(line(&offer, SNAP), line(&first, SNAP), "it is said again");
    let foreign = world.offer(0, conn(7), trickle()).unwrap();
    let changed = without(&offer, SNAP) + line(&foreign, SNAP);
    let refused = world.hosts[1].engine.renegotiate(B.1, &changed, now);
    assert!(matches!(refused, Err(DescriptionError::Invalid(_))), "{refused:?}");
    let answer = world.hosts[1].engine.renegotiate(B.1, &without(&offer, SNAP), now).unwrap();
    world.drain();
    assert!(answer.contains(SNAP), "{answer}");
    world.accept(0, A.1, &without(&answer, SNAP));
    world.run_for(Duration::from_secs(1));
    assert_talk(&mut world);
}

#[test]
fn an_answer_to_an_offer_that_changes_nothing_has_the_beginning_where_it_was_agreed_on() {
    for is_agreed in [true, false] {
        let mut world = World::new(2);
        let offer = world.offer(0, A.1, trickle()).unwrap();
        let offer = if is_agreed { offer } else { without(&offer, SNAP) };
        let first = world.answer(1, B.1, &offer);
        world.accept(0, A.1, &first);
        assert_talk(&mut world);
        let now = world.now;
        let again = world.hosts[1].engine.renegotiate(B.1, &offer, now).unwrap();
        assert_eq!(again.contains(SNAP), is_agreed);
        if is_agreed {
            assert_eq!(line(&again, SNAP), line(&first, SNAP));
        }
    }
}

#[test]
fn a_handshake_is_not_disturbed_by_what_another_connection_says_on_its_path() {
    let mut world = World::new(2);
    let (other, its_peer) = ((0, conn(3)), (1, conn(4)));
    world.connect(other, its_peer);
    world.negotiate(A, B);
    // The path is found, and no hello has come yet.
    world.hears_stun_only = Some(1);
    world.run_for(Duration::from_millis(100));
    world.hears_stun_only = None;
    for _ in 0..200 {
        world.assert_delivers(other, its_peer, b"much");
    }
    assert_talk(&mut world);
    assert_eq!(version(&world, B), "DTLS 1.3");
}
