//! What only ends when it is told to, and how it does.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use common::{Agent, Program, Relay, chat, tristero};
use serde_json::{Value, json};

#[test]
fn an_agent_leaves_its_rooms_first() {
    let mut agent = Agent::start();
    let nowhere = json!({"appId": "a", "roomId": "r", "relayUrls": ["ws://127.0.0.1:9"]});
    agent.must("join", nowhere);
    agent.program.terminate();
    agent.wait_for("left", &json!({"room": "r"}));
    assert_eq!(agent.program.ended().status.code(), Some(0));
}

#[test]
fn a_relay_ends_with_status_0_when_it_is_told_to() {
    let mut relay = Relay::start();
    assert!(relay.url.starts_with("ws://127.0.0.1:"), "{}", relay.url);
    relay.program.terminate();
    assert_eq!(relay.program.ended().status.code(), Some(0));
}

#[test]
fn a_relay_with_a_certificate_says_wss() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (chain, key) = (folder.join("chain.pem"), folder.join("key.pem"));
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(&chain, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let mut command = tristero();
    command.args(["relay", "--listen", "127.0.0.1:0", "--tls-cert"]).arg(chain);
    let mut relay = Program::start(command.arg("--tls-key").arg(key));
    assert!(relay.line().starts_with("listening on wss://127.0.0.1:"));
    relay.terminate();
    assert_eq!(relay.ended().status.code(), Some(0));
}

#[test]
fn chat_says_when_it_loses_its_relay_and_goes_on() {
    let mut relay = Relay::start();
    let mut chat = chat(&relay, &[]);
    chat.note_with("connected to the relay");
    relay.program.terminate();
    chat.note_with("is out of reach");
    chat.close_stdin();
    assert_eq!(chat.ended().status.code(), Some(0));
}

#[test]
fn the_web_demo_serves_its_page_and_greets_who_joins_its_room() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("page");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("index.html"), "a page").unwrap();
    let mut demo = Program::start(tristero().args(["demo", "--web", "--web-dir"]).arg(&folder));
    demo.close_stdin();
    let line = demo.line_with("http://");
    let (_, rest) = line.split_once("http://").unwrap();
    let address = rest.split('/').next().unwrap();
    assert!(get(address, "/").ends_with("\r\n\r\na page"));
    assert!(get(address, "/nothing").starts_with("HTTP/1.1 404 "));

    let answer = get(address, "/config.json");
    let (_, config) = answer.split_once("\r\n\r\n").unwrap();
    let config: Value = serde_json::from_str(config).unwrap();
    let mut visitor = Agent::start();
    let (app, room, relay) = (&config["appId"], &config["roomId"], &config["relayUrl"]);
    visitor.must("join", json!({"appId": app, "roomId": room, "relayUrls": [relay]}));
    visitor.must("register", json!({"action": "chat"}));
    let greeting = visitor.wait_for("message", &json!({"action": "chat", "type": "text"}));
    assert!(greeting["text"].as_str().unwrap().starts_with("Hello"), "{greeting}");
    visitor.must("send", json!({"action": "chat", "text": "hello yourself"}));
    demo.line_with(&format!("{}: hello yourself", visitor.self_id));

    demo.terminate();
    assert_eq!(demo.ended().status.code(), Some(0));
}

/// The answer of a web server, head and body.
fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
