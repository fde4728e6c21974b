use serde_json::Value;
use tristero_proto::crypto::Topic;
use tristero_proto::signaling::{
    LinkFrame, Publication, RelaySession, RelayUrl, SessionInput, SessionOutput, Strategy as _,
    Subscription,
};
use tristero_proto::strategies::Supabase;
use tristero_proto::testing::session_terms;
use tristero_proto::wire::Signal;
use tristero_proto::{PeerId, Time};

use crate::capture::{Capture, Kinds, text};

const SCENARIOS: [&str; 4] = ["open", "passive", "password-secret", "wrong-password"];

/// One peer of a capture, with the session of ours in its place.
struct Stand {
    capture: Capture,
    peer: &'static str,
    own: [Topic; 2],
    session: Box<dyn RelaySession>,
}

impl Stand {
    fn new(scenario: &str, peer: &'static str) -> Self {
        let capture = Capture::read(&format!("supabase/own-emulator-{scenario}.jsonl"));
        let row = capture.rows.iter().find(|row| row["ev"] == "self" && row["peer"] == peer);
        let id = PeerId::new(text(row.unwrap(), "selfId")).unwrap();
        let self_topic = Topic::of_peer(&capture.app_id, &capture.room_id, &id);
        let url = RelayUrl::web_socket("ws://localhost").unwrap();
        let mut session = Supabase::new("anon-key").session(session_terms(url));
        session.handle_input(SessionInput::Opened, Time::ZERO);
        Stand { own: [capture.root(), self_topic], capture, peer, session }
    }

    /// What ours sends where theirs sent these frames.
    fn sent_in_place_of(&mut self, theirs: &[LinkFrame]) -> Vec<LinkFrame> {
        let mut sent = Vec::new();
        for frame in theirs {
            match frame {
                LinkFrame::Text(text) => self.repeat_text(text),
                LinkFrame::Binary(bytes) => self.repeat_broadcast(bytes),
            }
            while let Some(output) = self.session.poll_output() {
                if let SessionOutput::Send(frame) = output {
                    self.answer(&frame);
                    sent.push(frame);
                }
            }
        }
        sent
    }

    /// Peers' channels are not for us to join and to leave: the session does that.
    fn repeat_text(&mut self, text: &str) {
        let message: Value = serde_json::from_str(text).unwrap();
        let topic = &topic_of(message[2].as_str().unwrap());
        if !self.own.contains(topic) {
            return;
        }
        let subscription = Subscription { topic, root: &self.own[0] };
        let input = match message[3].as_str().unwrap() {
            "phx_join" => SessionInput::Subscribe(subscription),
            "phx_leave" => SessionInput::Unsubscribe(subscription),
            other => panic!("a request {other}"),
        };
        self.session.handle_input(input, Time::ZERO);
    }

    fn repeat_broadcast(&mut self, bytes: &[u8]) {
        let [_, _, topic, event, _, payload] = fields(bytes);
        let (topic, payload) = (&topic_of(&topic), payload.as_str());
        let body = match event.as_str() {
            "join" => payload.to_owned(),
            _ => serde_json::from_str(payload).unwrap(),
        };
        let signal = &Signal::parse(&body).unwrap();
        let publication = Publication { topic, root: &self.own[0], to: None, signal };
        self.session.handle_input(SessionInput::Publish(publication), Time::ZERO);
    }

    /// Says yes to a join.
    fn answer(&mut self, frame: &LinkFrame) {
        let LinkFrame::Text(text) = frame else { return };
        let request: Value = serde_json::from_str(text).unwrap();
        if request[3] == "phx_join" {
            let yes = serde_json::json!({ "status": "ok", "response": {} });
            let reply = serde_json::json!([request[0], request[1], request[2], "phx_reply", yes]);
            let frame = LinkFrame::Text(reply.to_string());
            self.session.handle_input(SessionInput::Frame(frame), Time::ZERO);
        }
    }
}

#[test]
fn all_that_supabase_sends_is_read() {
    let mut kinds = Kinds::default();
    for scenario in SCENARIOS {
        for peer in ["A", "B"] {
            let Stand { capture, own, mut session, .. } = Stand::new(scenario, peer);
            for topic in &own {
                let subscription = Subscription { topic, root: &own[0] };
                session.handle_input(SessionInput::Subscribe(subscription), Time::ZERO);
            }
            for frame in capture.frames(peer, "s2c") {
                kinds.hear(&capture, &mut *session, frame);
            }
        }
    }
    kinds.assert_at_least(3, &["announce", "nudge", "offer", "answer", "candidate"]);
}

#[test]
fn what_is_sent_to_supabase_is_the_same() {
    for scenario in SCENARIOS {
        for peer in ["A", "B"] {
            let mut stand = Stand::new(scenario, peer);
            let theirs = stand.capture.frames(stand.peer, "c2s");
            let ours = stand.sent_in_place_of(&theirs);
            let masked = |frames: &[LinkFrame]| frames.iter().map(masked).collect::<Vec<_>>();
            let (ours, mut theirs) = (masked(&ours), masked(&theirs));
            // Theirs has not got round to its token when it joins first; it is the key that
            // the link has anyway.
            theirs[0][4]["access_token"] = "anon-key".into();
            assert_eq!(ours, theirs, "{scenario} {peer}");
        }
    }
}

/// A frame without the numbers of requests.
fn masked(frame: &LinkFrame) -> Value {
    match frame {
        LinkFrame::Text(text) => {
            let mut message: Value = serde_json::from_str(text).unwrap();
            assert_eq!(message[0].is_string(), message[3] != "heartbeat");
            message[0] = Value::Null;
            message[1] = Value::Null;
            message
        }
        LinkFrame::Binary(bytes) => {
            let [_, _, topic, event, meta, payload] = fields(bytes);
            serde_json::json!([bytes[0], topic, event, meta, bytes[6], payload])
        }
    }
}

/// The texts of a client's broadcast.
fn fields(bytes: &[u8]) -> [String; 6] {
    let (lengths, mut rest) = (&bytes[1..6], &bytes[7..]);
    let mut fields: [String; 6] = Default::default();
    for (field, length) in fields.iter_mut().zip(lengths.iter().map(|length| usize::from(*length)))
    {
        *field = String::from_utf8(rest[..length].to_vec()).unwrap();
        rest = &rest[length..];
    }
    fields[5] = String::from_utf8(rest.to_vec()).unwrap();
    fields
}

fn topic_of(channel: &str) -> Topic {
    let topic = channel.strip_prefix("realtime:room:").unwrap();
    Topic::from_wire(topic.strip_suffix(":messages").unwrap())
}
