//! What STUN and TURN servers do for peers: who meets with their help, over which path, and what
//! comes of servers that are of no help.

#![allow(clippy::unwrap_used, reason = "a test that can not go on may panic")]

use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tristero::{Config, NodeHandle, RoomEvent};
use tristero_proto::engine::{ConnectionInfo, Obstacle, ServerFailure};
use tristero_proto::ice::{IceConfig, IceCredentials, IceServer, IceTransportPolicy};
use tristero_proto::wire::{ActionName, Payload};
use tristero_proto::{
    ActionKind, ActionOptions, Event, IDLE_TTL, JoinFailure, RelayConfig, RoomConfig, RoomKey,
    SendOptions,
};
use tristero_sim::{Dependence, Family, Nat, PeerOptions, Who, World, WsService};

const USERNAME: &str = "alice";
const PASSWORD: &str = "secret";

/// Enough for two peers to meet if they can.
const PATIENCE: Duration = Duration::from_secs(30);

/// A TURN server that helped nobody for a minute is given back what it gave, a little later.
const GIVEN_BACK_AFTER: Duration = Duration::from_secs(65);

/// A world with a relay, a STUN server and a TURN server, which names lead to.
struct Place {
    world: World,
    relay: RelayConfig,
    turn: std::net::SocketAddr,
}

/// A peer in a room.
type Member = (Who, RoomKey);

impl Place {
    fn new(seed: u64) -> Self {
        let mut world = World::new(seed);
        let (_, relay) = world.add_relay(WsService::new());
        let stun = world.network().add_stun_server();
        let turn = world.network().add_turn_server(USERNAME, PASSWORD);
        world.add_name("stun.example", stun.ip());
        world.add_name("turn.example", turn.ip());
        Place { world, relay, turn }
    }

    fn enter(&mut self, who: Who, room: &str, ice: &IceConfig) -> Member {
        let relays = vec![self.relay.clone()];
        let config = RoomConfig { relays, ice: ice.clone(), ..RoomConfig::new("app", room) };
        (who, self.world.join(who, config).unwrap())
    }

    fn add(&mut self, options: PeerOptions, ice: &IceConfig) -> Member {
        let who = self.world.add_peer(options);
        self.enter(who, "room", ice)
    }

    /// A peer behind a NAT of its own.
    fn add_behind(&mut self, nat: Nat, ice: &IceConfig) -> Member {
        let nat = self.world.network().add_nat(nat);
        self.add(PeerOptions::default().behind(nat), ice)
    }

    fn are_together(&self, a: Member, b: Member) -> bool {
        self.sees(a, b) && self.sees(b, a)
    }

    fn sees(&self, (a, room): Member, (b, _): Member) -> bool {
        self.world.members(a, room).contains(&self.world.id(b))
    }

    /// How long it takes until two are together, if it is not too long.
    fn meet(&mut self, a: Member, b: Member) -> Option<Duration> {
        let began = self.world.now();
        let end = began + PATIENCE;
        while !self.are_together(a, b) {
            if !self.world.step(end) {
                return None;
            }
        }
        Some(self.world.now().since(began))
    }

    fn info(&self, (a, room): Member, (b, _): Member) -> ConnectionInfo {
        let b = self.world.id(b);
        self.world.node(a).unwrap().connection_info(room, &b).unwrap()
    }

    /// Whether a message from the first arrives at the second.
    fn can_talk(&mut self, (a, at_a): Member, (b, at_b): Member) -> bool {
        let action = ActionName::new("a").unwrap();
        let options = ActionOptions { kind: ActionKind::Message, progress: false };
        for (who, room) in [(a, at_a), (b, at_b)] {
            // It may be registered from before.
            let _ = self.world.with(who, |node, now| node.register(room, &action, options, now));
        }
        self.world.take_told();
        let options = SendOptions::default();
        let sent = self.world.with(a, |node, now| {
            node.send(at_a, &action, Payload::from("hello"), &options, now).map(|_| ())
        });
        sent.unwrap().unwrap();
        self.world.run_until(PATIENCE, |world| {
            let is_it =
                |event: &Event| matches!(event, Event::Message { room, .. } if *room == at_b);
            world.events(b).any(is_it)
        })
    }

    fn failures(&self, (who, _): Member) -> Vec<ServerFailure> {
        let failures = self.world.events(who).filter_map(|event| match event {
            Event::IceServerFailed { failure, .. } => Some(failure.clone()),
            _ => None,
        });
        failures.collect()
    }

    fn allocations(&mut self) -> usize {
        let turn = self.turn;
        self.world.network().turn_allocations(turn)
    }
}

fn server(url: &str) -> IceServer {
    IceServer::new(url.parse().unwrap())
}

fn stun() -> IceConfig {
    IceConfig::none().with_servers([server("stun:stun.example")])
}

fn turn() -> IceConfig {
    stun().with_servers([turn_server()])
}

fn turn_server() -> IceServer {
    server("turn:turn.example").with_credentials(USERNAME, PASSWORD)
}

fn relay_only() -> IceConfig {
    IceConfig { transport_policy: IceTransportPolicy::Relay, ..turn() }
}

/// Nothing but a server that does not take these credentials.
fn relay_only_refused() -> IceConfig {
    let server = server("turn:turn.example").with_credentials(USERNAME, "wrong");
    let servers = IceConfig::none().with_servers([server]);
    IceConfig { transport_policy: IceTransportPolicy::Relay, ..servers }
}

fn is_relayed(info: &ConnectionInfo) -> bool {
    info.candidate_kinds.0 == "relay" || info.candidate_kinds.1 == "relay"
}

/// Where a peer is, and how what is between it and the Internet behaves.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Behind {
    Nothing,
    Nat {
        mapping: Dependence,
        filtering: Dependence,
    },
    /// A NAT at home behind one of the provider.
    Two,
    Wall,
}

const DEPENDENCES: [Dependence; 3] = [
    Dependence::EndpointIndependent,
    Dependence::AddressDependent,
    Dependence::AddressAndPortDependent,
];

impl Behind {
    fn all() -> Vec<Behind> {
        let nats = DEPENDENCES
            .into_iter()
            .flat_map(|mapping| DEPENDENCES.map(|filtering| Behind::Nat { mapping, filtering }));
        [Behind::Nothing, Behind::Two, Behind::Wall].into_iter().chain(nats).collect()
    }

    /// Each with each, and with its like.
    fn pairs() -> Vec<[Behind; 2]> {
        let all = Behind::all();
        let others = |first: usize| all[first..].iter().copied();
        (0..all.len())
            .flat_map(|it| others(it).map(move |other| (it, other)))
            .map(|(it, other)| [all[it], other])
            .collect()
    }

    fn place(self, world: &mut World) -> PeerOptions {
        let nat = match self {
            Behind::Nothing => return PeerOptions::default(),
            Behind::Wall => Nat::udp_blocked(),
            Behind::Two => {
                Nat::port_restricted().behind(world.network().add_nat(Nat::carrier_grade()))
            }
            Behind::Nat { mapping, filtering } => {
                let mut nat = Nat::full_cone().with_random_ports();
                (nat.mapping, nat.filtering) = (mapping, filtering);
                nat
            }
        };
        PeerOptions::default().behind(world.network().add_nat(nat))
    }

    /// How mappings and filters behave, all in all; `None` if nothing passes.
    fn behaviour(self) -> Option<(Dependence, Dependence)> {
        match self {
            Behind::Nothing => {
                Some((Dependence::EndpointIndependent, Dependence::EndpointIndependent))
            }
            Behind::Nat { mapping, filtering } => Some((mapping, filtering)),
            // The stricter of both counts.
            Behind::Two => {
                Some((Dependence::EndpointIndependent, Dependence::AddressAndPortDependent))
            }
            Behind::Wall => None,
        }
    }

    /// Whether others know an address at which it is seen, and it is heard by anyone at all.
    fn is_public(self) -> bool {
        self == Behind::Nothing
    }
}

/// Whether two can connect who know where a STUN server sees the other: RFC 4787, sections 4 and 5.
fn can_punch(x: Behind, y: Behind) -> bool {
    is_answered(x, y) || is_answered(y, x)
}

/// Whether a check from one comes to where a server saw the other, and leads to an answer.
fn is_answered(from: Behind, to: Behind) -> bool {
    use Dependence::{AddressAndPortDependent, EndpointIndependent};
    let (Some((mapping, filter)), Some((mapping_there, filter_there))) =
        (from.behaviour(), to.behaviour())
    else {
        return false;
    };
    if mapping_there == EndpointIndependent {
        // It sends, and answers, from where it was seen. Its filter knows the address of the other,
        // and the port if that is the one that the server saw.
        return filter_there != AddressAndPortDependent || mapping == EndpointIndependent;
    }
    // It was seen where it has sent nothing but to the server, so anyone has to be let in there. It
    // answers from another port, which the filter on this side has to let in. Where this side, too,
    // takes another port each time RFC 8445 would not count the answer (section 7.2.5.2.1), but
    // str0m does.
    filter_there == EndpointIndependent && filter != AddressAndPortDependent
}

/// Two peers with these servers meet if theory says so, and not otherwise.
fn hold_theory(ice: &IceConfig, can_meet: impl Fn(Behind, Behind) -> bool) {
    for (seed, [x, y]) in (0..).zip(Behind::pairs()) {
        let mut place = Place::new(seed);
        let [a, b] = [x, y].map(|behind| {
            let options = behind.place(&mut place.world);
            place.add(options, ice)
        });
        let met = place.meet(a, b).is_some();
        assert_eq!(met, can_meet(x, y), "{x:?} and {y:?}");
        let stun = place.world.network().add_stun_server();
        let servers = match ice.servers.len() {
            0 => &[][..],
            1 => &[stun],
            _ => &[stun, place.turn],
        };
        assert_eq!(met, place.world.can_reach_with(a.0, b.0, servers), "{x:?} and {y:?}");
        if met {
            place.world.run_for(Duration::from_secs(10));
            assert!(place.can_talk(a, b), "{x:?} and {y:?}");
            // What is told is the path that something was sent on last, and a better one may have
            // been found since they met.
            let info = place.info(a, b);
            let is_needed = !can_punch(x, y);
            assert_eq!(is_relayed(&info), is_needed, "{x:?} and {y:?}: {info:?}");
        }
    }
}

#[test]
fn without_servers_peers_meet_where_one_is_public() {
    hold_theory(&IceConfig::none(), |x, y| {
        x != Behind::Wall && y != Behind::Wall && (x.is_public() || y.is_public())
    });
}

#[test]
fn with_stun_peers_meet_whose_nats_can_be_opened() {
    hold_theory(&stun(), can_punch);
}

#[test]
fn with_turn_all_meet_whom_no_wall_keeps_from_it_and_relay_only_if_they_have_to() {
    hold_theory(&turn(), |x, y| x != Behind::Wall && y != Behind::Wall);
}

#[test]
fn two_homes_of_one_provider_meet_if_its_nat_hairpins_or_over_a_relay() {
    let carriers = [Nat::carrier_grade(), {
        let mut carrier = Nat::carrier_grade();
        carrier.hairpins = false;
        carrier
    }];
    for carrier in carriers {
        for ice in [stun(), turn()] {
            let mut place = Place::new(1);
            let nat = place.world.network().add_nat(carrier);
            let [a, b] =
                [(); 2].map(|()| place.add_behind(Nat::port_restricted().behind(nat), &ice));
            let met = place.meet(a, b).is_some();
            assert_eq!(met, carrier.hairpins || ice.has_turn(), "{carrier:?} {ice:?}");
            if met {
                place.world.run_for(Duration::from_secs(10));
                let info = place.info(a, b);
                assert_eq!(is_relayed(&info), !carrier.hairpins, "{info:?}");
            }
        }
    }
}

#[test]
fn peers_behind_one_nat_meet_by_their_own_addresses_whatever_servers_say() {
    for nat in [Nat::symmetric(), Nat::full_cone().with_hairpinning(), Nat::udp_blocked()] {
        let mut place = Place::new(1);
        let nat = place.world.network().add_nat(nat);
        let [a, b] = [(); 2].map(|()| place.add(PeerOptions::default().behind(nat), &turn()));
        assert!(place.meet(a, b).is_some(), "{nat:?}");
        place.world.run_for(Duration::from_secs(10));
        assert_eq!(place.info(a, b).candidate_kinds, ("host", "host"), "{nat:?}");
    }
}

#[test]
fn a_peer_with_ipv4_alone_meets_one_with_ipv6_alone_over_a_relay() {
    let mut place = Place::new(1);
    let a = place.add(PeerOptions::default(), &turn());
    let b = place.add(PeerOptions::default().with_families(&[Family::V6]), &turn());
    assert!(place.meet(a, b).is_some() && place.can_talk(a, b));
    assert!(is_relayed(&place.info(a, b)));
    let servers = [place.turn];
    assert!(place.world.can_reach_with(a.0, b.0, &servers));
}

#[test]
fn one_turn_server_of_one_peer_is_enough() {
    for is_first in [true, false] {
        let mut place = Place::new(1);
        let ices = if is_first { [turn(), stun()] } else { [stun(), turn()] };
        let [a, b] = ices.map(|ice| place.add_behind(Nat::symmetric(), &ice));
        assert!(place.meet(a, b).is_some(), "{is_first}");
        assert!(is_relayed(&place.info(a, b)) && place.can_talk(a, b));
        assert_eq!(place.allocations(), 1);
    }
}

#[test]
fn wrong_credentials_are_told() {
    let mut place = Place::new(1);
    let wrong = server("turn:turn.example").with_credentials(USERNAME, "guessed");
    let ice = IceConfig::none().with_servers([wrong]);
    let [a, b] = [(); 2].map(|()| place.add(PeerOptions::default(), &ice));
    assert!(place.meet(a, b).is_some());
    place.world.run_for(PATIENCE);
    for member in [a, b] {
        let failures = place.failures(member);
        let is_refusal =
            |it: &ServerFailure| matches!(it, ServerFailure::Refused { code: 401, .. });
        assert!(!failures.is_empty() && failures.iter().all(is_refusal), "{failures:?}");
    }
    assert_eq!(place.allocations(), 0);
}

#[test]
fn credentials_that_are_renewed_help_those_who_are_meeting() {
    let mut place = Place::new(1);
    let ice = relay_only_refused();
    let url = ice.servers[0].url.clone();
    let a = place.add(PeerOptions::default(), &ice);
    let b = place.add(PeerOptions::default(), &IceConfig::none());
    place.world.run_for(Duration::from_secs(5));
    assert!(!place.failures(a).is_empty() && !place.are_together(a, b));
    let credentials =
        IceCredentials { username: USERNAME.to_owned(), credential: PASSWORD.to_owned() };
    let (who, room) = a;
    let stranger = "turn:other.example".parse().unwrap();
    for (url, is_known) in [(&stranger, false), (&url, true)] {
        let is_taken = place
            .world
            .with(who, |node, now| node.set_ice_credentials(room, url, &credentials, now));
        assert_eq!(is_taken, Some(is_known));
    }
    // The attempt that is under way gets the address.
    let met = place.meet(a, b);
    assert!(met.is_some_and(|met| met < Duration::from_secs(5)), "{met:?}");
}

#[test]
fn an_application_renews_its_credentials_by_a_function() {
    let mut place = Place::new(1);
    let ice = relay_only_refused();
    let config = Config::new("app").relays([place.relay.clone()]).ice(ice);
    let app = place.world.add_app(PeerOptions::default(), async move |node: NodeHandle, _| {
        let room = node.join(&config, "room").unwrap();
        let mut events = room.events();
        let renewing = room.serve_ice_credentials(async |url| {
            assert_eq!(url.to_string(), "turn:turn.example:3478");
            Some(IceCredentials { username: USERNAME.to_owned(), credential: PASSWORD.to_owned() })
        });
        let mut renewing = pin!(renewing);
        let mut has_joined = |cx: &mut Context<'_>| {
            while let Poll::Ready(event) = events.poll_recv(cx) {
                if let RoomEvent::PeerJoined { .. } = event.unwrap() {
                    return Poll::Ready(());
                }
            }
            Poll::Pending
        };
        poll_fn(|cx| {
            assert!(renewing.as_mut().poll(cx).is_pending());
            has_joined(cx)
        })
        .await;
    });
    place.add(PeerOptions::default(), &IceConfig::none());
    assert!(place.world.run_until(PATIENCE, |_| app.is_over()));
}

#[test]
fn a_dead_server_is_told_and_keeps_nobody_waiting() {
    let took = |ice: &dyn Fn(&mut World) -> IceConfig| {
        let mut place = Place::new(1);
        let ice = ice(&mut place.world);
        let [a, b] = [(); 2].map(|()| place.add(PeerOptions::default(), &ice));
        let took = place.meet(a, b).unwrap();
        place.world.run_for(PATIENCE);
        (took, place.failures(a))
    };
    let (without, failures) = took(&|_| IceConfig::none());
    assert_eq!(failures, []);
    for url in ["stun:dead.example", "turn:dead.example"] {
        let (with, failures) = took(&|world| {
            // Somebody has the address, and does not answer.
            let host = world.network().add_host();
            let dead = world.network().add_address(host, Default::default(), Family::V4);
            world.add_name("dead.example", dead);
            IceConfig::none().with_servers([server(url).with_credentials(USERNAME, PASSWORD)])
        });
        assert_eq!(with, without, "{url}");
        let is_silent = |it: &ServerFailure| *it == ServerFailure::Silent;
        assert!(!failures.is_empty() && failures.iter().all(is_silent), "{url}: {failures:?}");
    }
    let (with, failures) = took(&|_| IceConfig::none().with_servers([server("stun:nowhere")]));
    assert_eq!(with, without);
    assert!(failures.iter().all(|it| *it == ServerFailure::Unresolved) && !failures.is_empty());
}

#[test]
fn a_relayed_connection_lives_for_hours_and_has_one_allocation() {
    let mut place = Place::new(1);
    let [a, b] = [(); 2].map(|()| place.add_behind(Nat::symmetric(), &turn()));
    assert!(place.meet(a, b).is_some());
    place.world.take_told();
    place.world.run_for(Duration::from_secs(2 * 3_600));
    let has_left = |who| place.world.events(who).any(|it| matches!(it, Event::PeerLeft { .. }));
    assert!(!has_left(a.0) && !has_left(b.0), "{:?}", place.failures(a));
    assert!(is_relayed(&place.info(a, b)) && place.can_talk(a, b) && place.can_talk(b, a));
    assert_eq!(place.allocations(), 2);
}

#[test]
fn many_connections_share_one_allocation() {
    let mut place = Place::new(1);
    let nat = place.world.network().add_nat(Nat::symmetric());
    let hub = place.world.add_peer(PeerOptions::default().behind(nat));
    let others: Vec<(Member, Member)> = (0..50)
        .map(|number| {
            // Rooms of their own, so that they do not meet each other.
            let room = format!("room {number}");
            let here = place.enter(hub, &room, &relay_only());
            let who = place.world.add_peer(PeerOptions::default());
            (here, place.enter(who, &room, &IceConfig::none()))
        })
        .collect();
    for (here, there) in &others {
        assert!(place.meet(*here, *there).is_some());
        assert!(is_relayed(&place.info(*here, *there)));
    }
    for (here, there) in others {
        assert!(place.can_talk(here, there) && place.can_talk(there, here));
    }
    assert_eq!(place.allocations(), 1);
}

#[test]
fn a_pair_meets_again_after_its_server_forgot_it() {
    let mut place = Place::new(1);
    let [a, b] = [(); 2].map(|()| place.add_behind(Nat::symmetric(), &turn()));
    assert!(place.meet(a, b).is_some());
    let turn = place.turn;
    place.world.network().restart_turn_server(turn);
    let forgotten_at = place.world.now();
    place.world.run_for(Duration::from_secs(1));
    let left = place.world.run_until(Duration::from_secs(60), |world| {
        [a, b].iter().all(|(who, room)| world.members(*who, *room).is_empty())
    });
    assert!(left);
    let again = place.world.run_until(MEET_AGAIN_MAX, |world| {
        [a, b].iter().all(|(who, room)| world.members(*who, *room).len() == 1)
    });
    let took = place.world.now().since(forgotten_at);
    assert!(again && place.can_talk(a, b), "{took:?}");
}

#[test]
fn a_peer_is_let_through_by_a_server_that_could_not_be_asked_at_first() {
    let mut place = Place::new(1);
    let a = place.add(PeerOptions::default(), &relay_only());
    let c = place.add(PeerOptions::default(), &IceConfig::none());
    assert!(place.meet(a, c).is_some());
    assert_eq!(place.allocations(), 1);
    let host = place.world.host(a.0);
    place.world.network().partition(&[host], PATIENCE);
    let b = place.add(PeerOptions::default(), &IceConfig::none());
    assert_eq!(place.meet(a, b), None);
    place.world.run_for(MEET_AGAIN_MAX);
    assert!(place.are_together(a, b) && is_relayed(&place.info(a, b)));
}

/// A room is announced once a minute.
const MEET_AGAIN_MAX: Duration = Duration::from_secs(90);

#[test]
fn an_allocation_is_given_back_after_its_last_use() {
    let mut place = Place::new(1);
    let [a, b] = [(); 2].map(|()| place.add_behind(Nat::symmetric(), &turn()));
    assert!(place.meet(a, b).is_some());
    assert_eq!(place.allocations(), 2);
    for (who, room) in [a, b] {
        place.world.with(who, |node, now| node.leave(room, now));
    }
    // A connection that no room uses is kept for a while.
    place.world.run_for(IDLE_TTL);
    assert_eq!(place.allocations(), 2);
    place.world.run_for(GIVEN_BACK_AFTER);
    assert_eq!(place.allocations(), 0);
}

#[test]
fn an_allocation_is_given_back_when_its_node_is_shut_down() {
    let mut place = Place::new(1);
    let [a, b] = [(); 2].map(|()| place.add_behind(Nat::symmetric(), &turn()));
    assert!(place.meet(a, b).is_some());
    assert_eq!(place.allocations(), 2);
    place.world.with(a.0, |node, now| node.shut_down(now));
    place.world.run_for(Duration::from_secs(1));
    assert_eq!(place.allocations(), 1);
    let is_over = |event: &Event| matches!(event, Event::ShutDown);
    assert!(place.world.events(a.0).any(is_over));
}

#[test]
fn equal_seeds_give_equal_runs_with_servers() {
    let digest = |seed| {
        let mut place = Place::new(seed);
        let [a, b] = [(); 2].map(|()| place.add_behind(Nat::symmetric(), &turn()));
        assert!(place.meet(a, b).is_some());
        place.world.run_for(Duration::from_secs(120));
        place.world.digest()
    };
    assert_eq!(digest(1), digest(1));
    assert_ne!(digest(1), digest(2));
}

#[test]
fn who_may_use_only_a_server_that_refuses_is_told_so_and_not_that_the_other_has_no_address() {
    let mut place = Place::new(1);
    let ice = relay_only_refused();
    let [a, b] = [(); 2].map(|()| place.add(PeerOptions::default(), &ice));
    assert_eq!(place.meet(a, b), None);
    for (who, _) in [a, b] {
        let obstacle = place.world.events(who).find_map(|event| match event {
            Event::JoinFailed { failure: JoinFailure::NotConnected { obstacle, .. }, .. } => {
                Some(*obstacle)
            }
            _ => None,
        });
        assert_eq!(obstacle, Some(Some(Obstacle::TurnRefused { code: 401 })));
    }
}
