//! Which rooms of a node share a relay, and which do not.

#![allow(clippy::unwrap_used, reason = "a test that can not go on may panic")]

#[cfg(target_arch = "wasm32")]
#[macro_use]
extern crate tristero_wasm_harness;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tristero_proto::signaling::{LinkFrame, Strategy};
use tristero_proto::strategies::{Firebase, Supabase, WsRelay};
use tristero_proto::testing::MemoryEngine;
use tristero_proto::{
    Clock, Input, JoinError, LinkId, Node, NodeConfig, Output, RelayConfig, RoomConfig, Seed, Time,
};

/// A node whose relays all answer, and what it said over each link.
struct Scene {
    node: Node<MemoryEngine>,
    /// What a relay says first of all.
    greeting: &'static str,
    said: BTreeMap<LinkId, String>,
}

impl Scene {
    fn new(greeting: &'static str) -> Self {
        let seed = Seed::from_number(1);
        let engine = MemoryEngine::new(&seed.fork("engine"));
        let node = Node::new(
            NodeConfig::default(),
            engine,
            seed,
            Clock { now: Time::ZERO, unix: Duration::ZERO },
        );
        Scene { node, greeting, said: BTreeMap::new() }
    }

    /// Joins a room over one relay.
    fn join(
        &mut self,
        room_id: &str,
        strategy: impl Strategy + 'static,
        url: &str,
    ) -> Result<(), JoinError> {
        let url = strategy.relay_url(url).unwrap();
        let relays = vec![RelayConfig { strategy: Arc::new(strategy), url }];
        let config = RoomConfig { relays, ..RoomConfig::new("app", room_id) };
        self.node.join(config, Time::ZERO)?;
        self.node.handle_timeout(Time::ZERO);
        while let Some(output) = self.node.poll_output() {
            match output {
                Output::OpenLink { link, .. } => {
                    self.said.insert(link, String::new());
                    self.node.handle_input(Input::LinkOpened(link), Time::ZERO);
                    let greeting = LinkFrame::Text(self.greeting.to_owned());
                    self.node.handle_input(Input::LinkFrame(link, greeting), Time::ZERO);
                }
                Output::SendLink { link, frame: LinkFrame::Text(text) } => {
                    self.said.get_mut(&link).unwrap().push_str(&text);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Which links carried this text, in the order in which they were dialled.
    fn carried(&self, text: &str) -> Vec<bool> {
        self.said.values().map(|said| said.contains(text)).collect()
    }
}

/// How a Firebase server begins.
const HELLO: &str = r#"{"t":"c","d":{"t":"h","d":{"ts":1,"v":"5","h":"127.0.0.1","s":"s"}}}"#;
const DATABASE: &str = "http://127.0.0.1:9000/?ns=chat";
const PROJECT: &str = "http://127.0.0.1:54321";

#[test]
fn rooms_with_one_strategy_and_url_share_a_link() {
    let mut scene = Scene::new("");
    scene.join("one", WsRelay, "ws://127.0.0.1:1").unwrap();
    scene.join("two", WsRelay, "ws://127.0.0.1:1").unwrap();
    scene.join("three", WsRelay, "ws://127.0.0.1:2").unwrap();
    assert_eq!(scene.said.len(), 2);
}

#[test]
fn rooms_with_equal_credentials_share_a_link() {
    let mut scene = Scene::new("");
    scene.join("one", Supabase::new("key").access_token("mine"), PROJECT).unwrap();
    scene.join("two", Supabase::new("key").access_token("mine"), PROJECT).unwrap();
    assert_eq!(scene.carried("mine"), [true]);
}

#[test]
fn no_room_uses_the_supabase_token_of_another() {
    let mut scene = Scene::new("");
    scene.join("one", Supabase::new("key").access_token("mine"), PROJECT).unwrap();
    scene.join("two", Supabase::new("key").access_token("yours"), PROJECT).unwrap();
    assert_eq!(scene.carried("mine"), [true, false]);
    assert_eq!(scene.carried("yours"), [false, true]);
}

#[test]
fn no_room_uses_the_firebase_token_of_another() {
    let mut scene = Scene::new(HELLO);
    scene.join("one", Firebase::default().auth("mine"), DATABASE).unwrap();
    scene.join("two", Firebase::default().auth("yours"), DATABASE).unwrap();
    assert_eq!(scene.carried("mine"), [true, false]);
    assert_eq!(scene.carried("yours"), [false, true]);
}

#[test]
fn rooms_below_different_paths_of_a_database_share_no_link() {
    let mut scene = Scene::new(HELLO);
    scene.join("one", Firebase::default().path("east"), DATABASE).unwrap();
    scene.join("two", Firebase::default().path("west"), DATABASE).unwrap();
    assert_eq!(scene.carried("/east/"), [true, false]);
    assert_eq!(scene.carried("/west/"), [false, true]);
}

#[test]
fn a_room_that_is_joined_again_with_another_token_is_not_the_same() {
    let mut scene = Scene::new("");
    scene.join("one", Supabase::new("key").access_token("mine"), PROJECT).unwrap();
    scene.join("one", Supabase::new("key").access_token("mine"), PROJECT).unwrap();
    let again = scene.join("one", Supabase::new("key").access_token("yours"), PROJECT);
    assert!(matches!(again, Err(JoinError::Differs(_))), "{again:?}");
}
