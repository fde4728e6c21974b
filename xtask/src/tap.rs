//! The output of `node --test --test-reporter=tap`.
//!
//! It ends with one summary, `# pass 3`, `# fail 0` and so on. What tests print comes as such
//! comments too, so of each count the last one is believed. Node leaves suites that are skipped
//! as a whole out of its counts; they are found by the `# SKIP` behind their names. A test is named
//! together with the suites around it, which are told apart by their indent. One that is marked
//! TODO proves nothing, whatever becomes of it: it counts as skipped.

use crate::counting::TestOutput;
use crate::tally::Tally;

/// Reads names as they come, and the summary at the end.
#[derive(Debug, Default)]
pub(crate) struct TapOutput {
    passed: Option<u32>,
    failed: u32,
    cancelled: u32,
    skipped: u32,
    todo: u32,
    /// The suites around the current test, outermost first, and the test itself.
    path: Vec<String>,
    failures: Vec<String>,
    skips: Vec<String>,
}

impl TestOutput for TapOutput {
    fn read_line(&mut self, line: &str) {
        let text = line.trim_start();
        let indent = line.len() - text.len();
        if let Some(name) = text.strip_prefix("# Subtest: ") {
            self.enter(indent / INDENT, name);
        } else if let Some(comment) = line.strip_prefix("# ") {
            self.read_count(comment);
        } else if let Some(test) = text.strip_prefix("not ok ") {
            self.read_test(indent / INDENT, test, Verdict::Failed);
        } else if let Some(test) = text.strip_prefix("ok ") {
            self.read_test(indent / INDENT, test, Verdict::Passed);
        } else if text == "failureType: 'subtestsFailed'" {
            // It is the suite around a test that was named before.
            let suite = self.path.join(PATH_SEPARATOR);
            self.failures.pop_if(|failure| *failure == suite);
        }
    }

    fn into_tally(self) -> Option<Tally> {
        let named_skips = u32::try_from(self.skips.len()).unwrap_or(u32::MAX);
        let failures = self.failures.iter().map(|name| format!("failed: {name}"));
        let skips = self.skips.iter().map(|name| format!("skipped: {name}"));
        Some(Tally {
            passed: self.passed?,
            failed: self.failed + self.cancelled,
            skipped: named_skips.max(self.skipped + self.todo),
            notes: failures.chain(skips).collect(),
        })
    }
}

impl TapOutput {
    fn enter(&mut self, depth: usize, name: &str) {
        self.path.truncate(depth);
        self.path.push(name.to_owned());
    }

    /// Takes `pass 3`, or anything a test printed.
    fn read_count(&mut self, comment: &str) {
        let Some((what, number)) = comment.split_once(' ') else { return };
        let Ok(number) = number.parse() else { return };
        match what {
            "pass" => self.passed = Some(number),
            "fail" => self.failed = number,
            "cancelled" => self.cancelled = number,
            "skipped" => self.skipped = number,
            "todo" => self.todo = number,
            _other_comments => {}
        }
    }

    /// Takes `3 - name` or `3 - name # SKIP reason`. A `#` that belongs to a name is escaped.
    fn read_test(&mut self, depth: usize, test: &str, verdict: Verdict) {
        let test = test.split_once(" - ").map_or(test, |(_number, rest)| rest);
        let (name, directive) = match test.split_once(" # ") {
            Some((name, directive)) => (name, Some(directive)),
            None => (test, None),
        };
        self.enter(depth, name);
        let name = self.path.join(PATH_SEPARATOR);
        match (directive, verdict) {
            (Some(directive), Verdict::Passed | Verdict::Failed) => {
                self.skips.push(format!("{name} ({directive})"));
            }
            (None, Verdict::Failed) => self.failures.push(name),
            (None, Verdict::Passed) => {}
        }
    }
}

/// What TAP begins the line of a test with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Passed,
    Failed,
}

/// Spaces before the lines of a suite's tests, more than before its own.
const INDENT: usize = 4;

/// Between a suite and what is in it.
const PATH_SEPARATOR: &str = ": ";

#[cfg(test)]
mod tests;
