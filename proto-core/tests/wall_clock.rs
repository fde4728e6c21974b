//! What relays are told of the time.

#![allow(clippy::unwrap_used, reason = "a test that can not go on may panic")]

#[cfg(target_arch = "wasm32")]
#[macro_use]
extern crate tristero_wasm_harness;

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tristero_proto::signaling::{LinkFrame, RelayUrl};
use tristero_proto::strategies::Nostr;
use tristero_proto::testing::MemoryEngine;
use tristero_proto::{Clock, Input, Node, NodeConfig, Output, RelayConfig, RoomConfig, Seed, Time};

const BEGUN: u64 = 1_700_000_000;

/// When a subscription begins that the node asks for in its outputs. Its links stand at once.
fn since(node: &mut Node<MemoryEngine>, now: Time) -> Option<u64> {
    let mut since = None;
    for _ in 0..2 {
        node.handle_timeout(now);
        while let Some(output) = node.poll_output() {
            match output {
                Output::OpenLink { link, .. } => node.handle_input(Input::LinkOpened(link), now),
                Output::SendLink { frame: LinkFrame::Text(text), .. } => {
                    let message: Value = serde_json::from_str(&text).unwrap();
                    since = message[2]["since"].as_u64().or(since);
                }
                _ => {}
            }
        }
    }
    since
}

/// A machine that sleeps may stop its monotonic clock. Relays refuse events that seem old.
#[test]
fn relays_old_and_new_are_told_the_time_that_the_calendar_shows() {
    let seed = Seed::from_number(1);
    let engine = MemoryEngine::new(&seed.fork("engine"));
    let clock = Clock { now: Time::ZERO, unix: Duration::from_secs(BEGUN) };
    let mut node = Node::new(NodeConfig::default(), engine, seed, clock);
    let join = |node: &mut Node<MemoryEngine>, room_id: &str, url: &str, now| {
        let url = RelayUrl::web_socket(url).unwrap();
        let relays = vec![RelayConfig { strategy: Arc::new(Nostr), url }];
        node.join(RoomConfig { relays, ..RoomConfig::new("app", room_id) }, now).unwrap();
        since(node, now)
    };
    let (one, other) = ("ws://one.example", "ws://other.example");
    assert_eq!(join(&mut node, "a", one, Time::from_millis(2_000)), Some(BEGUN + 2));
    let slept = Duration::from_secs(BEGUN + 3_600);
    node.handle_input(Input::WallClock(slept), Time::from_millis(3_000));
    // What was on its way when the subscription was sent anew is still wanted.
    assert_eq!(join(&mut node, "b", one, Time::from_millis(4_000)), Some(BEGUN + 3_601 - 5));
    assert_eq!(join(&mut node, "c", other, Time::from_millis(5_000)), Some(BEGUN + 3_602));
}
