//! What is fuzzed: one function for each thing that bytes from outside reach first.
//!
//! `cargo xtask fuzz` runs them under libFuzzer, `tests/corpus.rs` over the captures and mutations
//! of them. A function panics where a promise of the core is broken.

pub mod codecs;
pub mod relays;
