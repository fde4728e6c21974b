//! NATs do what RFC 4787 says, and what the names of their kinds promise.

use super::*;

#[test]
fn a_mapping_depends_on_what_its_nat_tells_apart() {
    // RFC 4787 section 4.1.
    let mappings = [
        (Dependence::EndpointIndependent, true, true),
        (Dependence::AddressDependent, true, false),
        (Dependence::AddressAndPortDependent, false, false),
    ];
    for (mapping, is_same_for_port, is_same_for_host) in mappings {
        let mut bench = Bench::new(1);
        let nat = bench.network.add_nat(Nat { mapping, ..Nat::full_cone() });
        let (inside, near, far) = (bench.behind(nat), bench.public(), bench.public());
        let first = bench.seen_from(inside, near.address);
        assert_eq!(first.ip(), bench.network.outside_address(nat));
        assert_eq!(bench.seen_from(inside, near.address), first, "it stays: {mapping:?}");
        let other_port = bench.seen_from(inside, near.at_port(9).address);
        assert_eq!(other_port == first, is_same_for_port, "{mapping:?}");
        let other_host = bench.seen_from(inside, far.address);
        assert_eq!(other_host == first, is_same_for_host, "{mapping:?}");
    }
}

#[test]
fn a_filter_lets_in_who_was_sent_something() {
    // RFC 4787 section 5.
    let kinds = [
        (Nat::full_cone(), [true, true, true]),
        (Nat::address_restricted(), [true, true, false]),
        (Nat::port_restricted(), [true, false, false]),
        (Nat::symmetric(), [true, false, false]),
    ];
    for (nat, expected) in kinds {
        let mut bench = Bench::new(1);
        let id = bench.network.add_nat(nat);
        let (inside, near, far) = (bench.behind(id), bench.public(), bench.public());
        assert!(!bench.can_send(near, SocketAddr::new(bench.network.outside_address(id), 5_000)));
        let outside = bench.seen_from(inside, near.address);
        let senders = [near, near.at_port(9), far];
        assert_eq!(senders.map(|sender| bench.can_send(sender, outside)), expected, "{nat:?}");
        let reply = bench.send(near, outside).unwrap();
        assert_eq!((reply.by, reply.from), (inside.host, near.address));
    }
}

#[test]
fn ports_are_preserved_where_they_are_free_and_never_shared() {
    // RFC 4787 section 4.2.
    let mut bench = Bench::new(1);
    let nat = bench.network.add_nat(Nat::port_restricted());
    let (a, b, outside) = (bench.behind(nat), bench.behind(nat), bench.public());
    assert_eq!(a.address.port(), b.address.port());
    let [from_a, from_b] = [a, b].map(|inside| bench.seen_from(inside, outside.address));
    assert_eq!(from_a.port(), a.address.port());
    assert_ne!(from_a, from_b);
    let replies = [from_a, from_b].map(|to| bench.send(outside, to).unwrap().by);
    assert_eq!(replies, [a.host, b.host]);
}

#[test]
fn random_ports_differ_from_seed_to_seed_and_not_from_run_to_run() {
    let port = |seed| {
        let mut bench = Bench::new(seed);
        let nat = bench.network.add_nat(Nat::full_cone().with_random_ports());
        let (inside, outside) = (bench.behind(nat), bench.public());
        bench.seen_from(inside, outside.address).port()
    };
    assert_eq!(port(1), port(1));
    assert_ne!(port(1), port(2));
}

#[test]
fn a_mapping_lives_as_long_as_it_is_used() {
    // RFC 4787 section 4.3.
    let mut bench = Bench::new(1);
    let timeout = Duration::from_secs(30);
    let nat = bench.network.add_nat(Nat::full_cone().with_mapping_timeout(timeout));
    let (inside, outside) = (bench.behind(nat), bench.public());
    let mapped = bench.seen_from(inside, outside.address);
    for _ in 0..3 {
        bench.wait(Duration::from_secs(25));
        assert!(bench.can_send(outside, mapped), "what comes in keeps it");
    }
    bench.wait(timeout);
    assert!(!bench.can_send(outside, mapped), "it is over");
    assert!(bench.can_send(inside, outside.address), "there is a new one");
}

#[test]
fn what_comes_in_may_not_count_as_use() {
    // RFC 4787 section 4.3, REQ-6.
    let mut bench = Bench::new(1);
    let nat = Nat::full_cone().with_mapping_timeout(Duration::from_secs(30));
    let nat = bench.network.add_nat(nat.without_inbound_refresh());
    let (inside, outside) = (bench.behind(nat), bench.public());
    let mapped = bench.seen_from(inside, outside.address);
    bench.wait(Duration::from_secs(25));
    assert!(bench.can_send(outside, mapped));
    bench.wait(Duration::from_secs(25));
    assert!(!bench.can_send(outside, mapped));
    for _ in 0..3 {
        bench.wait(Duration::from_secs(25));
        assert!(bench.can_send(inside, outside.address) && bench.can_send(outside, mapped));
    }
}

#[test]
fn a_hairpin_shows_the_address_outside() {
    // RFC 4787 section 6, REQ-9.
    for hairpins in [false, true] {
        let mut bench = Bench::new(1);
        let nat = bench.network.add_nat(Nat { hairpins, ..Nat::full_cone() });
        let (a, b, outside) = (bench.behind(nat), bench.behind(nat), bench.public());
        let [of_a, of_b] = [a, b].map(|inside| bench.seen_from(inside, outside.address));
        let seen = bench.send(a, of_b).map(|seen| (seen.by, seen.from));
        assert_eq!(seen, hairpins.then_some((b.host, of_a)));
    }
}

#[test]
fn hosts_behind_one_nat_are_near_each_other() {
    let mut bench = Bench::new(1);
    let nat = bench.network.add_nat(Nat::udp_blocked());
    let (a, b) = (bench.behind(nat), bench.behind(nat));
    let seen = bench.send(a, b.address).unwrap();
    assert_eq!((seen.by, seen.from), (b.host, a.address));
    assert!(seen.at < Time::ZERO + Conditions::default().latency);
}

#[test]
fn the_same_private_address_means_somebody_else_in_each_home() {
    let mut bench = Bench::new(1);
    let [one, other] = [(); 2].map(|()| bench.network.add_nat(Nat::full_cone()));
    let (a, b, c) = (bench.behind(one), bench.behind(one), bench.behind(other));
    assert_eq!(a.address, c.address);
    assert_eq!(bench.send(b, c.address).unwrap().by, a.host);
}

#[test]
fn what_leaves_two_nats_is_seen_at_the_outer_one() {
    let mut bench = Bench::new(1);
    let carrier = bench.network.add_nat(Nat::carrier_grade());
    let home = bench.network.add_nat(Nat::port_restricted().behind(carrier));
    let (inside, customer) = (bench.behind(home), bench.behind(carrier));
    let (outside, stranger) = (bench.public(), bench.public());
    let mapped = bench.seen_from(inside, outside.address);
    assert_eq!(mapped.ip(), bench.network.outside_address(carrier));
    assert_eq!(bench.send(outside, mapped).unwrap().by, inside.host);
    assert!(!bench.can_send(stranger, mapped), "the inner one does not know it");
    let within = bench.seen_from(inside, customer.address);
    assert_eq!(within.ip(), bench.network.outside_address(home));
    let [octets] = [within.ip()].map(|ip| ip.to_string());
    assert!(octets.starts_with("100.64."), "{octets}");
}

#[test]
fn nothing_passes_where_udp_is_blocked() {
    let mut bench = Bench::new(1);
    let nat = bench.network.add_nat(Nat::udp_blocked());
    let (inside, outside) = (bench.behind(nat), bench.public());
    assert!(!bench.can_send(inside, outside.address));
    let mapped = SocketAddr::new(bench.network.outside_address(nat), inside.address.port());
    assert!(!bench.can_send(outside, mapped));
    assert_eq!(bench.network.counters().refused, 2);
}

#[test]
fn a_nat_that_starts_anew_shows_other_ports() {
    let mut bench = Bench::new(1);
    let nat = bench.network.add_nat(Nat::full_cone().with_random_ports());
    let (inside, outside) = (bench.behind(nat), bench.public());
    let before = bench.seen_from(inside, outside.address);
    bench.network.forget_mappings(nat);
    assert!(!bench.can_send(outside, before));
    assert_ne!(bench.seen_from(inside, outside.address), before);
}

#[test]
fn a_datagram_passes_a_nat_that_was_opened_while_it_was_on_its_way() {
    let mut bench = Bench::new(1);
    let nats = [(); 2].map(|()| bench.network.add_nat(Nat::port_restricted()));
    let [a, b] = nats.map(|nat| bench.behind(nat));
    let server = bench.network.add_stun_server();
    // Both ports are the ones inside, and the server's answers are not looked at.
    let [at_a, at_b] = nats.map(|nat| socket(bench.network.outside_address(nat)));
    for inside in [a, b] {
        bench.post(inside, server, 1, 100);
    }
    bench.post(a, at_b, 2, 100);
    bench.wait(Duration::from_millis(10));
    bench.post(b, at_a, 3, 100);
    let seen = bench.arrivals(Time::from_millis(100));
    let tags: Vec<_> = seen.iter().map(|seen| (seen.by, seen.tag)).collect();
    assert_eq!(tags, [(b.host, 2), (a.host, 3)]);
}

#[test]
fn ipv6_passes_by_a_nat() {
    let mut bench = Bench::new(1);
    let nat = bench.network.add_nat(Nat::symmetric());
    let (inside, outside) = (bench.behind(nat), bench.public());
    let [inside, outside] =
        [inside, outside].map(|of| bench.socket(of.host, Realm::Behind(nat), Family::V6));
    assert_eq!(bench.seen_from(outside, inside.address), outside.address);
}

#[test]
fn a_stun_server_tells_who_asks_where_it_is_seen() {
    let mut bench = Bench::new(1);
    let server = bench.network.add_stun_server();
    let carrier = bench.network.add_nat(Nat::carrier_grade());
    let home = bench.network.add_nat(Nat::port_restricted().behind(carrier));
    let (inside, outside) = (bench.behind(home), bench.public());
    let path = Path { local: inside.address, remote: server };
    // RFC 8489 section 5: a binding request without attributes.
    let transaction = *b"of 12 bytes.";
    let request = [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &transaction].concat();
    let transmit = Transmit { path, bytes: request.clone().into(), segment_size: None, ecn: None };
    bench.network.send(inside.host, &transmit, bench.now);
    let mut answer = None;
    while let Some(at) = bench.network.poll_timeout() {
        bench.network.handle_timeout(at);
        answer = bench.network.poll_arrival().or(answer);
    }
    let answer = answer.expect("the server answers");
    assert_eq!((answer.host, answer.path), (inside.host, path));
    assert_eq!(answer.bytes[4..20], request[4..20]);
    assert_eq!(answer.bytes[20..26], [0, 0x20, 0, 8, 0, 1], "an XOR-MAPPED-ADDRESS of IPv4");
    let port = u16::from_be_bytes([answer.bytes[26] ^ 0x21, answer.bytes[27] ^ 0x12]);
    let octets = [0, 1, 2, 3].map(|at| answer.bytes[28 + at] ^ request[4 + at]);
    let seen = bench.seen_from(inside, outside.address);
    assert_eq!(SocketAddr::from((octets, port)), seen, "both map alike for everyone");
}
