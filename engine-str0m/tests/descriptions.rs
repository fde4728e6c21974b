//! Descriptions of other implementations, and ours as they need them.

#![allow(clippy::unwrap_used)]

mod harness;

use harness::{World, conn, trickle};
use tristero_proto::engine::{CloseReason, DescriptionError, Engine};

/// What JavaScript peers sent, by field.
fn captured(field: &str) -> Vec<String> {
    let vectors = include_str!("../../proto-core/tests/wire/vectors.json");
    let vectors: serde_json::Value = serde_json::from_str(vectors).unwrap();
    let samples = vectors["liveSamples"].as_array().unwrap();
    let texts = samples.iter().filter(|sample| sample["field"] == field);
    texts.filter_map(|sample| sample["plaintext"].as_str()).map(str::to_owned).collect()
}

fn value<'a>(sdp: &'a str, attribute: &str) -> &'a str {
    sdp.lines().find_map(|line| line.strip_prefix(attribute)).unwrap()
}

#[test]
fn every_captured_offer_is_answered_as_a_browser_expects_it() {
    let offers = captured("offer");
    assert!(offers.len() > 10);
    let mut world = World::new(1);
    for (number, offer) in (1..).zip(&offers) {
        let answer = world.answer(0, conn(number), offer);
        assert_eq!(value(&answer, "a=mid:"), value(offer, "a=mid:"));
        assert_eq!(value(&answer, "a=group:BUNDLE "), value(offer, "a=mid:"));
        assert_eq!(value(&answer, "a=setup:"), "passive");
        assert_eq!(value(&answer, "a=sctp-port:"), "5000");
        assert_eq!(value(&answer, "a=max-message-size:"), "262144");
        assert!(answer.contains("m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"));
        assert!(answer.contains(" 10.0.0.1 4000 typ host"), "{answer}");
        assert_eq!(answer.matches("m=").count(), 1);
        assert!(answer.ends_with("\r\n"));
    }
    assert_eq!(world.hosts[0].engine.counters().unusable_candidates, 0);
}

#[test]
fn every_captured_answer_is_taken() {
    let answers = captured("answer");
    assert!(answers.len() > 3);
    let mut world = World::new(1);
    for (number, answer) in (1..).zip(&answers) {
        let offer = world.offer(0, conn(number), trickle()).unwrap();
        let mid = value(&offer, "a=mid:").to_owned();
        let answer = answer.replace("a=mid:0", &format!("a=mid:{mid}"));
        world.accept(0, conn(number), &answer);
    }
    world.run_for(std::time::Duration::from_secs(1));
    assert!(world.sent.iter().any(|sent| sent.path.remote.ip().to_string() == "192.0.2.2"));
}

#[test]
fn an_offer_of_ours_is_what_browsers_take() {
    let mut world = World::new(1);
    let offer = world.offer(0, conn(1), trickle()).unwrap();
    for line in [
        "v=0\r\n",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n",
        "a=setup:actpass\r\n",
        "a=ice-options:trickle\r\n",
        "a=sctp-port:5000\r\n",
        "a=max-message-size:262144\r\n",
    ] {
        assert!(offer.contains(line), "{line:?} in {offer}");
    }
    assert!(offer.contains("a=fingerprint:sha-256 "));
    assert_eq!(value(&offer, "a=group:BUNDLE "), value(&offer, "a=mid:"));
    assert!(value(&offer, "a=ice-ufrag:").len() >= 4 && value(&offer, "a=ice-pwd:").len() >= 22);
    let other = world.offer(0, conn(2), trickle()).unwrap();
    assert_ne!(value(&offer, "a=ice-ufrag:"), value(&other, "a=ice-ufrag:"));
    assert_eq!(value(&offer, "a=fingerprint:"), value(&other, "a=fingerprint:"));
}

#[test]
fn an_answer_is_taken_once_and_only_by_who_offered() {
    let mut world = World::new(2);
    world.connect((0, conn(1)), (1, conn(2)));
    let answer = world.hosts[1].log(conn(2)).descriptions[0].clone();
    let now = world.now;
    let again = world.hosts[0].engine.accept_answer(conn(1), &answer, now);
    assert_eq!(again, Err(DescriptionError::Unexpected));
    let to_the_answerer = world.hosts[1].engine.accept_answer(conn(2), &answer, now);
    assert_eq!(to_the_answerer, Err(DescriptionError::Unexpected));
    world.assert_delivers((0, conn(1)), (1, conn(2)), b"nothing happened");
}

#[test]
fn an_answer_that_does_not_fit_the_offer_is_invalid_and_a_better_one_is_taken() {
    let mut world = World::new(2);
    let offer = world.offer(0, conn(1), trickle()).unwrap();
    let answer = world.answer(1, conn(2), &offer);
    let mid = value(&answer, "a=mid:").to_owned();
    let now = world.now;
    for wrong in [
        answer.replace("a=setup:passive", "a=setup:actpass"),
        answer.replace(&format!("a=mid:{mid}"), "a=mid:other"),
        answer.replace("m=application 9", "m=application 0"),
        answer.replace("a=fingerprint", "a=thumbprint"),
        format!("{answer}m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"),
    ] {
        let refused = world.hosts[0].engine.accept_answer(conn(1), &wrong, now);
        assert!(matches!(refused, Err(DescriptionError::Invalid(_))), "{wrong}");
    }
    world.accept(0, conn(1), &answer);
    world.run_until(|world| world.is_open((0, conn(1))) && world.is_open((1, conn(2))));
}

#[test]
fn an_offer_that_is_refused_leaves_its_id_free() {
    let mut world = World::new(2);
    let offer = world.offer(0, conn(1), trickle()).unwrap();
    let now = world.now;
    let engine = &mut world.hosts[1].engine;
    for wrong in [
        offer.replace("a=ice-pwd", "a=ice-password"),
        // str0m would take this, and panic when it writes its first check.
        offer.replace("a=ice-ufrag:", &format!("a=ice-ufrag:{}", "x".repeat(2_000))),
        offer.replace("webrtc-datachannel\r\n", &"a=x\r\n".repeat(20_000)),
    ] {
        let refused = engine.answer(conn(2), &wrong, trickle(), now);
        assert!(matches!(refused, Err(DescriptionError::Invalid(_))), "{refused:?}");
    }
    assert_eq!(engine.poll_timeout(), None);
    assert!(engine.poll_output().is_none());
    let answer = world.answer(1, conn(2), &offer);
    world.accept(0, conn(1), &answer);
    world.run_until(|world| world.is_open((0, conn(1))) && world.is_open((1, conn(2))));
}

#[test]
fn an_offer_that_nobody_answers_can_be_closed() {
    let mut world = World::new(1);
    world.offer(0, conn(1), trickle());
    world.run_for(std::time::Duration::from_secs(120));
    assert!(world.closed((0, conn(1))).is_empty(), "its owner decides how long to wait");
    world.close((0, conn(1)));
    assert_eq!(world.closed((0, conn(1))), [CloseReason::Local]);
    assert_eq!(world.hosts[0].engine.poll_timeout(), None);
}

#[test]
fn the_longest_credentials_that_are_taken_are_no_trouble() {
    let mut world = World::new(2);
    let offer = world.offer(0, conn(1), trickle()).unwrap();
    let ufrag = value(&offer, "a=ice-ufrag:").to_owned();
    let long = offer.replace(&ufrag, &"x".repeat(100));
    let password = value(&offer, "a=ice-pwd:").to_owned();
    world.answer(1, conn(2), &long.replace(&password, &"y".repeat(256)));
    world.run_for(std::time::Duration::from_secs(1));
    assert!(world.sent.iter().any(|sent| sent.path.local == world.hosts[1].address));
}
