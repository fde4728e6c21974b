//! `tristero agent`, driven as scripts drive it.

mod common;

use common::{Agent, Program, Relay, pair, run, tristero};
use serde_json::{Value, json};

#[test]
fn the_first_line_says_who_it_is() {
    let mut agent = Program::start(tristero().args(["agent", "--self-id", "somebody"]));
    let ready: Value = serde_json::from_str(&agent.line()).unwrap();
    assert_eq!((&ready["event"], &ready["selfId"]), (&json!("ready"), &json!("somebody")));
    assert!(ready["version"].as_str().unwrap().starts_with("tristero "), "{ready}");
    agent.close_stdin();
    assert_eq!(agent.ended().status.code(), Some(0));
}

#[test]
fn what_is_no_command_is_an_error_and_changes_nothing() {
    let mut agent = Agent::start();
    let error = agent.ask("dance", json!({}));
    let expected = (&json!(false), &json!("dance"), &json!("unknown command \"dance\""));
    assert_eq!((&error["ok"], &error["cmd"], &error["error"]), expected);

    agent.program.say("{\"cmd\":");
    let error = agent.wait_for("error", &json!({}));
    assert!(error["error"].as_str().unwrap().starts_with("not JSON: "), "{error}");
    agent.program.say("\n[1]");
    agent.wait_for("error", &json!({"error": "a command is a JSON object"}));

    agent.must("stats", json!({}));
}

#[test]
fn only_failures_are_told_of_commands_without_an_id() {
    let mut agent = Agent::start();
    agent.program.say(r#"{"cmd":"stats"}"#);
    agent.program.say(r#"{"cmd":"peers"}"#);
    let error = agent.wait_for("error", &json!({"cmd": "peers"}));
    assert_eq!(error["error"], "no room was joined");
    assert_eq!(agent.past("reply", &json!({})), Vec::<Value>::new());
}

#[test]
fn a_room_is_joined_at_once_without_any_relay() {
    let mut agent = Agent::start();
    // The discard port: nothing listens there.
    let nowhere = json!({"appId": "a", "roomId": "r", "relayUrls": ["ws://127.0.0.1:9"]});
    let joined = agent.must("join", nowhere.clone());
    assert_eq!(joined["selfId"], *agent.self_id);
    let told = agent.wait_for("joined", &json!({"room": "r", "appId": "a", "roomId": "r"}));
    assert_eq!((&told["passive"], &told["t0"]), (&json!(false), &joined["t0"]));

    let again = agent.ask("join", nowhere);
    assert_eq!(again["error"], "there is a room called r already");
    let relays = agent.must("relays", json!({}));
    assert!(relays["relays"]["ws://127.0.0.1:9"]["state"].is_string(), "{relays}");
    agent.must("leave", json!({}));
    assert_eq!(agent.ask("peers", json!({}))["error"], "there is no room r");
}

#[test]
fn a_room_that_makes_no_sense_is_not_joined() {
    let mut agent = Agent::start();
    let mut refusal = |app: &str, room: &str, urls: &[&str]| {
        let reply = agent.ask("join", json!({"appId": app, "roomId": room, "relayUrls": urls}));
        assert_eq!(reply["ok"], false, "{reply}");
        reply["error"].as_str().unwrap().to_owned()
    };
    assert_eq!(refusal("", "r", &["ws://127.0.0.1:9"]), "the appId is empty");
    assert_eq!(refusal("a", "", &["ws://127.0.0.1:9"]), "the roomId is empty");
    assert!(refusal("a", "r", &["http://x"]).contains("\"http://x\" is not a relay's URL"));
    assert!(refusal("a", "r", &[]).contains("relayUrls"));
}

#[test]
fn agents_meet_by_one_of_several_strategies_and_tell_of_their_relays() {
    let relay = Relay::start();
    let (mut left, mut right) = (Agent::start(), Agent::start());
    let nowhere = "ws://me:sesame@127.0.0.1:9";
    left.must(
        "join",
        json!({"appId": "a", "roomId": "r", "strategy": [
            {"strategy": "ws", "relayUrls": [relay.url]},
            {"strategy": "nostr", "relayUrls": [nowhere]},
        ]}),
    );
    right.must("join", json!({"appId": "a", "roomId": "r", "relayUrls": [relay.url]}));
    left.meet(&right, "r");

    let open = json!({"room": "r", "relay": relay.url, "strategy": "ws", "state": "open"});
    left.wait_for("relay", &open);
    let lost = json!({"strategy": "nostr", "state": "closed"});
    assert!(left.wait_for("relay", &lost)["retryInMs"].is_u64());
    let told = left.must("relays", json!({}));
    assert_eq!(told["relays"][&relay.url]["strategy"], "ws", "{told}");
    assert_eq!(told["relays"]["ws://127.0.0.1:9"]["strategy"], "nostr", "{told}");
    assert!(!told.to_string().contains("sesame"), "{told}");
}

#[test]
fn agents_meet_send_and_part() {
    let relay = Relay::start();
    let (mut left, mut right) = pair(&relay, "talk");
    assert_eq!(left.must("peers", json!({}))["peers"], json!([right.self_id]));
    let pairs = left.must("pairs", json!({}));
    let pair = &pairs["pairs"][&right.self_id];
    assert_eq!(pair["local"]["type"], "host", "{pairs}");
    assert!(pair["remote"]["port"].is_u64(), "{pairs}");

    right.must("register", json!({"action": "note"}));
    let note = json!({"action": "note", "text": "grüß dich", "metadata": null});
    left.must("send", note);
    let told = right.wait_for("message", &json!({"room": "talk", "action": "note"}));
    assert_eq!((&told["type"], &told["text"]), (&json!("text"), &json!("grüß dich")));
    assert_eq!((&told["peer"], told.get("metadata")), (&json!(left.self_id), Some(&Value::Null)));

    left.must("leave", json!({}));
    left.wait_for("left", &json!({"room": "talk"}));
    let gone = json!({"room": "talk", "peer": left.self_id, "reason": "it left"});
    right.wait_for("peerLeave", &gone);
}

#[test]
fn a_binary_is_told_by_the_same_hash_on_both_sides() {
    let relay = Relay::start();
    let (mut left, mut right) = pair(&relay, "binary");
    right.must("register", json!({"action": "file", "progress": true}));
    let binary = json!({"size": 1_000_003, "seed": 7});
    let file = json!({"action": "file", "binary": binary, "progress": true});
    let sent = left.must("send", file);
    let told = right.wait_for("message", &json!({"action": "file"}));
    // Of the same stream, computed in JavaScript.
    let sha256 = "5a9563c02a0eba101ebe039e4d7524fbd0e6be4b86010d77a815152ff62bfa8e";
    for end in [&sent, &told] {
        assert_eq!((&end["size"], &end["sha256"]), (&json!(1_000_003), &json!(sha256)));
    }
    for (agent, event) in [(&left, "sendProgress"), (&right, "receiveProgress")] {
        let steps = agent.past(event, &json!({"action": "file"}));
        let steps: Vec<f64> = steps.iter().map(|s| s["progress"].as_f64().unwrap()).collect();
        assert!(steps.len() > 10 && steps.is_sorted() && steps.last() == Some(&1.0), "{steps:?}");
    }
}

#[test]
fn what_comes_before_an_action_is_registered_is_told_then() {
    let relay = Relay::start();
    let (mut left, mut right) = pair(&relay, "early");
    // It is known from sending already, and still nobody listens.
    right.must("send", json!({"action": "early", "text": "mine"}));
    left.must("send", json!({"action": "early", "text": "yours"}));
    right.must("register", json!({"action": "mark"}));
    left.must("send", json!({"action": "mark", "text": "mark"}));
    right.wait_for("message", &json!({"action": "mark"}));
    assert_eq!(right.past("message", &json!({"action": "early"})), Vec::<Value>::new());

    right.must("register", json!({"action": "early"}));
    assert_eq!(right.wait_for("message", &json!({"action": "early"}))["text"], "yours");
}

#[test]
fn many_messages_come_in_order_and_are_counted() {
    let relay = Relay::start();
    let (mut left, mut right) = pair(&relay, "many");
    for in_turn in [true, false] {
        let action = format!("many-{in_turn}");
        right.must("register", json!({"action": action, "expect": 500}));
        let many = json!({"action": action, "count": 500, "size": 60, "await": in_turn});
        let sent = left.must("sendMany", many);
        let done = right.wait_for("countDone", &json!({"action": action}));
        assert_eq!((&done["count"], &sent["messageBytes"]), (&json!(500), &json!(58)));
        assert_eq!(done["bytes"], 500 * 58);
        let told = right.past("message", &json!({"action": action}));
        let numbers: Vec<u64> =
            told.iter().map(|told| told["json"]["n"].as_u64().unwrap()).collect();
        assert_eq!(numbers, (1_000_000..1_000_500).collect::<Vec<u64>>());
        assert_eq!(right.must("count", json!({"action": action}))["received"], 0);
    }
}

#[test]
fn a_registration_may_be_silent_or_leave_out_hashes() {
    let relay = Relay::start();
    let (mut left, mut right) = pair(&relay, "silent");
    right.must("register", json!({"action": "quiet", "print": false, "expect": 1}));
    left.must("send", json!({"action": "quiet", "text": "psst"}));
    right.wait_for("countDone", &json!({"action": "quiet", "count": 1, "bytes": 4}));

    right.must("register", json!({"action": "loud", "hash": false}));
    left.must("send", json!({"action": "loud", "binary": 10}));
    let told = right.wait_for("message", &json!({}));
    assert_eq!((&told["action"], told.get("sha256")), (&json!("loud"), None));
    assert_eq!(right.must("count", json!({"action": "loud"}))["received"], 1);
}

#[test]
fn a_binary_is_saved_where_it_is_asked_for() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("saved");
    let relay = Relay::start();
    let (mut left, mut right) = pair(&relay, "save");
    right.must("register", json!({"action": "a/b", "save": folder}));
    left.must("send", json!({"action": "a/b", "binary": {"base64": "AQID"}}));
    let told = right.wait_for("message", &json!({"action": "a/b"}));
    let file = std::path::Path::new(told["file"].as_str().unwrap());
    assert_eq!(file.parent(), Some(&*folder));
    assert_eq!(std::fs::read(file).unwrap(), [1, 2, 3]);

    left.must("register", json!({"action": "back"}));
    right.must("send", json!({"action": "back", "file": file}));
    let told = left.wait_for("message", &json!({"action": "back"}));
    assert_eq!((&told["type"], &told["size"]), (&json!("binary"), &json!(3)));
}

#[test]
fn a_target_that_is_not_there_is_a_failure() {
    let relay = Relay::start();
    let (mut left, _right) = pair(&relay, "target");
    let reply = left.ask("send", json!({"action": "a", "text": "x", "target": "nobody"}));
    assert_eq!(reply["ok"], false, "{reply}");
    assert!(reply["error"].as_str().unwrap().contains("nobody: it is not in the room"), "{reply}");
}

#[test]
fn peers_with_different_passwords_do_not_meet() {
    let relay = Relay::start();
    let (mut left, mut right) = (Agent::start(), Agent::start());
    for (agent, password) in [(&mut left, "right"), (&mut right, "wrong")] {
        let urls = [&relay.url];
        let room = json!({"appId": "a", "roomId": "r", "relayUrls": urls, "password": password});
        agent.must("join", room);
    }
    // Of the two the one with the larger id gets the offer that it can't read.
    let (smaller, mut larger) =
        if left.self_id < right.self_id { (left, right) } else { (right, left) };
    let error = larger.wait_for("joinError", &json!({"room": "r", "peerId": smaller.self_id}));
    assert_eq!(error["error"], "incorrect room password when decrypting offer");
    assert_eq!(error["code"], "offer-password");
    assert_eq!((&error["appId"], &error["roomId"]), (&json!("a"), &json!("r")));
}

#[test]
fn a_command_that_says_so_holds_up_the_next() {
    let mut agent = Agent::start();
    agent.program.say(r#"{"cmd":"sleep","ms":30,"id":"slow","wait":true}"#);
    agent.must("stats", json!({}));
    assert_eq!(agent.past("reply", &json!({"id": "slow"})).len(), 1);

    agent.program.say(r#"{"cmd":"sleep","ms":600000,"id":"slower"}"#);
    agent.must("stats", json!({}));
    assert_eq!(agent.past("reply", &json!({"id": "slower"})), Vec::<Value>::new());
}

#[test]
fn commands_of_the_command_line_come_first_and_the_end_of_stdin_leaves() {
    let join = r#"{"cmd":"join","appId":"a","roomId":"r","relayUrls":["ws://127.0.0.1:9"],"id":1}"#;
    let ended = run(&["agent", "--cmd", join, "--cmd", r#"{"cmd":"peers","id":2}"#]);
    assert_eq!(ended.status.code(), Some(0), "{:?}", ended.stderr);
    let events: Vec<Value> =
        ended.stdout.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names = events.iter().map(|event| event["event"].as_str().unwrap());
    // How the relay is doing may be told at any time.
    let names: Vec<&str> = names.filter(|name| *name != "relay").collect();
    assert_eq!(names, ["ready", "joined", "reply", "reply", "left"]);
}

#[test]
fn exit_leaves_answers_and_ends() {
    let mut agent = Agent::start_with(&["--linger", "600"]);
    let nowhere = json!({"appId": "a", "roomId": "r", "relayUrls": ["ws://127.0.0.1:9"]});
    agent.must("join", nowhere);
    agent.must("exit", json!({}));
    assert_eq!(agent.past("left", &json!({"room": "r"})).len(), 1);
    assert_eq!(agent.program.ended().status.code(), Some(0));
}

#[cfg(target_os = "linux")]
#[test]
fn statistics_are_those_of_the_process() {
    let stats = Agent::start().must("stats", json!({}));
    assert!(stats["rssBytes"].as_u64().unwrap() > 1_000_000, "{stats}");
    assert!(stats["cpuUserMs"].is_u64() && stats["cpuSystemMs"].is_u64(), "{stats}");
}
