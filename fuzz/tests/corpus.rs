//! Every target over its seeds, over what was found once, and over mutations of both.

#![allow(clippy::unwrap_used, reason = "a test that can not go on may panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use tristero_fuzz::{TARGETS, Target, seeds};
use tristero_proto::{Rng, Seed};

/// Mutations of one input.
const MUTATIONS: usize = 8;
/// All inputs of one target in one test.
const INPUTS_MAX: usize = 600;

fn folder(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn names_in(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap());
    entries.map(|entry| entry.path().file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

/// What was found once, as libFuzzer wrote it down.
fn regressions(target: &str) -> Vec<Vec<u8>> {
    let folder = folder("regressions").join(target);
    names_in(&folder).iter().map(|name| fs::read(folder.join(name)).unwrap()).collect()
}

/// The same with some bytes changed, left out, doubled or replaced by those of another.
fn mutated(input: &[u8], other: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = input.to_vec();
    if bytes.is_empty() {
        return other.to_vec();
    }
    for _ in 0..=below(rng, 3) {
        let at = below(rng, bytes.len().max(1));
        let end = (at + 1 + below(rng, 32)).min(bytes.len());
        match below(rng, 6) {
            0 => bytes.truncate(at),
            1 => bytes.extend_from_within(at.min(bytes.len())..),
            2 => drop(bytes.drain(at.min(end)..end)),
            3 => {
                let from = below(rng, other.len().max(1)).min(other.len());
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            4 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << below(rng, 8)),
            _ => {
                let letters = b"\"{}[],:0\\\xff\x00\x7f";
                let letter = letters[below(rng, letters.len())];
                bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = letter);
            }
        }
    }
    bytes
}

fn below(rng: &mut Rng, bound: usize) -> usize {
    usize::try_from(rng.below(bound as u64)).unwrap()
}

fn replay(target: Target) {
    let mut inputs = regressions(target.name);
    inputs.extend(seeds::of(target.name, &seeds::wire_folder()));
    assert!(!inputs.is_empty());
    let mut rng = Seed::from_number(1).rng(target.name);
    inputs.iter().for_each(|input| (target.run)(input));
    let each = MUTATIONS.min(INPUTS_MAX / inputs.len()).max(1);
    for input in &inputs {
        for _ in 0..each {
            let other = &inputs[below(&mut rng, inputs.len())];
            (target.run)(&mutated(input, other, &mut rng));
        }
    }
}

fn replay_named(name: &str) {
    replay(*TARGETS.iter().find(|target| target.name == name).unwrap());
}

#[test]
fn frames_of_any_peer_are_read_or_refused() {
    replay_named("frame");
}

#[test]
fn chunks_of_any_peer_break_no_promise_and_no_bound() {
    replay_named("chunks");
}

#[test]
fn signals_of_anyone_are_read_or_refused() {
    replay_named("signal");
}

#[test]
fn only_what_was_sealed_is_opened() {
    replay_named("envelope");
}

#[test]
fn sessions_take_what_any_service_sends() {
    let others = [
        "frame",
        "chunks",
        "signal",
        "envelope",
        "media_files",
        "descriptions",
        "nodes",
        "histories",
    ];
    let strategies = TARGETS.into_iter().filter(|target| !others.contains(&target.name));
    let count = strategies.map(replay).count();
    assert_eq!(count, TARGETS.len() - others.len());
}

#[test]
fn files_of_anyone_are_read_or_refused() {
    replay_named("media_files");
}

#[test]
fn descriptions_of_any_peer_are_answered_or_refused() {
    replay_named("descriptions");
}

#[test]
fn two_nodes_keep_their_promises_whatever_happens() {
    replay_named("nodes");
}

#[test]
fn histories_of_two_nodes_keep_to_the_model() {
    replay_named("histories");
}

#[test]
fn every_target_has_a_program_and_every_regression_a_target() {
    let names: BTreeSet<String> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    assert_eq!(names_in(&folder("fuzz_targets")), names);
    let found = names_in(&folder("regressions"));
    let unknown: Vec<&String> =
        found.iter().filter(|name| *name != "README" && !names.contains(*name)).collect();
    assert!(unknown.is_empty(), "{unknown:?} are none of the targets");
}
