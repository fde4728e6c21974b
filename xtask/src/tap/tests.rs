use super::*;

fn count(output: &str) -> Option<Tally> {
    let mut reader = TapOutput::default();
    output.lines().for_each(|line| reader.read_line(line));
    reader.into_tally()
}

const OUTPUT: &str = r"TAP version 13
# the relay listens on port 40123
# pass 77
# Subtest: passes
ok 1 - passes
  ---
  duration_ms: 1.353236
  ...
# Subtest: needs a browser
ok 2 - needs a browser # SKIP no Chromium
  ---
  duration_ms: 0.180618
  ...
# Subtest: rooms
    # Subtest: peers meet
    ok 1 - peers meet
      ---
      duration_ms: 0.26961
      ...
    # Subtest: peers part
    not ok 2 - peers part
      ---
      duration_ms: 0.537186
      failureType: 'testCodeFailure'
      error: 'x'
      ...
    # Subtest: peers wait
    ok 3 - peers wait # SKIP
      ---
      duration_ms: 1.473814
      ...
    1..3
not ok 3 - rooms
  ---
  duration_ms: 2.825388
  type: 'suite'
  failureType: 'subtestsFailed'
  error: '1 subtest failed'
  ...
# Subtest: a whole suite \# 2
ok 4 - a whole suite \# 2 # SKIP because \# 1
  ---
  duration_ms: 0.071165
  type: 'suite'
  ...
# Subtest: later
not ok 5 - later # TODO
  ---
  failureType: 'testCodeFailure'
  ...
# Subtest: hangs
not ok 6 - hangs
  ---
  failureType: 'cancelledByParent'
  ...
1..6
# tests 7
# suites 2
# pass 2
# fail 1
# cancelled 1
# skipped 2
# todo 1
# duration_ms 243.102253
";

#[test]
fn the_summary_is_counted_and_a_cancelled_test_has_failed() {
    let tally = count(OUTPUT).unwrap();
    assert_eq!((tally.passed, tally.failed), (2, 2));
}

#[test]
fn skips_are_counted_with_suites_and_todos() {
    assert_eq!(count(OUTPUT).unwrap().skipped, 4);
}

#[test]
fn tests_that_did_not_pass_are_named_and_suites_around_them_are_not_tests() {
    assert_eq!(
        count(OUTPUT).unwrap().notes,
        [
            "failed: rooms: peers part",
            "failed: hangs",
            "skipped: needs a browser (SKIP no Chromium)",
            "skipped: rooms: peers wait (SKIP)",
            r"skipped: a whole suite \# 2 (SKIP because \# 1)",
            "skipped: later (TODO)",
        ]
    );
}

#[test]
fn skips_that_only_the_summary_knows_are_counted() {
    let tally = count("# pass 1\n# fail 0\n# cancelled 0\n# skipped 3\n# todo 1\n").unwrap();
    assert_eq!(tally, Tally { passed: 1, skipped: 4, ..Tally::default() });
}

#[test]
fn output_without_a_summary_counts_nothing() {
    assert_eq!(count(""), None);
    assert_eq!(count("TAP version 13\nok 1 - passes\n# pass mark\n"), None);
}
