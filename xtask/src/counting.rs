//! Running test programs and counting what they report.

use std::process::Command;

use crate::command::{self, RunError};
use crate::tally::Tally;

/// Reads one test runner's output, a line at a time.
pub(crate) trait TestOutput {
    /// Takes the next line.
    fn read_line(&mut self, line: &str);

    /// What was counted, or `None` if the runner never said.
    fn into_tally(self) -> Option<Tally>;
}

/// Runs tests, shows their output, and counts them.
///
/// Neither the status nor the counts are believed alone: a runner that fails without naming a
/// failed test (because nothing compiled, say) counts as one failure, and so does one that
/// succeeds without having counted.
pub(crate) fn run_tests(command: &mut Command, mut output: impl TestOutput) -> Tally {
    let ended = command::run_reading(command, |line| output.read_line(line));
    judge(ended, output.into_tally())
}

fn judge(ended: Result<(), RunError>, counted: Option<Tally>) -> Tally {
    let has_counted = counted.is_some();
    let mut tally = counted.unwrap_or_default();
    match ended {
        Ok(()) if !has_counted => tally.fail("the tests ended without saying what they did"),
        Err(error) if tally.failed == 0 => tally.fail(error),
        Ok(()) | Err(_) => {}
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure() -> RunError {
        command::read(Command::new("rustc").arg("--no-such-option")).unwrap_err()
    }

    fn tally(passed: u32, failed: u32) -> Tally {
        Tally { passed, failed, ..Tally::default() }
    }

    #[test]
    fn counted_tests_are_what_they_are() {
        assert_eq!(judge(Ok(()), Some(tally(3, 0))), tally(3, 0));
        assert_eq!(judge(Err(failure()), Some(tally(3, 2))), tally(3, 2));
    }

    #[test]
    fn a_runner_that_fails_without_a_failed_test_is_one_failure() {
        let judged = judge(Err(failure()), Some(tally(3, 0)));
        assert_eq!((judged.passed, judged.failed), (3, 1));
        assert!(judged.notes[0].starts_with("failed: `rustc --no-such-option`"), "{judged:?}");
        assert_eq!(judge(Err(failure()), None).failed, 1);
    }

    #[test]
    fn a_runner_that_succeeds_without_counting_is_one_failure() {
        assert_eq!(judge(Ok(()), None).failed, 1);
    }
}
