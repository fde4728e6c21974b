use bytes::{BufMut as _, BytesMut};
use prost::Message as _;

use super::*;
use crate::ids::PeerId;
use crate::signaling::{LinkFrame, Subscription};
use crate::testing::session_terms;
use crate::wire::{Signal, SignalBody};

fn session() -> IpfsSession {
    let url = RelayUrl::custom("/ip4/127.0.0.1/tcp/1/ws/p2p/x");
    let mut session = IpfsSession::new(session_terms(url));
    session.handle_input(SessionInput::Opened, Time::ZERO);
    let metadata = LinkFrame::Binary(b"\x04\x08\x01"[..].into());
    assert_eq!(outputs(&mut session), [SessionOutput::Send(metadata)]);
    session
}

fn outputs(session: &mut IpfsSession) -> Vec<SessionOutput> {
    std::iter::from_fn(|| session.poll_output()).collect()
}

fn subscribe(session: &mut IpfsSession) -> Topic {
    let topic = Topic::from_wire("root");
    let subscription = Subscription { topic: &topic, root: &topic };
    session.handle_input(SessionInput::Subscribe(subscription), Time::ZERO);
    topic
}

/// The requests among outputs, from after their id on.
fn requests(outputs: &[SessionOutput]) -> Vec<&[u8]> {
    let request = |output| match output {
        // The protocol is one byte, and the id 38 with its tag and length.
        &SessionOutput::Send(LinkFrame::Binary(ref bytes)) => Some(&bytes[39..]),
        _ => None,
    };
    outputs.iter().filter_map(request).collect()
}

/// The node answers the oldest request.
fn answer(session: &mut IpfsSession, status: u32, now: Time) -> Vec<SessionOutput> {
    let (request_id, asked) = session.asked[0].clone();
    let protocol = if matches!(asked, Asked::Announce { .. } | Asked::Send) { 2 } else { 1 };
    let mut bytes = BytesMut::new();
    bytes.put_u8(protocol);
    let answer = Answer { request_id, status, text: Some("why".to_owned()) };
    answer.encode(&mut bytes).unwrap();
    session.handle_input(SessionInput::Frame(LinkFrame::Binary(bytes.freeze())), now);
    outputs(session)
}

#[test]
fn a_subscription_stands_once_the_node_says_so() {
    let mut session = session();
    let topic = subscribe(&mut session);
    assert_eq!(requests(&outputs(&mut session)).len(), 1);
    assert_eq!(answer(&mut session, 200, Time::ZERO), [SessionOutput::Subscribed(topic)]);
}

#[test]
fn a_refused_subscription_is_asked_for_again_and_not_for_ever() {
    let mut session = session();
    subscribe(&mut session);
    // Pings go on between the retries, and are not looked at here.
    session.ping_at = None;
    let mut now = Time::ZERO;
    for _ in 1..REFUSALS_MAX {
        assert_eq!(requests(&outputs(&mut session)).len(), 1);
        let told = answer(&mut session, 503, now);
        let why = "the node refuses a subscription: 503 why".to_owned();
        assert_eq!(told, [SessionOutput::Refusal(why)]);
        now = session.topics.values().next().unwrap().due().unwrap();
        session.handle_timeout(now);
    }
    answer(&mut session, 503, now);
    assert!(session.topics.values().all(|filter| *filter == Filter::GivenUp));
}

#[test]
fn a_node_that_says_nothing_counts_as_one_that_refuses() {
    let mut session = session();
    subscribe(&mut session);
    outputs(&mut session);
    session.handle_timeout(Time::ZERO + ANSWER_TIMEOUT);
    assert!(matches!(outputs(&mut session)[..], [SessionOutput::Refusal(_)]));
    session.handle_timeout(Time::ZERO + ANSWER_TIMEOUT + RETRY_FIRST);
    assert_eq!(requests(&outputs(&mut session)).len(), 1);
}

#[test]
fn a_node_that_forgot_us_is_asked_anew() {
    let mut session = session();
    subscribe(&mut session);
    answer(&mut session, 200, Time::ZERO);
    let first = Time::ZERO + PING_INTERVAL;
    session.handle_timeout(first);
    assert_eq!(requests(&outputs(&mut session)), [b""], "a ping is about no topic");
    assert_eq!(requests(&answer(&mut session, 404, first)).len(), 1);
    answer(&mut session, 200, first);
    session.handle_timeout(first + PING_INTERVAL);
    assert_eq!(requests(&outputs(&mut session)), [b""]);
    session.handle_timeout(first + PING_INTERVAL * 2);
    let told = outputs(&mut session);
    assert_eq!(requests(&told).len(), 2, "no answer to the ping before: {told:?}");
}

#[test]
fn a_busy_node_gets_fewer_announces() {
    let mut session = session();
    let root = &Topic::from_wire("root");
    let from = PeerId::new("me").unwrap();
    let signal = &Signal { from, is_passive: false, body: SignalBody::Announce };
    let publication = Publication { topic: root, root, to: None, signal };
    session.handle_input(SessionInput::Publish(publication), Time::ZERO);
    outputs(&mut session);
    let told = answer(&mut session, STATUS_TOO_MANY_REQUESTS, Time::ZERO);
    let hold = SessionOutput::HoldAnnounces { root: root.clone(), pause: BUSY_PAUSE };
    assert_eq!(told[0], hold);
    assert!(matches!(told[1], SessionOutput::Refusal(_)));
}

#[test]
fn a_request_that_the_link_could_not_have_answered_is_refused_at_once() {
    let mut session = session();
    subscribe(&mut session);
    outputs(&mut session);
    let no_answer = |protocol: u8| LinkFrame::Binary(vec![protocol].into());
    session.handle_input(SessionInput::Frame(no_answer(1)), Time::ZERO);
    let why = "the node refuses a subscription: it has no answer".to_owned();
    assert_eq!(outputs(&mut session), [SessionOutput::Refusal(why)]);
    let retry = session.topics.values().next().unwrap().due().unwrap();
    assert_eq!(retry, Time::ZERO + RETRY_FIRST);
    session.handle_input(SessionInput::Frame(no_answer(2)), Time::ZERO);
    assert_eq!(outputs(&mut session).len(), 1, "nothing was pushed, and it is told all the same");
}
