//! A node with many peers that say nothing, and one that does.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion};
use tristero_proto::SendOptions;

use crate::star::Star;

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut stars: Vec<(usize, Star)> =
        [1, 10, 100, 1_000].into_iter().map(|peers| (peers, Star::of(peers))).collect();
    each(criterion, "a message in, by peers", &mut stars, Star::hear);
    each(criterion, "a message to one, by peers", &mut stars, |star| {
        let targets = Some(star.peer.clone().into());
        star.tell(&SendOptions { targets, ..SendOptions::default() })
    });
    each(criterion, "when something is due, by peers", &mut stars, |star| {
        usize::from(black_box(&star.hub).poll_timeout().is_some())
    });
    // This one has to grow.
    each(criterion, "a message to all, by peers", &mut stars, |star| {
        star.tell(&SendOptions::default())
    });
}

fn each(
    criterion: &mut Criterion,
    name: &str,
    stars: &mut [(usize, Star)],
    act: fn(&mut Star) -> usize,
) {
    let mut group = criterion.benchmark_group(name);
    for (peers, star) in stars {
        assert!(act(star) > 0, "nothing came of it");
        group.bench_function(BenchmarkId::from_parameter(*peers), |bencher| {
            bencher.iter(|| act(star));
        });
    }
    group.finish();
}
