//! `tristero agent`: requests and pings.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use common::{Agent, Relay, pair};
use serde_json::{Value, json};

/// Nobody's.
const ABSENT: &str = "NobodyHasThisId12345";

/// Has an agent answer requests of a name in this way.
fn respond(agent: &mut Agent, action: &str, mut how: Value) {
    how["action"] = action.into();
    how["kind"] = "request".into();
    agent.must("register", how);
}

#[test]
fn a_request_is_told_and_its_answer_comes_back() {
    let relay = Relay::start();
    let (mut asking, mut answering) = pair(&relay, "ask");
    for (n, (how, payload, answer)) in [
        (json!({"respond": "echo"}), json!({"json": {"a": [1]}}), json!({"json": {"a": [1]}})),
        (json!({"respond": "upper"}), json!({"text": "größer"}), json!({"text": "GRÖSSER"})),
        (json!({"respond": "reverse"}), json!({"text": "abc"}), json!({"text": "cba"})),
        (json!({"respond": "sum"}), json!({"json": [1, 2, 3.5]}), json!({"json": 6.5})),
        (json!({"respond": "length"}), json!({"binary": 40_000}), json!({"json": 40_000})),
        (json!({"respond": "null"}), json!({"text": "?"}), json!({"json": null})),
        (json!({"reply": ["always"]}), json!({"text": "?"}), json!({"json": ["always"]})),
    ]
    .into_iter()
    .enumerate()
    {
        let action = format!("ask-{n}");
        respond(&mut answering, &action, how);
        let mut request = payload.clone();
        request["action"] = json!(action);
        request["target"] = json!(answering.self_id);
        request["metadata"] = json!({"n": n});
        let reply = asking.must("request", request);
        let told = asking.wait_for("response", &json!({"action": action}));
        for (key, expected) in answer.as_object().unwrap() {
            assert_eq!((&reply[key], &told[key]), (expected, expected), "{reply}");
        }
        assert_eq!(reply["peer"], *answering.self_id);
        assert!(reply["ms"].as_f64().unwrap() > 0.0, "{reply}");
        let asked = answering.wait_for("request", &json!({"action": action}));
        assert_eq!(asked["peer"], *asking.self_id);
        assert_eq!(asked["metadata"], json!({"n": n}));
        assert_eq!(answering.must("count", json!({"action": action}))["received"], 1);
    }
}

#[test]
fn a_binary_is_answered_by_the_same_bytes_and_its_sending_is_told() {
    let relay = Relay::start();
    let (mut asking, mut answering) = pair(&relay, "echo");
    respond(&mut answering, "echo", json!({"respond": "echo"}));
    let binary = json!({"size": 200_001, "seed": 3});
    let target = answering.self_id.clone();
    let request = json!({"action": "echo", "binary": binary, "target": target, "progress": true});
    let reply = asking.must("request", request);
    let asked = answering.wait_for("request", &json!({"action": "echo"}));
    assert_eq!((&reply["size"], &reply["sha256"]), (&json!(200_001), &asked["sha256"]));
    let steps = asking.past("sendProgress", &json!({"action": "echo", "peer": target}));
    let steps: Vec<f64> = steps.iter().map(|step| step["progress"].as_f64().unwrap()).collect();
    assert!(steps.len() > 2 && steps.is_sorted() && steps.last() == Some(&1.0), "{steps:?}");
}

#[test]
fn a_request_that_fails_says_of_which_kind_the_failure_is() {
    let relay = Relay::start();
    let (mut asking, mut answering) = pair(&relay, "fail");
    respond(&mut answering, "throw", json!({"respond": "throw"}));
    respond(&mut answering, "upper", json!({"respond": "upper"}));
    respond(&mut answering, "never", json!({"respond": "never"}));
    respond(&mut answering, "nothing", json!({}));
    let target = answering.self_id.clone();
    for (action, target, kind, error) in [
        ("throw", &*target, "rejected", "responder refused"),
        ("upper", &*target, "rejected", "the responder is for other payloads"),
        ("nothing", &*target, "rejected", "request handler unavailable"),
        ("never", &*target, "timeout", "the answer took too long"),
        ("throw", ABSENT, "disconnected", "the peer is not in the room, or left it"),
    ] {
        let request = json!({"action": action, "json": 1, "target": target, "timeoutMs": 5_000});
        // What times out does so quickly; the others have all the time they need.
        let request = if action == "never" {
            json!({"action": action, "json": 1, "target": target, "timeoutMs": 50})
        } else {
            request
        };
        let reply = asking.ask("request", request);
        let told = (&reply["ok"], &reply["kind"], &reply["error"]);
        assert_eq!(told, (&json!(false), &json!(kind), &json!(error)), "{reply}");
    }
    assert_eq!(asking.past("response", &json!({})), Vec::<Value>::new());
}

#[test]
fn a_request_ends_when_either_leaves() {
    let relay = Relay::start();
    for (leaver_is_asked, kind) in [(true, "disconnected"), (false, "aborted")] {
        let (mut asking, mut answering) = pair(&relay, "leave");
        respond(&mut answering, "never", json!({"respond": "never"}));
        let target = &answering.self_id;
        let request =
            json!({"cmd": "request", "id": "r", "action": "never", "text": "", "target": target});
        asking.program.say(&request.to_string());
        answering.wait_for("request", &json!({"action": "never"}));
        let leaver = if leaver_is_asked { &mut answering } else { &mut asking };
        leaver.must("leave", json!({}));
        let reply = asking.wait_for("reply", &json!({"id": "r"}));
        assert_eq!((&reply["ok"], &reply["kind"]), (&json!(false), &json!(kind)), "{reply}");
    }
}

#[test]
fn of_many_who_are_asked_each_has_a_result_in_their_order() {
    let relay = Relay::start();
    let (mut asking, mut answering) = pair(&relay, "many");
    let mut refusing = Agent::start();
    refusing.join(&relay, "many");
    asking.meet(&refusing, "many");
    refusing.meet(&asking, "many");
    respond(&mut answering, "ask", json!({"respond": "reverse"}));
    respond(&mut refusing, "ask", json!({"respond": "throw"}));

    let targets = json!([refusing.self_id, ABSENT, answering.self_id]);
    let request = json!({"action": "ask", "text": "abc", "targets": targets});
    let reply = asking.must("request", request);
    let results = reply["results"].as_array().unwrap();
    let told = |field: &str| results.iter().map(|result| result[field].clone()).collect::<Value>();
    assert_eq!(told("peer"), targets);
    assert_eq!(told("status"), json!(["rejected", "disconnected", "fulfilled"]));
    assert_eq!(
        (&results[0]["error"], &results[2]["text"]),
        (&json!("responder refused"), &json!("cba"))
    );
    assert_eq!(
        asking.wait_for("responses", &json!({"action": "ask"}))["results"],
        reply["results"]
    );
    let nobody = asking.must("request", json!({"action": "ask", "text": "abc", "targets": []}));
    assert_eq!(nobody["results"], json!([]));
}

#[test]
fn a_request_waits_for_the_action_and_follows_how_that_changes() {
    let relay = Relay::start();
    let (mut asking, mut answering) = pair(&relay, "late");
    let target = answering.self_id.clone();
    let request = json!({"action": "late", "text": "abc", "target": target});
    let mut early = request.clone();
    early["cmd"] = json!("request");
    early["id"] = json!("early");
    asking.program.say(&early.to_string());
    // What is sent on one connection comes in order.
    asking.must("ping", json!({"target": target}));
    respond(&mut answering, "late", json!({"respond": "reverse"}));
    assert_eq!(asking.wait_for("reply", &json!({"id": "early"}))["text"], "cba");

    respond(&mut answering, "late", json!({"respond": "upper", "print": false}));
    assert_eq!(asking.must("request", request.clone())["text"], "ABC");
    assert_eq!(answering.past("request", &json!({"action": "late"})).len(), 1);
    respond(&mut answering, "late", json!({}));
    assert_eq!(asking.ask("request", request.clone())["error"], "request handler unavailable");
    respond(&mut answering, "late", json!({"reply": "back", "expect": 1}));
    assert_eq!(asking.must("request", request)["text"], "back");
    answering.wait_for("countDone", &json!({"action": "late", "count": 1, "bytes": 3}));
}

#[test]
fn a_name_is_for_messages_or_for_requests() {
    let relay = Relay::start();
    let mut agent = Agent::start();
    agent.join(&relay, "kinds");
    agent.must("register", json!({"action": "message"}));
    respond(&mut agent, "request", json!({"respond": "echo"}));
    let request = json!({"action": "message", "text": "", "target": ABSENT});
    let send = json!({"action": "request", "text": ""});
    for (name, reply) in
        [("message", agent.ask("request", request)), ("request", agent.ask("send", send))]
    {
        let why = "is another kind of action in this room already; take another name";
        assert_eq!(reply["error"], format!("{name:?} {why}"));
    }
}

#[test]
fn a_ping_is_measured_as_often_as_it_is_asked_for() {
    let relay = Relay::start();
    let (mut pinging, other) = pair(&relay, "ping");
    let reply = pinging.must("ping", json!({"target": other.self_id, "count": 3}));
    let pong = pinging.wait_for("pong", &json!({"room": "ping", "peer": other.self_id}));
    for told in [&reply, &pong] {
        let (reported, measured) = (told["reported"].as_array(), told["ms"].as_array());
        let pairs = reported.unwrap().iter().zip(measured.unwrap());
        assert_eq!(pairs.len(), 3);
        for (reported, measured) in pairs {
            let (reported, measured) = (reported.as_f64().unwrap(), measured.as_f64().unwrap());
            assert!(0.0 < reported && reported <= measured, "{told}");
        }
    }
    let reply = pinging.ask("ping", json!({"target": ABSENT}));
    assert_eq!(reply["error"], "the peer is not in the room");
}

#[test]
fn how_a_request_arrives_is_told_if_that_is_wanted() {
    let relay = Relay::start();
    let (mut asking, mut answering) = pair(&relay, "arriving");
    respond(&mut answering, "large", json!({"respond": "length", "progress": true}));
    let request = json!({
        "action": "large", "binary": 100_000, "target": answering.self_id, "metadata": "m",
    });
    assert_eq!(asking.must("request", request)["json"], 100_000);
    let step = answering.wait_for("receiveProgress", &json!({"action": "large", "progress": 1.0}));
    assert_eq!((&step["peer"], &step["metadata"]), (&json!(asking.self_id), &json!("m")));
}
