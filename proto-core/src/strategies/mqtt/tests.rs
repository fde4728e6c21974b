//! What a session says to a broker, and what it makes of the answers.

use std::time::Duration;

use bytes::Bytes;

use super::session::MqttSession;
use crate::crypto::Topic;
use crate::ids::PeerId;
use crate::rng::Seed;
use crate::signaling::{
    LinkFrame, LinkTarget, Publication, RelaySession, RelayUrl, SessionInput, SessionOutput,
    SessionTerms, Subscription,
};
use crate::time::{Clock, Time};
use crate::wire::{Signal, SignalBody};

const CONNACK: &[u8] = b"\x20\x02\x00\x00";
const PINGREQ: &[u8] = b"\xC0\x00";
const PINGRESP: &[u8] = b"\xD0\x00";
/// `{}` on the topic `t`.
const PUBLISH: &[u8] = b"\x30\x05\x00\x01t{}";

fn session(url: &str) -> MqttSession {
    let seed = Seed::from_number(1);
    MqttSession::new(SessionTerms {
        url: RelayUrl::web_socket(url).unwrap(),
        self_id: PeerId::new("a").unwrap(),
        shared: seed.fork("mqtt"),
        rng: seed.rng("session"),
        clock: Clock { now: Time::ZERO, unix: Duration::ZERO },
    })
}

/// A session that a broker has accepted at [`Time::ZERO`].
fn connected() -> MqttSession {
    let mut session = session("ws://localhost");
    session.handle_input(SessionInput::Opened, Time::ZERO);
    assert_eq!(outputs(&mut session).len(), 1);
    assert_eq!(hear(&mut session, CONNACK, Time::ZERO), []);
    session
}

fn outputs(session: &mut MqttSession) -> Vec<SessionOutput> {
    std::iter::from_fn(|| session.poll_output()).collect()
}

fn hear(session: &mut MqttSession, bytes: &[u8], now: Time) -> Vec<SessionOutput> {
    let frame = LinkFrame::Binary(Bytes::copy_from_slice(bytes));
    session.handle_input(SessionInput::Frame(frame), now);
    outputs(session)
}

fn subscribe(session: &mut MqttSession, topic: &str, now: Time) -> Vec<SessionOutput> {
    let topic = &Topic::from_wire(topic);
    session.handle_input(SessionInput::Subscribe(Subscription { topic, root: topic }), now);
    outputs(session)
}

fn unsubscribe(session: &mut MqttSession, topic: &str, now: Time) -> Vec<SessionOutput> {
    let topic = &Topic::from_wire(topic);
    session.handle_input(SessionInput::Unsubscribe(Subscription { topic, root: topic }), now);
    outputs(session)
}

fn announce(session: &mut MqttSession, now: Time) -> Vec<SessionOutput> {
    let root = &Topic::from_wire("t");
    let from = PeerId::new("a").unwrap();
    let signal = &Signal { from, is_passive: false, body: SignalBody::Announce };
    let publication = Publication { topic: root, root, to: None, signal };
    session.handle_input(SessionInput::Publish(publication), now);
    outputs(session)
}

fn due(session: &mut MqttSession, now: Time) -> Vec<SessionOutput> {
    session.handle_timeout(now);
    outputs(session)
}

fn sent(packet: &[u8]) -> SessionOutput {
    SessionOutput::Send(LinkFrame::Binary(Bytes::copy_from_slice(packet)))
}

fn message() -> SessionOutput {
    SessionOutput::Message { topic: Topic::from_wire("t"), body: "{}".to_owned() }
}

fn has_failed(told: &[SessionOutput]) -> bool {
    matches!(told.last(), Some(SessionOutput::Fail(_)))
}

#[test]
fn an_account_goes_into_connect_and_not_into_the_url() {
    let mut session = session("wss://us%20er:p%40ss@host:8081/mqtt");
    let LinkTarget::WebSocket { url, protocol } = session.target() else { panic!() };
    assert_eq!((url.as_str(), protocol), ("wss://host:8081/mqtt", Some("mqtt")));
    assert!(!format!("{session:?}").contains("p@ss"));
    session.handle_input(SessionInput::Opened, Time::ZERO);
    let told = outputs(&mut session);
    let [SessionOutput::Send(LinkFrame::Binary(connect))] = &told[..] else { panic!("{told:?}") };
    // Level 4; user name, password and clean session; 60 s.
    assert_eq!(connect[..12], *b"\x10\x29\x00\x04MQTT\x04\xC2\x00\x3C");
    assert_eq!(connect[12..14], *b"\x00\x10", "the client id has 16 characters");
    assert_eq!(connect[30..], *b"\x00\x05us er\x00\x04p@ss");
}

#[test]
fn an_account_that_fits_no_packet_is_told() {
    let mut session = session(&format!("ws://{}@localhost", "a".repeat(65_536)));
    session.handle_input(SessionInput::Opened, Time::ZERO);
    assert!(matches!(outputs(&mut session)[..], [SessionOutput::Retire(_)]));
}

#[test]
fn packets_may_be_split_over_frames_and_joined_in_one() {
    let mut session = connected();
    for byte in &PUBLISH[..6] {
        assert_eq!(hear(&mut session, &[*byte], Time::ZERO), []);
    }
    assert_eq!(hear(&mut session, &PUBLISH[6..], Time::ZERO), [message()]);
    let joined = [PUBLISH, PINGRESP, PUBLISH, &PUBLISH[..3]].concat();
    assert_eq!(hear(&mut session, &joined, Time::ZERO), [message(), message()]);
    assert_eq!(hear(&mut session, &PUBLISH[3..], Time::ZERO), [message()]);
}

#[test]
fn a_topic_is_subscribed_once_the_broker_says_so() {
    let mut session = connected();
    let told = subscribe(&mut session, "t", Time::ZERO);
    assert_eq!(told, [sent(b"\x82\x06\x00\x01\x00\x01t\x00")]);
    let subscribed = [SessionOutput::Subscribed(Topic::from_wire("t"))];
    assert_eq!(hear(&mut session, b"\x90\x03\x00\x01\x00", Time::ZERO), subscribed);
    assert_eq!(hear(&mut session, b"\x90\x03\x00\x01\x00", Time::ZERO), [], "once is enough");
    subscribe(&mut session, "u", Time::ZERO);
    let told = hear(&mut session, b"\x90\x03\x00\x02\x80", Time::ZERO);
    assert!(matches!(told[..], [SessionOutput::Refusal(_)]), "{told:?}");
    subscribe(&mut session, "v", Time::ZERO);
    let told = unsubscribe(&mut session, "v", Time::ZERO);
    assert_eq!(told, [sent(b"\xA2\x05\x00\x04\x00\x01v")]);
    assert_eq!(hear(&mut session, b"\x90\x03\x00\x03\x00", Time::ZERO), [], "nobody wants it");
    assert_eq!(hear(&mut session, b"\xB0\x02\x00\x04", Time::ZERO), []);
}

#[test]
fn nothing_is_said_before_the_broker_has_accepted_us_and_all_is_said_again_on_another_link() {
    let mut session = session("ws://localhost");
    let mut ids = Vec::new();
    for _ in 0..2 {
        session.handle_input(SessionInput::Opened, Time::ZERO);
        let told = outputs(&mut session);
        let [SessionOutput::Send(LinkFrame::Binary(connect))] = &told[..] else { panic!() };
        ids.push(connect[14..].to_vec());
        for topic in ["t", "u", "v"] {
            assert_eq!(subscribe(&mut session, topic, Time::ZERO), []);
        }
        assert_eq!(unsubscribe(&mut session, "u", Time::ZERO), []);
        assert_eq!(announce(&mut session, Time::ZERO), []);
        let told = hear(&mut session, CONNACK, Time::ZERO);
        let expected = [
            sent(b"\x82\x06\x00\x01\x00\x01t\x00"),
            sent(b"\x82\x06\x00\x02\x00\x01v\x00"),
            sent(b"\x30\x11\x00\x01t{\"peerId\":\"a\"}"),
        ];
        assert_eq!(told, expected);
        session.handle_input(SessionInput::Closed, Time::ZERO);
        assert_eq!(session.poll_timeout(), None);
    }
    assert_ne!(ids[0], ids[1], "a broker that still has the old link would close the new one");
}

#[test]
fn publishes_that_wait_for_the_broker_are_bounded() {
    let mut session = session("ws://localhost");
    session.handle_input(SessionInput::Opened, Time::ZERO);
    outputs(&mut session);
    for _ in 0..1_000 {
        assert_eq!(announce(&mut session, Time::ZERO), []);
    }
    assert_eq!(hear(&mut session, CONNACK, Time::ZERO).len(), 256);
}

#[test]
fn a_silent_link_is_pinged_and_a_dead_one_is_left() {
    let at = |secs| Time::ZERO + Duration::from_secs(secs);
    let mut session = connected();
    assert_eq!(session.poll_timeout().unwrap().at, at(60));
    announce(&mut session, at(30));
    assert_eq!(hear(&mut session, PUBLISH, at(31)), [message()]);
    assert_eq!(due(&mut session, at(89)), []);
    assert_eq!(session.poll_timeout().unwrap().at, at(90));
    assert_eq!(due(&mut session, at(90)), [sent(PINGREQ)]);
    assert_eq!(hear(&mut session, PINGRESP, at(91)), []);
    assert_eq!(session.poll_timeout().unwrap().at, at(150));
    // What we send does not show that anyone is there.
    announce(&mut session, at(140));
    assert_eq!(session.poll_timeout().unwrap().at, at(151));
    assert_eq!(due(&mut session, at(151)), [sent(PINGREQ)]);
    assert_eq!(due(&mut session, at(165)), []);
    assert!(has_failed(&due(&mut session, at(166))));
    assert_eq!(session.poll_timeout(), None);
}

#[test]
fn a_broker_that_does_not_answer_connect_is_left() {
    let mut session = session("ws://localhost");
    session.handle_input(SessionInput::Opened, Time::ZERO);
    outputs(&mut session);
    let deadline = session.poll_timeout().unwrap();
    assert!(has_failed(&due(&mut session, deadline.at)));
}

#[test]
fn a_wrong_account_retires_a_broker_and_other_refusals_do_not() {
    for (code, retires) in [(1, false), (2, false), (3, false), (4, true), (5, true)] {
        let mut session = session("ws://localhost");
        session.handle_input(SessionInput::Opened, Time::ZERO);
        outputs(&mut session);
        let told = hear(&mut session, &[0x20, 2, 0, code], Time::ZERO);
        let is_so = match told[..] {
            [SessionOutput::Retire(_)] => retires,
            [SessionOutput::Fail(_)] => !retires,
            _ => false,
        };
        assert!(is_so, "{code}: {told:?}");
        assert_eq!(hear(&mut session, PUBLISH, Time::ZERO), [], "nothing more is read");
    }
}

#[test]
fn a_length_beyond_the_bound_ends_the_link_before_anything_is_stored() {
    for length in [&b"\xFF\xFF\xFF\x7F"[..], b"\x80\x80\x80\x01", b"\xFF\xFF\xFF\xFF"] {
        let mut session = connected();
        let told = hear(&mut session, &[b"\x30", length].concat(), Time::ZERO);
        assert!(has_failed(&told), "{told:?}");
        assert_eq!(session.poll_timeout(), None);
    }
    let mut session = connected();
    // One of 1 MiB in all is taken.
    let mut largest = b"\x30\xFC\xFF\x3F\x00\x01t".to_vec();
    largest.resize(1024 * 1024, b' ');
    let told = hear(&mut session, &largest, Time::ZERO);
    assert!(matches!(&told[..], [SessionOutput::Message { .. }]));
}

#[test]
fn what_no_broker_should_send_is_dropped() {
    let broken: [&[u8]; 16] = [
        // QoS 1 and 2, which was not asked for, with id 7 and with none; QoS 3.
        b"\x32\x07\x00\x01t\x00\x07{}",
        b"\x34\x07\x00\x01t\x00\x07{}",
        b"\x32\x05\x00\x01t\x00\x00",
        b"\x34\x05\x00\x01t\x00\x00",
        b"\x34\x03\x00\x01t",
        b"\x36\x07\x00\x01t\x00\x07{}",
        // No topic, a topic that ends too late, a payload that is no text.
        b"\x30\x00",
        b"\x30\x03\x00\x05t",
        b"\x30\x04\x00\x01t\xFF",
        // Another CONNACK, return codes that there are not, and too few or many.
        CONNACK,
        b"\x20\x02\x00\x09",
        b"\x20\x00",
        b"\x90\x02\x00\x01",
        b"\x90\x04\x00\x01\x00\x00",
        // What only clients send, and what does not exist.
        PINGREQ,
        b"\xF0\x00",
    ];
    let mut session = connected();
    for packet in broken {
        let told = hear(&mut session, packet, Time::ZERO);
        assert!(matches!(told[..], [SessionOutput::Malformed(_)]), "{packet:?}: {told:?}");
    }
    assert_eq!(hear(&mut session, PUBLISH, Time::ZERO), [message()]);
    session.handle_input(SessionInput::Frame(LinkFrame::Text("0".to_owned())), Time::ZERO);
    assert!(matches!(outputs(&mut session)[..], [SessionOutput::Malformed(_)]));
}
