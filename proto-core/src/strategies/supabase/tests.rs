//! What a session says to the service, and what it makes of the answers.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use super::Supabase;
use super::session::SupabaseSession;
use crate::crypto::Topic;
use crate::ids::PeerId;
use crate::rng::Seed;
use crate::signaling::{
    LinkFrame, Publication, RelaySession, SessionInput, SessionOutput, SessionTerms, Strategy as _,
    Subscription,
};
use crate::time::{Clock, Time};
use crate::wire::{Signal, SignalBody};

fn opened() -> SupabaseSession {
    let seed = Seed::from_number(1);
    let terms = SessionTerms {
        url: Supabase::new("key").relay_url("http://localhost").unwrap(),
        self_id: PeerId::new("a").unwrap(),
        shared: seed.fork("supabase"),
        rng: seed.rng("session"),
        clock: Clock { now: Time::ZERO, unix: Duration::ZERO },
    };
    let mut session = SupabaseSession::new(terms, "token".to_owned());
    session.handle_input(SessionInput::Opened, Time::ZERO);
    session
}

fn outputs(session: &mut SupabaseSession) -> Vec<SessionOutput> {
    std::iter::from_fn(|| session.poll_output()).collect()
}

/// The texts of what was sent; a broadcast is null.
fn sent(session: &mut SupabaseSession) -> Vec<Value> {
    let sent = outputs(session).into_iter().filter_map(|output| match output {
        SessionOutput::Send(LinkFrame::Text(text)) => serde_json::from_str(&text).ok(),
        SessionOutput::Send(LinkFrame::Binary(_)) => Some(Value::Null),
        _ => None,
    });
    sent.collect()
}

fn hear(session: &mut SupabaseSession, message: &Value, now: Time) -> Vec<SessionOutput> {
    let frame = LinkFrame::Text(message.to_string());
    session.handle_input(SessionInput::Frame(frame), now);
    outputs(session)
}

fn subscribe(session: &mut SupabaseSession, topic: &str) -> Value {
    let topic = &Topic::from_wire(topic);
    session.handle_input(SessionInput::Subscribe(Subscription { topic, root: topic }), Time::ZERO);
    sent(session).pop().unwrap()
}

fn announce(session: &mut SupabaseSession, topic: &str) -> Vec<Value> {
    let (topic, root) = (&Topic::from_wire(topic), &Topic::from_wire("t"));
    let from = PeerId::new("a").unwrap();
    let signal = &Signal { from, is_passive: false, body: SignalBody::Announce };
    let publication = Publication { topic, root, to: None, signal };
    session.handle_input(SessionInput::Publish(publication), Time::ZERO);
    sent(session)
}

fn reply(request: &Value, status: &str) -> Value {
    let payload = json!({ "status": status, "response": { "reason": "no" } });
    json!([request[0], request[1], request[2], "phx_reply", payload])
}

fn at(secs: u64) -> Time {
    Time::ZERO + Duration::from_secs(secs)
}

#[test]
fn a_project_is_found_by_its_url_and_its_key_is_not_shown() {
    let strategy = Supabase::new("k&y").access_token("secret");
    let socket = "/realtime/v1/websocket?apikey=k%26y&vsn=2.0.0";
    for (text, url) in [
        ("https://x.supabase.co", format!("wss://x.supabase.co{socket}")),
        ("http://127.0.0.1:9/", format!("ws://127.0.0.1:9{socket}")),
        ("wss://x.supabase.co/base", format!("wss://x.supabase.co/base{socket}")),
        (
            "ws://h/realtime/v1/websocket?vsn=1.0.0&a=b&apikey=other",
            "ws://h/realtime/v1/websocket?a=b&apikey=other&vsn=2.0.0".to_owned(),
        ),
    ] {
        let read = strategy.relay_url(text).unwrap();
        assert_eq!(read.as_str(), url);
        assert_eq!(strategy.relay_url(read.as_str()), Ok(read.clone()), "it is in its last form");
        assert!(!format!("{read} {read:?}").contains("k%26y"));
    }
    assert!(strategy.relay_url("my-app").is_err());
    assert_eq!(strategy.default_relays("my-app"), []);
    assert_eq!(strategy.default_relays("https://x.supabase.co").len(), 1);
    assert!(!format!("{strategy:?}").contains("secret"));
    assert!(!format!("{:?}", opened()).contains("token"));
}

#[test]
fn a_channel_that_is_refused_or_lost_is_joined_again_after_ever_longer_waits() {
    let mut session = opened();
    let mut join = subscribe(&mut session, "t");
    assert_eq!(join[4]["access_token"], "token");
    let mut now = Time::ZERO;
    for wait in [1, 2, 4, 8] {
        let told = hear(&mut session, &reply(&join, "error"), now);
        let refusal = "the service refused a channel: no".to_owned();
        assert_eq!(told, [SessionOutput::Refusal(refusal)]);
        now = now + Duration::from_secs(wait);
        assert_eq!(session.poll_timeout().unwrap().at, now);
        session.handle_timeout(now);
        join = sent(&mut session).pop().unwrap();
        assert_eq!(join[3], "phx_join");
    }
    let subscribed = [SessionOutput::Subscribed(Topic::from_wire("t"))];
    assert_eq!(hear(&mut session, &reply(&join, "ok"), now), subscribed);
    let gone = |join_ref: &Value| json!([join_ref, null, join[2], "phx_error", {}]);
    assert_eq!(hear(&mut session, &gone(&json!("1")), now), []);
    assert_eq!(session.poll_timeout().unwrap().at, at(25), "that was an older join");
    now = now + Duration::from_secs(1);
    hear(&mut session, &gone(&join[0]), now);
    session.handle_timeout(now + Duration::from_secs(15));
    let join = sent(&mut session).into_iter().find(|sent| sent[3] == "phx_join");
    assert_eq!(join, None, "it was let in and out again, as if it was refused");
    now = now + Duration::from_secs(16);
    session.handle_timeout(now);
    let join = sent(&mut session).pop().unwrap();
    hear(&mut session, &reply(&join, "ok"), now);
    now = now + Duration::from_secs(15);
    session.handle_timeout(now);
    outputs(&mut session);
    hear(&mut session, &gone(&join[0]), now);
    assert_eq!(session.poll_timeout().unwrap().at, now + Duration::from_secs(1));
}

#[test]
fn a_join_without_an_answer_is_tried_again() {
    let mut session = opened();
    subscribe(&mut session, "t");
    for (secs, is_sent) in [(9, false), (10, false), (11, true)] {
        session.handle_timeout(at(secs));
        assert_eq!(!sent(&mut session).is_empty(), is_sent, "{secs}");
    }
}

#[test]
fn a_heartbeat_without_an_answer_ends_the_link() {
    let mut session = opened();
    for secs in [25, 50] {
        session.handle_timeout(at(secs));
        let beat = sent(&mut session).pop().unwrap();
        assert_eq!(beat, json!([null, beat[1], "phoenix", "heartbeat", {}]));
        if secs == 25 {
            assert_eq!(hear(&mut session, &reply(&beat, "ok"), at(26)), []);
        }
    }
    session.handle_timeout(at(75));
    assert!(matches!(outputs(&mut session)[..], [SessionOutput::Fail(_)]));
    assert_eq!(session.poll_timeout(), None);
}

#[test]
fn what_is_said_to_a_peer_waits_for_its_channel_within_bounds() {
    let mut session = opened();
    let join = announce(&mut session, "peer").pop().unwrap();
    for _ in 0..100 {
        assert_eq!(announce(&mut session, "peer"), [] as [Value; 0]);
    }
    session.handle_input(
        SessionInput::Frame(LinkFrame::Text(reply(&join, "ok").to_string())),
        Time::ZERO,
    );
    assert_eq!(sent(&mut session).len(), 32);
    assert_eq!(announce(&mut session, "peer"), [Value::Null], "now it goes at once");
}

#[test]
fn the_peer_channel_that_was_not_used_for_longest_is_left() {
    let mut session = opened();
    subscribe(&mut session, "t");
    for number in 0..64 {
        assert_eq!(announce(&mut session, &format!("p{number}")).len(), 1);
    }
    announce(&mut session, "p0");
    let told = announce(&mut session, "p64");
    let channel = |topic: &str| format!("realtime:room:{topic}:messages");
    assert_eq!([&told[0][3], &told[0][2]], ["phx_leave", &*channel("p1")]);
    assert_eq!([&told[1][3], &told[1][2]], ["phx_join", &*channel("p64")]);
    let root = &Topic::from_wire("t");
    session.handle_input(SessionInput::Unsubscribe(Subscription { topic: root, root }), at(0));
    assert_eq!(sent(&mut session).len(), 65, "a room takes its peers' channels with it");
}

#[test]
fn signals_come_in_both_versions_and_only_where_a_room_listens() {
    let mut session = opened();
    subscribe(&mut session, "t");
    announce(&mut session, "peer");
    let signal = |channel: &str| {
        let payload = json!({ "type": "broadcast", "event": "sdp", "payload": "{}" });
        json!([null, null, channel, "broadcast", payload])
    };
    let channel = "realtime:room:t:messages";
    let message = SessionOutput::Message { topic: Topic::from_wire("t"), body: "{}".to_owned() };
    assert_eq!(hear(&mut session, &signal(channel), Time::ZERO), [message]);
    assert_eq!(hear(&mut session, &signal("realtime:room:peer:messages"), Time::ZERO), []);
    let first = json!({ "topic": channel, "event": "broadcast", "ref": null,
        "payload": { "event": "join", "payload": { "peerId": "b" } } });
    let body = r#"{"peerId":"b"}"#.to_owned();
    let message = SessionOutput::Message { topic: Topic::from_wire("t"), body };
    assert_eq!(hear(&mut session, &first, Time::ZERO), [message]);
    let complaint = json!([null, null, channel, "system", { "status": "error", "message": "m" }]);
    let refusal = SessionOutput::Refusal("m".to_owned());
    assert_eq!(hear(&mut session, &complaint, Time::ZERO), [refusal]);
}

#[test]
fn what_the_service_should_not_send_is_dropped() {
    let mut session = opened();
    subscribe(&mut session, "t");
    let channel = b"realtime:room:t:messages";
    let frame = |head: [u8; 5], tail: &[u8]| [&head[..], channel, tail].concat();
    for bytes in [
        vec![],
        vec![4, 255, 0, 0, 1],
        frame([4, 24, 9, 0, 1], b"sdp\"\""),
        frame([4, 24, 3, 0, 0], b"sdp\"{}\""),
        frame([4, 24, 3, 0, 1], b"sdp{"),
        frame([4, 24, 3, 0, 1], b"sdp1"),
        frame([3, 24, 3, 0, 1], b"sdp\"{}\""),
    ] {
        let input = SessionInput::Frame(LinkFrame::Binary(Bytes::from(bytes.clone())));
        session.handle_input(input, Time::ZERO);
        let told = outputs(&mut session);
        assert!(matches!(told[..], [SessionOutput::Malformed(_)]), "{bytes:?}: {told:?}");
    }
    for text in [json!([]), json!({}), json!(1), json!([null, null, 1, "broadcast", {}])] {
        let told = hear(&mut session, &text, Time::ZERO);
        assert!(matches!(told[..], [SessionOutput::Malformed(_)]), "{text}: {told:?}");
    }
}
