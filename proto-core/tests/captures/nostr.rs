use serde_json::{Value, json};
use tristero_proto::Time;
use tristero_proto::crypto::Topic;
use tristero_proto::signaling::{
    LinkFrame, Publication, RelaySession, RelayUrl, SessionInput, SessionOutput, Strategy as _,
    Subscription,
};
use tristero_proto::strategies::Nostr;
use tristero_proto::testing::session_terms;
use tristero_proto::wire::Signal;

use crate::capture::{Capture, Kinds, text};

const SCENARIOS: [&str; 10] = [
    "nostr-rs-relay-open",
    "nostr-rs-relay-passive",
    "nostr-rs-relay-password-secret",
    "nostr-rs-relay-wrong-password",
    "py-nostr-relay-open",
    "py-nostr-relay-passive",
    "py-nostr-relay-password-secret",
    "py-nostr-relay-wrong-password",
    "npm-nostr-relay-core-open",
    "crate-nostr-relay-builder-open",
];

#[test]
fn all_that_four_nostr_relays_send_is_read() {
    for (server, scenarios) in [
        ("nostr-rs-relay", &["open", "passive", "password-secret", "wrong-password"][..]),
        ("py-nostr-relay", &["open", "passive", "password-secret", "wrong-password"]),
        ("npm-nostr-relay-core", &["open"]),
        ("crate-nostr-relay-builder", &["open"]),
    ] {
        let mut kinds = Kinds::default();
        for scenario in scenarios {
            let capture = Capture::read(&format!("nostr/{server}-{scenario}.jsonl"));
            let url = RelayUrl::web_socket("ws://localhost").unwrap();
            let mut session = Nostr.session(session_terms(url));
            for frame in ["A", "B"].iter().flat_map(|peer| capture.frames(peer, "s2c")) {
                kinds.hear(&capture, &mut *session, frame);
            }
        }
        kinds.assert_at_least(1, &["announce", "offer", "answer", "candidate"]);
    }
}

/// What differs from run to run is masked: times, keys, signatures and names of subscriptions, of
/// which the length stays.
fn masked(mut message: Value) -> Value {
    let mask = |value: &mut Value| {
        *value = value.as_str().map_or(json!("number"), |text| json!(text.len()));
    };
    if message[0] == "EVENT" {
        for key in ["created_at", "pubkey", "id", "sig"] {
            mask(&mut message[1][key]);
        }
    } else {
        mask(&mut message[1]);
    }
    if let Some(filter) = message.get_mut(2).and_then(Value::as_object_mut) {
        mask(&mut filter["since"]);
        for key in ["kinds", "#x"] {
            // The order of what is listened to says nothing.
            let mut all = filter[key].as_array().unwrap().clone();
            all.sort_by_key(Value::to_string);
            filter[key] = all.into();
        }
    }
    message
}

fn keys(message: &Value) -> Vec<Vec<&String>> {
    let objects = message.as_array().unwrap().iter().filter_map(Value::as_object);
    objects.map(|object| object.keys().collect()).collect()
}

fn sent(session: &mut dyn RelaySession) -> Value {
    session.handle_timeout(Time::ZERO);
    let outputs = std::iter::from_fn(|| session.poll_output());
    let message = |output| match output {
        SessionOutput::Send(LinkFrame::Text(text)) => serde_json::from_str(&text).ok(),
        _ => None,
    };
    let messages: Vec<Value> = outputs.filter_map(message).collect();
    assert_eq!(messages.len(), 1, "one message for each");
    messages.into_iter().next().unwrap()
}

/// Does what the captured client did when it sent this.
fn act(session: &mut dyn RelaySession, root: &Topic, theirs: &Value) {
    match theirs[0].as_str().unwrap() {
        "REQ" => {
            for topic in theirs[2]["#x"].as_array().unwrap() {
                let topic = &Topic::from_wire(topic.as_str().unwrap());
                let subscription = Subscription { topic, root };
                session.handle_input(SessionInput::Subscribe(subscription), Time::ZERO);
            }
        }
        "EVENT" => {
            let topic = &Topic::from_wire(theirs[1]["tags"][0][1].as_str().unwrap());
            let signal = &Signal::parse(text(&theirs[1], "content")).unwrap();
            let publication = Publication { topic, root, to: None, signal };
            session.handle_input(SessionInput::Publish(publication), Time::ZERO);
        }
        "CLOSE" => {
            // A subscription ends with its last topic.
            let subscription = Subscription { topic: root, root };
            session.handle_input(SessionInput::Subscribe(subscription), Time::ZERO);
            sent(session);
            session.handle_input(SessionInput::Unsubscribe(subscription), Time::ZERO);
        }
        other => panic!("a client that sends {other}"),
    }
}

#[test]
fn what_is_sent_to_a_nostr_relay_is_the_same_but_for_keys_and_times() {
    for name in SCENARIOS {
        let capture = Capture::read(&format!("nostr/{name}.jsonl"));
        for row in capture.rows.iter().filter(|row| row["dir"] == "c2s") {
            let theirs: Value = serde_json::from_str(text(row, "text")).unwrap();
            let url = RelayUrl::web_socket("ws://localhost").unwrap();
            let mut session = Nostr.session(session_terms(url));
            session.handle_input(SessionInput::Opened, Time::ZERO);
            act(&mut *session, &capture.root(), &theirs);
            let ours = sent(&mut *session);
            assert_eq!(keys(&ours), keys(&theirs), "{name}");
            assert_eq!(masked(ours), masked(theirs), "{name}");
        }
    }
}
