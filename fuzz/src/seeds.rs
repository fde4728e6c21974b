//! Where fuzzing begins: inputs that mean something. Most are made from what npm's Trystero and real
//! services said to each other, so no list of bytes has to be kept.

mod capture;
mod stories;

use std::path::Path;

use bytes::Bytes;
use tristero_proto::Seed;
use tristero_proto::wire::{Frame, Signal, SignalBody};

use crate::relays::{self, Kind};
use crate::{chunks, nodes};
pub use capture::wire_folder;
use capture::{Capture, folder};

/// Strategies, and the folders of their captures.
const STRATEGIES: [(&str, &str); 7] = [
    ("ws", "ws-relay"),
    ("nostr", "nostr"),
    ("mqtt", "mqtt"),
    ("torrent", "torrent"),
    ("supabase", "supabase"),
    ("firebase", "firebase"),
    ("ipfs", "ipfs"),
];

/// How many bytes there are for some histories, from short ones to long ones.
const HISTORIES: [usize; 12] =
    [64, 128, 256, 384, 512, 768, 1_024, 1_536, 2_048, 2_560, 3_072, 4_096];

/// Messages of a capture in one seed.
const MESSAGES_MAX: usize = 24;

/// The inputs that a target begins with, the same each time. `wire` is the folder of the captures.
///
/// # Panics
///
/// If there is no such target, or the folder holds no captures.
pub fn of(target: &str, wire: &Path) -> Vec<Vec<u8>> {
    let mut seeds = all_of(target, wire);
    seeds.sort();
    seeds.dedup();
    seeds
}

fn all_of(target: &str, wire: &Path) -> Vec<Vec<u8>> {
    match target {
        "frame" => messages(wire).into_iter().map(Vec::from).collect(),
        "chunks" => chunks_of(wire),
        "signal" => {
            let said = [
                r#"{"k":"Sd0mK5TyZTuTN5aMDXhE","s":"stream","t":"track","m":{"n":1}}"#,
                r#"{"k":"Sd0mK5TyZTuTN5aMDXhE","t":"track","m":null}"#,
                r#"{"type":"offer","sdp":"v=0","n":7}"#,
            ];
            let signals = signals(wire);
            let said = said.map(str::to_owned);
            signals
                .iter()
                .map(Signal::emit)
                .chain(candidates())
                .chain(said)
                .map(Vec::from)
                .collect()
        }
        "envelope" => envelopes(wire),
        "media_files" => media_files(),
        "descriptions" => tristero_str0m::trial::seeds(),
        "nodes" => nodes_of(wire),
        "histories" => HISTORIES.map(history).into(),
        strategy => {
            let found = STRATEGIES.iter().find(|(name, _)| *name == strategy);
            let (_, captures) = found.expect("it is one of the targets");
            folder(wire, captures).iter().map(relay_story).collect()
        }
    }
}

/// The files that the tests of their readers have.
fn media_files() -> Vec<Vec<u8>> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../media-files/tests/data");
    let files = std::fs::read_dir(data).expect("they are in the repository");
    files.map(|file| std::fs::read(file.expect("it is there").path()).expect("a file")).collect()
}

/// Bytes at random, of which a history can be made.
fn history(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    Seed::from_number(length as u64).rng("history").fill(&mut bytes);
    bytes
}

/// What was sent over data channels.
fn messages(wire: &Path) -> Vec<Bytes> {
    folder(wire, "datachannel").iter().flat_map(Capture::messages).collect()
}

fn chunks_of(wire: &Path) -> Vec<Vec<u8>> {
    let step = |message: &Bytes| match Frame::parse(message) {
        Ok(Frame::Room { chunk, .. }) => chunks::Step::Chunk(chunk.into()),
        _ => chunks::Step::Frame(message.to_vec()),
    };
    let captures = folder(wire, "datachannel");
    let told: Vec<Vec<chunks::Step>> = captures
        .iter()
        .flat_map(|capture| {
            let steps: Vec<_> = capture.messages().iter().map(step).collect();
            steps.chunks(MESSAGES_MAX).map(<[_]>::to_vec).collect::<Vec<_>>()
        })
        .collect();
    let emit = |steps: Vec<chunks::Step>| {
        let mut seed = Vec::new();
        steps.iter().for_each(|step| step.emit(&mut seed));
        seed
    };
    told.into_iter().chain(stories::of_chunks()).map(emit).collect()
}

fn nodes_of(wire: &Path) -> Vec<Vec<u8>> {
    let forged = messages(wire).chunks(MESSAGES_MAX).map(stories::of_forgery).collect::<Vec<_>>();
    let emit = |(opening, steps): (u8, Vec<nodes::Step>)| {
        let mut seed = vec![opening];
        steps.iter().for_each(|step| step.emit(&mut seed));
        seed
    };
    stories::of_nodes().into_iter().chain(forged).map(emit).collect()
}

/// All that was said through relays, as sessions of ours hear it.
fn signals(wire: &Path) -> Vec<Signal> {
    let mut signals = Vec::new();
    for (strategy, captures) in STRATEGIES {
        for capture in folder(wire, captures) {
            let mut session = Kind::of(strategy).session();
            let bodies = relays::bodies(&mut *session, capture.frames());
            signals.extend(bodies.iter().filter_map(|body| Signal::parse(body).ok()));
        }
    }
    signals
}

fn envelopes(wire: &Path) -> Vec<Vec<u8>> {
    let sealed = signals(wire).into_iter().filter_map(|signal| match signal.body {
        SignalBody::Announce => None,
        SignalBody::Offer { sealed, .. }
        | SignalBody::Answer { sealed, .. }
        | SignalBody::Candidate { sealed, .. }
        | SignalBody::Standing { sealed } => Some(sealed.into_bytes()),
    });
    sealed.collect()
}

fn candidates() -> impl Iterator<Item = String> {
    let browser = r#"{"candidate":"candidate:1 1 UDP 2122252543 192.168.0.2 50000 typ host","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":"abcd"}"#;
    let end = r#"{"candidate":"","sdpMid":null,"sdpMLineIndex":null}"#;
    [browser, end].map(str::to_owned).into_iter()
}

fn relay_story(capture: &Capture) -> Vec<u8> {
    let mut seed = Vec::new();
    let opening = [relays::Step::Join(0), relays::Step::Announce(0), relays::Step::Wait(1)];
    opening.iter().for_each(|step| step.emit(&mut seed));
    for frame in capture.frames() {
        relays::Step::from(frame).emit(&mut seed);
    }
    let end =
        [relays::Step::Offer(0, false), relays::Step::Answer(0, 1), relays::Step::Wait(2_000)];
    end.iter().for_each(|step| step.emit(&mut seed));
    seed
}
