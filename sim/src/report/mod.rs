//! A page that shows a run: one file, for whoever looks for a mistake, and to show what this does.
//!
//! Whoever has it needs nothing else: no script, no font and no network. Two pages of one run differ
//! in nothing but how long the machine took.

mod bands;
mod counts;
mod drawing;
mod legend;
mod markup;
mod page;
mod pairs;
mod plots;
mod quantiles;
mod recording;
mod seats;
mod timeline;
mod traffic;
mod words;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use crate::soak::{self, Look, Night, Options, Outcome};
use recording::Recording;

/// What a page is about.
#[derive(Debug)]
pub(crate) struct Report {
    night: Night,
    options: Options,
    pub(crate) outcome: Outcome,
    recording: Recording,
}

/// Runs a night, and keeps what a page needs.
pub(crate) fn run(night: Night, look: &Look) -> Report {
    let recording = Rc::new(RefCell::new(Recording::default()));
    let outcome = soak::run_watched(night, look, Some(recording.clone()));
    let recording = recording.take();
    Report { night, options: night.options(), outcome, recording }
}

impl Report {
    /// The page. `took` is how long the machine took.
    pub(crate) fn page(&self, took: Duration) -> String {
        page::write(self, took)
    }
}

#[cfg(test)]
mod tests;
