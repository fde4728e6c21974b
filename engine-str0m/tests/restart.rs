//! ICE restarts: a connection that stands gets another path. And media, which it does not get.

#![allow(clippy::unwrap_used)]

mod harness;

use std::net::SocketAddr;
use std::time::Duration;

use harness::{World, conn, trickle};
use tristero_proto::ConnId;
use tristero_proto::engine::{DescriptionError, Engine, EngineInput, Proposal, SendOutcome};

type End = (usize, ConnId);

fn new_address() -> SocketAddr {
    "10.0.0.9:4000".parse().unwrap()
}

/// Takes the address of host 0 away and gives it another one.
fn move_host(world: &mut World) {
    let old = world.hosts[0].address;
    world.hosts[0].address = new_address();
    world.input(0, EngineInput::AddressRemoved(old));
    world.input(0, EngineInput::AddressAdded(new_address()));
}

/// The last description of one end.
fn description(world: &World, (host, id): End) -> String {
    world.hosts[host].log(id).descriptions.last().unwrap().clone()
}

fn offer(world: &mut World, (host, id): End) -> String {
    let now = world.now;
    world.hosts[host].engine.propose(id, &Proposal::Restart, now);
    world.drain();
    description(world, (host, id))
}

fn answer(world: &mut World, (host, id): End, offer: &str) -> String {
    let now = world.now;
    let answer = world.hosts[host].engine.renegotiate(id, offer, now).unwrap();
    world.drain();
    answer
}

fn connected() -> (World, End, End) {
    let mut world = World::new(2);
    let (a, b) = ((0, conn(1)), (1, conn(2)));
    world.connect(a, b);
    (world, a, b)
}

#[test]
fn a_connection_whose_address_is_gone_says_so_once_there_is_another() {
    let (mut world, a, _) = connected();
    let old = world.hosts[0].address;
    world.input(0, EngineInput::AddressRemoved(old));
    assert_eq!(world.hosts[0].log(a.1).stranded, 0, "there is nowhere to begin");
    world.hosts[0].address = new_address();
    world.input(0, EngineInput::AddressAdded(new_address()));
    assert_eq!(world.hosts[0].log(a.1).stranded, 1);
    world.input(0, EngineInput::AddressAdded("10.0.0.8:4000".parse().unwrap()));
    assert_eq!(world.hosts[0].log(a.1).stranded, 1);
}

#[test]
fn a_restart_moves_a_connection_to_another_address_and_loses_nothing() {
    for offerer in [0, 1] {
        let (mut world, a, b) = connected();
        assert_eq!(world.send(b, b"on its way to nowhere"), SendOutcome::Taken);
        move_host(&mut world);
        let (x, y) = if offerer == 0 { (a, b) } else { (b, a) };
        let offer = offer(&mut world, x);
        let answer = answer(&mut world, y, &offer);
        world.accept(x.0, x.1, &answer);
        world.run_for(Duration::from_secs(2));
        let received = &world.hosts[0].log(a.1).messages;
        assert_eq!(received.back().map(|bytes| &bytes[..]), Some(&b"on its way to nowhere"[..]));
        world.assert_delivers(a, b, b"from the new address");
        world.assert_delivers(b, a, b"to the new address");
        let path = world.hosts[0].engine.connection_info(a.1).unwrap().path.unwrap();
        assert_eq!(path.local, new_address());
        world.run_for(Duration::from_secs(120));
        assert!(world.is_open(a) && world.is_open(b));
    }
}

#[test]
fn a_connection_may_be_restarted_many_times() {
    let (mut world, a, b) = connected();
    for round in 0..50 {
        let (x, y) = if round % 2 == 0 { (a, b) } else { (b, a) };
        let offer = offer(&mut world, x);
        let answer = answer(&mut world, y, &offer);
        world.accept(x.0, x.1, &answer);
        world.run_for(Duration::from_millis(500));
        world.assert_delivers(a, b, b"one way");
        world.assert_delivers(b, a, b"the other");
    }
}

#[test]
fn credentials_of_restarts_are_new_and_ours() {
    let (mut world, a, b) = connected();
    let first = description(&world, a);
    let ufrag = |sdp: &str| {
        let line = sdp.lines().find(|line| line.starts_with("a=ice-ufrag:"));
        line.unwrap().to_owned()
    };
    let offer = offer(&mut world, a);
    let answer = answer(&mut world, b, &offer);
    assert_ne!(ufrag(&first), ufrag(&offer));
    // The number of the connection stands before six characters that are drawn.
    for (sdp, number) in [(offer, "1"), (answer, "2")] {
        let ufrag = ufrag(&sdp);
        assert_eq!(ufrag.len(), "a=ice-ufrag:".len() + number.len() + 6, "{ufrag}");
        assert!(ufrag["a=ice-ufrag:".len()..].starts_with(number), "{ufrag}");
    }
}

#[test]
fn a_restart_that_nobody_answers_changes_nothing() {
    let (mut world, a, b) = connected();
    let _ = offer(&mut world, a);
    world.run_for(Duration::from_secs(30));
    world.assert_delivers(a, b, b"one way");
    world.assert_delivers(b, a, b"the other");
    let now = world.now;
    let unasked = description(&world, b);
    let taken = world.hosts[1].engine.accept_answer(b.1, &unasked, now);
    assert!(taken.is_err());
    world.assert_delivers(b, a, b"still there");
}

#[test]
fn of_two_restarts_at_once_the_one_that_is_answered_stands() {
    let (mut world, a, b) = connected();
    let ours = offer(&mut world, a);
    let theirs = offer(&mut world, b);
    // b gives its own up for that of a.
    let answer = answer(&mut world, b, &ours);
    world.accept(a.0, a.1, &answer);
    let now = world.now;
    assert!(world.hosts[1].engine.accept_answer(b.1, &answer, now).is_err(), "{theirs}");
    world.run_for(Duration::from_secs(1));
    world.assert_delivers(a, b, b"one way");
    world.assert_delivers(b, a, b"the other");
}

#[test]
fn a_restart_of_somebody_else_is_refused_and_the_connection_goes_on() {
    let (mut world, a, b) = connected();
    let offer = offer(&mut world, a);
    let fingerprint = offer.lines().find(|line| line.starts_with("a=fingerprint:")).unwrap();
    let foreign = fingerprint.replace(|digit: char| digit.is_ascii_digit(), "A");
    let ufrag = offer.lines().find(|line| line.starts_with("a=ice-ufrag:")).unwrap();
    let now = world.now;
    for bad in [
        offer.replace(fingerprint, &foreign),
        offer.replace(ufrag, "a=ice-ufrag:x"),
        offer.replace("a=mid:", "a=mid:x"),
        String::new(),
    ] {
        let taken = world.hosts[1].engine.renegotiate(b.1, &bad, now);
        assert!(matches!(taken, Err(DescriptionError::Invalid(_))), "{taken:?}");
    }
    let unknown = world.hosts[1].engine.renegotiate(conn(9), &offer, now);
    assert_eq!(unknown, Err(DescriptionError::Unexpected));
    world.assert_delivers(a, b, b"one way");
    world.assert_delivers(b, a, b"the other");
}

#[test]
fn media_that_is_offered_is_refused_and_the_connection_goes_on() {
    let (mut world, a, b) = connected();
    // A description of a, as it would be with a track.
    let offer = description(&world, a)
        + "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=sendrecv\r\n";
    let now = world.now;
    let answer = world.hosts[b.0].engine.renegotiate(b.1, &offer, now).unwrap();
    assert!(answer.contains("m=audio 0 UDP/TLS/RTP/SAVPF 111\r\n"), "{answer}");
    let lines = |sdp: &str, of: &str| -> Vec<String> {
        sdp.lines().filter(|line| line.starts_with(of)).map(str::to_owned).collect()
    };
    // The data channel is described as it was at first.
    let first = world.hosts[b.0].log(b.1).descriptions[0].clone();
    for of in ["a=ice-ufrag:", "a=ice-pwd:", "a=fingerprint:", "a=setup:", "a=max-message-size:"] {
        assert_eq!(lines(&answer, of), lines(&first, of), "{of}");
    }
    let foreign = offer.replace("a=mid:", "a=mid:x");
    assert!(world.hosts[1].engine.renegotiate(b.1, &foreign, now).is_err());
    world.assert_delivers(a, b, b"one way");
    world.assert_delivers(b, a, b"the other");
}

#[test]
fn a_connection_that_is_not_open_is_not_restarted() {
    let mut world = World::new(2);
    let offer = world.offer(0, conn(1), trickle()).unwrap();
    let now = world.now;
    world.hosts[0].engine.propose(conn(1), &Proposal::Restart, now);
    world.drain();
    assert_eq!(world.hosts[0].log(conn(1)).descriptions.len(), 1);
    let taken = world.hosts[0].engine.renegotiate(conn(1), &offer, now);
    assert_eq!(taken, Err(DescriptionError::Unexpected));
}

/// What is said arrives before it would be said again.
fn assert_talk_at_once(world: &mut World, a: End, b: End) {
    let began = world.now;
    for round in 0..5 {
        world.assert_delivers(a, b, format!("one way at {began:?}, {round}").as_bytes());
        world.assert_delivers(b, a, format!("the other at {began:?}, {round}").as_bytes());
    }
    let took = world.now.since(began);
    assert!(took < Duration::from_millis(500), "{took:?}");
}

#[test]
fn a_restart_while_the_path_lives_interrupts_nothing() {
    for offerer in [0, 1] {
        let (mut world, a, b) = connected();
        let (x, y) = if offerer == 0 { (a, b) } else { (b, a) };
        let offer = offer(&mut world, x);
        let answer = answer(&mut world, y, &offer);
        // One side is ahead for as long as the answer takes.
        assert_talk_at_once(&mut world, a, b);
        world.accept(x.0, x.1, &answer);
        assert_talk_at_once(&mut world, a, b);
        world.run_for(Duration::from_secs(60));
        for (host, id) in [a, b] {
            let info = world.hosts[host].engine.connection_info(id).unwrap();
            assert_eq!((info.restarts, info.is_offerer), (1, host == 0));
        }
    }
}

#[test]
fn candidates_after_a_restart_that_was_given_up_belong_to_what_stands() {
    let (mut world, a, _) = connected();
    let first = description(&world, a);
    let offer = offer(&mut world, a);
    let now = world.now;
    world.hosts[0].engine.roll_back(a.1, now);
    world.input(0, EngineInput::AddressAdded(new_address()));
    let candidate = world.hosts[0].log(a.1).candidates.last().unwrap().clone();
    let ufrag = format!("a=ice-ufrag:{}\r\n", candidate.username_fragment.unwrap());
    assert!(first.contains(&ufrag) && !offer.contains(&ufrag), "{ufrag}");
}

#[test]
fn descriptions_after_media_was_refused_still_name_it() {
    let (mut world, a, b) = connected();
    let media = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\n";
    let now = world.now;
    let with_media = description(&world, a) + media;
    world.hosts[1].engine.renegotiate(b.1, &with_media, now).unwrap();
    let offer = offer(&mut world, b);
    assert!(offer.contains("m=audio 0 UDP/TLS/RTP/SAVPF 111\r\n"), "{offer}");
    assert!(offer.contains("a=rtpmap"), "JavaScript would not heed it: {offer}");
    // A browser restarts and offers more at once.
    let restart = self::offer(&mut world, a) + media + &media.replace("mid:1", "mid:2");
    let answer = answer(&mut world, b, &restart);
    assert_eq!(answer.matches("m=audio 0 ").count(), 2, "{answer}");
    world.accept(a.0, a.1, &answer);
    world.run_for(Duration::from_secs(1));
    world.assert_delivers(a, b, b"one way");
    world.assert_delivers(b, a, b"the other");
}
