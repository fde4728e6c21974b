//! Pages of whole runs.

use tristero_proto::Time;

use super::*;
use crate::soak::Failure;

/// Larger ones take a browser long to open.
const PAGE_BYTES_MAX: usize = 3_000_000;

#[test]
fn the_pages_of_one_seed_are_the_same() {
    assert_eq!(page_of(3), page_of(3));
}

#[test]
fn a_report_changes_nothing_in_its_run() {
    let look = Look::default();
    assert_eq!(run(Night::Drawn(5), &look).outcome, soak::run(Night::Drawn(5), &look));
}

#[test]
fn a_page_says_what_the_run_was() {
    let report = run(Night::Drawn(STORMY), &Look::default());
    let page = report.page(Duration::from_millis(1_234));
    let peers = words::count(report.options.peers.into(), "peer in", "peers in");
    let digest = format!("{:016x}", report.outcome.digest);
    let command = format!("-- run --seed {STORMY}<");
    for part in ["passed", "1.2 s of real time", "all is healed", &peers, &digest, &command] {
        assert!(page.contains(part), "{part:?} is missing");
    }
    for number in 0..report.recording.relays.len() {
        assert!(page.contains(&format!("relay {}: ", number + 1)));
    }
    for who in report.recording.processes.keys() {
        assert!(page.contains(&format!("peer {}, id ", who.number())));
    }
    assert!(!report.recording.faults.is_empty(), "it is a stormy one");
    for fault in &report.recording.faults {
        assert!(page.contains(&timeline::title(fault)));
    }
}

#[test]
fn pages_are_well_formed_and_small_and_need_nothing_else() {
    for seed in 0..12 {
        let page = page_of(seed);
        assert!(page.len() < PAGE_BYTES_MAX, "seed {seed} has {} bytes", page.len());
        check_tags(&page);
        for reference in ["<script", "src=", "href=", "@import", "url(h"] {
            assert!(!page.contains(reference), "seed {seed} has {reference}");
        }
    }
}

#[test]
fn a_page_of_a_failure_says_which_and_shows_the_log() {
    let mut report = run(Night::Drawn(STORMY), &Look { keeps_log: true, ..Look::default() });
    let at = report.recording.ended;
    let what = "<b>peer 1</b> & peer 2 have not met".to_owned();
    report.outcome.failure = Some(Failure { check: "mesh", at, what });
    let last = report.outcome.log.last().cloned().expect("it was kept");
    let page = report.page(Duration::ZERO);
    check_tags(&page);
    assert!(page.contains("failed: mesh") && page.contains("“mesh” failed"));
    assert!(page.contains("&lt;b&gt;peer 1&lt;/b&gt; &amp; peer 2"));
    let last = last.split('{').next().expect("a line has a beginning");
    assert!(page.contains(last));
}

#[test]
fn a_seat_has_one_process_at_a_time() {
    let recording = run(Night::Drawn(STORMY), &Look::default()).recording;
    let seats = seats::seats(&recording, 6);
    let seated = seats.iter().map(|seat| seat.0.len()).sum::<usize>();
    assert_eq!((seats.len(), seated), (6, recording.processes.len()));
    for pair in seats.iter().flat_map(|seat| seat.0.windows(2)) {
        let [first, next] = [pair[0], pair[1]].map(|who| recording.processes[&who].life);
        assert!(first.until.is_some_and(|until| until <= next.from), "{pair:?}");
    }
}

/// A page of a long run with very much in it is no larger.
#[test]
fn what_is_too_much_is_left_out_and_said() {
    let mut report = run(Night::Drawn(STORMY), &Look::default());
    let recording = &mut report.recording;
    let faults = recording.faults.clone();
    while recording.faults.len() < 900 {
        recording.faults.extend(faults.clone());
    }
    recording.left_out = 77;
    let many = (0..50_000).map(|at| Time::from_millis(at * 2));
    let processes = recording.processes.values_mut();
    processes.for_each(|process| process.sent = many.clone().collect());
    let page = report.page(Duration::ZERO);
    assert!(page.contains("more not shown") && page.contains("77 marks were left out"));
    assert!(page.len() < PAGE_BYTES_MAX, "{} bytes", page.len());
    check_tags(&page);
}

fn page_of(seed: u64) -> String {
    run(Night::Drawn(seed), &Look::default()).page(Duration::from_secs(1))
}

/// Every tag is closed by its like, and no text has what only tags have.
fn check_tags(page: &str) {
    let body = page.strip_prefix("<!DOCTYPE html>").expect("it says what it is");
    let mut open: Vec<&str> = Vec::new();
    for part in body.split('<').skip(1) {
        let (tag, text) = part.split_once('>').expect("a tag ends");
        assert!(!text.contains('>') || open.last() == Some(&"style"), "in {text:?}");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !tag.ends_with('/') {
            open.push(tag.split(' ').next().expect("a tag has a name"));
        }
    }
    assert_eq!(open, Vec::<&str>::new());
}

/// One in which much goes wrong.
const STORMY: u64 = 0;
