//! Sessions of Trystero with its own relay, played to ours.
#![allow(clippy::unwrap_used, reason = "it is a test, though clippy can't tell")]

mod common;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use common::{Client, TestRelay};
use serde::Deserialize;
use tristero_relay::{Limits, wire::ClientMessage};

#[tokio::test]
async fn a_captured_session_has_the_same_deliveries_here() {
    let topic_bytes_max = Limits::default().topic_bytes_max;
    let mut replayed = 0;
    for (name, frames) in captures() {
        let relay = TestRelay::start().await;
        let mut clients: BTreeMap<u64, Client> = BTreeMap::new();
        let mut received: BTreeMap<u64, Vec<String>> = BTreeMap::new();
        let mut captured: BTreeMap<u64, Vec<String>> = BTreeMap::new();
        for conn in frames.iter().map(|frame| frame.conn).collect::<BTreeSet<_>>() {
            clients.insert(conn, relay.client().await);
        }
        for frame in frames {
            if frame.dir == "s2c" {
                captured.entry(frame.conn).or_default().push(frame.text);
                continue;
            }
            let client = clients.get_mut(&frame.conn).unwrap();
            let message = ClientMessage::parse(&frame.text, topic_bytes_max).unwrap();
            assert_eq!(message.emit(), frame.text, "{name}");
            client.send(frame.text).await;
            client.settle().await;
            replayed += 1;
        }
        for (conn, client) in &mut clients {
            for _ in captured.get(conn).into_iter().flatten() {
                received.entry(*conn).or_default().push(client.next().await);
            }
        }
        assert_eq!(received, captured, "{name}");
        let deliveries = captured.values().map(Vec::len).sum::<usize>();
        assert_eq!(relay.counters().delivered, deliveries as u64, "{name}");
    }
    assert!(replayed > 50, "the captures are empty");
}

#[derive(Deserialize)]
struct Captured {
    conn: u64,
    dir: String,
    text: String,
}

fn captures() -> Vec<(String, Vec<Captured>)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../proto-core/tests/wire/ws-relay");
    let mut files: Vec<_> =
        fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    files.sort();
    let read = |path: &std::path::PathBuf| {
        let text = fs::read_to_string(path).unwrap();
        // Rows of other kinds (meta, events, opens) carry no text.
        let frames = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        (path.display().to_string(), frames)
    };
    files.iter().map(read).collect()
}
