//! What the core takes for what it does most: codecs, cryptography, relays, and a node that a thousand
//! peers are connected to.
//!
//! `cargo bench -p tristero-benches --bench core`, with a part of a name for some of them.
//!
//! There is no socket and no clock in it. Where a name ends in a number, that is how many peers or rooms
//! a node has besides what is measured; times that do not grow with it are the point.

mod codecs;
mod crypto;
mod peers;
mod relays;
mod rooms;
mod star;
mod wires;

use criterion::{criterion_group, criterion_main};

criterion_group!(core, codecs::bench, crypto::bench, relays::bench, peers::bench, rooms::bench);
criterion_main!(core);
