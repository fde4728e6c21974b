//! Links to a service node: what comes back for what goes out.

#![allow(clippy::unwrap_used, reason = "what fails here fails a test")]

mod node;

use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use libp2p::PeerId;
use prost::Message as _;
use tokio::time::timeout;
use tristero::{Dialer as _, Link};
use tristero_proto::signaling::{LinkFrame, RelayUrl};
use tristero_tokio::WebSockets;
use tristero_waku::WakuDialer;

use node::waku::{
    self, FilterKind, FilterRequest, LightpushRequest, Metadata, Push, Response, WakuMessage,
};
use node::{Conduct, Muxers, ServiceNode};

const FILTER: u8 = 1;
const LIGHTPUSH: u8 = 2;
const PUSH: u8 = 3;
const METADATA: u8 = 4;

const TOPIC: &str = "/trystero-a/0/msg/json";
/// Longer than anything here takes; a test that waits for it fails.
const PATIENCE: Duration = Duration::from_secs(60);

async fn dial(address: impl ToString) -> std::io::Result<Link> {
    WakuDialer::new(WebSockets::default()).dial(&RelayUrl::custom(&address.to_string())).await
}

fn frame(byte: u8, message: &[u8]) -> LinkFrame {
    LinkFrame::Binary(Bytes::from([&[byte], message].concat()))
}

async fn send(link: &mut Link, byte: u8, message: &[u8]) {
    link.sink.send(frame(byte, message)).await.unwrap();
}

/// The next frame, as the byte of its protocol and the message.
async fn next(link: &mut Link) -> (u8, Bytes) {
    let frame = timeout(PATIENCE, link.frames.next()).await.unwrap().expect("the link goes on");
    let LinkFrame::Binary(frame) = frame.unwrap() else { panic!("a text") };
    (frame[0], frame.slice(1..))
}

/// The next frame, which is a response: its id and status.
async fn response(link: &mut Link, byte: u8) -> (String, u32) {
    let (protocol, message) = next(link).await;
    assert_eq!(protocol, byte);
    let response = Response::decode(message).unwrap();
    (response.request_id, response.status)
}

fn filter(id: &str, kind: FilterKind) -> Vec<u8> {
    let (pubsub_topic, content_topics) = match kind {
        FilterKind::Subscribe | FilterKind::Unsubscribe => {
            (waku::pubsub_topic(TOPIC), vec![TOPIC.to_owned()])
        }
        FilterKind::Ping | FilterKind::UnsubscribeAll => (None, Vec::new()),
    };
    let kind = kind.into();
    FilterRequest { request_id: id.to_owned(), kind, pubsub_topic, content_topics }.encode_to_vec()
}

fn lightpush(id: &str, payload: &[u8]) -> Vec<u8> {
    let message = WakuMessage {
        payload: payload.to_vec(),
        content_topic: TOPIC.to_owned(),
        ephemeral: Some(true),
        ..WakuMessage::default()
    };
    let pubsub_topic = waku::pubsub_topic(TOPIC);
    let request_id = id.to_owned();
    LightpushRequest { request_id, pubsub_topic, message: Some(message) }.encode_to_vec()
}

/// The next frame, which is a pushed message: its payload.
async fn pushed(link: &mut Link) -> Vec<u8> {
    let (protocol, message) = next(link).await;
    assert_eq!(protocol, PUSH);
    Push::decode(message).unwrap().message.unwrap().payload
}

async fn subscribe(link: &mut Link) {
    send(link, FILTER, &filter("subscribe", FilterKind::Subscribe)).await;
    assert_eq!(response(link, FILTER).await, ("subscribe".to_owned(), 200));
}

async fn two_links_exchange(muxers: Muxers) {
    let node = ServiceNode::start(Conduct::Honest, muxers).await;
    let (mut a, mut b) = (dial(&node.address).await.unwrap(), dial(&node.address).await.unwrap());
    subscribe(&mut a).await;
    send(&mut b, LIGHTPUSH, &lightpush("push", b"hello")).await;
    assert_eq!(response(&mut b, LIGHTPUSH).await, ("push".to_owned(), 200));
    assert_eq!(pushed(&mut a).await, b"hello");
    send(&mut a, LIGHTPUSH, &lightpush("back", b"hello yourself")).await;
    let (one, other) = (next(&mut a).await.0, next(&mut a).await.0);
    assert_eq!([one.min(other), one.max(other)], [LIGHTPUSH, PUSH], "a subscriber hears itself");
}

#[tokio::test]
async fn two_links_exchange_messages_over_a_node() {
    two_links_exchange(Muxers::Both).await;
}

#[tokio::test]
async fn a_node_may_know_mplex_alone() {
    two_links_exchange(Muxers::Mplex).await;
}

#[tokio::test]
async fn messages_that_are_pushed_at_once_all_arrive() {
    const MESSAGES: u8 = 100;
    let node = ServiceNode::start(Conduct::Honest, Muxers::Both).await;
    let (mut a, b) = (dial(&node.address).await.unwrap(), dial(&node.address).await.unwrap());
    subscribe(&mut a).await;
    let mut payloads = Vec::new();
    let listen = async {
        for _ in 0..MESSAGES {
            payloads.extend(pushed(&mut a).await);
        }
    };
    let Link { mut frames, mut sink } = b;
    let read_responses = async { while frames.next().await.is_some() {} };
    let push = async {
        for payload in 0..MESSAGES {
            let message = lightpush("push", &[payload]);
            sink.send(frame(LIGHTPUSH, &message)).await.unwrap();
        }
        sink.close().await.unwrap();
    };
    tokio::join!(listen, read_responses, push);
    payloads.sort_unstable();
    assert_eq!(payloads, Vec::from_iter(0..MESSAGES));
}

#[tokio::test]
async fn a_node_may_push_more_than_one_message_on_a_stream() {
    let node = ServiceNode::start(Conduct::PushesTwice, Muxers::Both).await;
    let (mut a, mut b) = (dial(&node.address).await.unwrap(), dial(&node.address).await.unwrap());
    subscribe(&mut a).await;
    send(&mut b, LIGHTPUSH, &lightpush("push", b"twice")).await;
    assert_eq!(pushed(&mut a).await, b"twice");
    assert_eq!(pushed(&mut a).await, b"twice");
}

#[tokio::test]
async fn filter_requests_take_effect_in_their_order() {
    let node = ServiceNode::start(Conduct::Honest, Muxers::Both).await;
    let mut link = dial(&node.address).await.unwrap();
    let kinds = [
        (FilterKind::Ping, 404),
        (FilterKind::Subscribe, 200),
        (FilterKind::Ping, 200),
        (FilterKind::Unsubscribe, 200),
        (FilterKind::Ping, 404),
        (FilterKind::UnsubscribeAll, 404),
    ];
    for (index, (kind, _)) in kinds.iter().enumerate() {
        send(&mut link, FILTER, &filter(&index.to_string(), *kind)).await;
    }
    for (index, (_, status)) in kinds.iter().enumerate() {
        assert_eq!(response(&mut link, FILTER).await, (index.to_string(), *status));
    }
}

#[tokio::test]
async fn a_node_learns_the_metadata_that_was_last_sent() {
    let mut node = ServiceNode::start(Conduct::Honest, Muxers::Both).await;
    let mut link = dial(&node.address).await.unwrap();
    let ours = Metadata { cluster: Some(16), shards: vec![3, 5] }.encode_to_vec();
    send(&mut link, METADATA, &ours).await;
    let (protocol, message) = next(&mut link).await;
    assert_eq!((protocol, Metadata::decode(message).unwrap()), (METADATA, waku::metadata()));
    assert_eq!(timeout(PATIENCE, node.metadata.recv()).await.unwrap().unwrap(), ours);
}

#[tokio::test]
async fn a_request_of_a_protocol_that_the_node_refuses_fails_and_the_link_goes_on() {
    let node = ServiceNode::start(Conduct::RefusesLightpush, Muxers::Both).await;
    let mut link = dial(&node.address).await.unwrap();
    send(&mut link, LIGHTPUSH, &lightpush("push", b"hello")).await;
    assert_eq!(next(&mut link).await, (LIGHTPUSH, Bytes::new()));
    subscribe(&mut link).await;
}

#[tokio::test]
async fn a_request_that_the_node_can_not_read_fails() {
    let node = ServiceNode::start(Conduct::Honest, Muxers::Both).await;
    let mut link = dial(&node.address).await.unwrap();
    send(&mut link, FILTER, &[0xff; 9]).await;
    assert_eq!(next(&mut link).await, (FILTER, Bytes::new()));
    subscribe(&mut link).await;
}

#[tokio::test]
async fn responses_that_are_too_long_have_failed() {
    let node = ServiceNode::start(Conduct::SaysTooMuch, Muxers::Both).await;
    let mut link = dial(&node.address).await.unwrap();
    send(&mut link, FILTER, &filter("subscribe", FilterKind::Subscribe)).await;
    assert_eq!(next(&mut link).await, (FILTER, Bytes::new()));
    // The push that follows is as long, and nothing at all.
    send(&mut link, LIGHTPUSH, &lightpush("push", b"hello")).await;
    assert_eq!(next(&mut link).await, (LIGHTPUSH, Bytes::new()));
    send(&mut link, FILTER, &filter("ping", FilterKind::Ping)).await;
    assert_eq!(next(&mut link).await, (FILTER, Bytes::new()));
}

#[tokio::test]
async fn requests_that_the_node_never_answers_fail() {
    let node = ServiceNode::start(Conduct::NeverAnswers, Muxers::Both).await;
    let mut link = dial(&node.address).await.unwrap();
    // Time goes on by itself where nothing else happens.
    tokio::time::pause();
    send(&mut link, FILTER, &filter("ping", FilterKind::Ping)).await;
    send(&mut link, FILTER, &filter("ping", FilterKind::Ping)).await;
    send(&mut link, LIGHTPUSH, &lightpush("push", b"hello")).await;
    let mut answers = Vec::new();
    for _ in 0..3 {
        let LinkFrame::Binary(frame) = link.frames.next().await.unwrap().unwrap() else {
            panic!("a text")
        };
        answers.push(frame.to_vec());
    }
    answers.sort();
    assert_eq!(answers, [[FILTER], [FILTER], [LIGHTPUSH]]);
}

#[tokio::test]
async fn a_link_ends_with_its_connection() {
    let node = ServiceNode::start(Conduct::Honest, Muxers::Both).await;
    let mut link = dial(&node.address).await.unwrap();
    subscribe(&mut link).await;
    node.stop();
    let last = timeout(PATIENCE, link.frames.next()).await.unwrap().unwrap();
    assert_eq!(last.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    assert!(timeout(PATIENCE, link.frames.next()).await.unwrap().is_none());
    assert!(link.sink.send(frame(METADATA, &[])).await.is_err());
}

#[tokio::test]
async fn a_connection_ends_with_its_link() {
    let mut node = ServiceNode::start(Conduct::Honest, Muxers::Both).await;
    let link = dial(&node.address).await.unwrap();
    timeout(PATIENCE, node.connections.wait_for(|count| *count == 1)).await.unwrap().unwrap();
    drop(link);
    timeout(PATIENCE, node.connections.wait_for(|count| *count == 0)).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_link_that_is_closed_still_makes_its_requests() {
    let mut node = ServiceNode::start(Conduct::Honest, Muxers::Both).await;
    let (mut a, mut b) = (dial(&node.address).await.unwrap(), dial(&node.address).await.unwrap());
    subscribe(&mut a).await;
    for _ in 0..10 {
        send(&mut b, LIGHTPUSH, &lightpush("push", b"farewell")).await;
    }
    b.sink.close().await.unwrap();
    for _ in 0..10 {
        assert_eq!(pushed(&mut a).await, b"farewell");
    }
    timeout(PATIENCE, node.connections.wait_for(|count| *count == 1)).await.unwrap().unwrap();
}

#[tokio::test]
async fn closing_does_not_wait_for_a_node_that_never_answers() {
    let mut node = ServiceNode::start(Conduct::NeverAnswers, Muxers::Both).await;
    let mut link = dial(&node.address).await.unwrap();
    send(&mut link, FILTER, &filter("ping", FilterKind::Ping)).await;
    timeout(PATIENCE, link.sink.close()).await.unwrap().unwrap();
    timeout(PATIENCE, node.connections.wait_for(|count| *count == 0)).await.unwrap().unwrap();
}

#[tokio::test]
async fn what_is_no_request_is_refused() {
    let node = ServiceNode::start(Conduct::Honest, Muxers::Both).await;
    let mut link = dial(&node.address).await.unwrap();
    let error = link.sink.send(LinkFrame::Text("text".to_owned())).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
}

#[tokio::test]
async fn only_nodes_that_are_there_and_are_who_they_should_be_are_linked() {
    let error = |dialled: std::io::Result<Link>| dialled.map(|_| ()).unwrap_err();
    let nonsense = error(dial("wss://waku.example.org").await);
    assert_eq!(nonsense.kind(), std::io::ErrorKind::InvalidInput);
    assert!(nonsense.to_string().contains("multiaddress"), "{nonsense}");

    let node = ServiceNode::start(Conduct::Honest, Muxers::Both).await;
    let (_, port_and_id) = node.address.to_string().rsplit_once("/tcp/").map(owned).unwrap();
    let port = port_and_id.split('/').next().unwrap();
    let anyone = format!("/ip4/127.0.0.1/tcp/{port}/ws");
    assert!(dial(&anyone).await.is_ok(), "without an id, any node will do");
    let other = format!("{anyone}/p2p/{}", PeerId::random());
    assert!(error(dial(other).await).to_string().contains("peer"));

    node.stop();
    let mut node = node;
    timeout(PATIENCE, node.connections.changed()).await.unwrap().ok();
    while node.connections.changed().await.is_ok() {}
    assert!(!error(dial(anyone).await).to_string().is_empty());
}

fn owned((a, b): (&str, &str)) -> (String, String) {
    (a.to_owned(), b.to_owned())
}
