use std::time::Duration;

use serde_json::Value;
use tristero_proto::Time;
use tristero_proto::crypto::Topic;
use tristero_proto::signaling::{
    LinkFrame, Publication, RelaySession, RelayUrl, SessionInput, SessionOutput, Strategy as _,
    Subscription,
};
use tristero_proto::strategies::Ipfs;
use tristero_proto::testing::session_terms;
use tristero_proto::wire::Signal;

use crate::capture::{Capture, Kinds, frame, text};

const SCENARIOS: [&str; 3] = ["open", "passive", "password-secret"];
/// Where a request's id is, after the protocol and the field's tag and length.
const REQUEST_ID: std::ops::Range<usize> = 3..39;

fn session() -> Box<dyn RelaySession> {
    Ipfs.session(session_terms(RelayUrl::custom("/ip4/127.0.0.1/tcp/1/ws/p2p/x")))
}

/// What a link makes of a row: the protocol's byte, and the message.
fn link_frame(row: &Value) -> Vec<u8> {
    let protocol = match text(row, "protocol") {
        "/vac/waku/filter-subscribe/2.0.0-beta1" => 1,
        "/vac/waku/lightpush/3.0.0" => 2,
        "/vac/waku/filter-push/2.0.0-beta1" => 3,
        "/vac/waku/metadata/1.0.0" => 4,
        other => panic!("a protocol {other}"),
    };
    let LinkFrame::Binary(message) = frame(row) else { panic!("{row}") };
    [&[protocol][..], &message[..]].concat()
}

fn topic_of(content_topic: &Value) -> Topic {
    let name = content_topic.as_str().unwrap().split('/').nth(1).unwrap();
    Topic::from_wire(name.strip_prefix("trystero-").unwrap())
}

/// What a session sends when it is told this.
fn sent(input: SessionInput<'_>, now: Time) -> Vec<u8> {
    let mut session = session();
    if let SessionInput::Unsubscribe(subscription) = &input {
        session.handle_input(SessionInput::Subscribe(*subscription), now);
        while session.poll_output().is_some() {}
    }
    session.handle_input(input, now);
    match session.poll_output() {
        Some(SessionOutput::Send(LinkFrame::Binary(bytes))) => bytes.to_vec(),
        other => panic!("{other:?}"),
    }
}

/// What ours sends where js-waku sent a request that reads so.
fn ours(decoded: &Value) -> Vec<u8> {
    if let Some(message) = decoded.get("message") {
        let digits = text(message, "payload").strip_prefix("hex:").unwrap();
        let LinkFrame::Binary(payload) = frame(&serde_json::json!({ "bin": digits })) else {
            panic!("{message}")
        };
        let signal = &Signal::parse(std::str::from_utf8(&payload).unwrap()).unwrap();
        let nanos: u64 = text(message, "timestamp").parse().unwrap();
        let start = Duration::from_secs(1_700_000_000);
        let now = Time::from_epoch(Duration::from_nanos(nanos) - start);
        let topic = &topic_of(&message["contentTopic"]);
        let publication = Publication { topic, root: topic, to: None, signal };
        return sent(SessionInput::Publish(publication), now);
    }
    let topic = &topic_of(&decoded["contentTopics"][0]);
    let subscription = Subscription { topic, root: topic };
    let input = match text(decoded, "filterSubscribeType") {
        "SUBSCRIBE" => SessionInput::Subscribe(subscription),
        "UNSUBSCRIBE" => SessionInput::Unsubscribe(subscription),
        other => panic!("a request {other}"),
    };
    sent(input, Time::ZERO)
}

#[test]
fn all_that_a_waku_node_sends_is_read() {
    let mut kinds = Kinds::default();
    for scenario in SCENARIOS {
        let capture = Capture::read(&format!("ipfs/js-libp2p-service-{scenario}.jsonl"));
        let mut session = session();
        for row in capture.rows.iter().filter(|row| row["dir"] == "s2c") {
            let frame = LinkFrame::Binary(link_frame(row).into());
            kinds.hear(&capture, &mut *session, frame);
        }
    }
    kinds.assert_at_least(3, &["announce", "nudge", "offer", "answer"]);
}

#[test]
fn what_is_sent_to_a_waku_node_is_the_same_but_for_the_requests_names() {
    let mut compared = 0;
    for scenario in SCENARIOS {
        let capture = Capture::read(&format!("ipfs/js-libp2p-service-{scenario}.jsonl"));
        for pair in capture.rows.windows(2).filter(|pair| pair[0]["dir"] == "c2s") {
            let mut theirs = link_frame(&pair[0]);
            let decoded = &pair[1]["decoded"];
            if theirs[0] == 4 {
                assert_eq!(sent(SessionInput::Opened, Time::ZERO), theirs);
                continue;
            }
            // js-waku ends several subscriptions at once sometimes; ours never does.
            if decoded["contentTopics"].as_array().is_some_and(|topics| topics.len() > 1) {
                continue;
            }
            let ours = ours(decoded);
            theirs[REQUEST_ID].copy_from_slice(&ours[REQUEST_ID]);
            assert_eq!(ours, theirs, "{decoded}");
            compared += 1;
        }
    }
    assert!(compared > 30, "{compared}");
}
