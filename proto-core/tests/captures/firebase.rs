use std::collections::BTreeMap;

use serde_json::Value;
use tristero_proto::crypto::Topic;
use tristero_proto::signaling::{
    LinkFrame, Publication, RelaySession, SessionInput, SessionOutput, Strategy as _, Subscription,
};
use tristero_proto::strategies::Firebase;
use tristero_proto::testing::session_terms;
use tristero_proto::wire::Signal;
use tristero_proto::{PeerId, Time};

use crate::capture::{Capture, text};

const SCENARIOS: [&str; 4] = ["open", "passive", "password-secret", "wrong-password"];

/// A request of one peer in a capture.
#[derive(Clone, Debug, PartialEq)]
struct Request {
    action: String,
    /// The keys within the room.
    path: Vec<String>,
    /// All of it, without its number.
    text: String,
}

impl Request {
    /// Whom it announces, if it announces anyone.
    fn announced(&self) -> Option<PeerId> {
        let message: Value = serde_json::from_str(&self.text).unwrap();
        let announce = message["d"]["b"]["d"].get("_")?;
        Some(Signal::parse(&announce.to_string()).unwrap().from)
    }
}

/// Whether a request is of a sort, for a peer with this self topic.
type IsOfSort = fn(&Request, &str) -> bool;

/// One peer of a capture, played by a session of ours: it hears what the peer heard, and is told to
/// do what the peer did.
struct Player<'a> {
    capture: &'a Capture,
    session: Box<dyn RelaySession>,
    root: Topic,
    own: Topic,
    me: PeerId,
    heard: BTreeMap<&'static str, usize>,
    sent: Vec<Request>,
}

fn read(capture: &Capture, frame: &str) -> Option<Request> {
    let mut message: Value = serde_json::from_str(frame).ok()?;
    let content = message["d"].as_object_mut()?;
    content.shift_remove("r")?;
    let action = content["a"].as_str()?.to_owned();
    let path = content["b"]["p"].as_str().unwrap_or_default();
    let room = format!("/__trystero__/{}", capture.root());
    let path = path.strip_prefix(&room).unwrap_or_default();
    let path = path.split('/').filter(|key| !key.is_empty()).map(str::to_owned).collect();
    Some(Request { action, path, text: message.to_string() })
}

impl<'a> Player<'a> {
    fn new(capture: &'a Capture, peer: &str) -> Self {
        // What the events call A has the links of B in one of the captures.
        let frames = capture.frames(peer, "c2s").into_iter().filter_map(|frame| match frame {
            LinkFrame::Text(frame) => read(capture, &frame),
            LinkFrame::Binary(_) => None,
        });
        let me = frames.filter_map(|request| request.announced()).next().unwrap();
        let firebase = Firebase::default();
        let mut terms = session_terms(firebase.default_relays(&capture.app_id).remove(0));
        terms.self_id = me.clone();
        let session = firebase.session(terms);
        let own = Topic::of_peer(&capture.app_id, &capture.room_id, &me);
        let (heard, sent) = (BTreeMap::new(), Vec::new());
        Player { capture, session, root: capture.root(), own, me, heard, sent }
    }

    fn feed(&mut self, input: SessionInput<'_>) {
        self.session.handle_input(input, Time::ZERO);
        while let Some(output) = self.session.poll_output() {
            match output {
                SessionOutput::Send(LinkFrame::Text(frame)) => {
                    self.sent.extend(read(self.capture, &frame));
                }
                SessionOutput::Message { topic, body } => {
                    // A database tells keys in an order of its own.
                    let body = Signal::parse(&body).unwrap().emit();
                    *self.heard.entry(self.capture.check_signal(&topic, &body)).or_default() += 1;
                }
                SessionOutput::Subscribed(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Does what a request of the peer comes from.
    fn act(&mut self, request: &Request) {
        let (root, own, me) = (&self.root.clone(), &self.own.clone(), &self.me.clone());
        let message: Value = serde_json::from_str(&request.text).unwrap();
        let data = &message["d"]["b"]["d"];
        let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
        match (&*request.action, &path[..]) {
            ("q", []) => [root, own].into_iter().for_each(|topic| {
                self.feed(SessionInput::Subscribe(Subscription { topic, root }));
            }),
            ("n", []) => self.feed(SessionInput::Unsubscribe(Subscription { topic: root, root })),
            ("p", [key]) if data.is_null() && *key == own.as_str() => {
                self.feed(SessionInput::Unsubscribe(Subscription { topic: own, root }));
            }
            ("p", [_]) if !data.is_null() => {
                let signal = &Signal::parse(&data["_"].to_string()).unwrap();
                self.feed(SessionInput::Publish(Publication {
                    topic: root,
                    root,
                    to: None,
                    signal,
                }));
            }
            ("p", [topic, from, _]) if !data.is_null() => {
                assert_eq!(*from, me.as_str());
                let (topic, to) = (&Topic::from_wire(topic), Some(me));
                let signal = &Signal::parse(data.as_str().unwrap()).unwrap();
                self.feed(SessionInput::Publish(Publication { topic, root, to, signal }));
            }
            // What comes of itself: statistics of the client, and what follows from the above.
            ("s" | "o", _) | ("p", [_] | [_, _, _]) => {}
            other => panic!("{other:?}"),
        }
    }

    /// Plays the peer, and gives what it sent.
    fn play(&mut self, peer: &str) -> Vec<Request> {
        self.feed(SessionInput::Opened);
        let mut theirs = Vec::new();
        for row in self.capture.rows.iter().filter(|row| row["peer"] == peer) {
            if row["dir"] == "s2c" {
                let frame = LinkFrame::Text(text(row, "text").to_owned());
                self.feed(SessionInput::Frame(frame));
            } else if row["dir"] == "c2s"
                && let Some(request) = read(self.capture, text(row, "text"))
            {
                self.act(&request);
                theirs.push(request);
            }
        }
        theirs
    }

    /// Requests of one sort, in their order, with the push keys of the sender numbered.
    fn of_sort(&self, requests: &[Request], sort: IsOfSort) -> Vec<String> {
        let mut keys = Vec::new();
        let mut shown = Vec::new();
        for request in requests.iter().filter(|request| sort(request, self.own.as_str())) {
            let mut text = request.text.clone();
            if let Some(key) = request.path.last().filter(|key| key.starts_with('-')) {
                let is_new = !keys.contains(key);
                keys.extend(is_new.then(|| key.clone()));
                let number = keys.iter().position(|other| other == key).unwrap();
                text = text.replace(key, &format!("key {number}"));
            }
            shown.push(text);
        }
        shown
    }
}

#[test]
fn all_that_a_firebase_server_sends_is_read() {
    let mut all: BTreeMap<&str, usize> = BTreeMap::new();
    for scenario in SCENARIOS {
        let capture = Capture::read(&format!("firebase/npm-firebase-server-{scenario}.jsonl"));
        for peer in ["A", "B"] {
            let mut player = Player::new(&capture, peer);
            player.play(peer);
            player.heard.iter().for_each(|(kind, count)| *all.entry(kind).or_default() += count);
        }
    }
    let kinds = ["announce", "nudge", "offer", "answer", "candidate"];
    assert!(kinds.iter().all(|kind| all.get(kind).is_some_and(|count| *count >= 3)), "{all:?}");
}

#[test]
fn what_is_sent_to_a_firebase_server_is_the_same() {
    let sorts: [(&str, IsOfSort); 3] = [
        ("listening, announcing and leaving", |request, _| {
            request.path.len() <= 1 && request.action != "s"
        }),
        ("signals", |request, own| request.path.len() == 3 && request.path[0] != own),
        ("removals", |request, own| request.path.len() == 3 && request.path[0] == own),
    ];
    for scenario in SCENARIOS {
        let capture = Capture::read(&format!("firebase/npm-firebase-server-{scenario}.jsonl"));
        for peer in ["A", "B"] {
            let mut player = Player::new(&capture, peer);
            let theirs = player.play(peer);
            for (name, sort) in sorts {
                let ours = player.of_sort(&player.sent, sort);
                let theirs = player.of_sort(&theirs, sort);
                assert!(!theirs.is_empty());
                assert_eq!(ours, theirs, "{name} of {peer} in {scenario}");
            }
        }
    }
}
