//! `tristero relays`, about relays that answer, refuse, and hang.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use std::net::TcpListener;

use common::{Ended, Relay, dead, run};
use serde_json::Value;

/// Takes connections and says nothing, as long as the first value lives.
fn black_hole() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    (listener, url)
}

fn relays(arguments: &[&str]) -> Ended {
    run(&[&["relays"][..], arguments].concat())
}

#[test]
fn each_relay_is_told_by_what_it_does() {
    let (relay, dead, (_listener, hole)) = (Relay::start(), dead(), black_hole());
    let three = format!("ws={},{dead},{hole}", relay.url);
    let ended = relays(&["--strategy", &three, "--json", "--timeout", "2"]);
    assert_eq!(ended.status.code(), Some(0), "{:?}", ended.stderr);
    let told: Value = serde_json::from_str(&ended.stdout.join("\n")).unwrap();
    let told = told["relays"].as_array().unwrap();
    let urls: Vec<&str> = told.iter().map(|told| told["url"].as_str().unwrap()).collect();
    assert_eq!(urls, [&relay.url, &dead, &hole].map(|url| format!("{url}/")));
    assert_eq!((&told[0]["answers"], &told[0]["error"]), (&true.into(), &Value::Null));
    assert!(told[0]["ms"].as_f64().unwrap() < 2_000.0, "the others held it up: {told:?}");
    for (told, error) in [(&told[1], "refused"), (&told[2], "no answer within 2 s")] {
        assert_eq!((&told["answers"], &told["ms"]), (&false.into(), &Value::Null));
        assert!(told["error"].as_str().unwrap().contains(error), "{told}");
    }
}

#[test]
fn people_get_a_table() {
    let relay = Relay::start();
    let ended = relays(&["--relay", &relay.url, "--app", "a", "--strategy", "nostr"]);
    let [line] = &ended.stdout[..] else { panic!("{:?}", ended.stdout) };
    assert!(line.starts_with(&format!("* nostr    {}/  ok ", relay.url)), "{line}");
    assert!(line.ends_with(" ms"), "{line}");
}

#[test]
fn a_service_that_takes_links_and_confirms_nothing_does_not_answer() {
    // It knows no MQTT, and hears what it takes for nothing.
    let relay = Relay::start();
    let mqtt = format!("mqtt={}", relay.url);
    let ended = relays(&["--strategy", &mqtt, "--timeout", "2"]);
    assert_eq!(ended.status.code(), Some(1), "{:?}", ended.stdout);
    assert!(ended.stdout[0].contains(" -- "), "{:?}", ended.stdout);
}

#[test]
fn it_fails_if_no_relay_answers() {
    let ended = relays(&["--relay", &dead()]);
    assert_eq!(ended.status.code(), Some(1));
    assert_eq!(ended.stderr, ["error: no relay answered"]);
    assert!(ended.stdout[0].contains(" -- "), "{:?}", ended.stdout);
}

#[test]
fn nobody_is_kept_waiting_for_longer_than_ten_seconds() {
    let ended = relays(&["--relay", "ws://127.0.0.1:9", "--timeout", "11"]);
    assert_eq!(ended.status.code(), Some(2));
}
