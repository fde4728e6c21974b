//! What hides signals, and what rooms are called on relays.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use tristero_proto::crypto::{SignalKey, Topic, password_proof};
use tristero_proto::{PeerId, Seed};

/// About as long as a description of data channels alone, in bytes.
const DESCRIPTION_BYTES: usize = 800;

pub(crate) fn bench(criterion: &mut Criterion) {
    signals(criterion);
    names(criterion);
}

fn signals(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("envelope");
    let mut rng = Seed::from_number(1).rng("envelopes");
    let key = SignalKey::derive("secret", "app", "room");
    let text = "d".repeat(DESCRIPTION_BYTES);
    let sealed = key.seal(&text, &mut rng);
    group.bench_function("derive the key", |bencher| {
        bencher.iter(|| SignalKey::derive(black_box("secret"), "app", "room"));
    });
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("seal a description", |bencher| {
        bencher.iter(|| key.seal(black_box(&text), &mut rng));
    });
    group.bench_function("open a description", |bencher| {
        bencher.iter(|| key.open(black_box(&sealed)));
    });
    let other = SignalKey::derive("another", "app", "room");
    group.bench_function("refuse one under another password", |bencher| {
        bencher.iter(|| other.open(black_box(&sealed)).is_err());
    });
    group.finish();
}

fn names(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("name");
    let peer = PeerId::generate(&mut Seed::from_number(1).rng("names"));
    group.bench_function("topic of a room", |bencher| {
        bencher.iter(|| Topic::root(black_box("app"), "room"));
    });
    group.bench_function("topic of a peer", |bencher| {
        bencher.iter(|| Topic::of_peer(black_box("app"), "room", &peer));
    });
    group.bench_function("proof of a password", |bencher| {
        bencher.iter(|| password_proof(black_box("a challenge"), "secret", "app", "room"));
    });
    group.finish();
}
