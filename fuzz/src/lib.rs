//! What is fuzzed: one function for each thing that bytes from outside reach first.
//!
//! A function takes any bytes, and panics where a promise of the core is broken. `cargo xtask fuzz`
//! runs each under libFuzzer; `tests/corpus.rs` runs each over its seeds, over mutations of them and
//! over what was found once, as ordinary tests.

pub mod chunks;
pub mod descriptions;
pub mod envelope;
pub mod frame;
pub mod histories;
pub mod media_files;
pub mod nodes;
pub mod relays;
pub mod seeds;
pub mod signal;

#[path = "../../proto-core/tests/common/mod.rs"]
mod common;
mod memory;
#[path = "../../proto-core/tests/model/mod.rs"]
mod model;
mod script;
mod world;

/// Something that is fuzzed.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, which is that of its program in `fuzz_targets` and of its folders.
    pub name: &'static str,
    /// Takes any bytes.
    pub run: fn(&[u8]),
}

/// All that is fuzzed.
pub const TARGETS: [Target; 15] = [
    Target { name: "frame", run: frame::run },
    Target { name: "chunks", run: chunks::run },
    Target { name: "signal", run: signal::run },
    Target { name: "envelope", run: envelope::run },
    Target { name: "ws", run: relays::ws },
    Target { name: "nostr", run: relays::nostr },
    Target { name: "mqtt", run: relays::mqtt },
    Target { name: "torrent", run: relays::torrent },
    Target { name: "supabase", run: relays::supabase },
    Target { name: "firebase", run: relays::firebase },
    Target { name: "ipfs", run: relays::ipfs },
    Target { name: "media_files", run: media_files::run },
    Target { name: "descriptions", run: descriptions::run },
    Target { name: "nodes", run: nodes::run },
    Target { name: "histories", run: histories::run },
];
