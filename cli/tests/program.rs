//! The program as people use it: chat, relay, demo, and what it says about mistakes.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use std::net::TcpListener;
use std::process::Stdio;

use common::{Ended, Program, Relay, chat, dead, run, self_id, tristero};

/// Asserts that it failed by one sentence, and returns that.
fn one_sentence(ended: &Ended, status: i32) -> &str {
    assert_eq!(ended.status.code(), Some(status), "{:?}", ended.stderr);
    let last = ended.stderr.last().expect("it says why");
    assert!(last.starts_with("error: "), "{:?}", ended.stderr);
    assert!(!ended.stderr.iter().any(|line| line.contains("panicked")), "{:?}", ended.stderr);
    last
}

#[test]
fn a_relay_url_that_is_none_is_one_sentence() {
    for url in ["http://127.0.0.1:1", "ws://", "nonsense"] {
        let ended = run(&["chat", "lobby", "--app", "a", "--relay", url]);
        let error = one_sentence(&ended, 2);
        assert!(error.contains(&format!("{url:?} is not a relay's URL")), "{error}");
    }
}

#[test]
fn a_way_to_meet_that_makes_no_sense_is_one_sentence() {
    let error = |meeting: &[&str]| {
        let ended = run(&[&["chat", "lobby", "--app", "a"][..], meeting].concat());
        one_sentence(&ended, 2).to_owned()
    };
    let unknown = error(&["--strategy", "pigeon=wss://me:sesame@host"]);
    assert!(unknown.contains("there is no strategy \"pigeon\"; there are ws, nostr,"), "{unknown}");
    assert!(!unknown.contains("sesame"), "{unknown}");
    assert!(error(&[]).contains("the strategy ws has no relays of its own"));
    let two = ["--strategy", "ws=ws://a", "--strategy", "nostr", "--relay", "ws://b"];
    assert!(error(&two).contains("--relay is for one strategy"));
}

#[test]
fn an_empty_name_is_one_sentence() {
    let ended = run(&["chat", "lobby", "--app", "", "--relay", "ws://127.0.0.1:9"]);
    assert_eq!(one_sentence(&ended, 2), "error: the application's name, --app, is empty");
    let ended = run(&["chat", "", "--app", "a", "--relay", "ws://127.0.0.1:9"]);
    assert_eq!(one_sentence(&ended, 2), "error: the room's name, ROOM, is empty");
}

#[test]
fn a_password_of_a_relay_is_not_shown() {
    for url in ["http://me:sesame@127.0.0.1:9", "ws://me:sesame@127.0.0.1:9"] {
        let ended = run(&["chat", "lobby", "--app", "a", "--relay", url, "--wait", "0.1"]);
        let told = ended.stderr.join("\n");
        assert!(told.contains("://127.0.0.1:9") && !told.contains("sesame"), "{told}");
    }
}

#[test]
fn an_empty_password_is_one_sentence() {
    let arguments = ["chat", "lobby", "--app", "a", "--relay", "ws://127.0.0.1:9"];
    let given = run(&[&arguments[..], &["--password", ""]].concat());
    let mut set = Program::start(tristero().args(arguments).env("TRISTERO_PASSWORD", ""));
    set.close_stdin();
    for ended in [given, set.ended()] {
        let error = one_sentence(&ended, 2);
        assert!(error.starts_with("error: the password is empty; leave it out"), "{error}");
    }
}

#[test]
fn a_recording_that_reached_no_relay_until_its_end_says_so() {
    let out = env!("CARGO_TARGET_TMPDIR");
    let room = ["record", "lobby", "--app", "a", "--relay", &dead()];
    let ended = run(&[&room[..], &["--out", out, "--for", "1"]].concat());
    let error = one_sentence(&ended, 3);
    assert!(error.contains("no relay was reachable within 1 s"), "{error}");
}

#[test]
fn chat_gives_up_when_no_relay_is_reachable_in_time() {
    let url = dead();
    let ended = run(&["chat", "lobby", "--app", "a", "--relay", &url, "--wait", "1"]);
    let error = one_sentence(&ended, 3);
    assert!(error.contains("no relay was reachable within 1 s"), "{error}");
    assert!(ended.stderr.iter().any(|line| line.starts_with("waiting for the relay")));
}

#[test]
fn a_taken_port_is_one_sentence() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ended = run(&["relay", "--listen", &address]);
    let error = one_sentence(&ended, 1);
    assert!(error.contains(&format!("{address} is already in use")), "{error}");
    assert_eq!(ended.stdout, Vec::<String>::new());
}

#[test]
fn a_certificate_that_is_missing_is_one_sentence() {
    let files = ["--tls-cert", "no/chain.pem", "--tls-key", "no/key.pem"];
    let ended = run(&[&["relay", "--listen", "127.0.0.1:0"][..], &files].concat());
    assert!(one_sentence(&ended, 2).contains("can't read no/chain.pem"));
}

#[test]
fn lines_go_from_one_terminal_to_the_other() {
    let relay = Relay::start();
    let (mut left, mut right) = (chat(&relay, &[]), chat(&relay, &[]));
    let (left_id, right_id) = (self_id(&mut left), self_id(&mut right));
    left.line_with(&format!("* {right_id} joined"));
    right.line_with(&format!("* {left_id} joined"));

    left.say("grüß dich");
    left.say("\u{1b}[2Jwiped?");
    assert_eq!(right.line(), format!("{left_id}: grüß dich"));
    assert_eq!(right.line(), format!(r"{left_id}: \u{{1b}}[2Jwiped?"));
    right.say("the last line");
    right.close_stdin();
    assert_eq!(left.line(), format!("{right_id}: the last line"));
    assert_eq!(left.line(), format!("* {right_id} left"));
    assert_eq!(right.ended().status.code(), Some(0));
}

#[test]
fn the_password_may_come_from_the_environment() {
    let relay = Relay::start();
    let mut told = chat(&relay, &["--password", "sesame"]);
    let mut command = tristero();
    command.args(["chat", "lobby", "--app", "cli-tests", "--loopback", "--relay", &relay.url]);
    let mut set = Program::start(command.env("TRISTERO_PASSWORD", "sesame"));
    let (told_id, set_id) = (self_id(&mut told), self_id(&mut set));
    told.line_with(&format!("* {set_id} joined"));
    set.line_with(&format!("* {told_id} joined"));
}

#[test]
fn different_passwords_are_said_to_be_that() {
    let relay = Relay::start();
    let mut left = chat(&relay, &["--password", "sesame"]);
    let mut right = chat(&relay, &["--password", "simsim"]);
    let (left_id, right_id) = (self_id(&mut left), self_id(&mut right));
    // Of the two the one with the larger id gets the offer that it can't read.
    let (mut told, other) = if left_id < right_id { (right, left_id) } else { (left, right_id) };
    told.note_with(&format!("{other} and you have different passwords, so you don't meet"));
}

#[test]
fn the_demo_ends_well_and_says_what_happened() {
    let ended = run(&["demo"]);
    assert_eq!(ended.status.code(), Some(0), "{:?}", ended.stderr);
    let shown = ended.stdout.join("\n");
    for step in ["relay", "join", "meet", "greet", "json", "ask", "ping", "file", "leave", "stop"] {
        assert!(shown.contains(&format!("  {step} ")), "{step}:\n{shown}");
    }
    assert!(shown.contains("16 MiB") && shown.contains("Done in"), "{shown}");
    assert!(!shown.contains('\u{1b}'), "a pipe gets no colors:\n{shown}");
}

#[test]
fn a_web_demo_that_was_not_built_says_how_to_build_it() {
    let ended = run(&["demo", "--web", "--web-dir", "no/such/folder"]);
    assert!(one_sentence(&ended, 1).contains("`cargo xtask web`"));
}

#[test]
fn help_teaches_every_command() {
    let help = run(&["--help"]).stdout.join("\n");
    for command in ["demo", "chat", "agent", "relay", "relays", "doctor"] {
        assert!(help.contains(&format!("  {command} ")), "{help}");
        let ended = run(&[command, "--help"]);
        assert_eq!(ended.status.code(), Some(0));
        assert!(ended.stdout.join("\n").contains(&format!("tristero {command}")));
    }
    assert_eq!(run(&["juggle"]).status.code(), Some(2));
}

#[cfg(target_os = "linux")]
#[test]
fn what_can_t_be_written_is_one_sentence() {
    for command in ["agent", "demo"] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let output = tristero().arg(command).stdin(Stdio::null()).stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{command}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.starts_with("error: stdout can't be written: "), "{stderr}");
    }
}
