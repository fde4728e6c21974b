//! A line on stderr about what is waited for. It moves on a terminal.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::plan::Plan;

/// See the [module](self).
pub(super) struct Progress(ProgressBar);

impl Progress {
    pub(super) fn begin(plan: &Plan) -> Self {
        let seconds = plan.patience().as_secs_f64();
        let (relays, servers) = (plan.relays.len(), plan.stun().len() + plan.turn().len());
        let said = format!(
            "asking {}, {} and two peers here, for {seconds} s at most",
            counted(relays, "relay"),
            counted(servers, "server"),
        );
        if !io::stderr().is_terminal() {
            eprintln!("{said}");
            return Progress(ProgressBar::hidden());
        }
        let style = ProgressStyle::with_template(LINE).expect("the template is a constant");
        let bar = ProgressBar::new(CHECKS).with_style(style).with_message(said);
        bar.enable_steady_tick(TICK);
        Progress(bar)
    }

    /// Waits for a check, and says that it is done.
    pub(super) async fn watch<T>(&self, name: &str, check: impl Future<Output = T>) -> T {
        let outcome = check.await;
        self.0.inc(1);
        tracing::debug!(name, "checked");
        outcome
    }

    pub(super) fn end(&self) {
        self.0.finish_and_clear();
    }
}

fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

const LINE: &str = "{spinner} {msg} ({pos} of {len} done)";
const CHECKS: u64 = 5;
/// Fast enough to be seen to move.
const TICK: Duration = Duration::from_millis(100);
