//! Running steps one after another, and what is said of them at the end.

use std::fmt;
use std::time::{Duration, Instant};

use crate::tally::Tally;

/// What a skip means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SkipPolicy {
    /// Something was not proved here; somebody else will.
    Allowed,
    /// Nobody else will: what was not proved is wrong.
    Failure,
}

/// What came of the steps, which prints as a table that ends with `N passed, N failed`.
#[derive(Debug)]
pub(crate) struct Report {
    policy: SkipPolicy,
    records: Vec<Record>,
}

#[derive(Debug)]
struct Record {
    name: String,
    tally: Tally,
    elapsed: Duration,
}

impl SkipPolicy {
    /// With `CI=true` nobody looks at skips, so they fail.
    pub(crate) fn from_env() -> Self {
        let is_ci = std::env::var("CI").is_ok_and(|value| value == "true" || value == "1");
        if is_ci { Self::Failure } else { Self::Allowed }
    }
}

impl Report {
    pub(crate) fn new(policy: SkipPolicy) -> Self {
        Self { policy, records: Vec::new() }
    }

    /// Runs a step, whatever became of those before it.
    pub(crate) fn run(&mut self, name: &str, about: &str, step: impl FnOnce() -> Tally) {
        println!("\n── {name}: {about}");
        let start = Instant::now();
        let tally = step();
        let record = Record { name: name.to_owned(), tally, elapsed: start.elapsed() };
        println!("── {name}: {} in {}", record.verdict(), in_words(record.elapsed));
        self.records.push(record);
    }

    /// Whether everything that had to pass did.
    pub(crate) fn is_success(&self) -> bool {
        self.total().failed == 0
    }

    /// The sum over all steps, with skips as the policy has them.
    fn total(&self) -> Tally {
        let mut total = Tally::default();
        for record in &self.records {
            total.add(&record.tally);
        }
        match self.policy {
            SkipPolicy::Allowed => {}
            SkipPolicy::Failure => total.failed += std::mem::take(&mut total.skipped),
        }
        total
    }

    fn write_table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "step       result    passed  failed  skipped      time")?;
        for record in &self.records {
            let Record { name, tally, elapsed } = record;
            let Tally { passed, failed, skipped, .. } = tally;
            let (verdict, time) = (record.verdict(), in_words(*elapsed));
            writeln!(
                f,
                "{name:<9}  {verdict:<7}  {passed:>7} {failed:>7} {skipped:>8}  {time:>8}"
            )?;
        }
        let time = in_words(self.records.iter().map(|record| record.elapsed).sum());
        writeln!(f, "{:<44}  {time:>8}", "")
    }

    fn write_notes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Record { name, tally, .. } in &self.records {
            for note in tally.notes.iter().take(NOTES_MAX) {
                writeln!(f, "{name}: {note}")?;
            }
            if let Some(more @ 1..) = tally.notes.len().checked_sub(NOTES_MAX) {
                writeln!(f, "{name}: and {more} more, see above")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_table(f)?;
        self.write_notes(f)?;
        let has_skips = self.records.iter().any(|record| record.tally.skipped > 0);
        if has_skips && self.policy == SkipPolicy::Failure {
            writeln!(f, "with CI=true each skip counts as a failure")?;
        }
        let Tally { passed, failed, skipped, .. } = self.total();
        write!(f, "{passed} passed, {failed} failed")?;
        if skipped > 0 {
            write!(f, ", {skipped} skipped")?;
        }
        Ok(())
    }
}

impl Record {
    fn verdict(&self) -> &'static str {
        match self.tally {
            Tally { failed: 1.., .. } => "FAILED",
            Tally { passed: 0, skipped: 1.., .. } => "skipped",
            Tally { .. } => "ok",
        }
    }
}

fn in_words(time: Duration) -> String {
    match time.as_secs() {
        0..60 => format!("{:.1} s", time.as_secs_f64()),
        seconds => format!("{}:{:02} min", seconds / 60, seconds % 60),
    }
}

/// Names shown for one step. More would push the table out of sight; the output has them all.
const NOTES_MAX: usize = 40;

#[cfg(test)]
mod tests;
