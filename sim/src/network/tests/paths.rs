//! What the link emulator really does, measured.

use super::*;

const SENT: u32 = 10_000;

/// Sends many datagrams of 100 bytes, one in a millisecond.
fn stream(conditions: Conditions) -> Vec<Seen> {
    let mut bench = Bench::new(7);
    bench.network.set_conditions(conditions);
    let (a, b) = (bench.public(), bench.public());
    let mut seen = Vec::new();
    for tag in 0..SENT {
        bench.post(a, b.address, tag, 100);
        seen.extend(bench.arrivals(Time::from_millis(u64::from(tag) + 1)));
    }
    seen.extend(bench.arrivals(Time::from_millis(100_000)));
    seen
}

fn sent_at(seen: &Seen) -> Time {
    Time::from_millis(seen.tag.into())
}

/// How many of a thousand.
fn per_mille(count: usize) -> usize {
    count * 1_000 / SENT as usize
}

/// The lengths of the gaps in what arrived in order.
fn gaps(seen: &[Seen]) -> Vec<u32> {
    let missing = seen.windows(2).map(|pair| pair[1].tag - pair[0].tag - 1);
    missing.filter(|missing| *missing > 0).collect()
}

#[test]
fn a_good_path_carries_everything_in_its_time_and_in_order() {
    let seen = stream(Conditions::default());
    assert_eq!(seen.len(), SENT as usize);
    assert!(seen.is_sorted_by_key(|seen| seen.tag));
    assert!(seen.iter().all(|seen| seen.at == sent_at(seen) + Conditions::default().latency));
}

#[test]
fn random_loss_takes_its_share_here_and_there() {
    let seen = stream(Conditions::default().with_random_loss(5.0));
    let lost = SENT as usize - seen.len();
    assert!((43..58).contains(&per_mille(lost)), "{lost} are lost");
    let gaps = gaps(&seen);
    let single = gaps.iter().filter(|gap| **gap == 1).count();
    assert!(single * 100 / gaps.len() > 90, "most are alone: {gaps:?}");
}

#[test]
fn loss_in_bursts_takes_many_at_once() {
    let bursts = Loss::Bursts { good: 190.0, bad: 10.0, percent: 100.0 };
    let seen = stream(Conditions::default().with_loss(bursts));
    let lost = SENT as usize - seen.len();
    assert!((35..65).contains(&per_mille(lost)), "{lost} are lost");
    let gaps = gaps(&seen);
    let mean = lost / gaps.len();
    assert!((7..14).contains(&mean), "{mean} at once: {gaps:?}");
}

#[test]
fn nothing_arrives_where_everything_is_lost() {
    assert_eq!(stream(Conditions::default().with_loss(Loss::All)), []);
}

#[test]
fn some_arrive_twice() {
    let seen = stream(Conditions::default().with_doubled(10.0));
    let doubles = seen.windows(2).filter(|pair| pair[0].tag == pair[1].tag).count();
    assert!((90..110).contains(&per_mille(doubles)), "{doubles} arrive twice");
    assert_eq!(seen.len(), SENT as usize + doubles);
}

#[test]
fn one_in_so_many_overtakes_the_one_before_it() {
    let seen = stream(Conditions::default().with_reordered_every(10));
    assert_eq!(seen.len(), SENT as usize);
    let overtakers = seen.windows(2).filter(|pair| pair[0].tag == pair[1].tag + 1).count();
    assert_eq!(per_mille(overtakers), 100);
}

#[test]
fn one_that_would_overtake_nobody_arrives_at_once() {
    let mut bench = Bench::new(7);
    bench.network.set_conditions(Conditions::default().with_reordered_every(2));
    let (a, b) = (bench.public(), bench.public());
    let mut delays = Vec::new();
    for _ in 0..4 {
        let sent_at = bench.now;
        delays.push(bench.send(a, b.address).unwrap().at.since(sent_at));
    }
    let usual = Conditions::default().latency;
    assert_eq!(delays, [usual, Duration::ZERO, usual, Duration::ZERO]);
}

#[test]
fn jitter_spreads_arrivals_and_keeps_their_order() {
    let (latency, jitter) = (Duration::from_millis(50), Duration::from_millis(20));
    let seen = stream(Conditions::latency(latency).with_jitter(jitter));
    assert!(seen.is_sorted_by_key(|seen| seen.tag));
    let delays: Vec<_> = seen.iter().map(|seen| seen.at.since(sent_at(seen))).collect();
    let (least, most) = (*delays.iter().min().unwrap(), *delays.iter().max().unwrap());
    assert!(least >= latency - jitter && most <= latency + jitter, "{least:?} to {most:?}");
    assert!(most - least > jitter, "{least:?} to {most:?}");
}

#[test]
fn a_bottleneck_passes_its_rate_and_drops_what_can_not_wait() {
    let mut bench = Bench::new(7);
    let (rate, waiting) = (100_000, 20_000);
    bench.network.set_conditions(Conditions::default().with_rate(rate, waiting));
    let (a, b) = (bench.public(), bench.public());
    for tag in 0..100 {
        bench.post(a, b.address, tag, 1_000);
    }
    let seen = bench.arrivals(Time::from_millis(10_000));
    assert_eq!(seen.len(), 20, "the rest has no place");
    let gaps = seen.windows(2).map(|pair| pair[1].at.since(pair[0].at));
    assert!(gaps.into_iter().all(|gap| gap == Duration::from_millis(10)));
}

#[test]
fn what_is_larger_than_a_path_carries_is_lost() {
    let mut bench = Bench::new(7);
    bench.network.set_conditions(Conditions::default().with_mtu(1_200));
    let (a, b) = (bench.public(), bench.public());
    bench.post(a, b.address, 1, 1_200);
    bench.post(a, b.address, 2, 1_201);
    let seen = bench.arrivals(Time::from_millis(1_000));
    assert_eq!(seen.iter().map(|seen| seen.tag).collect::<Vec<_>>(), [1]);
    assert_eq!(bench.network.counters().too_large, 1);
}

#[test]
fn conditions_may_change_while_datagrams_are_on_their_way() {
    let mut bench = Bench::new(7);
    let (a, b) = (bench.public(), bench.public());
    let slow = Conditions::latency(Duration::from_secs(1)).with_reordered_every(100);
    bench.network.set_way(a.host, b.host, slow);
    bench.post(a, b.address, 1, 100);
    bench.network.reset_between(a.host, b.host);
    bench.post(a, b.address, 2, 100);
    let seen = bench.arrivals(Time::from_millis(2_000));
    let found: Vec<_> = seen.iter().map(|seen| (seen.tag, seen.at)).collect();
    assert_eq!(found, [(2, Time::from_millis(20)), (1, Time::from_millis(1_000))]);
}
