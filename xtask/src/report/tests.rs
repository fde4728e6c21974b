use super::*;

fn tally(passed: u32, failed: u32, skipped: u32) -> Tally {
    Tally { passed, failed, skipped, notes: Vec::new() }
}

fn report(policy: SkipPolicy, tallies: &[Tally]) -> Report {
    let mut report = Report::new(policy);
    for tally in tallies {
        report.run("step", "counts", || tally.clone());
    }
    report
}

fn last_line(report: &Report) -> String {
    report.to_string().lines().last().unwrap().to_owned()
}

#[test]
fn the_last_line_is_the_sum() {
    let report = report(SkipPolicy::Allowed, &[tally(1, 0, 0), tally(41, 0, 0)]);
    assert_eq!(last_line(&report), "42 passed, 0 failed");
    assert!(report.is_success());
}

#[test]
fn one_failure_fails_the_report_and_steps_after_it_still_count() {
    let report = report(SkipPolicy::Allowed, &[tally(3, 1, 0), tally(1, 0, 0)]);
    assert_eq!(last_line(&report), "4 passed, 1 failed");
    assert!(!report.is_success());
}

#[test]
fn a_skip_is_told_where_it_is_allowed() {
    let report = report(SkipPolicy::Allowed, &[tally(3, 0, 2)]);
    assert_eq!(last_line(&report), "3 passed, 0 failed, 2 skipped");
    assert!(report.is_success());
}

#[test]
fn a_skip_is_a_failure_where_it_is_not_allowed() {
    let report = report(SkipPolicy::Failure, &[tally(3, 0, 2)]);
    assert_eq!(last_line(&report), "3 passed, 2 failed");
    assert!(!report.is_success());
}

#[test]
fn notes_stand_between_the_table_and_the_last_line() {
    let mut skipped = Tally::default();
    skipped.skip("npm is not installed");
    let mut report = Report::new(SkipPolicy::Allowed);
    report.run("interop", "", || skipped);
    let text = report.to_string();
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[1].starts_with("interop    skipped        0       0        1 "), "{text}");
    assert_eq!(lines[3], "interop: skipped: npm is not installed");
    assert_eq!(lines[4..], ["0 passed, 0 failed, 1 skipped"]);
}

#[test]
fn notes_that_are_too_many_are_counted() {
    let mut failed = Tally::default();
    (0..NOTES_MAX + 2).for_each(|n| failed.fail(n));
    let text = report(SkipPolicy::Allowed, &[failed]).to_string();
    assert!(text.contains("step: and 2 more, see above\n"), "{text}");
    assert_eq!(text.matches("step: failed: ").count(), NOTES_MAX);
}

#[test]
fn times_are_short() {
    assert_eq!(in_words(Duration::from_millis(1_250)), "1.2 s");
    assert_eq!(in_words(Duration::from_secs(125)), "2:05 min");
}
