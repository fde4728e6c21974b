use serde_json::Value;
use tristero_proto::Time;
use tristero_proto::crypto::Topic;
use tristero_proto::signaling::{
    LinkFrame, Publication, RelaySession, RelayUrl, SessionInput, SessionOutput, Strategy as _,
    Subscription,
};
use tristero_proto::strategies::WsRelay;
use tristero_proto::testing::session_terms;
use tristero_proto::wire::Signal;

use crate::capture::{Capture, Kinds, text};

fn session() -> Box<dyn RelaySession> {
    WsRelay.session(session_terms(RelayUrl::web_socket("ws://localhost").unwrap()))
}

#[test]
fn all_that_a_ws_relay_sends_is_read() {
    let mut kinds = Kinds::default();
    for scenario in ["open", "passive", "password-secret", "wrong-password"] {
        let capture = Capture::read(&format!("ws-relay/trystero-server-{scenario}.jsonl"));
        for frame in ["A", "B"].iter().flat_map(|peer| capture.frames(peer, "s2c")) {
            kinds.hear(&capture, &mut *session(), frame);
        }
    }
    kinds.assert_at_least(3, &["announce", "nudge", "offer", "answer", "candidate"]);
}

#[test]
fn what_is_sent_to_a_ws_relay_is_the_same_text() {
    let capture = Capture::read("ws-relay/trystero-server-open.jsonl");
    for row in capture.rows.iter().filter(|row| row["dir"] == "c2s") {
        let frame: Value = serde_json::from_str(text(row, "text")).unwrap();
        let (topic, root) = (&Topic::from_wire(text(&frame, "topic")), &capture.root());
        let signal = frame["payload"].as_str().map(|body| Signal::parse(body).unwrap());
        let subscription = Subscription { topic, root };
        let input = match text(&frame, "type") {
            "subscribe" => SessionInput::Subscribe(subscription),
            "unsubscribe" => SessionInput::Unsubscribe(subscription),
            "publish" => {
                let signal = signal.as_ref().unwrap();
                SessionInput::Publish(Publication { topic, root, to: None, signal })
            }
            other => panic!("a request of type {other}"),
        };
        let mut session = session();
        session.handle_input(input, Time::ZERO);
        let theirs = LinkFrame::Text(text(row, "text").to_owned());
        assert_eq!(session.poll_output(), Some(SessionOutput::Send(theirs)));
    }
}
