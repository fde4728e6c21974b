//! What two peers on one machine get through to each other, and what it costs.
//!
//! Each peer is a process, with the relay in a third. What is measured is the public API on tokio: bulk
//! (payloads of 16 MiB, each awaited), small messages (100 bytes of JSON, each awaited), pings, and the
//! memory of it; and, in the same run, str0m alone over the same sockets with the same messages, which is
//! the limit, and npm's Trystero if it is asked for.
//!
//! `cargo bench -p tristero-benches --bench pair`, with `--json` for programs.

mod figures;
mod peer;
mod raw;

use std::env;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::{Parser, ValueEnum};
use serde_json::{Map, Value, json};
use tristero_benches::Process;
use tristero_relay::{Config as RelayConfig, Relay};

use figures::Figures;

/// What two peers on one machine get through to each other
#[derive(Clone, Debug, Parser)]
struct Arguments {
    /// Sends so many bytes in payloads of 16 MiB
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 30)]
    bulk: u64,
    /// Sends a file of so many bytes
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 30)]
    file: u64,
    /// Sends so many messages of 100 bytes
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000_000)]
    messages: u64,
    /// Pings so often
    #[arg(long, value_name = "NUMBER", default_value_t = 2_000)]
    pings: u64,
    /// Measures npm's Trystero too, on these WebRTC libraries: node-datachannel, werift, chromium
    #[arg(long, value_name = "LIBRARY")]
    javascript: Vec<String>,
    /// Leaves str0m alone out
    #[arg(long)]
    no_raw: bool,
    /// Gives each peer two threads instead of one
    #[arg(long)]
    threads: bool,
    /// Prints one JSON object
    #[arg(long)]
    json: bool,
    /// What this process is
    #[arg(long, hide = true)]
    role: Option<Role>,
    /// Where the peers meet
    #[arg(long, hide = true, default_value = "")]
    relay: String,
    /// What `cargo bench` says to every program
    #[arg(long, hide = true)]
    bench: bool,
}

/// What a process is.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Role {
    Sender,
    Receiver,
    RawSender,
    RawReceiver,
}

/// It takes so long for each message that a few thousand say as much.
const RAW_MESSAGES: u64 = 20_000;

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    match arguments.role {
        Some(Role::Sender) => peer::send(&arguments),
        Some(Role::Receiver) => peer::receive(&arguments),
        Some(Role::RawSender) => raw::send(&arguments),
        Some(Role::RawReceiver) => raw::receive(&arguments),
        None => compare(&arguments),
    }
}

/// Notes what memory this process has before anything large is sent.
fn note_idle(said: &mut Map<String, Value>) {
    let usage = Process::this();
    said.insert("idleKiB".into(), usage.resident_kib().into());
    said.insert("idleOwnKiB".into(), usage.own_kib().into());
}

/// Notes how long a ping takes, as the median.
fn note_pings(said: &mut Map<String, Value>, mut times: Vec<Duration>) {
    times.sort_unstable();
    let median = times.get(times.len() / 2).map(|time| time.as_secs_f64() * 1e3);
    said.insert("pingMs".into(), json!(median));
}

/// Measures one after another, and prints all.
fn compare(arguments: &Arguments) -> Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let relay = runtime.block_on(Relay::bind(RelayConfig::new("127.0.0.1:0".parse()?)))?;
    let url = relay.url();
    runtime.spawn(relay.run());
    let ours = measure(arguments, [Role::Sender, Role::Receiver], &url)?;
    let mut others = Vec::new();
    if !arguments.no_raw {
        let messages = arguments.messages.min(RAW_MESSAGES);
        let fewer = Arguments { messages, ..arguments.clone() };
        others.push(measure(&fewer, [Role::RawSender, Role::RawReceiver], "")?);
    }
    for library in &arguments.javascript {
        others.push(javascript(library, &url)?);
    }
    if arguments.json {
        let all: Vec<Value> = [&ours].into_iter().chain(&others).map(Figures::to_json).collect();
        let Arguments { bulk, messages, .. } = arguments;
        println!("{}", json!({ "bulkBytes": bulk, "messages": messages, "peers": all }));
    } else {
        figures::print(&ours, &others);
    }
    Ok(())
}

/// Runs two peers of one kind to their end.
fn measure(arguments: &Arguments, roles: [Role; 2], relay: &str) -> Result<Figures> {
    let [mut sender, mut receiver] =
        [start(arguments, roles[0], relay)?, start(arguments, roles[1], relay)?];
    if relay.is_empty() {
        // There is nobody else to carry their descriptions.
        let offer = sender.line()?;
        receiver.tell(&offer)?;
        let answer = receiver.line()?;
        sender.tell(&answer)?;
    }
    let (sent, received) = (sender.line()?, receiver.line()?);
    ensure!(sender.0.wait()?.success() && receiver.0.wait()?.success(), "a peer failed");
    Figures::of(&serde_json::from_str(&sent)?, &serde_json::from_str(&received)?)
}

/// A peer in a process of its own.
struct Running(Child, BufReader<ChildStdout>);

fn start(arguments: &Arguments, role: Role, relay: &str) -> Result<Running> {
    let mut command = Command::new(env::current_exe()?);
    let role = role.to_possible_value().context("no role is hidden")?;
    command.args(["--role", role.get_name(), "--relay", relay]);
    command.args(["--file", &arguments.file.to_string()]);
    command.args(["--bulk", &arguments.bulk.to_string()]);
    command.args(["--messages", &arguments.messages.to_string()]);
    command.args(["--pings", &arguments.pings.to_string()]);
    if arguments.threads {
        command.arg("--threads");
    }
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let stdout = child.stdout.take().context("it is piped")?;
    Ok(Running(child, BufReader::new(stdout)))
}

impl Running {
    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.1.read_line(&mut line)?;
        ensure!(!line.is_empty(), "a peer ended without a word");
        Ok(line)
    }

    fn tell(&mut self, line: &str) -> Result<()> {
        let stdin = self.0.stdin.as_mut().context("it is piped")?;
        Ok(writeln!(stdin, "{}", line.trim())?)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs the same with npm's Trystero, if it is installed.
fn javascript(library: &str, relay: &str) -> Result<Figures> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../interop/bench/pair.mjs");
    let mut command = Command::new("node");
    command.arg(script).args(["--relay", relay, "--webrtc", library]);
    let output = command.stderr(Stdio::inherit()).output().context("Node.js does not start")?;
    ensure!(output.status.success(), "npm's Trystero failed; `npm ci` in interop installs it");
    Figures::of_javascript(&serde_json::from_slice(&output.stdout)?)
}
