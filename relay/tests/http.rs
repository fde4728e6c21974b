//! Plain HTTP on the relay's port.

mod common;

use std::collections::HashMap;

use common::{Client, TestRelay, within};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

#[tokio::test]
async fn health_is_json() {
    let relay = TestRelay::start().await;
    let mut client = relay.subscriber(&["a", "b"]).await;
    client.publish("a", "1").await;
    client.next().await;
    client.send("nonsense").await;
    client.settle().await;

    let answer = relay.http("GET /health HTTP/1.1\r\nhost: relay.test\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("content-type: application/json\r\n"), "{answer}");
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let health: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(health["status"], "ok");
    assert_eq!(health["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(health["connections"], 1);
    assert_eq!(health["topics"], 2);
    assert_eq!(health["counters"]["accepted"], 2);
    assert_eq!(health["counters"]["opened"], 1);
    assert_eq!(health["counters"]["delivered"], 1);
    assert_eq!(health["counters"]["ignored_malformed"], 1);
}

#[tokio::test]
async fn metrics_are_what_prometheus_reads() {
    let relay = TestRelay::start().await;
    let mut client = relay.subscriber(&["a", "b"]).await;
    client.publish("a", "1").await;
    client.next().await;

    let answer = relay.http("GET /metrics HTTP/1.1\r\nhost: relay.test\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"));
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let metrics = parse_metrics(body);
    let value = |name: &str| metrics[&format!("tristero_relay_{name}")].clone();
    assert_eq!(value("connections"), ("gauge".into(), 1));
    assert_eq!(value("topics"), ("gauge".into(), 2));
    assert_eq!(value("accepted_total"), ("counter".into(), 2));
    assert_eq!(value("published_total"), ("counter".into(), 1));
    assert_eq!(value("delivered_total"), ("counter".into(), 1));
    assert_eq!(value("dropped_total"), ("counter".into(), 0));
    let delivery = common::delivery("a", "1");
    assert_eq!(value("delivered_bytes_total"), ("counter".into(), 2 + delivery.len() as u64));
    assert!(value("received_bytes_total").1 > 0);
    let version = format!("build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"));
    assert_eq!(value(&version), ("gauge".into(), 1));
}

/// Each sample's type and value, by its name and labels. Every sample follows its own description.
fn parse_metrics(body: &str) -> HashMap<String, (String, u64)> {
    assert!(body.ends_with('\n'), "the last line ends too");
    let lines: Vec<&str> = body.lines().collect();
    let sample = |lines: &[&str]| {
        let (name, help) = lines[0].strip_prefix("# HELP ")?.split_once(' ')?;
        let (typed, kind) = lines[1].strip_prefix("# TYPE ")?.split_once(' ')?;
        let (sample, value) = lines[2].rsplit_once(' ')?;
        assert!(help.ends_with('.') && !help.contains('\\'), "{help}");
        assert_eq!((typed, sample.split('{').next()?), (name, name));
        assert_eq!(kind == "counter", name.ends_with("_total"), "{name}");
        Some((sample.to_owned(), (kind.to_owned(), value.parse().ok()?)))
    };
    let samples = lines.chunks(3).map(|lines| sample(lines).unwrap_or_else(|| panic!("{lines:?}")));
    let metrics: HashMap<_, _> = samples.collect();
    assert_eq!(metrics.len() * 3, lines.len(), "no name comes twice");
    metrics
}

#[tokio::test]
async fn a_plain_request_is_told_what_this_is() {
    let relay = TestRelay::start().await;
    let answer = relay.http("GET /favicon.ico HTTP/1.1\r\nhost: relay.test\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 426 Upgrade Required\r\n"), "{answer}");
    assert!(answer.contains("upgrade: websocket\r\n"), "{answer}");
    assert!(answer.contains("WebSocket"), "{answer}");
}

#[tokio::test]
async fn health_and_metrics_take_no_post() {
    let relay = TestRelay::start().await;
    for path in ["/health", "/metrics"] {
        let head = format!("POST {path} HTTP/1.1\r\nhost: relay.test\r\ncontent-length: 0\r\n\r\n");
        let answer = relay.http(&head).await;
        assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
    }
}

#[tokio::test]
async fn a_bad_upgrade_is_refused_with_the_reason() {
    let relay = TestRelay::start().await;
    let answer = relay
        .http(
            "GET / HTTP/1.1\r\nhost: relay.test\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 12\r\n\r\n",
        )
        .await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("Sec-WebSocket-Version"), "{answer}");
}

#[tokio::test]
async fn what_is_no_http_at_all_fails_and_harms_nobody() {
    let relay = TestRelay::start().await;
    let long = format!("GET / HTTP/1.1\r\ncookie: {}\r\n\r\n", "x".repeat(20_000));
    for request in ["\x16\x03\x01 this is no HTTP\r\n\r\n", &long] {
        let mut socket = within(TcpStream::connect(relay.addr)).await.unwrap();
        within(socket.write_all(request.as_bytes())).await.unwrap();
        // It may be reset, because not all of the request is read.
        let _ = within(socket.read_to_end(&mut Vec::new())).await;
    }
    relay.client().await.settle().await;
    assert_eq!(relay.counters().failed_handshake, 2);
}

#[tokio::test]
async fn frames_sent_along_with_the_upgrade_request_are_read() {
    let relay = TestRelay::start().await;
    let mut socket = within(TcpStream::connect(relay.addr)).await.unwrap();
    let request = "GET / HTTP/1.1\r\nhost: relay.test\r\nconnection: upgrade\r\n\
                   upgrade: websocket\r\nsec-websocket-version: 13\r\n\
                   sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    // A masked text frame, its mask all zero.
    let text = br#"{"type":"subscribe","topic":"t"}"#;
    let mut bytes = request.as_bytes().to_vec();
    bytes.extend([0x81, 0x80 | u8::try_from(text.len()).unwrap(), 0, 0, 0, 0]);
    bytes.extend(text);
    within(socket.write_all(&bytes)).await.unwrap();

    let mut publisher: Client = relay.client().await;
    within(async {
        while relay.counters().delivered == 0 {
            publisher.publish("t", "1").await;
            publisher.settle().await;
        }
    })
    .await;
}
