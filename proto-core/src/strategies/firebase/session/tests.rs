use std::time::Duration;

use super::*;
use crate::rng::Seed;
use crate::wire::{OfferId, Signal, SignalBody};

const HELLO: &str = r#"{"t":"c","d":{"t":"h","d":{"ts":1,"v":"5","h":"h","s":"s"}}}"#;

/// A session, and its rooms' topics.
struct Bench {
    session: FirebaseSession,
    root: Topic,
    own: Topic,
}

impl Bench {
    /// A session on a link that was just opened.
    fn new() -> Self {
        let seed = Seed::from_number(1);
        let session = FirebaseSession::new(
            SessionTerms {
                url: RelayUrl::web_socket("wss://db.example/.ws?v=5&ns=db").unwrap(),
                self_id: PeerId::new("me").unwrap(),
                shared: seed.fork("firebase"),
                rng: seed.rng("session"),
                clock: Clock { now: Time::ZERO, unix: Duration::from_secs(1_700_000_000) },
            },
            Base::new("base"),
            None,
        );
        let (root, own) = (Topic::from_wire("root"), Topic::from_wire("own"));
        let mut bench = Bench { session, root, own };
        bench.feed(SessionInput::Opened);
        bench
    }

    /// A session that listens to a room.
    fn listening() -> Self {
        let mut bench = Bench::new();
        bench.hear(HELLO);
        bench.subscribe();
        let told = bench.hear(r#"{"t":"d","d":{"r":1,"b":{"s":"ok","d":""}}}"#);
        let topics = [bench.root.clone(), bench.own.clone()];
        assert_eq!(told, topics.map(SessionOutput::Subscribed));
        bench
    }

    fn feed(&mut self, input: SessionInput<'_>) -> Vec<SessionOutput> {
        self.feed_at(input, Time::ZERO)
    }

    fn feed_at(&mut self, input: SessionInput<'_>, now: Time) -> Vec<SessionOutput> {
        self.session.handle_input(input, now);
        std::iter::from_fn(|| self.session.poll_output()).collect()
    }

    fn hear(&mut self, text: &str) -> Vec<SessionOutput> {
        self.feed(SessionInput::Frame(LinkFrame::Text(text.to_owned())))
    }

    /// Hears that nodes have changed.
    fn hear_change(&mut self, action: &str, path: &str, data: &Value) -> Vec<SessionOutput> {
        let body = json!({ "p": path, "d": data });
        self.hear(&json!({ "t": "d", "d": { "a": action, "b": body } }).to_string())
    }

    fn subscribe(&mut self) -> Vec<String> {
        let (root, own) = (self.root.clone(), self.own.clone());
        let topics = [&root, &own].map(|topic| Subscription { topic, root: &root });
        topics.into_iter().flat_map(|s| sent(self.feed(SessionInput::Subscribe(s)))).collect()
    }

    fn announce(&mut self, now: Time) -> Vec<String> {
        let root = &self.root.clone();
        let from = PeerId::new("me").unwrap();
        let signal = &Signal { from, is_passive: true, body: SignalBody::Announce };
        let publication = Publication { topic: root, root, to: None, signal };
        sent(self.feed_at(SessionInput::Publish(publication), now))
    }

    fn message(&self, topic: &Topic, body: &str) -> SessionOutput {
        SessionOutput::Message { topic: topic.clone(), body: body.to_owned() }
    }
}

/// The requests among outputs, without their layer.
fn sent(outputs: Vec<SessionOutput>) -> Vec<String> {
    let request = |output| match output {
        SessionOutput::Send(LinkFrame::Text(text)) => {
            Some(text.strip_prefix(r#"{"t":"d","d":"#)?.strip_suffix('}')?.to_owned())
        }
        _ => None,
    };
    outputs.into_iter().filter_map(request).collect()
}

/// The push key in an announce's request.
fn key_of(request: &str) -> String {
    let (_, rest) = request.split_once("/root/").unwrap();
    rest[..20].to_owned()
}

#[test]
fn nothing_is_sent_before_the_hello_and_all_of_it_then() {
    let mut bench = Bench::new();
    assert_eq!(bench.subscribe(), [""; 0]);
    let requests = sent(bench.hear(HELLO));
    assert_eq!(requests, [r#"{"r":1,"a":"q","b":{"p":"/base/root","h":""}}"#]);
    assert_eq!(bench.hear(HELLO), []);
}

#[test]
fn a_token_goes_before_everything_else() {
    let mut bench = Bench::new();
    bench.session.token = Some(Token("secret".to_owned()));
    bench.feed(SessionInput::Closed);
    bench.feed(SessionInput::Opened);
    bench.subscribe();
    let requests = sent(bench.hear(HELLO));
    assert_eq!(requests[0], r#"{"r":1,"a":"auth","b":{"cred":"secret"}}"#);
    assert_eq!(requests.len(), 2);
    assert!(!format!("{:?}", bench.session).contains("secret"));
}

#[test]
fn an_announce_keeps_its_key_until_it_is_taken_back_or_the_link_is_new() {
    let mut bench = Bench::listening();
    let first = bench.announce(Time::ZERO);
    let key = key_of(&first[0]);
    assert_eq!(
        first,
        [
            format!(
                r#"{{"r":2,"a":"p","b":{{"p":"/base/root/{key}","d":{{"_":{{"passive":true,"peerId":"me"}}}}}}}}"#
            ),
            format!(r#"{{"r":3,"a":"o","b":{{"p":"/base/root/{key}","d":null}}}}"#),
        ]
    );
    assert_eq!(key_of(&bench.announce(Time::from_millis(60_000))[0]), key);
    let root = &bench.root.clone();
    let taken_back = sent(bench.feed(SessionInput::Rest { root }));
    assert_eq!(
        taken_back,
        [format!(r#"{{"r":6,"a":"p","b":{{"p":"/base/root/{key}","d":null}}}}"#)]
    );
    assert_eq!(bench.feed(SessionInput::Rest { root }), []);
    let again = key_of(&bench.announce(Time::from_millis(60_001))[0]);
    assert!(again > key);
    bench.feed(SessionInput::Closed);
    bench.feed(SessionInput::Opened);
    bench.hear(HELLO);
    bench.subscribe();
    assert!(key_of(&bench.announce(Time::from_millis(60_002))[0]) > again);
}

#[test]
fn signals_are_told_once_and_removed_and_not_told_again_after_a_reconnect() {
    let mut bench = Bench::listening();
    let told = bench.hear_change("d", "base/root/own/other/-1", &json!("signal"));
    assert_eq!(told[0], bench.message(&bench.own, "signal"));
    let removal = r#"{"r":2,"a":"p","b":{"p":"/base/root/own/other/-1","d":null}}"#;
    assert_eq!(sent(told), [removal]);
    bench.feed(SessionInput::Closed);
    bench.feed(SessionInput::Opened);
    bench.hear(HELLO);
    bench.subscribe();
    let room = json!({ "-2": { "_": "here" }, "own": { "other": { "-1": "signal" } } });
    assert_eq!(bench.hear_change("d", "base/root", &room), [bench.message(&bench.root, "here")]);
    assert_eq!(bench.hear_change("d", "base/root", &room), []);
}

#[test]
fn everybody_in_a_room_is_told_by_a_merge_or_a_snapshot_of_any_depth() {
    let mut bench = Bench::listening();
    let here = bench.message(&bench.root, "here");
    assert_eq!(bench.hear_change("m", "base", &json!({ "root/-1": { "_": "here" } })), [here]);
    let room = json!({ "root": { "-1": { "_": "here" }, "-2": { "_": "there" } } });
    let there = bench.message(&bench.root, "there");
    assert_eq!(bench.hear_change("d", "/base", &room), [there]);
    assert_eq!(bench.hear_change("d", "", &Value::Null), []);
    let again = bench.message(&bench.root, "here");
    assert_eq!(bench.hear_change("d", "base/root/-1/_", &json!("here")), [again]);
    assert_eq!(bench.hear_change("d", "elsewhere/root/-3/_", &json!("here")), []);
}

#[test]
fn one_message_brings_no_more_than_a_bound_however_it_is_put() {
    let mut bench = Bench::listening();
    let heard = |told: &[SessionOutput]| {
        told.iter().filter(|output| matches!(output, SessionOutput::Message { .. })).count()
    };
    let signal = |n: usize| (format!("x/-{n:05}"), json!("s"));
    let merge = Value::Object((0..3_000).map(signal).collect());
    let told = bench.hear_change("m", "base/root/own", &merge);
    assert_eq!(heard(&told), LEAVES_PER_MESSAGE_MAX);
    let crowd = |n: usize| (format!("-{n:05}"), json!({ "_": "a" }));
    let rooms = (0..4).map(|_| Value::Object((0..1_000).map(crowd).collect()));
    let merge: Vec<Value> = rooms.collect();
    // Of each room that is another one in name only.
    let merge = json!({ "root": merge[0], "root/": merge[1], "root//": merge[2] });
    assert!(heard(&bench.hear_change("m", "base", &merge)) <= LEAVES_PER_MESSAGE_MAX);
}

#[test]
fn redirects_are_followed_with_the_same_database_and_not_for_ever() {
    let mut bench = Bench::new();
    let target = |bench: &Bench| match bench.session.target() {
        LinkTarget::WebSocket { url, .. } => url.as_str().to_owned(),
        LinkTarget::Custom { .. } => unreachable!("a database is reached by WebSocket"),
    };
    for _ in 0..REDIRECTS_MAX {
        let told = bench.hear(r#"{"t":"c","d":{"t":"r","d":"s1.example:81"}}"#);
        assert_eq!(told, [SessionOutput::Redial]);
        assert_eq!(target(&bench), "wss://s1.example:81/.ws?v=5&ns=db");
        bench.feed(SessionInput::Closed);
        bench.feed(SessionInput::Opened);
    }
    let told = bench.hear(r#"{"t":"c","d":{"t":"r","d":"s2.example"}}"#);
    assert!(matches!(&told[..], [SessionOutput::Refusal(_)]), "{told:?}");
    bench.feed(SessionInput::Closed);
    assert_eq!(target(&bench), "wss://db.example/.ws?v=5&ns=db", "that host did not want us");
    bench.feed(SessionInput::Opened);
    for host in ["", "a/b", "a@b", "a?b", "a b"] {
        let told = bench.hear(&json!({ "t": "c", "d": { "t": "r", "d": host } }).to_string());
        assert!(matches!(&told[..], [SessionOutput::Malformed(_)]), "{host} {told:?}");
    }
}

#[test]
fn a_room_that_is_refused_is_neither_subscribed_nor_announced() {
    let mut bench = Bench::new();
    bench.hear(HELLO);
    bench.subscribe();
    let refused = r#"{"t":"d","d":{"r":1,"b":{"s":"permission_denied","d":"Permission denied"}}}"#;
    let why = "the database refuses listening to a room: permission_denied (Permission denied)";
    assert_eq!(bench.hear(refused), [SessionOutput::Refusal(why.to_owned())]);
    let mut bench = Bench::listening();
    bench.announce(Time::ZERO);
    let refused = r#"{"t":"d","d":{"r":2,"b":{"s":"permission_denied","d":""}}}"#;
    let (root, pause) = (bench.root.clone(), REFUSED_PAUSE);
    assert_eq!(bench.hear(refused)[0], SessionOutput::HoldAnnounces { root, pause });
    let revoked = bench.hear(r#"{"t":"d","d":{"a":"c","b":{"p":"/base/root","q":null}}}"#);
    assert!(matches!(&revoked[1], SessionOutput::Refusal(_)), "{revoked:?}");
}

#[test]
fn a_silent_server_is_given_up_and_a_quiet_link_is_kept() {
    let mut bench = Bench::new();
    assert_eq!(bench.session.poll_timeout().unwrap().at, Time::ZERO + HELLO_TIMEOUT);
    bench.session.handle_timeout(Time::ZERO + HELLO_TIMEOUT);
    let told: Vec<_> = std::iter::from_fn(|| bench.session.poll_output()).collect();
    assert!(matches!(&told[..], [SessionOutput::Fail(_)]), "{told:?}");
    let mut bench = Bench::listening();
    for n in 1..3 {
        let at = Time::ZERO + KEEP_ALIVE_INTERVAL * n;
        assert_eq!(bench.session.poll_timeout().unwrap().at, at);
        bench.session.handle_timeout(at);
        let keep_alive = SessionOutput::Send(LinkFrame::Text("0".to_owned()));
        assert_eq!(bench.session.poll_output(), Some(keep_alive));
        assert_eq!(bench.session.poll_output(), None);
    }
}

#[test]
fn a_signal_lies_under_the_targets_topic_and_our_id() {
    let mut bench = Bench::listening();
    let (root, theirs) = (&bench.root.clone(), &Topic::from_wire("theirs"));
    let offer_id = OfferId::from_wire("offer").unwrap();
    let body = SignalBody::Offer { offer_id, sealed: "s".repeat(20_000) };
    let signal = &Signal { from: PeerId::new("me").unwrap(), is_passive: false, body };
    let to = &PeerId::new("other").unwrap();
    let publication = Publication { topic: theirs, root, to: Some(to), signal };
    let told = bench.feed(SessionInput::Publish(publication));
    let SessionOutput::Send(LinkFrame::Text(on_disconnect)) = &told[0] else { panic!("{told:?}") };
    assert!(
        on_disconnect
            .starts_with(r#"{"t":"d","d":{"r":2,"a":"o","b":{"p":"/base/root/theirs/me/-"#)
    );
    assert_eq!(told[1], SessionOutput::Send(LinkFrame::Text("2".to_owned())), "it is in parts");
    assert_eq!(told.len(), 4);
}
