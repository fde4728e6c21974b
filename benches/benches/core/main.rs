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

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};

/// All of it takes some three minutes.
fn config() -> Criterion {
    let criterion = Criterion::default().sample_size(50);
    criterion.warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(2))
}

criterion_group! {
    name = core;
    config = config();
    targets = codecs::bench, crypto::bench, relays::bench, peers::bench, rooms::bench
}
criterion_main!(core);
