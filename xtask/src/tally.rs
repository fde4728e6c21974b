//! What a step counted.

use std::fmt;

use crate::command::RunError;
use crate::setup::Missing;

/// Checks that passed, failed or could not be run, with the names of those that did not pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
    pub(crate) skipped: u32,
    /// What did not pass and why, for the end of the report.
    pub(crate) notes: Vec<String>,
}

/// Why a step did not do what it was for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Obstacle {
    /// Something it needs is not there: nothing was proved, nothing was refuted.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// It ran and found fault.
    #[error(transparent)]
    Failed(#[from] RunError),
}

impl Tally {
    /// Says of one check that it failed.
    pub(crate) fn fail(&mut self, what: impl fmt::Display) {
        self.failed += 1;
        self.note("failed", what);
    }

    /// Says of one check that it could not be run.
    pub(crate) fn skip(&mut self, what: impl fmt::Display) {
        self.skipped += 1;
        self.note("skipped", what);
    }

    /// Adds what another counted.
    pub(crate) fn add(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
        self.notes.extend_from_slice(&other.notes);
    }

    fn note(&mut self, outcome: &str, what: impl fmt::Display) {
        self.notes.push(format!("{outcome}: {what}"));
    }
}

/// A step that is one check.
impl From<Result<(), Obstacle>> for Tally {
    fn from(outcome: Result<(), Obstacle>) -> Self {
        let mut tally = Self::default();
        match outcome {
            Ok(()) => tally.passed = 1,
            Err(Obstacle::Missing(missing)) => tally.skip(missing),
            Err(Obstacle::Failed(error)) => tally.fail(error),
        }
        tally
    }
}
