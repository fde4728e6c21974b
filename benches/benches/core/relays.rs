//! Sessions at relays, and a node that looks after many of them.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion};
use tristero_proto::crypto::Topic;
use tristero_proto::signaling::{
    LinkFrame, Publication, RelaySession, RelayUrl, SessionInput, Strategy, Subscription,
};
use tristero_proto::strategies::{Nostr, WsRelay};
use tristero_proto::testing::session_terms;
use tristero_proto::{
    Clock, Input, LinkId, Node, NodeConfig, Output, RelayConfig, RoomConfig, Seed, Time,
};

use crate::codecs::announce;
use crate::wires::Wires;

pub(crate) fn bench(criterion: &mut Criterion) {
    sessions(criterion);
    supervisor(criterion);
}

fn sessions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("session");
    let mut rng = Seed::from_number(1).rng("sessions");
    let (root, signal) = (Topic::root("app", "room"), announce(&mut rng));
    let strategies: [(&str, &dyn Strategy); 2] = [("ws", &WsRelay), ("nostr", &Nostr)];
    for (name, strategy) in strategies {
        let mut session = open(strategy, &root);
        group.bench_function(BenchmarkId::new("publish an announce", name), |bencher| {
            bencher.iter(|| {
                let publication =
                    Publication { topic: &root, root: &root, to: None, signal: &signal };
                session.handle_input(SessionInput::Publish(publication), Time::ZERO);
                drain(&mut *session)
            });
        });
    }
    let mut session = open(&WsRelay, &root);
    let payload = serde_json::to_string(&signal.emit()).expect("it is text");
    let text = format!(r#"{{"topic":"{}","payload":{payload}}}"#, root.as_str());
    group.bench_function("hear an announce/ws", |bencher| {
        bencher.iter(|| {
            let frame = LinkFrame::Text(black_box(&text).clone());
            session.handle_input(SessionInput::Frame(frame), Time::ZERO);
            drain(&mut *session)
        });
    });
    group.finish();
}

/// A session that is at a room's topic.
fn open(strategy: &dyn Strategy, root: &Topic) -> Box<dyn RelaySession> {
    let mut session = strategy.session(session_terms(url(0)));
    session.handle_input(SessionInput::Opened, Time::ZERO);
    session.handle_input(SessionInput::Subscribe(Subscription { topic: root, root }), Time::ZERO);
    drain(&mut *session);
    session
}

fn drain(session: &mut dyn RelaySession) -> usize {
    let mut count = 0;
    while let Some(output) = session.poll_output() {
        black_box(output);
        count += 1;
    }
    count
}

/// A link that is lost, the wait, and the link that takes its place, with its subscriptions; among
/// other relays that are open.
fn supervisor(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("lose a relay and dial again");
    for count in [1, 8, 64] {
        let (mut node, mut links, mut now) = at_relays(count);
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter(|| {
                let lost = links.remove(0);
                node.handle_input(Input::LinkClosed(lost, "bench"), now);
                let dialled = dialled(&mut node, &mut now);
                node.handle_input(Input::LinkOpened(dialled), now);
                links.push(dialled);
            });
        });
    }
    group.finish();
}

fn at_relays(count: usize) -> (Node<Wires>, Vec<LinkId>, Time) {
    let mut now = Time::ZERO;
    let clock = Clock { now, unix: Duration::from_secs(1_700_000_000) };
    let mut node = Node::new(NodeConfig::default(), Wires::new(0), Seed::from_number(1), clock);
    let relay = |number| RelayConfig { strategy: Arc::new(WsRelay), url: url(number) };
    let relays = (0..count).map(relay).collect();
    node.join(RoomConfig { relays, ..RoomConfig::new("app", "room") }, now).expect("it may");
    let links: Vec<LinkId> = (0..count).map(|_| dialled(&mut node, &mut now)).collect();
    for link in &links {
        node.handle_input(Input::LinkOpened(*link), now);
    }
    (node, links, now)
}

/// The next link that the node wants, after as long as it waits for that; what else it says is dropped.
fn dialled(node: &mut Node<Wires>, now: &mut Time) -> LinkId {
    loop {
        while let Some(output) = node.poll_output() {
            if let Output::OpenLink { link, .. } = black_box(output) {
                return link;
            }
        }
        let due = node.poll_timeout().expect("it dials a relay that is not open");
        *now = due.at.max(*now);
        node.handle_timeout(*now);
    }
}

pub(crate) fn url(number: usize) -> RelayUrl {
    RelayUrl::web_socket(&format!("ws://relay-{number}.example/")).expect("it is one")
}
