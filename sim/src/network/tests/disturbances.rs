//! What goes wrong for a while ends for itself, and no sooner than it was to.

use super::*;

const LONG: Duration = Duration::from_secs(10);

#[test]
fn cuts_that_overlap_end_one_by_one() {
    let mut bench = Bench::new(1);
    let (a, b, c) = (bench.public(), bench.public(), bench.public());
    bench.network.cut(a.host, b.host, LONG);
    bench.wait(LONG / 2);
    bench.network.partition(&[a.host, c.host], LONG);
    assert!(bench.can_send(a, c.address), "they are on one side");
    assert!(!bench.can_send(a, b.address) && !bench.can_send(b, c.address));
    bench.wait(LONG * 6 / 10);
    assert!(!bench.can_send(b, a.address), "the cut is over, the partition is not");
    bench.wait(LONG / 2);
    assert!(bench.can_send(a, b.address) && bench.can_send(b, c.address));
    assert_eq!(bench.network.counters().cut, 3);
}

#[test]
fn a_cut_way_leaves_the_other() {
    let mut bench = Bench::new(1);
    let (a, b) = (bench.public(), bench.public());
    bench.network.cut_way(a.host, b.host, LONG);
    assert!(!bench.can_send(a, b.address) && bench.can_send(b, a.address));
}

#[test]
fn a_partition_concerns_hosts_that_come_later() {
    let mut bench = Bench::new(1);
    let a = bench.public();
    bench.network.partition(&[a.host], LONG);
    let b = bench.public();
    assert!(!bench.can_send(a, b.address));
}

#[test]
fn a_partition_concerns_hosts_behind_nats() {
    let mut bench = Bench::new(1);
    let nat = bench.network.add_nat(Nat::full_cone());
    let (a, b, c) = (bench.behind(nat), bench.behind(nat), bench.public());
    let mapped = [a, b].map(|inside| bench.seen_from(inside, c.address));
    bench.network.partition(&[a.host], LONG);
    assert_eq!(mapped.map(|mapped| bench.can_send(c, mapped)), [false, true]);
    assert!(!bench.can_send(a, b.address));
}

#[test]
fn a_clog_adds_to_what_a_path_is_like() {
    let mut bench = Bench::new(1);
    let (a, b) = (bench.public(), bench.public());
    let slow = Duration::from_millis(100);
    bench.network.set_conditions(Conditions::latency(slow));
    bench.network.clog(a.host, b.host, LONG);
    bench.network.clog(b.host, a.host, LONG * 2);
    for tag in 0..1_000 {
        bench.post(a, b.address, tag, 100);
    }
    let seen = bench.arrivals(Time::ZERO + LONG);
    assert!((850..950).contains(&seen.len()), "{} arrive", seen.len());
    assert!(seen.iter().all(|seen| seen.at == Time::ZERO + slow + Duration::from_secs(2)));
    bench.wait(LONG * 2);
    let sent_at = bench.now;
    assert_eq!(bench.send(a, b.address).unwrap().at, sent_at + slow, "it is over");
}

#[test]
fn what_was_sent_into_a_clog_arrives_late_and_holds_nothing_up() {
    let mut bench = Bench::new(2);
    let (a, b) = (bench.public(), bench.public());
    bench.network.clog(a.host, b.host, Duration::ZERO);
    bench.post(a, b.address, 1, 100);
    bench.wait(DISTURBANCE_MIN);
    bench.post(a, b.address, 2, 100);
    let seen = bench.arrivals(Time::ZERO + LONG);
    assert_eq!(seen.iter().map(|seen| seen.tag).collect::<Vec<_>>(), [2, 1]);
}

#[test]
fn nothing_goes_wrong_for_less_than_it_takes_to_notice() {
    let mut bench = Bench::new(1);
    let (a, b) = (bench.public(), bench.public());
    bench.network.cut(a.host, b.host, Duration::ZERO);
    bench.wait(DISTURBANCE_MIN - Duration::from_millis(1));
    bench.post(a, b.address, 1, 100);
    bench.wait(Duration::from_millis(1));
    bench.post(a, b.address, 2, 100);
    let seen = bench.arrivals(Time::ZERO + LONG);
    assert_eq!(seen.iter().map(|seen| seen.tag).collect::<Vec<_>>(), [2]);
}

#[test]
fn healing_ends_everything() {
    let mut bench = Bench::new(1);
    let (a, b) = (bench.public(), bench.public());
    bench.network.partition(&[a.host], LONG);
    bench.network.cut(a.host, b.host, LONG);
    bench.network.heal();
    assert!(bench.can_send(a, b.address));
}

#[test]
fn more_disturbances_than_anyone_needs_cost_the_ones_that_end_first() {
    let mut bench = Bench::new(1);
    let (a, b, c) = (bench.public(), bench.public(), bench.public());
    bench.network.cut(a.host, c.host, LONG);
    for _ in 0..10_000 {
        bench.network.cut(a.host, b.host, LONG * 2);
    }
    assert!(bench.can_send(a, c.address) && !bench.can_send(a, b.address));
}
