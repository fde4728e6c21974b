//! The output of `cargo test`, and of wasm-bindgen's runner, which is the same but for one word.
//!
//! Each test program and each crate's doctests end with a line like
//! `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; …`; these are added
//! up. An ignored test is one that was not run.

use crate::counting::TestOutput;
use crate::tally::Tally;

/// Adds up the summaries of many test programs.
#[derive(Debug, Default)]
pub(crate) struct LibtestOutput {
    tally: Tally,
    has_summary: bool,
}

impl TestOutput for LibtestOutput {
    fn read_line(&mut self, line: &str) {
        if let Some(summary) = line.strip_prefix("test result: ") {
            self.read_summary(summary);
        } else if let Some(test) = line.strip_prefix("test ") {
            self.read_test(test);
        }
    }

    fn into_tally(self) -> Option<Tally> {
        self.has_summary.then_some(self.tally)
    }
}

impl LibtestOutput {
    /// Takes `ok. 3 passed; 0 failed; …`.
    fn read_summary(&mut self, summary: &str) {
        let Some((_verdict, counts)) = summary.split_once(". ") else { return };
        for count in counts.split("; ") {
            let Some((number, what)) = count.split_once(' ') else { continue };
            let Ok(number) = number.parse::<u32>() else { continue };
            match what {
                "passed" => self.tally.passed += number,
                "failed" => self.tally.failed += number,
                "ignored" => self.tally.skipped += number,
                _other_counts => continue,
            }
            self.has_summary = true;
        }
    }

    /// Takes `name ... verdict`, for the names of tests that did not pass.
    fn read_test(&mut self, test: &str) {
        let Some((name, verdict)) = test.rsplit_once(" ... ") else { return };
        if matches!(verdict, "FAILED" | "FAIL") {
            self.tally.notes.push(format!("failed: {name}"));
        } else if let Some(reason) = verdict.strip_prefix("ignored") {
            self.tally.notes.push(format!("skipped: {name}{reason}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(output: &str) -> Option<Tally> {
        let mut reader = LibtestOutput::default();
        output.lines().for_each(|line| reader.read_line(line));
        reader.into_tally()
    }

    const MIXED: &str = "

running 4 tests
test wire::frame::round_trip ... ok
test wire::frame::too_short ... FAILED
test slow::a_day_in_virtual_time ... ignored, takes an hour
test slow::plain ... ignored

failures:

---- wire::frame::too_short stdout ----
thread 'wire::frame::too_short' panicked at src/lib.rs:4:5:
assertion failed: false

failures:
    wire::frame::too_short

test result: FAILED. 1 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.00s


running 0 tests

test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s

";

    const DOCTESTS: &str = "

running 2 tests
test src/lib.rs - Node (line 12) ... ok
test src/lib.rs - Node::join (line 40) - compile ... ok

test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 3 filtered out; finished in 0.41s

all doctests ran in 0.89s; merged doctests compilation took 0.45s
";

    #[test]
    fn summaries_of_all_programs_are_added_up() {
        let tally = count(&format!("{MIXED}{DOCTESTS}")).unwrap();
        assert_eq!((tally.passed, tally.failed, tally.skipped), (3, 1, 2));
    }

    #[test]
    fn tests_that_did_not_pass_are_named_with_their_reason() {
        let notes = count(MIXED).unwrap().notes;
        assert_eq!(
            notes,
            [
                "failed: wire::frame::too_short",
                "skipped: slow::a_day_in_virtual_time, takes an hour",
                "skipped: slow::plain",
            ]
        );
    }

    /// As wasm-bindgen's runner has it.
    #[test]
    fn a_failure_in_web_assembly_is_named_too() {
        let output = "Executing bindgen...    \rrunning 2 tests\ntest a ... ok\ntest b ... FAIL\n\n\
            test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 filtered out; finished in 0.01s";
        let notes = vec!["failed: b".to_owned()];
        assert_eq!(count(output), Some(Tally { passed: 1, failed: 1, skipped: 0, notes }));
    }

    #[test]
    fn a_program_without_tests_has_still_counted() {
        let empty = "test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!(count(empty), Some(Tally::default()));
    }

    #[test]
    fn output_without_a_summary_counts_nothing() {
        assert_eq!(count(""), None);
        assert_eq!(count("running 1 test\ntest it ... ok\ntest result: who knows"), None);
    }

    #[test]
    fn what_tests_print_is_not_counted() {
        let tally = count(&format!("5 passed; 7 failed\n  test result: ok. 9 passed\n{DOCTESTS}"));
        assert_eq!(tally, Some(Tally { passed: 2, ..Tally::default() }));
    }
}
