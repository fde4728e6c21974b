//! What the chat prints, around the bars of files that are under way.

use std::io::{self, Write};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::exit::Failure;

/// Stdout and stderr. Clones print to the same. The bars are on stderr, if that is a terminal.
#[derive(Clone, Debug, Default)]
pub(crate) struct Terminal {
    bars: MultiProgress,
}

impl Terminal {
    /// Prints a whole line on stdout, and at once: someone may be reading from a pipe.
    pub(crate) fn show(&self, line: &str) -> Result<(), Failure> {
        self.bars.suspend(|| {
            let mut stdout = io::stdout().lock();
            let written = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
            written.map_err(Failure::unwritten)
        })
    }

    /// Prints what the program has to say about itself, on stderr.
    pub(crate) fn note(&self, line: &str) {
        self.bars.suspend(|| eprintln!("{line}"));
    }

    /// A bar for so many bytes, which is gone once it is dropped.
    pub(crate) fn bar(&self, title: String, bytes: u64) -> Bar {
        let style = ProgressStyle::with_template(BAR).expect("the template is a constant");
        Bar(self.bars.add(ProgressBar::new(bytes).with_style(style).with_prefix(title)))
    }
}

/// See [`Terminal::bar`].
#[derive(Debug)]
pub(crate) struct Bar(ProgressBar);

impl Bar {
    pub(crate) fn set(&self, bytes: u64) {
        self.0.set_position(bytes);
    }

    /// Of all bytes, from 0 to 1.
    pub(crate) fn set_fraction(&self, fraction: f64) {
        let bytes = fraction * self.0.length().unwrap_or_default() as f64;
        #[expect(clippy::cast_possible_truncation, reason = "a fraction of the file's size")]
        #[expect(clippy::cast_sign_loss, reason = "a fraction is not negative")]
        self.set(bytes as u64);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

const BAR: &str =
    "{prefix} {wide_bar:.cyan/dim} {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}";
