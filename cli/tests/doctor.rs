//! `tristero doctor`, about servers that work, refuse, and keep silent.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use std::net::UdpSocket;

use common::coturn::{CREDENTIALS, Coturn};
use common::{Ended, Program, Relay, dead, run, tristero};
use serde_json::Value;

/// Examines this machine with these servers and no others.
fn doctor(relay: &str, servers: &[&str], extra: &[&str]) -> Ended {
    let mut arguments = vec!["doctor", "--no-default-ice-servers", "--relay", relay];
    arguments.extend(servers.iter().flat_map(|server| ["--ice-server", server]));
    arguments.extend(extra);
    run(&arguments)
}

/// The object that it prints with `--json`, and its status.
fn told(ended: &Ended) -> (Value, Option<i32>) {
    let told = serde_json::from_str(&ended.stdout.join("\n"));
    (told.unwrap_or_else(|error| panic!("{error}: {:?}", ended.stderr)), ended.status.code())
}

/// Takes datagrams and says nothing, as long as the socket lives.
fn black_hole() -> (UdpSocket, u16) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    (socket, port)
}

/// Answers every datagram with what no server would say, until the test ends.
fn babbler() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut buffer = [0; 2_048];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            // What looks like an answer to the question, and tells nothing.
            buffer[..4].copy_from_slice(&[0x01, 0x01, 0, 0]);
            for bytes in [&b"nonsense"[..], &buffer[..length], &buffer[..length.min(20)]] {
                let _ = socket.send_to(bytes, from);
            }
        }
    });
    port
}

/// What came of the join over these candidates.
fn join<'a>(told: &'a Value, candidates: &str) -> &'a Value {
    let joins = told["joins"].as_array().unwrap();
    joins.iter().find(|join| join["candidates"] == candidates).unwrap()
}

#[test]
fn all_is_well_at_a_relay_and_a_coturn() {
    let (relay, coturn) = (Relay::start(), Coturn::start("doctor-well"));
    let stun = format!("stun:127.0.0.1:{}", coturn.port);
    let udp = format!("turn:127.0.0.1:{},{CREDENTIALS}", coturn.port);
    let tcp = format!("turn:127.0.0.1:{}?transport=tcp,{CREDENTIALS}", coturn.port);
    let ended = doctor(&relay.url, &[&stun, &udp, &tcp], &["--json"]);
    let (told, status) = told(&ended);
    assert_eq!((status, &told["verdict"]["prospect"]), (Some(0), &"good".into()), "{told}");
    assert_eq!(told["relays"][0]["answers"], true, "{told}");
    let sighting = &told["stun"][0]["sightings"][0];
    assert_eq!(sighting["mapped"], sighting["local"], "{told}");
    for turn in told["turn"].as_array().unwrap() {
        assert!(turn["relayed"].as_str().unwrap().starts_with("127.0.0.1:"), "{told}");
    }
    // coturn answers from its second address, and nothing is in the way.
    assert_eq!(told["nat"]["mapping"]["is"], "no NAT", "{told}");
    assert_eq!(told["nat"]["filtering"]["is"], "endpoint-independent", "{told}");
    for join in told["joins"].as_array().unwrap() {
        assert_eq!((&join["met"], &join["error"]), (&true.into(), &Value::Null), "{told}");
    }
    assert_eq!(join(&told, "srflx")["srflxGathered"], true, "{told}");
    assert_eq!(join(&told, "relay")["kinds"], serde_json::json!(["relay", "relay"]), "{told}");
}

#[test]
fn people_get_a_report_of_a_coturn_too() {
    let (relay, coturn) = (Relay::start(), Coturn::start("doctor-people"));
    let turn = format!("turn:127.0.0.1:{},{CREDENTIALS}", coturn.port);
    let ended = doctor(&relay.url, &[&turn], &[]);
    let shown = ended.stdout.join("\n");
    assert_eq!(ended.status.code(), Some(0), "{shown}\n{:?}", ended.stderr);
    assert!(shown.contains(&format!("  ✓ ws {}/ ", relay.url)), "{shown}");
    assert!(shown.contains(&format!("  ✓ turn:127.0.0.1:{}  ", coturn.port)), "{shown}");
    assert!(shown.contains("\nVerdict: All is well: "), "{shown}");
    assert!(!shown.contains('\u{1b}'), "a pipe gets no colors:\n{shown}");
    assert!(!shown.contains("sesame"), "{shown}");
    assert_eq!(ended.stderr.len(), 1, "one line of progress: {:?}", ended.stderr);
}

#[test]
fn a_wrong_password_at_a_coturn_is_401() {
    let (relay, coturn) = (Relay::start(), Coturn::start("doctor-401"));
    let stun = format!("stun:127.0.0.1:{}", coturn.port);
    let turn = format!("turn:127.0.0.1:{},me,simsim", coturn.port);
    let ended = doctor(&relay.url, &[&stun, &turn], &["--json"]);
    let (told, status) = told(&ended);
    assert_eq!((status, &told["turn"][0]["code"]), (Some(1), &401.into()), "{told}");
    let text = told["verdict"]["text"].as_str().unwrap();
    assert!(text.contains("refuses with 401: the user name or the password is wrong"), "{text}");
    let refused = join(&told, "relay")["error"].as_str().unwrap();
    assert!(refused.contains("401"), "{told}");
    assert_eq!(join(&told, "host")["met"], true, "the others are not held up: {told}");
}

#[test]
fn a_coturn_with_tls_is_believed_by_its_root_alone() {
    let (relay, coturn) = (Relay::start(), Coturn::start("doctor-tls"));
    let turn = format!("turns:127.0.0.1:{},{CREDENTIALS}", coturn.tls_port);
    let mut command = tristero();
    command.args(["doctor", "--json", "--no-default-ice-servers", "--relay", &relay.url]);
    command.args(["--ice-server", &turn]);
    let mut unknown = Program::start(&mut command);
    let mut known = Program::start(command.env("SSL_CERT_FILE", &coturn.certificate));
    unknown.close_stdin();
    known.close_stdin();

    let (told_unknown, status) = told(&unknown.ended());
    let text = told_unknown["verdict"]["text"].as_str().unwrap();
    assert!(status == Some(1) && text.contains("SSL_CERT_FILE"), "{told_unknown}");
    let (told_known, status) = told(&known.ended());
    assert_eq!((status, &told_known["turn"][0]["relays"]), (Some(0), &true.into()), "{told_known}");
    assert_eq!(join(&told_known, "relay")["met"], true, "{told_known}");
}

#[test]
fn servers_that_keep_silent_take_no_longer_than_allowed() {
    let (relay, (_socket, port)) = (Relay::start(), black_hole());
    let stun = format!("stun:127.0.0.1:{port}");
    let turn = format!("turn:127.0.0.1:{port},me,sesame");
    let servers = [&*stun, &turn, "stun:nowhere.invalid"];
    let (told, status) = told(&doctor(&relay.url, &servers, &["--json", "--timeout", "5"]));
    assert_eq!(status, Some(1), "{told}");
    let silence = told["stun"][0]["sightings"][0]["error"].as_str().unwrap();
    assert!(silence.contains("no answer from 127.0.0.1"), "{told}");
    assert_eq!(told["stun"][1]["error"], "its name can't be resolved", "{told}");
    let silence = told["turn"][0]["error"].as_str().unwrap();
    // A socket's own patience, or that of the command, whichever ends first.
    assert!(silence.contains("does not answer") || silence.contains("no answer"), "{told}");
    let text = told["verdict"]["text"].as_str().unwrap();
    assert!(text.contains("UDP is blocked") && text.contains("over TCP or TLS"), "{text}");
    assert_eq!(join(&told, "host")["met"], true, "{told}");
    assert_eq!(told["nat"]["mapping"]["is"], "unknown", "{told}");
}

#[test]
fn servers_that_talk_nonsense_are_of_no_help() {
    let (relay, port) = (Relay::start(), babbler());
    let stun = format!("stun:127.0.0.1:{port}");
    let turn = format!("turn:127.0.0.1:{port},me,sesame");
    let ended = doctor(&relay.url, &[&stun, &turn], &["--json", "--timeout", "3"]);
    let (told, status) = told(&ended);
    assert_eq!((status, &told["stun"][0]["answers"]), (Some(1), &false.into()), "{told}");
    let nonsense = told["stun"][0]["sightings"][0]["error"].as_str().unwrap();
    assert_eq!(nonsense, "what it answers makes no sense", "{told}");
    assert_eq!(told["turn"][0]["relays"], false, "{told}");
    assert_eq!(join(&told, "host")["met"], true, "{told}");
}

#[test]
fn without_a_relay_it_is_status_3() {
    let ended = doctor(&dead(), &[], &[]);
    assert_eq!(ended.status.code(), Some(3), "{:?}", ended.stderr);
    let shown = ended.stdout.join("\n");
    assert!(shown.contains("Verdict: No relay answers, so nobody can be met"), "{shown}");
    assert!(shown.contains("– directly  "), "{shown}");
    let last = ended.stderr.last().unwrap();
    assert_eq!(last, "error: peers can't connect from here");
}

#[test]
fn thirty_servers_are_as_many_as_a_room_asks() {
    let (relay, (_socket, port)) = (Relay::start(), black_hole());
    let server = format!("turn:127.0.0.1:{port},me,sesame");
    let (told, status) = told(&doctor(&relay.url, &[&*server; 30], &["--json", "--timeout", "3"]));
    assert_eq!(status, Some(1), "{told}");
    assert_eq!(told["turn"].as_array().unwrap().len(), 8, "{told}");
    assert_eq!(told["notAsked"].as_array().unwrap().len(), 22, "{told}");
}

#[test]
fn what_makes_no_sense_is_status_2() {
    for wrong in [["--timeout", "11"], ["--ice-server", "http://host"], ["--strategy", "pigeon"]] {
        let ended = run(&[&["doctor"][..], &wrong].concat());
        assert_eq!(ended.status.code(), Some(2), "{wrong:?}: {:?}", ended.stderr);
    }
}
