//! A relay on this machine, and programs that meet there.

#![allow(dead_code, reason = "each test uses what it needs of this")]
#![allow(clippy::unwrap_used, reason = "a test that can not go on may panic")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tokio::runtime::Runtime;
use tristero_relay::{Config, Relay};

/// Far more than anything here takes, even on a machine that is busy with something else.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A relay that stops with the runtime.
pub(crate) fn relay() -> (Runtime, String) {
    let runtime = Runtime::new().unwrap();
    let config = Config::new("127.0.0.1:0".parse().unwrap());
    let relay = runtime.block_on(Relay::bind(config)).unwrap();
    let url = relay.url();
    runtime.spawn(relay.run());
    (runtime, url)
}

/// A program that ends with the test.
pub(crate) struct Program {
    child: Child,
    lines: Receiver<String>,
}

impl Program {
    /// Starts a program that meets others on this machine.
    pub(crate) fn start(path: &str, relay: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(path);
        command.args(["--loopback", "--relay", relay]).args(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Program { child, lines }
    }

    /// The next event of a kind; those before it are of no interest.
    pub(crate) fn event(&mut self, kind: &str) -> Value {
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|error| panic!("no {kind}: {error}"));
            let event: Value = serde_json::from_str(&line).unwrap();
            if event["event"] == kind {
                return event;
            }
        }
    }

    /// Types a line.
    pub(crate) fn say(&mut self, line: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Ends its input.
    pub(crate) fn hang_up(&mut self) {
        self.child.stdin = None;
    }

    /// Waits until it has printed all, and asserts that it did its work.
    pub(crate) fn end(mut self) {
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            drop(line);
        }
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It has ended, or the test has failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
