//! Who can connect to whom in theory.

use super::*;

#[test]
fn whoever_sees_an_address_of_the_other_can_connect() {
    let mut bench = Bench::new(1);
    let cone = bench.network.add_nat(Nat::full_cone());
    let strict = bench.network.add_nat(Nat::symmetric());
    let carrier = bench.network.add_nat(Nat::carrier_grade());
    let home = bench.network.add_nat(Nat::port_restricted().behind(carrier));
    let closed = bench.network.add_nat(Nat::udp_blocked());
    let hosts = [
        ("public", bench.public()),
        ("another public", bench.public()),
        ("cone", bench.behind(cone)),
        ("neighbour of cone", bench.behind(cone)),
        ("strict", bench.behind(strict)),
        ("customer", bench.behind(carrier)),
        ("home of a customer", bench.behind(home)),
        ("closed", bench.behind(closed)),
        ("neighbour of closed", bench.behind(closed)),
    ];
    let mut pairs = Vec::new();
    for (number, (name, host)) in hosts.iter().enumerate() {
        for (other_name, other) in &hosts[number + 1..] {
            let [there, back] = [(host, other), (other, host)]
                .map(|(a, b)| bench.network.can_reach(a.host, b.host));
            assert_eq!(there, back, "{name}, {other_name}");
            if there {
                pairs.push((*name, *other_name));
            }
        }
    }
    assert_eq!(
        pairs,
        [
            ("public", "another public"),
            ("public", "cone"),
            ("public", "neighbour of cone"),
            ("public", "strict"),
            ("public", "customer"),
            ("public", "home of a customer"),
            ("another public", "cone"),
            ("another public", "neighbour of cone"),
            ("another public", "strict"),
            ("another public", "customer"),
            ("another public", "home of a customer"),
            ("cone", "neighbour of cone"),
            ("customer", "home of a customer"),
            ("closed", "neighbour of closed"),
        ]
    );
}

#[test]
fn ipv6_reaches_where_ipv4_does_not() {
    let mut bench = Bench::new(1);
    let hosts = [(); 2].map(|()| {
        let nat = bench.network.add_nat(Nat::port_restricted());
        bench.behind(nat).host
    });
    assert!(!bench.network.can_reach(hosts[0], hosts[1]));
    bench.socket(hosts[0], Realm::Public, Family::V6);
    assert!(!bench.network.can_reach(hosts[0], hosts[1]), "one address is not enough");
    bench.socket(hosts[1], Realm::Public, Family::V6);
    assert!(bench.network.can_reach(hosts[0], hosts[1]));
}

#[test]
fn a_host_without_an_address_reaches_nobody() {
    let mut bench = Bench::new(1);
    let (a, b) = (bench.public(), bench.public());
    assert!(bench.network.can_reach(a.host, b.host));
    bench.network.remove_address(b.host, b.address.ip());
    assert!(!bench.network.can_reach(a.host, b.host));
}
