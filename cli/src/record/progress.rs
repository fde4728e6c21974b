//! A line on stderr about what is written so far. It is there on a terminal only.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// See the [module](self). Clones are of one line.
#[derive(Clone, Debug)]
pub(super) struct Progress(ProgressBar);

impl Progress {
    pub(super) fn begin() -> Self {
        if !io::stderr().is_terminal() {
            return Progress(ProgressBar::hidden());
        }
        let style = ProgressStyle::with_template(LINE).expect("the template is a constant");
        let bar = ProgressBar::no_length().with_style(style);
        bar.enable_steady_tick(TICK);
        Progress(bar)
    }

    /// So much more was written.
    pub(super) fn add(&self, bytes: u64) {
        self.0.inc(bytes);
    }

    /// Says something else, above the line.
    pub(super) fn aside<T>(&self, say: impl FnOnce() -> T) -> T {
        self.0.suspend(say)
    }

    pub(super) fn end(&self) {
        self.0.finish_and_clear();
    }
}

const LINE: &str = "{spinner} {elapsed_precise}, {bytes} recorded ({bytes_per_sec})";
const TICK: Duration = Duration::from_millis(200);
