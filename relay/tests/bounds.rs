//! What the relay does at each of its limits, and with nonsense.
#![allow(clippy::unwrap_used, reason = "it is a test, though clippy can't tell")]

mod common;

use std::{net::SocketAddr, time::Duration};

use common::{Client, TestRelay, delivery, within};
use futures_util::SinkExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};
use tokio_tungstenite::tungstenite::{
    Error, Message,
    protocol::frame::{
        Frame,
        coding::{CloseCode, Data, OpCode},
    },
};

#[tokio::test]
async fn wrong_messages_are_ignored_and_counted_and_the_connection_stays() {
    let relay = TestRelay::start().await;
    let mut client = relay.subscriber(&["t"]).await;
    let long = "x".repeat(257);
    client.send("{").await;
    client.send(r#"["subscribe","t"]"#).await;
    client.send(r#"{"type":"shout","topic":"t","payload":1}"#).await;
    client.send(r#"{"topic":"t","payload":1}"#).await;
    client.send(r#"{"type":"publish","topic":"t"}"#).await;
    client.send(r#"{"type":"publish","topic":7,"payload":1}"#).await;
    client.send(r#"{"type":"subscribe"}"#).await;
    client.subscribe(&long).await;
    within(client.socket.send(Message::binary(vec![0; 10]))).await.unwrap();

    client.publish("t", "1").await;
    assert_eq!(client.next().await, delivery("t", "1"));
    let counters = relay.counters();
    assert_eq!(counters.ignored_malformed, 2);
    assert_eq!(counters.ignored_unknown_type, 2);
    assert_eq!(counters.ignored_incomplete, 3);
    assert_eq!(counters.ignored_topic_too_long, 1);
    assert_eq!(counters.ignored_binary, 1);
    assert_eq!(counters.published, 1);
}

#[tokio::test]
async fn an_oversized_message_closes_only_its_connection() {
    let relay = TestRelay::with(|limits| {
        limits.message_bytes_max = 1_000;
        limits.close_timeout = Duration::from_secs(60);
    })
    .await;
    let mut other = relay.subscriber(&["t"]).await;
    let mut client = relay.subscriber(&["t"]).await;
    // Far more than the socket's buffers hold, so that the relay has to read on for the client
    // to see the close frame.
    let _ = client.socket.send(Message::text("x".repeat(30_000_000))).await;
    assert_eq!(client.closed().await, CloseCode::Size);

    other.publish("t", "1").await;
    assert_eq!(other.next().await, delivery("t", "1"));
    assert_eq!(relay.counters().cut_oversized, 1);
    assert_eq!(relay.counters().delivered, 1);
}

#[tokio::test]
async fn a_message_oversized_in_pieces_is_oversized() {
    let relay = TestRelay::with(|limits| limits.message_bytes_max = 1_000).await;
    let mut client = relay.client().await;
    for opcode in [Data::Text, Data::Continue] {
        let piece = Frame::message(vec![b'x'; 600], OpCode::Data(opcode), false);
        within(client.socket.send(Message::Frame(piece))).await.unwrap();
    }
    assert_eq!(client.closed().await, CloseCode::Size);
}

#[tokio::test]
async fn a_message_of_exactly_the_largest_size_passes() {
    let relay = TestRelay::with(|limits| limits.message_bytes_max = 1_000).await;
    let mut client = relay.subscriber(&["t"]).await;
    let envelope = common::publication("t", r#""""#).len();
    let payload = format!(r#""{}""#, "x".repeat(1_000 - envelope));
    client.publish("t", &payload).await;
    assert_eq!(client.next().await, delivery("t", &payload));
}

#[tokio::test]
async fn text_that_is_not_utf8_closes_the_connection() {
    let relay = TestRelay::start().await;
    let mut client = relay.client().await;
    let bad = Frame::message(vec![0xff], OpCode::Data(Data::Text), true);
    within(client.socket.send(Message::Frame(bad))).await.unwrap();
    assert_eq!(client.closed().await, CloseCode::Invalid);
    assert_eq!(relay.counters().cut_protocol, 1);
}

#[tokio::test]
async fn frames_against_the_websocket_protocol_close_the_connection() {
    let relay = TestRelay::start().await;
    let mut client = relay.client().await;
    // RFC 6455 section 5.1: a client's frames are masked.
    within(client.socket.get_mut().write_all(&[0x81, 0x01, b'x'])).await.unwrap();
    assert_eq!(client.closed().await, CloseCode::Protocol);
    assert_eq!(relay.counters().cut_protocol, 1);
}

#[tokio::test]
async fn a_connection_gets_no_more_topics_than_allowed() {
    let relay = TestRelay::with(|limits| limits.connection_topics_max = 2).await;
    let mut client = relay.subscriber(&["a", "b", "c"]).await;
    client.publish("c", "1").await;
    client.publish("b", "2").await;
    assert_eq!(client.next().await, delivery("b", "2"));
    assert_eq!(relay.counters().ignored_too_many_topics, 1);
}

#[tokio::test]
async fn the_relay_gets_no_more_topics_than_allowed() {
    let relay = TestRelay::with(|limits| limits.topics_max = 2).await;
    let _first = relay.subscriber(&["a", "b"]).await;
    let mut second = relay.subscriber(&["c", "b"]).await;
    second.publish("c", "1").await;
    second.publish("b", "2").await;
    assert_eq!(second.next().await, delivery("b", "2"), "a known topic has room");
    assert_eq!(relay.counters().ignored_too_many_topics, 1);
}

#[tokio::test]
async fn a_full_relay_refuses_until_a_client_leaves() {
    let relay = TestRelay::with(|limits| limits.connections_max = 1).await;
    let only = relay.client().await;
    let socket = within(TcpStream::connect(relay.addr)).await.unwrap();
    let refused = within(tokio_tungstenite::client_async("ws://relay.test/", socket)).await;
    let Err(Error::Http(response)) = refused else { panic!("it was not refused") };
    assert_eq!(response.status(), 503);
    assert_eq!(relay.counters().refused_full, 1);
    let health = relay.http("GET /health HTTP/1.1\r\nhost: relay.test\r\n\r\n").await;
    assert!(health.contains(r#""status":"full""#), "{health}");

    only.leave().await;
    relay.until(|stats| stats.connections == 0).await;
    relay.subscriber(&["t"]).await;
}

#[tokio::test]
async fn a_slow_reader_is_cut_and_the_others_get_everything() {
    let relay = TestRelay::with(|limits| {
        limits.outbox_bytes_max = 256 * 1024;
        limits.close_timeout = Duration::from_secs(60);
    })
    .await;
    let mut slow = Client::over(small_socket(relay.addr).await).await;
    slow.subscribe("t").await;
    slow.settle().await;
    let mut reader = relay.subscriber(&["t"]).await;
    let mut publisher = relay.client().await;

    // The system's buffers take some MiB before the relay's own begin to fill.
    let payload = format!(r#""{}""#, "x".repeat(64 * 1024));
    let mut published = 0;
    while relay.counters().cut_slow == 0 {
        assert!(published < 10_000, "the slow reader is never cut");
        publisher.publish("t", &payload).await;
        assert_eq!(reader.next().await, delivery("t", &payload));
        published += 1;
    }
    publisher.publish("t", "1").await;
    assert_eq!(reader.next().await, delivery("t", "1"));
    assert_eq!(slow.closed().await, CloseCode::Policy, "once it reads it learns why");
}

#[tokio::test]
async fn a_client_that_answers_no_ping_is_cut() {
    let relay = TestRelay::start().await;
    let mut client = relay.client().await;
    // From here on time passes at once whenever nothing else happens.
    tokio::time::pause();
    let mut received = Vec::new();
    client.socket.get_mut().read_to_end(&mut received).await.unwrap();
    let ping = [0x89, 0x00];
    assert!(received.starts_with(&ping), "{received:02x?}");
    let close = [0x03, 0xf0]; // 1008
    assert!(received.windows(2).any(|bytes| bytes == close), "{received:02x?}");
    assert_eq!(relay.counters().cut_silent, 1);
}

#[tokio::test]
async fn a_handshake_that_does_not_finish_is_dropped() {
    let relay = TestRelay::start().await;
    let mut socket = TcpStream::connect(relay.addr).await.unwrap();
    socket.write_all(b"GET / HTTP/1.1\r\nupgrade: websocket\r\n").await.unwrap();
    tokio::time::pause();
    let mut received = Vec::new();
    socket.read_to_end(&mut received).await.unwrap();
    assert_eq!(received, b"");
    assert_eq!(relay.counters().failed_handshake, 1);
}

#[tokio::test]
async fn handshakes_beyond_the_limit_wait_for_their_turn() {
    let relay = TestRelay::with(|limits| limits.handshakes_max = 1).await;
    let mut first = TcpStream::connect(relay.addr).await.unwrap();
    let mut second = TcpStream::connect(relay.addr).await.unwrap();
    let request = b"GET / HTTP/1.1\r\nhost: relay.test\r\n\r\n";
    second.write_all(request).await.unwrap();
    idle().await;
    assert_eq!(relay.counters().accepted, 1);

    first.write_all(request).await.unwrap();
    for mut socket in [first, second] {
        let mut answer = String::new();
        within(socket.read_to_string(&mut answer)).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 426 "), "{answer}");
    }
    assert_eq!(relay.counters().accepted, 2);
}

/// Waits until no task can go on: a paused clock moves only then.
async fn idle() {
    tokio::time::pause();
    tokio::time::sleep(Duration::from_millis(1)).await;
    tokio::time::resume();
}

/// A socket whose receive buffer is as small as the system allows.
async fn small_socket(addr: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(1).unwrap();
    within(socket.connect(addr)).await.unwrap()
}
