//! Lines of stdin.
//!
//! They are read by a thread of their own: a read of a terminal or a pipe can't be given up, and
//! must not keep the runtime from ending.

use std::io::{self, BufRead};
use std::thread;

use tokio::sync::mpsc;

/// Lines that were read and not yet taken. A few keep the reader busy; whoever writes more waits,
/// as with any pipe.
const WAITING_MAX: usize = 64;

/// The lines that come in on stdin, without their ends. Only one may be made.
pub(crate) struct StdinLines {
    lines: mpsc::Receiver<Vec<u8>>,
}

impl StdinLines {
    /// Begins to read.
    pub(crate) fn read() -> Self {
        let (sender, lines) = mpsc::channel(WAITING_MAX);
        thread::spawn(move || read_lines(io::stdin().lock(), &sender));
        StdinLines { lines }
    }

    /// The next line, as it was written: it may not be UTF-8. `None` at the end of stdin.
    ///
    /// Nothing is lost if the future is dropped.
    pub(crate) async fn next(&mut self) -> Option<Vec<u8>> {
        self.lines.recv().await
    }
}

/// Reads until the end, an error, or until nobody takes lines any more.
fn read_lines(mut input: impl BufRead, lines: &mpsc::Sender<Vec<u8>>) {
    loop {
        let mut line = Vec::new();
        if !matches!(input.read_until(b'\n', &mut line), Ok(length) if length > 0) {
            return;
        }
        if line.ends_with(b"\n") {
            line.pop();
        }
        if line.ends_with(b"\r") {
            line.pop();
        }
        if lines.blocking_send(line).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_without_their_ends_and_the_last_needs_none() {
        let (sender, mut lines) = mpsc::channel(WAITING_MAX);
        read_lines(&b"one\n\ntwo\r\nthree"[..], &sender);
        drop(sender);
        let read = std::iter::from_fn(|| lines.blocking_recv()).collect::<Vec<_>>();
        assert_eq!(read, [&b"one"[..], b"", b"two", b"three"]);
    }
}
