//! A node in many rooms, of which one has something to do.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion};
use tristero_proto::limits::Limits;
use tristero_proto::strategies::WsRelay;
use tristero_proto::{Clock, Input, Node, NodeConfig, Output, RelayConfig, RoomConfig, Seed, Time};

use crate::relays::url;
use crate::wires::Wires;

/// Rooms announce themselves so often.
const HEARTBEAT: Duration = Duration::from_secs(60);

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("a room is due, by rooms");
    for count in [1, 10, 100, 1_000] {
        let mut node = in_rooms(count);
        assert_eq!((0..2 * count).map(|_| announce(&mut node)).max(), Some(1), "one at a time");
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter(|| announce(&mut node));
        });
    }
    group.finish();
}

/// A node that joined one room after another, so that one is due after another.
fn in_rooms(count: usize) -> Node<Wires> {
    let mut now = Time::ZERO;
    let clock = Clock { now, unix: Duration::from_secs(1_700_000_000) };
    let mut limits = Limits::default();
    limits.rooms = count;
    let config = NodeConfig { limits, ..NodeConfig::default() };
    let mut node = Node::new(config, Wires::new(0), Seed::from_number(1), clock);
    let pause = HEARTBEAT / u32::try_from(count).expect("they are few");
    for number in 0..count {
        let relays = vec![RelayConfig { strategy: Arc::new(WsRelay), url: url(0) }];
        let config = RoomConfig { relays, ..RoomConfig::new("app", format!("room {number}")) };
        node.join(config, now).expect("it may");
        perform(&mut node, now);
        run(&mut node, now + pause);
        now = now + pause;
    }
    // What follows a join is over, and what is left comes once a minute.
    run(&mut node, now + HEARTBEAT);
    node
}

/// Does all that is due before a moment.
fn run(node: &mut Node<Wires>, end: Time) {
    while node.poll_timeout().is_some_and(|due| due.at < end) {
        announce(node);
    }
}

/// Does what is due next, and says how many frames are sent because of that.
fn announce(node: &mut Node<Wires>) -> usize {
    let due = node.poll_timeout().expect("rooms announce themselves");
    node.handle_timeout(due.at);
    perform(node, due.at)
}

/// Opens the links that the node wants; says how many frames it sends.
fn perform(node: &mut Node<Wires>, now: Time) -> usize {
    let mut sent = 0;
    while let Some(output) = node.poll_output() {
        match black_box(output) {
            Output::OpenLink { link, .. } => node.handle_input(Input::LinkOpened(link), now),
            Output::SendLink { .. } => sent += 1,
            _ => {}
        }
    }
    sent
}
