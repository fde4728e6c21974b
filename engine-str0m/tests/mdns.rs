//! Names in the place of addresses: theirs, which are asked for, and ours.

#![allow(clippy::unwrap_used)]

mod harness;

use std::net::IpAddr;
use std::sync::Arc;

use harness::{World, conn, trickle};
use tristero_proto::engine::{
    ConnOptions, Engine, EngineInput, NetworkEvent, NetworkRequest, Obstacle, Proposal,
};
use tristero_proto::ice::{HostCandidates, IceConfig, IceTransportPolicy};
use tristero_proto::wire::CandidateInit;

const ALICE: (usize, u64) = (0, 1);
const BOB: (usize, u64) = (1, 2);

/// Alice with nothing but names to go by: Bob is not to find her by himself.
struct Pair {
    world: World,
}

fn init(name: &str, port: u16) -> CandidateInit {
    let candidate = format!("candidate:1 1 udp 2122260223 {name} {port} typ host generation 0");
    CandidateInit { candidate, ..CandidateInit::default() }
}

fn name(number: u64) -> String {
    format!("3f6c1a9e-70d4-4b52-9c1e-8f2a5d{number:06x}.local")
}

fn hidden(trickle: bool) -> ConnOptions {
    let ice = IceConfig::none().with_host_candidates(HostCandidates::Mdns);
    ConnOptions::new(trickle, Arc::new(ice))
}

fn without_candidates(sdp: &str) -> String {
    sdp.split_inclusive("\r\n").filter(|line| !line.starts_with("a=candidate")).collect()
}

fn candidates(sdp: &str) -> Vec<&str> {
    sdp.lines().filter(|line| line.starts_with("a=candidate")).collect()
}

impl Pair {
    /// Alice waits for Bob's candidates; neither knows where the other is.
    fn agreed(options: ConnOptions) -> Self {
        let mut world = World::new(2);
        let offer = world.offer(ALICE.0, conn(ALICE.1), options).unwrap();
        let answer = world.answer(BOB.0, conn(BOB.1), &without_candidates(&offer));
        world.accept(ALICE.0, conn(ALICE.1), &without_candidates(&answer));
        Pair { world }
    }

    fn tell(&mut self, candidate: &CandidateInit) {
        let now = self.world.now;
        self.world.hosts[ALICE.0].engine.add_remote_candidate(conn(ALICE.1), candidate, now);
        self.world.drain();
    }

    fn answer(&mut self, name: &str, addresses: &[IpAddr]) {
        let (name, addresses) = (name.to_owned(), addresses.to_vec());
        let event = NetworkEvent::LocalResolved { name, addresses };
        self.world.input(ALICE.0, EngineInput::Network(&event));
    }

    /// The names that Alice asked for since this was called last.
    fn asked(&mut self) -> Vec<String> {
        let requests = self.world.hosts[ALICE.0].requests.drain(..);
        let name = |request| match request {
            NetworkRequest::ResolveLocal { name } => name,
            other => panic!("nothing else was asked for: {other:?}"),
        };
        requests.map(name).collect()
    }

    fn bob(&self) -> IpAddr {
        self.world.hosts[BOB.0].address.ip()
    }
}

#[test]
fn a_name_is_asked_for_once_and_its_address_is_connected_to() {
    let mut pair = Pair::agreed(trickle());
    for _ in 0..3 {
        pair.tell(&init(&name(1).to_uppercase(), 4_000));
    }
    assert_eq!(pair.asked(), [name(1)]);
    assert!(pair.world.sent.is_empty(), "nobody knows where to send yet");
    let bob = pair.bob();
    pair.answer(&name(1), &[bob]);
    let world = &mut pair.world;
    world.run_until(|world| world.is_open((0, conn(1))) && world.is_open((1, conn(2))));
    let info = world.hosts[0].engine.connection_info(conn(1)).unwrap();
    assert_eq!(info.candidate_kinds.1, "host");
    assert_eq!(info.path.unwrap().remote, world.hosts[1].address);
}

#[test]
fn names_in_descriptions_and_before_the_answer_are_asked_for() {
    let mut world = World::new(2);
    let offer = world.offer(0, conn(1), trickle()).unwrap();
    let answer = world.answer(1, conn(2), &without_candidates(&offer));
    let now = world.now;
    world.hosts[0].engine.add_remote_candidate(conn(1), &init(&name(2), 4_000), now);
    let told = format!("{}a={}\r\n", without_candidates(&answer), init(&name(1), 4_000).candidate);
    world.accept(0, conn(1), &told);
    let mut pair = Pair { world };
    assert_eq!(pair.asked(), [name(1), name(2)]);
    let bob = pair.bob();
    pair.answer(&name(2), &[bob]);
    pair.world.run_until(|world| world.is_open((0, conn(1))) && world.is_open((1, conn(2))));
}

#[test]
fn what_is_no_name_of_an_address_is_not_asked_for() {
    let mut pair = Pair::agreed(trickle());
    let nonsense = ["printer.local", "example.org", "a.3f6c1a9e-70d4-4b52-9c1e-8f2a5d7b6c30.local"];
    for nonsense in nonsense {
        pair.tell(&init(nonsense, 4_000));
    }
    pair.tell(&init(&name(1), 0));
    let reflexive = init(&name(1), 4_000).candidate.replace("host", "srflx");
    pair.tell(&CandidateInit { candidate: reflexive, ..CandidateInit::default() });
    assert!(pair.asked().is_empty());
    let engine = &pair.world.hosts[0].engine;
    assert_eq!(engine.counters().name_candidates, 4);
    assert_eq!(engine.obstacle(conn(1)), Some(Obstacle::NoCandidates));
}

#[test]
fn a_name_that_nobody_knows_or_that_leads_nowhere_does_no_harm() {
    let mut pair = Pair::agreed(trickle());
    pair.tell(&init(&name(1), 4_000));
    pair.tell(&init(&name(2), 4_000));
    pair.answer(&name(1), &[]);
    pair.answer(&name(2), &["224.0.0.251".parse().unwrap(), "fe80::1".parse().unwrap()]);
    pair.answer(&name(3), &["10.0.0.2".parse().unwrap()]);
    pair.answer("nonsense", &["10.0.0.2".parse().unwrap()]);
    assert!(pair.world.sent.is_empty(), "{:?}", pair.world.sent);
    let obstacle = pair.world.hosts[0].engine.obstacle(conn(1));
    assert_eq!(obstacle, Some(Obstacle::NoRoute), "it told where it is, if not so that it helps");
    let bob = pair.bob().to_string();
    pair.tell(&init(&bob, 4_000));
    pair.world.run_until(|world| world.is_open((0, conn(1))) && world.is_open((1, conn(2))));
}

#[test]
fn a_name_stands_for_one_address_of_each_family_at_most() {
    let mut pair = Pair::agreed(trickle());
    pair.tell(&init(&name(1), 4_000));
    let many: Vec<IpAddr> = (1..=200).map(|last| IpAddr::from([10, 9, 9, last])).collect();
    pair.answer(&name(1), &many);
    pair.world.run_for(std::time::Duration::from_secs(2));
    let mut targets: Vec<_> = pair.world.sent.iter().map(|sent| sent.path.remote.ip()).collect();
    targets.dedup();
    assert_eq!(targets, [IpAddr::from([10, 9, 9, 1])]);
}

#[test]
fn a_flood_of_names_is_bounded_for_a_connection_and_for_all() {
    let mut pair = Pair::agreed(trickle());
    for number in 0..1_000 {
        pair.tell(&init(&name(number), 4_000));
    }
    let asked = pair.asked();
    assert_eq!(asked.len(), 16);
    assert_eq!(pair.world.hosts[0].engine.counters().surplus_candidates, 1_000 - 16);

    // Connections that come, tell names and go can't have more asked at once either.
    for id in 10..100 {
        let offer = pair.world.offer(1, conn(id), trickle()).unwrap();
        pair.world.answer(0, conn(id), &offer);
        let now = pair.world.now;
        for number in 0..16 {
            let candidate = init(&name(id * 100 + number), 4_000);
            pair.world.hosts[0].engine.add_remote_candidate(conn(id), &candidate, now);
        }
        pair.world.close((0, conn(id)));
    }
    let more = pair.asked();
    assert_eq!(asked.len() + more.len(), 64);
    for asked in more {
        pair.answer(&asked, &[]);
    }
    let offer = pair.world.offer(1, conn(200), trickle()).unwrap();
    pair.world.answer(0, conn(200), &offer);
    let now = pair.world.now;
    pair.world.hosts[0].engine.add_remote_candidate(conn(200), &init(&name(1), 1), now);
    pair.world.hosts[0].engine.add_remote_candidate(conn(200), &init(&name(77), 1), now);
    pair.world.drain();
    assert_eq!(pair.asked(), [name(77)], "the other is being asked for by the first connection");
}

#[test]
fn an_answer_after_the_end_of_a_connection_is_nothing() {
    let mut pair = Pair::agreed(trickle());
    pair.tell(&init(&name(1), 4_000));
    pair.world.close((0, conn(1)));
    pair.world.run_for(std::time::Duration::from_secs(1));
    pair.world.sent.clear();
    let bob = pair.bob();
    pair.answer(&name(1), &[bob]);
    pair.answer(&name(1), &[bob]);
    pair.world.run_for(std::time::Duration::from_secs(5));
    assert!(pair.world.sent.is_empty(), "{:?}", pair.world.sent);
}

#[test]
fn over_turn_servers_alone_nobody_is_asked_and_nothing_is_published() {
    let ice = IceConfig { transport_policy: IceTransportPolicy::Relay, ..IceConfig::none() };
    let ice = Arc::new(ice.with_host_candidates(HostCandidates::Mdns));
    let mut pair = Pair::agreed(ConnOptions::new(true, ice));
    pair.tell(&init(&name(1), 4_000));
    assert!(pair.asked().is_empty());
}

#[test]
fn our_addresses_are_hidden_and_found_by_who_resolves_their_names() {
    for is_trickled in [true, false] {
        let mut world = World::new(2);
        let offer = world.offer(0, conn(1), hidden(is_trickled)).unwrap();
        let published = world.hosts[0].requests.pop_front();
        let Some(NetworkRequest::PublishLocal { name, address }) = published else {
            panic!("{published:?}")
        };
        assert_eq!(address, world.hosts[0].address.ip());
        assert!(!offer.contains("10.0.0.1"), "{offer}");
        let told = candidates(&offer);
        assert!(matches!(told[..], [one] if one.contains(&format!(" {name} 4000 typ host"))));

        let answer = world.answer(1, conn(2), &offer);
        let asked = world.hosts[1].requests.pop_front();
        assert_eq!(asked, Some(NetworkRequest::ResolveLocal { name: name.clone() }));
        // So that it is the name by which she is found.
        world.accept(0, conn(1), &without_candidates(&answer));
        world.run_for(std::time::Duration::from_millis(500));
        assert!(world.sent.is_empty(), "nobody knows where to send: {:?}", world.sent);
        let event = NetworkEvent::LocalResolved { name, addresses: vec![address] };
        world.input(1, EngineInput::Network(&event));
        world.run_until(|world| world.is_open((0, conn(1))) && world.is_open((1, conn(2))));
        let info = world.hosts[1].engine.connection_info(conn(2)).unwrap();
        assert_eq!(info.candidate_kinds.1, "host");
    }
}

#[test]
fn an_address_has_one_name_for_all_connections_while_there_is_a_socket() {
    let mut world = World::without_addresses(1);
    assert_eq!(world.offer(0, conn(1), hidden(false)), None);
    world.offer(0, conn(2), hidden(true)).unwrap();
    assert!(world.hosts[0].requests.is_empty(), "there is nothing to hide yet");
    world.add_address(0);
    let published = world.hosts[0].requests.pop_front();
    let Some(NetworkRequest::PublishLocal { name, .. }) = published else {
        panic!("{published:?}")
    };
    let held = world.hosts[0].log(conn(1)).descriptions[0].clone();
    let trickled = world.hosts[0].log(conn(2)).candidates[0].candidate.clone();
    for told in [&held, &trickled] {
        assert!(told.contains(&name) && !told.contains("10.0.0.1"), "{told}");
    }
    assert!(world.offer(0, conn(3), hidden(true)).unwrap().contains(&name));
    // Who does not hide is not hidden.
    assert!(world.offer(0, conn(4), trickle()).unwrap().contains("10.0.0.1"));
    assert!(world.hosts[0].requests.is_empty());

    let address = world.hosts[0].address;
    world.input(0, EngineInput::AddressRemoved(address));
    let withdrawn = world.hosts[0].requests.pop_front();
    assert_eq!(withdrawn, Some(NetworkRequest::WithdrawLocal { name: name.clone() }));
    world.add_address(0);
    let published = world.hosts[0].requests.pop_front();
    assert!(
        matches!(&published, Some(NetworkRequest::PublishLocal { name: new, .. }) if *new != name),
        "{published:?}"
    );
}

#[test]
fn a_restart_tells_no_address_of_this_machine() {
    let mut world = World::new(2);
    let offer = world.offer(0, conn(1), hidden(true)).unwrap();
    let answer = world.answer(1, conn(2), &offer);
    world.accept(0, conn(1), &answer);
    world.run_until(|world| world.is_open((0, conn(1))) && world.is_open((1, conn(2))));
    let now = world.now;
    world.hosts[0].engine.propose(conn(1), &Proposal::Restart, now);
    world.drain();
    let restarted = world.hosts[0].log(conn(1)).descriptions.last().unwrap();
    assert_eq!(candidates(restarted).len(), 1);
    assert!(!restarted.contains("10.0.0.1"), "{restarted}");
}
