//! Facts, and what is made of them.

use std::net::SocketAddr;
use std::time::Duration;

use super::super::facts::{
    Allocation, Filtering, JoinFact, Mapping, Met, Nat, RelayFact, Seen, Sighting, StunFact,
};
use super::*;

const TOOK: Duration = Duration::from_millis(12);

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn met() -> JoinOutcome {
    JoinOutcome::Met(Met { took: TOOK, ping: TOOK, kinds: ("host", "host") })
}

fn stun(answers: bool) -> StunFact {
    let seen = Seen { mapped: at("198.51.100.1:4000"), took: TOOK };
    let seen = if answers { Ok(seen) } else { Err("no answer".to_owned()) };
    let sighting = Sighting { local: at("10.0.0.2:5000"), server: at("192.0.2.1:3478"), seen };
    StunFact { url: "stun:stun.example".parse().unwrap(), sightings: Ok(vec![sighting]) }
}

fn turn(url: &str, allocation: Result<(), ServerFailure>) -> TurnFact {
    let given = Allocation { relayed: at("192.0.2.1:50000"), took: TOOK };
    TurnFact { url: url.parse().unwrap(), allocation: allocation.map(|()| given) }
}

fn silent() -> ServerFailure {
    ServerFailure::Silent
}

/// A machine behind an ordinary NAT, with a relay and a STUN server.
fn ordinary() -> Facts {
    Facts {
        relays: vec![RelayFact {
            strategy: "ws".to_owned(),
            url: "wss://relay.example/".to_owned(),
            answer: Ok(TOOK),
        }],
        stun: vec![stun(true)],
        turn: Vec::new(),
        surplus: Vec::new(),
        nat: Nat {
            mapping: Ok(Mapping::EndpointIndependent),
            filtering: Ok(Filtering::AddressAndPortDependent),
        },
        ipv6: Vec::new(),
        mdns: Ok(()),
        joins: vec![
            JoinFact { way: Way::Host, outcome: met() },
            JoinFact { way: Way::Reflexive, outcome: met() },
        ],
    }
}

fn with_turn(mut facts: Facts, turn: TurnFact) -> Facts {
    let outcome = match turn.allocation {
        Ok(_) => met(),
        Err(_) => JoinOutcome::Failed("it has no server".to_owned()),
    };
    facts.joins.push(JoinFact { way: Way::Relayed(turn.url.clone()), outcome });
    facts.turn.push(turn);
    facts
}

/// Asserts what comes of it, and that the text says this.
fn assert_verdict(facts: &Facts, prospect: Prospect, text: &str) {
    let verdict = Verdict::of(facts);
    assert_eq!(verdict.prospect, prospect, "{verdict:?}");
    assert!(verdict.text.contains(text), "{verdict:?}");
}

#[test]
fn an_ordinary_nat_is_good_with_turn_and_without() {
    assert_verdict(&ordinary(), Prospect::Good, "peers connect directly. Some behind symmetric");
    let both = with_turn(ordinary(), turn("turn:turn.example", Ok(())));
    assert_verdict(&both, Prospect::Good, "over TURN where they can't");
}

#[test]
fn an_unknown_nat_is_said_to_be_that() {
    let mut facts = ordinary();
    facts.nat.mapping = Err("there is one server".to_owned());
    assert_verdict(&facts, Prospect::Good, "unknown, as there is one server");
}

#[test]
fn without_a_relay_nobody_is_met() {
    let mut facts = ordinary();
    facts.relays[0].answer = Err("connection refused".to_owned());
    let told = "No relay answers, so nobody can be met (wss://relay.example/: connection refused)";
    assert_verdict(&facts, Prospect::None, told);
}

#[test]
fn two_peers_that_don_t_connect_here_will_nowhere() {
    let mut facts = ordinary();
    for join in &mut facts.joins {
        join.outcome = JoinOutcome::Failed("the relay passed no signals on".to_owned());
    }
    assert_verdict(&facts, Prospect::None, "don't connect: the relay passed no signals on");
}

#[test]
fn a_symmetric_nat_needs_turn() {
    let mut facts = ordinary();
    facts.nat.mapping = Ok(Mapping::AddressAndPortDependent);
    assert_verdict(&facts, Prospect::Restricted, "without TURN peers behind such NATs");
    let working = with_turn(facts.clone(), turn("turn:turn.example", Ok(())));
    assert_verdict(&working, Prospect::Good, "this NAT is symmetric, and TURN works");
    let broken = with_turn(facts, turn("turn:turn.example", Err(silent())));
    assert_verdict(&broken, Prospect::Restricted, "without TURN peers behind such NATs");
}

#[test]
fn where_udp_is_blocked_a_stream_helps() {
    let mut facts = ordinary();
    facts.stun = vec![stun(false)];
    facts.nat.mapping = Err("no STUN server answered".to_owned());
    assert_verdict(&facts, Prospect::Restricted, "need a TURN server over TCP or TLS");
    let facts = with_turn(facts, turn("turn:turn.example", Err(silent())));
    let verdict = Verdict::of(&facts);
    assert!(!verdict.text.contains("turn:turn.example"), "that is said already: {verdict:?}");
    let facts = with_turn(facts, turn("turns:turn.example", Ok(())));
    assert_verdict(&facts, Prospect::Restricted, "all goes through turns:turn.example:5349");
}

#[test]
fn a_refusal_is_an_answer_and_has_a_remedy() {
    for (code, meaning) in
        [(401, "the password is wrong"), (486, "as many allocations"), (508, "no room")]
    {
        let refused = ServerFailure::Refused { code, reason: "No".to_owned() };
        let facts = with_turn(ordinary(), turn("turn:turn.example", Err(refused.clone())));
        assert_verdict(&facts, Prospect::Restricted, &format!("refuses with {code}: "));
        assert_verdict(&facts, Prospect::Restricted, meaning);
        let mut alone = with_turn(ordinary(), turn("turn:turn.example", Err(refused)));
        alone.stun.clear();
        assert!(!Verdict::of(&alone).text.contains("UDP is blocked"));
    }
}

#[test]
fn names_that_nobody_resolves_are_no_blocked_udp() {
    let mut facts = ordinary();
    facts.stun[0].sightings = Err(ServerFailure::Unresolved);
    assert_verdict(&facts, Prospect::Restricted, "Check the DNS");
}

#[test]
fn an_address_over_which_no_data_passes_is_none() {
    let mut facts = with_turn(ordinary(), turn("turn:turn.example", Ok(())));
    facts.joins[2].outcome = JoinOutcome::Failed("silence".to_owned());
    assert_verdict(&facts, Prospect::Restricted, "gives addresses, and no data passes: silence");
}

#[test]
fn a_quota_of_one_is_not_a_firewall() {
    let mut facts = with_turn(ordinary(), turn("turn:turn.example", Ok(())));
    let refused = ServerFailure::Refused { code: 486, reason: "Quota".to_owned() };
    facts.joins[2].outcome = JoinOutcome::NoServer(refused);
    assert_verdict(&facts, Prospect::Restricted, "refuses with 486: ");
    assert!(!Verdict::of(&facts).text.contains("firewall"));
}

#[test]
fn a_certificate_that_is_not_believed_has_a_remedy() {
    let untrusted =
        ServerFailure::Unreachable("invalid peer certificate: UnknownIssuer".to_owned());
    let facts = with_turn(ordinary(), turn("turns:turn.example", Err(untrusted)));
    assert_verdict(&facts, Prospect::Restricted, "SSL_CERT_FILE");
}

#[test]
fn without_servers_only_the_same_network_is_reached() {
    let mut facts = ordinary();
    facts.stun.clear();
    assert_verdict(&facts, Prospect::Restricted, "only peers of the same network");
}

#[test]
fn no_more_than_two_troubles_are_told() {
    let mut facts = ordinary();
    for host in ["a", "b", "c"] {
        let refused = ServerFailure::Refused { code: 486, reason: String::new() };
        facts = with_turn(facts, turn(&format!("turn:{host}"), Err(refused)));
    }
    let text = Verdict::of(&facts).text;
    assert!(text.contains("turn:b:") && !text.contains("turn:c:"), "{text}");
}
