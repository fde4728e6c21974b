//! `tristero chat`, with its stdin and stdout as pipes.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{Agent, Program, Relay, chat, self_id};
use serde_json::{Value, json};

/// Two who chat, have met, and know each other's names.
fn named_pair(relay: &Relay, folder: &Path) -> (Program, Program) {
    let files = folder.to_str().unwrap();
    let mut ann = chat(relay, &["--name", "Ann", "--files", files]);
    let mut bob = chat(relay, &["--name", "Bob", "--files", files]);
    ann.line_with("is called Bob");
    bob.line_with("is called Ann");
    (ann, bob)
}

/// An agent that plays a stranger in the room of the chat, and the chat's id.
fn stranger(relay: &Relay, chat: &mut Program) -> (Agent, String) {
    let chat_id = self_id(chat);
    let mut stranger = Agent::start();
    stranger.join(relay, "lobby");
    stranger.wait_for("peerJoin", &json!({"peer": chat_id}));
    chat.line_with(&format!("* {} joined", stranger.self_id));
    (stranger, chat_id)
}

/// A folder of one test, empty.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("chat").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Offers a file as an agent does, and returns the id of the command.
fn offer(stranger: &mut Agent, chat_id: &str, id: &str, file: &Value) {
    let request = json!({
        "cmd": "request", "id": id, "action": "file offer", "target": chat_id, "json": file
    });
    stranger.program.say(&request.to_string());
}

#[test]
fn names_stand_before_what_is_said() {
    let relay = Relay::start();
    let (mut ann, mut bob) = named_pair(&relay, &folder("names"));
    ann.say("hello, Bob");
    assert_eq!(bob.line(), "Ann: hello, Bob");
    bob.say("//who is on first");
    assert_eq!(ann.line(), "Bob: /who is on first");
    bob.say("/quit");
    assert_eq!(ann.line(), "* Bob left");
    assert_eq!(bob.ended().status.code(), Some(0));
}

#[test]
fn a_ping_is_answered_and_who_says_who_is_here() {
    let relay = Relay::start();
    let (mut ann, _bob) = named_pair(&relay, &folder("who"));
    for ping in ["/ping", "/ping bob"] {
        ann.say(ping);
        let line = ann.line();
        assert!(line.starts_with("* Bob answers after ") && line.ends_with(" ms"), "{line}");
    }
    ann.say("/relays");
    let told = ann.line();
    assert!(told.starts_with(&format!("* ws {}/: open, ", relay.url)), "{told}");
    ann.say("/who");
    let bob = ann.line();
    assert!(bob.starts_with("* Bob (") && bob.contains("): direct, UDP "), "{bob}");
    assert!(ann.line().starts_with("* you are Ann ("));
}

#[test]
fn what_is_no_command_is_explained_and_not_said() {
    let relay = Relay::start();
    let (mut ann, mut bob) = named_pair(&relay, &folder("wrong"));
    for (line, note) in [
        ("/dance", "there is no /dance; /help says what there is"),
        ("/ping Eve", "nobody here is called Eve"),
        ("/accept", "nothing is offered to you"),
        ("/accept 7", "there is no offer 7"),
        ("/send no/such/file", "no/such/file can't be read"),
        ("/send .", "is no file"),
    ] {
        ann.say(line);
        ann.note_with(note);
    }
    ann.say("/help");
    assert!(ann.line().starts_with("/ping "));
    ann.say("that was it");
    assert_eq!(bob.line(), "Ann: that was it");
}

#[test]
fn a_file_is_sent_to_who_accepts_it_and_replaces_nothing() {
    let (from, to) = (folder("from"), folder("to"));
    let relay = Relay::start();
    let (mut ann, mut bob) = named_pair(&relay, &to);
    let bytes: Vec<u8> =
        (0..3_000_007_u32).map(|n| (n.wrapping_mul(0x9e37_79b1) >> 24) as u8).collect();
    let file = from.join("holiday photo.jpg");
    fs::write(&file, &bytes).unwrap();
    fs::write(to.join("holiday photo.jpg"), "another").unwrap();

    ann.say(&format!("/send \"{}\" Bob", file.display()));
    ann.note_with("offered holiday photo.jpg, 2.86 MiB, to Bob");
    assert_eq!(bob.line(), "* Ann offers holiday photo.jpg, 2.86 MiB: /accept 1");
    assert_eq!(names(&to), ["holiday photo.jpg"], "nothing comes before it is accepted");
    bob.say("/accept");
    assert_eq!(ann.line(), "* Bob accepts holiday photo.jpg");
    assert_eq!(ann.line(), "* Bob was sent holiday photo.jpg");
    let saved = to.join("holiday photo (2).jpg");
    assert_eq!(bob.line(), format!("* Ann sent {}", saved.display()));
    assert!(fs::read(saved).unwrap() == bytes, "it is what was sent");
    assert_eq!(fs::read(to.join("holiday photo.jpg")).unwrap(), b"another");
}

#[test]
fn an_empty_file_is_a_file_and_the_end_of_input_waits_for_it() {
    let (from, to) = (folder("empty-from"), folder("empty-to"));
    let relay = Relay::start();
    let (mut ann, mut bob) = named_pair(&relay, &to);
    fs::write(from.join("empty"), "").unwrap();
    ann.say(&format!("/send {}", from.join("empty").display()));
    assert_eq!(bob.line(), "* Ann offers empty, 0 B: /accept 1");
    bob.say("/accept 1");
    bob.close_stdin();
    assert_eq!(bob.line(), format!("* Ann sent {}", to.join("empty").display()));
    assert_eq!(bob.ended().status.code(), Some(0));
    assert_eq!(fs::read(to.join("empty")).unwrap(), b"");
}

#[test]
fn an_offer_goes_with_who_made_it() {
    let from = folder("gone");
    let relay = Relay::start();
    let (mut ann, mut bob) = named_pair(&relay, &from);
    fs::write(from.join("a"), "a").unwrap();
    for to in ["Bob", ""] {
        ann.say(&format!("/send {} {to}", from.join("a").display()));
        bob.line_with("* Ann offers a, 1 B");
    }
    bob.say("/accept");
    bob.note_with("several files are offered; /accept takes the number of one: 1 is a, 2 is a");
    ann.say("/quit");
    assert_eq!(bob.line(), "* Ann left");
    bob.say("/accept");
    bob.note_with("nothing is offered to you");
}

#[test]
fn strangers_lead_nobody_out_of_the_folder_and_move_no_cursor() {
    let to = folder("hostile");
    let relay = Relay::start();
    let mut chat = chat(&relay, &["--files", to.join("files").to_str().unwrap()]);
    let (mut stranger, chat_id) = stranger(&relay, &mut chat);
    stranger.must("send", json!({"action": "name", "text": "\u{1b}[2J* root \u{202e}\n"}));
    assert_eq!(chat.line(), format!("* {} is called 2J--root", stranger.self_id));
    stranger.must("send", json!({"action": "chat", "json": {"a": "\u{1b}"}}));
    assert_eq!(chat.line(), r#"2J--root: {"a":"\u001b"}"#);

    let file = json!({"name": "../../\u{1b}[2J.bashrc", "size": 3});
    offer(&mut stranger, &chat_id, "hostile", &file);
    assert_eq!(chat.line(), "* 2J--root offers [2J.bashrc, 3 B: /accept 1");
    chat.say("/accept");
    let ticket = stranger.wait_for("reply", &json!({"id": "hostile"}));
    assert_eq!(ticket["json"], json!({"ticket": 1}));
    let (binary, ticket) = (json!({"base64": "AQID"}), &ticket["json"]);
    let file = json!({"action": "file", "binary": binary, "target": chat_id, "metadata": ticket});
    stranger.must("send", file);
    let path = to.join("files").join("[2J.bashrc");
    assert_eq!(chat.line(), format!("* 2J--root sent {}", path.display()));
    assert_eq!(fs::read(path).unwrap(), [1, 2, 3]);
    assert_eq!(
        (names(&to), names(&to.join("files"))),
        (vec!["files".to_owned()], vec!["[2J.bashrc".to_owned()])
    );
}

#[test]
fn nothing_is_saved_that_was_not_accepted_or_is_not_what_was_offered() {
    let to = folder("unasked");
    let relay = Relay::start();
    let mut chat = chat(&relay, &["--files", to.to_str().unwrap()]);
    let (mut stranger, chat_id) = stranger(&relay, &mut chat);
    let file = |metadata: Value| json!({"action": "file", "binary": 50_000, "target": chat_id, "metadata": metadata});
    for metadata in [json!(null), json!({"name": "a"}), json!({"ticket": 1}), json!({"ticket": -1})]
    {
        stranger.must("send", file(metadata));
    }
    for (n, size) in [(1, 49_999), (2, 50_001)] {
        offer(&mut stranger, &chat_id, "wrong", &json!({"name": "a.bin", "size": size}));
        chat.line_with(&format!("/accept {n}"));
        chat.say("/accept");
        stranger.wait_for("reply", &json!({"json": {"ticket": n}}));
        stranger.must("send", file(json!({"ticket": n})));
        let size = if size < 50_000 { "larger" } else { "smaller" };
        chat.note_with(&format!("is not saved: it is {size} than what was offered"));
    }
    assert_eq!(names(&to), Vec::<String>::new());
}

#[test]
fn nobody_fills_the_list_of_offers_with_what_is_no_offer_or_too_many() {
    let relay = Relay::start();
    let mut chat = chat(&relay, &[]);
    let (mut stranger, chat_id) = stranger(&relay, &mut chat);
    offer(&mut stranger, &chat_id, "none", &json!({"name": 5}));
    let reply = stranger.wait_for("reply", &json!({"id": "none"}));
    assert_eq!((&reply["ok"], &reply["kind"]), (&json!(false), &json!("rejected")));
    let long = "x".repeat(100_000);
    for n in 1..=9 {
        offer(&mut stranger, &chat_id, "many", &json!({"name": long, "size": u64::MAX}));
        if n <= 8 {
            let line = chat.line();
            assert!(line.len() < 300 && line.contains("16.00 EiB"), "{line}");
        }
    }
    let reply = stranger.wait_for("reply", &json!({"id": "many"}));
    assert_eq!(reply["error"], "too many files are offered already");
    chat.say("/accept 9");
    chat.note_with("there is no offer 9");
}

#[test]
fn a_name_is_one_word() {
    for name in ["", "two words", "bell\u{7}", "a:b", &"x".repeat(33)] {
        let arguments =
            ["chat", "lobby", "--app", "a", "--relay", "ws://127.0.0.1:9", "--name", name];
        let ended = common::run(&arguments);
        assert_eq!(ended.status.code(), Some(2));
        let expected = "error: a name, --name, is one word of up to 32 letters and digits";
        assert_eq!(ended.stderr.last().map(String::as_str), Some(expected));
    }
}

#[test]
fn relay_only_needs_a_turn_server() {
    let arguments = ["chat", "lobby", "--app", "a", "--relay", "ws://127.0.0.1:9", "--relay-only"];
    let ended = common::run(&arguments);
    assert_eq!(ended.status.code(), Some(2));
    let expected = "error: --relay-only needs a TURN server, by --ice-server";
    assert_eq!(ended.stderr.last().map(String::as_str), Some(expected));
}
