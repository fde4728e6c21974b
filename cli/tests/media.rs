//! Audio and video between programs, out of files and into files.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use common::{Agent, Program, Relay, pair, run, tristero};
use serde_json::{Value, json};
use tristero_media_files::Source;

/// A file of the crate that reads them.
fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../media-files/tests/data").join(name)
}

/// A folder of one test, empty.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("media").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn program(relay: &Relay, command: &str, extra: &[&str]) -> Program {
    let mut program = tristero();
    program.args([command, "lobby", "--app", "cli-tests", "--loopback", "--relay", &relay.url]);
    Program::start(program.args(extra))
}

/// The bytes of all frames of a file, by its tracks.
fn frames(path: &Path) -> Vec<Vec<Vec<u8>>> {
    let name = path.to_str().unwrap();
    let mut source = Source::open(File::open(path).unwrap(), name).unwrap();
    let mut tracks = vec![Vec::new(); source.tracks().len()];
    while let Some((track, frame)) = source.next_frame().unwrap() {
        tracks[track].push(frame.bytes.to_vec());
    }
    tracks
}

#[test]
fn what_is_played_is_recorded_frame_by_frame() {
    let (relay, out) = (Relay::start(), folder("played"));
    let mut recorder = program(&relay, "record", &["--out", out.to_str().unwrap()]);
    recorder.note_with("recording what is sent");
    let (video, audio) = (sample("vp8.ivf"), sample("sine.opus"));
    let files = [video.to_str().unwrap(), audio.to_str().unwrap()];
    let mut player = program(&relay, "play", &files);
    player.note_with("played 51 frames to the end");
    assert_eq!(player.ended().status.code(), Some(0));
    let paths: Vec<PathBuf> = (0..2).map(|_| PathBuf::from(recorder.line())).collect();
    for _ in 0..2 {
        recorder.note_with(" frames of ");
    }
    recorder.terminate();
    assert_eq!(recorder.ended().status.code(), Some(0));
    for path in paths {
        let original = if path.extension().unwrap() == "ivf" { &video } else { &audio };
        assert_eq!(frames(&path), frames(original), "{}", path.display());
    }
}

#[test]
fn a_recording_that_is_ended_is_whole() {
    let (relay, out) = (Relay::start(), folder("ended"));
    let film = sample("vp8-opus.webm");
    let mut player = program(&relay, "play", &["--loop", film.to_str().unwrap()]);
    let seconds = ["--webm", "--for", "10", "--out", out.to_str().unwrap()];
    let mut recorder = program(&relay, "record", &seconds);
    let path = PathBuf::from(recorder.line());
    assert_eq!(recorder.ended().status.code(), Some(0));
    player.terminate();
    let (recorded, original) = (frames(&path), frames(&film));
    assert_eq!(recorded.len(), 2);
    let is_of_film = |frame: &Vec<u8>| original.iter().any(|track| track.contains(frame));
    assert!(recorded.iter().all(|track| track.len() > 20 && track.iter().all(is_of_film)));
}

#[test]
fn agents_send_replace_and_remove() {
    let (relay, out) = (Relay::start(), folder("agents"));
    let (mut a, mut b) = pair(&relay, "lobby");
    b.must("record", json!({"dir": out}));
    let files = json!([sample("vp8.ivf"), sample("sine.opus")]);
    let added = a.must("addStream", json!({"files": files, "metadata": {"n": 1}}));
    assert_eq!((&added["stream"], &added["taken"]), (&json!("stream"), &json!([*b.self_id])));
    assert_eq!(added["tracks"][0]["codecs"], json!(["VP8"]));
    let stream = b.wait_for("stream", &json!({"metadata": {"n": 1}}));
    assert_eq!(stream["tracks"].as_array().unwrap().len(), 2);
    b.wait_for("videoFrames", &json!({"codec": "VP8"}));
    b.wait_for("audioPackets", &json!({"codec": "opus"}));

    let other = json!({"files": [sample("vp9.ivf")], "metadata": 2});
    let replaced = a.must("replaceTrack", other);
    assert_eq!(replaced["oldTrackId"], added["tracks"][0]["id"]);
    b.wait_for("videoFrames", &json!({"codec": "VP9"}));
    let heard = b.past("audioPackets", &json!({})).last().unwrap()["packets"].clone();
    let goes_on = |event: &Value| event["packets"].as_u64() > heard.as_u64();
    while !b.past("audioPackets", &json!({})).iter().any(goes_on) {
        b.wait_for_next("audioPackets");
    }

    a.must("removeStream", json!({}));
    b.wait_for("trackEnded", &json!({"kind": "video"}));
    let recorded = b.wait_for("recorded", &json!({}));
    let codec = |track: &Value| track["codec"].as_str().unwrap().to_owned();
    let tracks: Vec<String> = recorded["tracks"].as_array().unwrap().iter().map(codec).collect();
    assert_eq!(tracks, ["VP9", "opus"], "as they were at the end");
    assert_eq!(recorded["files"].as_array().unwrap().len(), 3, "{recorded}");
    let again = a.ask("removeStream", json!({}));
    assert_eq!(again["error"], "there is no stream stream");
}

#[test]
fn files_that_can_not_be_played_are_named() {
    let at = ["--app", "a", "--relay", "ws://127.0.0.1:9"];
    let missing = run(&[&["play", "lobby", "missing.ivf"], &at[..]].concat());
    assert_eq!(missing.status.code(), Some(1));
    assert!(missing.stderr[0].starts_with("error: missing.ivf can't be opened: "));
    let mut agent = Agent::start();
    let nowhere = json!({"appId": "a", "roomId": "r", "relayUrls": ["ws://127.0.0.1:9"]});
    agent.must("join", nowhere);
    let wrong = agent.ask("addStream", json!({"files": [sample("make.sh")]}));
    assert!(wrong["error"].as_str().unwrap().contains("is no file of IVF"), "{wrong}");
}

#[test]
fn a_stream_of_two_rooms_goes_on_when_one_is_left() {
    let relay = Relay::start();
    let (mut a, mut b) = pair(&relay, "first");
    for agent in [&mut a, &mut b] {
        agent.join(&relay, "second");
    }
    b.meet(&a, "second");
    a.meet(&b, "second");
    a.must("addStream", json!({"room": "first", "files": [sample("sine.opus")]}));
    a.must("addStream", json!({"room": "second", "of": "first"}));
    b.wait_for("stream", &json!({"room": "second"}));
    a.must("leave", json!({"room": "first"}));
    b.wait_for("peerLeave", &json!({"room": "first"}));
    // What was on its way may come yet, and is less than a second of it.
    let heard = |b: &Agent| {
        let counts = b.past("audioPackets", &json!({"room": "second"}));
        counts.last().and_then(|count| count["packets"].as_u64()).unwrap_or(0)
    };
    let before = heard(&b);
    while heard(&b) < before + 100 {
        b.wait_for_next("audioPackets");
    }
    a.must("removeStream", json!({"room": "second"}));
    b.wait_for("trackEnded", &json!({"room": "second"}));
}

#[test]
fn a_name_is_free_again_when_nothing_was_added() {
    let mut agent = Agent::start();
    let nowhere = json!({"appId": "a", "roomId": "r", "relayUrls": ["ws://127.0.0.1:9"]});
    agent.must("join", nowhere);
    let files = json!([sample("sine.opus")]);
    let refused = agent.ask("addStream", json!({"files": files, "metadata": "x".repeat(70_000)}));
    assert_eq!(refused["ok"], false, "{refused}");
    agent.must("addStream", json!({"files": files}));
    let again = agent.ask("addStream", json!({"files": files}));
    assert_eq!(again["error"], "there is a stream called stream already");
}
