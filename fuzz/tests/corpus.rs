//! The captures as a corpus: what was sent in each, whole and in mutations, to every target.

#![allow(clippy::unwrap_used, reason = "a test that can not go on may panic")]

use std::path::{Path, PathBuf};

use serde_json::Value;
use tristero_fuzz::codecs;
use tristero_fuzz::relays::{self, Step};
use tristero_proto::Seed;

const WIRE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../proto-core/tests/wire");

fn captures() -> Vec<PathBuf> {
    let folders = std::fs::read_dir(Path::new(WIRE)).unwrap().map(|entry| entry.unwrap().path());
    let mut found = Vec::new();
    for folder in folders.filter(|path| path.is_dir()) {
        found.extend(std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()));
    }
    found.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    found.sort();
    found
}

/// What went from a service to a client, or over the data channel.
fn frames(capture: &Path) -> Vec<Step> {
    let lines = std::fs::read_to_string(capture).unwrap();
    let rows = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    rows.filter(|row| row["dir"] != "c2s").filter_map(|row| frame(&row)).collect()
}

fn frame(row: &Value) -> Option<Step> {
    if let Some(text) = row["text"].as_str() {
        return Some(Step::Text(text.to_owned()));
    }
    let hex = row["bin"].as_str().or(row["hex"].as_str())?;
    let digit = |byte: u8| u8::try_from(char::from(byte).to_digit(16).unwrap()).unwrap();
    let bytes = hex.as_bytes().chunks_exact(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1]));
    Some(Step::Bytes(bytes.collect()))
}

fn bytes_of(step: &Step) -> &[u8] {
    match step {
        Step::Text(text) => text.as_bytes(),
        Step::Bytes(bytes) => bytes,
        other => unreachable!("a capture has no {other:?}"),
    }
}

/// The same frame with some bytes changed, cut off or doubled.
fn mutated(step: &Step, rng: &mut tristero_proto::Rng) -> Step {
    let mut bytes = bytes_of(step).to_vec();
    if bytes.is_empty() {
        return step.clone();
    }
    let mut below = |bound: usize| usize::try_from(rng.below(bound as u64)).unwrap();
    let at = below(bytes.len());
    match below(4) {
        0 => bytes.truncate(at),
        1 => bytes[at] ^= 1 << below(8),
        2 => bytes[at] = b"\"{}[],:0\\\xff"[below(10)],
        _ => bytes.extend_from_within(at..),
    }
    match step {
        Step::Text(_) => Step::Text(String::from_utf8_lossy(&bytes).into_owned()),
        _ => Step::Bytes(bytes),
    }
}

#[test]
fn sessions_take_what_any_service_sends_and_what_is_almost_that() {
    let mut rng = Seed::from_number(1).rng("mutations");
    let opening = [Step::Join(1), Step::Say { room: 1, to: None }, Step::Wait(100)];
    for capture in captures() {
        let frames = frames(&capture);
        for (strategy, url) in relays::strategies() {
            for mutations in 0..4 {
                let mut steps = opening.to_vec();
                for frame in &frames {
                    let is_whole = mutations == 0 || rng.below(4) > 0;
                    steps.push(if is_whole { frame.clone() } else { mutated(frame, &mut rng) });
                    steps.push(Step::Wait(50));
                }
                steps.extend([Step::Say { room: 1, to: Some(1) }, Step::Wait(200_000)]);
                relays::run(&*strategy, url, &steps);
            }
        }
    }
}

#[test]
fn codecs_take_what_any_peer_sends_and_what_is_almost_that() {
    let mut rng = Seed::from_number(2).rng("mutations");
    for frame in captures().iter().flat_map(|capture| frames(capture)) {
        codecs::read(bytes_of(&frame));
        for _ in 0..8 {
            codecs::read(bytes_of(&mutated(&frame, &mut rng)));
        }
    }
}
