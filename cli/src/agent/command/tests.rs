//! What lines are taken for.

use serde_json::json;
use tristero_tokio::{Payload, PeerId};

use super::*;
use crate::strategies::{Meeting, Settings, StrategyName};

fn parse(line: &Value) -> Command {
    Command::parse(line.to_string().as_bytes())
}

fn refusal(line: &Value) -> String {
    parse(line).order.unwrap_err().to_string()
}

fn join_with(key: &str, value: Value) -> Value {
    let mut line = json!({"cmd": "join", "appId": "a", "roomId": "r"});
    line[key] = value;
    line
}

fn meeting(strategy: StrategyName, urls: &[&str]) -> Meeting {
    let urls = urls.iter().copied().map(str::to_owned).collect();
    Meeting { strategy, urls, ..Meeting::default() }
}

#[test]
fn a_join_needs_an_app_and_a_room_and_has_defaults() {
    let line = json!({"cmd": "join", "appId": "a", "roomId": "r", "relayUrls": ["ws://x"]});
    let Ok(Order::Join(join)) = parse(&line).order else { panic!("not a join") };
    assert_eq!((join.name(), join.password.as_str()), ("r", ""));
    assert_eq!(join.meetings, [meeting(StrategyName::Ws, &["ws://x"])]);
    assert_eq!((join.trickle_ice, join.handshake_timeout()), (None, None));
    assert!(!join.passive && join.handshake.is_none());
    assert_eq!(refusal(&json!({"cmd": "join", "roomId": "r"})), "missing field `appId`");
}

#[test]
fn relays_may_be_given_as_trystero_takes_them() {
    let join = |relay_config: Value| join_with("relayConfig", relay_config);
    let given = json!({
        "urls": ["ws://x"], "redundancy": 3, "manualReconnection": true, "warnOnRelayFailure": false
    });
    let Ok(Order::Join(order)) = parse(&join(given)).order else { panic!("not a join") };
    let settings = Settings { redundancy: Some(3), ..Settings::default() };
    assert_eq!(order.meetings, [Meeting { settings, ..meeting(StrategyName::Ws, &["ws://x"]) }]);
    assert_eq!(order.manual_reconnection(), Some(true));
    let Ok(Order::Join(order)) = parse(&join(json!({}))).order else { panic!("not a join") };
    assert_eq!(order.manual_reconnection(), None);
    assert_eq!(refusal(&join(json!({"url": "ws://x"}))), "relayConfig: unknown field `url`");
    assert!(
        refusal(&join(json!({"urls": "ws://x"}))).starts_with("relayConfig.urls: invalid type")
    );
}

#[test]
fn there_may_be_several_strategies() {
    let list = json!([
        {"strategy": "nostr"},
        {"strategy": "ws", "relayUrls": ["ws://x"], "relayConfig": {"manualReconnection": true}},
        {"strategy": "supabase", "relayConfig": {"supabaseKey": "sesame"}},
    ]);
    let Ok(Order::Join(order)) = parse(&join_with("strategy", list)).order else {
        panic!("not a join")
    };
    let settings = Settings { supabase_key: Some("sesame".to_owned()), ..Settings::default() };
    let expected = [
        meeting(StrategyName::Nostr, &[]),
        meeting(StrategyName::Ws, &["ws://x"]),
        Meeting { settings, ..meeting(StrategyName::Supabase, &[]) },
    ];
    assert_eq!(order.meetings, expected);
    assert_eq!(order.manual_reconnection(), Some(true));
}

#[test]
fn a_strategy_that_makes_no_sense_is_refused() {
    let unknown = "there is no strategy \"pigeon\"; there are ws, nostr, mqtt, torrent, supabase, \
                   firebase, ipfs";
    let key = json!([{"relayConfig": {"supabaseKey": "sesame"}}]);
    let key_refused = "relayConfig: supabaseKey is of the strategy supabase, not of ws";
    let manual = |manual: bool| json!({"relayConfig": {"manualReconnection": manual}});
    for (strategy, expected) in [
        (json!("pigeon"), format!("strategy: {unknown}")),
        (json!([{"strategy": "pigeon"}]), format!("strategy[0]: strategy: {unknown}")),
        (json!([]), "strategy: the list is empty".to_owned()),
        (json!(["ws"]), "strategy[0]: this is {strategy, relayUrls, relayConfig}".to_owned()),
        (json!([{"url": "ws://x"}]), "strategy[0]: unknown field `url`".to_owned()),
        (
            json!([manual(true), manual(false)]),
            "manualReconnection is for all strategies".to_owned(),
        ),
        (key, key_refused.to_owned()),
    ] {
        let refusal = refusal(&join_with("strategy", strategy));
        assert!(refusal.starts_with(&expected), "{refusal}");
    }
    let mut both = join_with("strategy", json!([{}]));
    both["relayUrls"] = json!(["ws://x"]);
    assert_eq!(refusal(&both), "relayUrls: in a list each strategy has its own");
}

#[test]
fn a_handshake_says_something_and_may_refuse() {
    let join = |handshake: Value| join_with("handshake", handshake);
    let given = json!({"json": {"n": 1}, "metadata": null, "reject": "no"});
    let Ok(Order::Join(order)) = parse(&join(given)).order else { panic!("not a join") };
    let handshake = order.handshake.unwrap();
    assert_eq!((handshake.metadata, handshake.reject.as_deref()), (Some(Value::Null), Some("no")));
    for (wrong, expected) in [
        (json!("hello"), "handshake: this is an object with a payload"),
        (json!({"text": "x", "rejcet": "no"}), "handshake: unknown field `rejcet`"),
        (json!({"text": "x", "reject": true}), "handshake: reject: invalid type"),
        (json!({"text": 5}), "handshake: text: invalid type"),
    ] {
        assert!(refusal(&join(wrong)).starts_with(expected));
    }
}

#[test]
fn a_stream_says_what_is_sent_and_how() {
    let add =
        |field: &str, value: Value| json!({"cmd": "addStream", "files": ["a.ivf"], field: value});
    let Ok(Order::AddStream(order)) = parse(&add("as", json!("tracks"))).order else {
        panic!("not a stream")
    };
    assert_eq!((order.manner, order.repeats), (AddManner::Tracks, true));
    assert_eq!(order.stream, "stream");
    let Ok(Order::AddStream(order)) = parse(&add("metadata", Value::Null)).order else {
        panic!("not a stream")
    };
    assert_eq!((order.manner, order.metadata), (AddManner::Stream, Some(Value::Null)));
    assert_eq!(refusal(&json!({"cmd": "addStream"})), "files: there are none");
    assert!(refusal(&add("as", json!("packets"))).starts_with("as: unknown variant"));
    assert!(refusal(&add("target", json!([]))).starts_with("the target is an empty list"));
}

#[test]
fn a_registration_says_what_comes_and_how_it_is_answered() {
    let kind = |mut line: Value| {
        line["cmd"] = json!("register");
        line["action"] = json!("a");
        match parse(&line).order {
            Ok(Order::Register(register)) => Ok(register.kind),
            Ok(_) => panic!("not registered: {line}"),
            Err(refusal) => Err(refusal.to_string()),
        }
    };
    let request = |respond| Ok(Kind::Request(respond));
    assert_eq!(kind(json!({})), Ok(Kind::Message));
    assert_eq!(kind(json!({"kind": "request"})), request(None));
    for (name, respond) in [
        ("echo", Respond::Echo),
        ("upper", Respond::Upper),
        ("reverse", Respond::Reverse),
        ("sum", Respond::Sum),
        ("length", Respond::Length),
        ("null", Respond::Null),
        ("throw", Respond::Throw),
        ("never", Respond::Never),
    ] {
        assert_eq!(kind(json!({"kind": "request", "respond": name})), request(Some(respond)));
    }
    for (reply, payload) in [(json!("x"), "x".into()), (Value::Null, Payload::Json(Value::Null))] {
        let constant = request(Some(Respond::Constant(payload)));
        assert_eq!(kind(json!({"kind": "request", "reply": reply})), constant);
    }
    let wrong = |line| kind(line).unwrap_err();
    assert!(wrong(json!({"kind": "request", "respond": "shout"})).starts_with("respond: unknown"));
    assert!(wrong(json!({"kind": "request", "respond": "null", "reply": 1})).contains("not both"));
    assert!(wrong(json!({"respond": "echo"})).contains("\"request\""));
}

#[test]
fn a_request_goes_to_one_or_to_many() {
    let asked = |mut line: Value| {
        line["cmd"] = json!("request");
        line["action"] = json!("a");
        line["text"] = json!("?");
        match parse(&line).order {
            Ok(Order::Request(request)) => Ok(request.asked),
            Ok(_) => panic!("not requested: {line}"),
            Err(refusal) => Err(refusal.to_string()),
        }
    };
    let peer = |id| PeerId::new(id).unwrap();
    assert_eq!(asked(json!({"target": "p", "timeoutMs": 5})), Ok(Asked::One(peer("p"))));
    let many = vec![peer("p"), peer("q")];
    assert_eq!(asked(json!({"targets": ["p", "q"]})), Ok(Asked::Many(many)));
    assert_eq!(asked(json!({"targets": []})), Ok(Asked::Many(Vec::new())));
    for wrong in [json!({}), json!({"target": "p", "targets": ["q"]})] {
        assert_eq!(asked(wrong).unwrap_err(), "a request needs either a target or targets");
    }
}

#[test]
fn a_ping_has_a_target_and_a_count_in_reason() {
    let ping = |count: Value| json!({"cmd": "ping", "target": "p", "count": count});
    let Ok(Order::Ping(order)) = parse(&json!({"cmd": "ping", "target": "p"})).order else {
        panic!("not a ping")
    };
    assert_eq!(order.count, 1);
    assert_eq!(refusal(&json!({"cmd": "ping"})), "missing field `target`");
    assert_eq!(refusal(&ping(json!(1_000_000))), "the count is 100000 at most");
}

#[test]
fn ice_servers_are_checked_before_joining() {
    for (key, value, expected) in [
        ("turnConfig", json!([{}]), "turnConfig[0]: missing field `urls`"),
        ("rtcConfig", json!({"iceServers": {}}), "rtcConfig.iceServers: invalid type"),
        ("rtcConfig", json!({"bundlePolicy": "x"}), "rtcConfig: unknown field `bundlePolicy`"),
        ("turnConfig", json!([{"urls": "turn:"}]), "turnConfig[0]: turn:: it names no host"),
    ] {
        let told = refusal(&join_with(key, value));
        assert!(told.starts_with(expected), "{told}");
    }
    let none = join_with("rtcConfig", json!({"iceServers": []}));
    let Ok(Order::Join(order)) = parse(&none).order else { panic!("not a join") };
    assert!(order.ice().unwrap().servers.is_empty());
}

#[test]
fn an_answer_repeats_id_and_cmd_even_of_what_is_unknown() {
    let command = parse(&json!({"cmd": "dance", "id": null, "wait": true}));
    let caller = Caller { id: Some(Value::Null), cmd: Some(json!("dance")) };
    assert_eq!((command.caller, command.wait), (caller, true));
    assert_eq!(command.order.unwrap_err().to_string(), "unknown command \"dance\"");
    assert_eq!(refusal(&json!({"cmd": 5})), "unknown command 5");
    assert_eq!(refusal(&json!({"id": 1})), "a command needs a cmd");
    assert_eq!(parse(&json!({"cmd": "stats"})).caller.id, None);
}

#[test]
fn a_line_that_is_no_object_is_no_command() {
    assert_eq!(refusal(&json!([1])), "a command is a JSON object");
    let command = Command::parse(b"{\"cmd\":");
    assert!(command.order.unwrap_err().to_string().starts_with("not JSON: "));
    assert!(Command::parse(b"\xff").order.is_err());
}

#[test]
fn a_send_has_a_payload_and_tells_null_metadata_from_none() {
    let line = json!({"cmd": "send", "action": "a", "json": null, "metadata": null});
    let Ok(Order::Send(send)) = parse(&line).order else { panic!("not a send") };
    assert_eq!(send.metadata, Some(Value::Null));
    assert!(send.hash && !send.progress && send.target.is_none());
    let line = json!({"cmd": "send", "action": "a", "text": "x", "target": ["p", "q"]});
    let Ok(Order::Send(send)) = parse(&line).order else { panic!("not a send") };
    assert_eq!((send.metadata, send.target.unwrap().peers().len()), (None, 2));
}

#[test]
fn many_messages_are_sent_in_turn_unless_told_otherwise() {
    let line = json!({"cmd": "sendMany", "action": "a", "count": 3});
    let Ok(Order::SendMany(many)) = parse(&line).order else { panic!("not a sendMany") };
    assert_eq!((many.count, many.size, many.in_turn), (3, 100, true));
    let line = json!({"cmd": "sendMany", "action": "a", "count": 3, "await": false});
    let Ok(Order::SendMany(many)) = parse(&line).order else { panic!("not a sendMany") };
    assert!(!many.in_turn);
}

#[test]
fn a_target_is_someone() {
    let to = |target: Value| json!({"cmd": "send", "action": "a", "text": "x", "target": target});
    assert_eq!(refusal(&to(json!(""))), "target: a target is a peer's id or a list of them");
    assert!(refusal(&to(json!([]))).starts_with("the target is an empty list"));
    assert!(parse(&to(json!("p"))).order.is_ok());
}

#[test]
fn targets_are_as_good_as_a_target() {
    for mut line in [
        json!({"cmd": "send", "action": "a", "text": "x"}),
        json!({"cmd": "sendMany", "action": "a", "count": 1}),
    ] {
        line["targets"] = json!(["p"]);
        let Ok(
            Order::Send(SendOrder { target, .. }) | Order::SendMany(SendManyOrder { target, .. }),
        ) = parse(&line).order
        else {
            panic!("not sent: {line}")
        };
        assert_eq!(target.unwrap().peers().len(), 1);
        line["target"] = json!("q");
        assert_eq!(refusal(&line), "duplicate field `target`");
    }
}

#[test]
fn a_field_that_a_command_does_not_have_is_refused_by_name() {
    for mut line in [
        json!({"cmd": "join", "appId": "a", "roomId": "r"}),
        json!({"cmd": "leave"}),
        json!({"cmd": "register", "action": "a"}),
        json!({"cmd": "count", "action": "a"}),
        json!({"cmd": "send", "action": "a", "text": "x"}),
        json!({"cmd": "sendMany", "action": "a", "count": 1}),
        json!({"cmd": "request", "action": "a", "text": "x", "target": "p"}),
        json!({"cmd": "ping", "target": "p"}),
        json!({"cmd": "restartIce", "target": "p"}),
        json!({"cmd": "peers"}),
        json!({"cmd": "pairs"}),
        json!({"cmd": "relays"}),
        json!({"cmd": "pauseRelays"}),
        json!({"cmd": "resumeRelays"}),
        json!({"cmd": "stats"}),
        json!({"cmd": "sleep", "ms": 1}),
        json!({"cmd": "exit"}),
    ] {
        line["room"] = json!("r");
        assert!(parse(&line).order.is_ok(), "{line}");
        line["tagret"] = json!(["p"]);
        assert_eq!(refusal(&line), "unknown field `tagret`", "{line}");
    }
}

#[test]
fn a_wrong_type_is_refused_with_the_name_of_its_field() {
    let send = |field: &str, value: Value| {
        let mut line = json!({"cmd": "send", "action": "a", "text": "x"});
        line[field] = value;
        refusal(&line)
    };
    assert_eq!(send("action", json!(5)), "action: invalid type: integer `5`, expected a string");
    assert!(send("text", json!(5)).starts_with("text: invalid type"));
    assert!(send("room", json!(5)).starts_with("room: invalid type"));
    assert!(send("binary", json!("x")).starts_with("binary: a binary payload is"));
    assert_eq!(send("wait", json!("yes")), "wait: this is true or false");
    let join = json!({"cmd": "join", "appId": "a", "roomId": "r", "relayUrls": ["ws://x", 5]});
    assert!(refusal(&join).starts_with("relayUrls[1]: invalid type"), "{}", refusal(&join));
}
