//! `tristero agent`: who is met, and who is let in.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use common::{Agent, Relay};
use serde_json::{Value, json};

#[test]
fn a_handshake_lets_both_in_and_tells_what_was_said() {
    let relay = Relay::start();
    let (mut left, mut right) = (Agent::start(), Agent::start());
    let of_left = json!({"text": "Losung", "metadata": {"name": "Zoë"}});
    let of_right = json!({"json": [1, {"a": null}], "metadata": null});
    left.join_with(&relay, "door", json!({"handshake": of_left}));
    right.join_with(&relay, "door", json!({"handshake": of_right}));
    left.meet(&right, "door");
    right.meet(&left, "door");

    let at_right = right.wait_for("handshake", &json!({"room": "door", "peer": left.self_id}));
    let said = (&at_right["type"], &at_right["text"], &at_right["metadata"]);
    assert_eq!(said, (&json!("text"), &of_left["text"], &of_left["metadata"]));
    let at_left = left.wait_for("handshake", &json!({"room": "door", "peer": right.self_id}));
    assert_eq!(
        (&at_left["json"], at_left.get("metadata")),
        (&of_right["json"], Some(&Value::Null))
    );
    for (agent, other, told) in [(&left, &right, &at_left), (&right, &left, &at_right)] {
        assert_eq!(told["isInitiator"], agent.self_id < other.self_id);
    }
}

#[test]
fn a_handshake_that_refuses_keeps_both_out() {
    let relay = Relay::start();
    let (mut refusing, mut refused) = (Agent::start(), Agent::start());
    let handshake = json!({"text": "who?", "reject": "not you"});
    refusing.join_with(&relay, "door", json!({"handshake": handshake}));
    let handshake = json!({"text": "me"});
    let waiting = json!({"handshake": handshake, "handshakeTimeoutMs": 1_500});
    refused.join_with(&relay, "door", waiting);

    let error = refusing.wait_for("joinError", &json!({"peerId": refused.self_id}));
    assert_eq!((&error["error"], &error["code"]), (&json!("not you"), &json!("handshake-refused")));
    let error = refused.wait_for("joinError", &json!({"peerId": refusing.self_id}));
    assert_eq!(error["error"], "Trystero: handshake timed out after 1500ms");
    assert_eq!(error["code"], "handshake-timed-out");
    for agent in [&mut refusing, &mut refused] {
        agent.must("leave", json!({}));
        assert_eq!(agent.past("peerJoin", &json!({})), Vec::<Value>::new());
    }
}

#[test]
fn a_handshake_that_can_t_be_read_joins_nothing() {
    let relay = Relay::start();
    let mut agent = Agent::start();
    let handshake = json!({"text": "x", "json": 1});
    let relays = [&relay.url];
    let join = json!({"appId": "a", "roomId": "r", "relayUrls": relays, "handshake": handshake});
    let reply = agent.ask("join", join);
    assert_eq!(reply["error"], "a payload is exactly one of json, text, binary, file");
    assert_eq!(agent.ask("peers", json!({}))["error"], "no room was joined");
}

#[test]
fn a_passive_peer_says_so_and_meets_an_active_one() {
    let relay = Relay::start();
    let (mut passive, mut active) = (Agent::start(), Agent::start());
    passive.join_with(&relay, "archive", json!({"passive": true}));
    active.join(&relay, "archive");
    passive.meet(&active, "archive");
    active.meet(&passive, "archive");
    for (agent, expected) in [(&mut passive, true), (&mut active, false)] {
        assert_eq!(agent.wait_for("joined", &json!({}))["passive"], expected);
    }
}

#[test]
fn relays_that_are_paused_are_dialled_when_they_are_resumed() {
    let relay = Relay::start();
    let (mut pausing, mut other) = (Agent::start(), Agent::start());
    pausing.must("pauseRelays", json!({}));
    pausing.join(&relay, "pause");
    let relays = pausing.must("relays", json!({}));
    let state = &relays["relays"][&relay.url];
    assert_eq!((&state["state"], &state["paused"]), (&json!("closed"), &json!(true)), "{relays}");

    pausing.must("resumeRelays", json!({}));
    other.join(&relay, "pause");
    pausing.meet(&other, "pause");
    let relays = pausing.must("relays", json!({}));
    assert_eq!(relays["relays"][&relay.url]["state"], "open", "{relays}");
}

#[test]
fn manual_reconnection_is_of_a_whole_agent() {
    let mut automatic = Agent::start();
    let mut manual = Agent::start_with(&["--manual-reconnection"]);
    let join = |agent: &mut Agent, room: &str, manual: bool| {
        let relay_config = json!({"urls": ["ws://127.0.0.1:9"], "manualReconnection": manual});
        agent.ask("join", json!({"appId": "a", "roomId": room, "relayConfig": relay_config}))
    };
    assert_eq!(join(&mut manual, "r", true)["ok"], true);
    assert_eq!(join(&mut automatic, "r", false)["ok"], true);
    for (agent, other) in [(&mut manual, false), (&mut automatic, true)] {
        let error = join(agent, "s", other)["error"].clone();
        assert!(error.as_str().unwrap().contains("--manual-reconnection"), "{error}");
    }
}
