//! What the demo shows: numbered steps with their times.
//!
//! Colors and the moving bar are for terminals; a pipe gets the same words.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::timeout;

use crate::exit::Failure;
use crate::words::milliseconds;

/// How long a step may take. The slowest, meeting, takes a fraction of a second.
const STEP_MAX: Duration = Duration::from_secs(30);

const NUMBER: Style = AnsiColor::Cyan.on_default().bold();
const TITLE: Style = Style::new().bold();
const QUIET: Style = Style::new().dimmed();
const GOOD: Style = AnsiColor::Green.on_default().bold();

/// Shows steps, one after another.
pub(crate) struct Screen {
    steps: u32,
    began: Instant,
}

impl Screen {
    /// Begins with a headline.
    pub(crate) fn new(headline: &str) -> Result<Self, Failure> {
        show(format_args!("{TITLE}{headline}{TITLE:#}\n"))?;
        Ok(Screen { steps: 0, began: Instant::now() })
    }

    /// Shows a line of its own.
    pub(crate) fn say(&self, text: impl Display) -> Result<(), Failure> {
        show(text)
    }

    /// Does a step and shows how long it took and what it says about itself.
    pub(crate) async fn step<T>(
        &mut self,
        title: &str,
        step: impl Future<Output = Result<(T, String), Failure>>,
    ) -> Result<T, Failure> {
        self.steps += 1;
        let number = self.steps;
        let began = Instant::now();
        let done = timeout(STEP_MAX, step).await;
        let (value, told) = done.unwrap_or_else(|_elapsed| {
            let limit = STEP_MAX.as_secs();
            Err(Failure::running(format!("step {number}, {title:?}, took longer than {limit} s")))
        })?;
        let took = milliseconds(began.elapsed());
        show(format_args!(
            "{NUMBER}{number:>2}{NUMBER:#}  {TITLE}{title:<6}{TITLE:#} {QUIET}{took:>9}{QUIET:#}  \
             {told}"
        ))?;
        Ok(value)
    }

    /// Shows that all went well, and how long all of it took.
    pub(crate) fn finish(&self, summary: impl Display) -> Result<(), Failure> {
        let took = milliseconds(self.began.elapsed());
        show(format_args!("\n{GOOD}Done{GOOD:#} in {took}: {summary}"))
    }

    /// A bar for so many bytes; nothing where there is no terminal.
    pub(crate) fn bar(&self, bytes: u64) -> ProgressBar {
        if !(io::stdout().is_terminal() && io::stderr().is_terminal()) {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template(BAR).expect("the template is a constant");
        ProgressBar::new(bytes).with_style(style)
    }
}

fn show(text: impl Display) -> Result<(), Failure> {
    let mut stdout = anstream::stdout();
    writeln!(stdout, "{text}").and_then(|()| stdout.flush()).map_err(Failure::unwritten)
}

const BAR: &str =
    "    {wide_bar:.cyan/dim} {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}";
