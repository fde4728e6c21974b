//! What a delivery and an idle connection cost a relay: ours, and one in JavaScript on npm's `ws`.
//!
//! `cargo bench -p tristero-benches --bench relay`, with `--json` for programs.
//!
//! A relay is a process of its own, a new one for each measurement, and the clients are this process.
//! What it costs is the processor time of the relay's process while so many messages are under way at
//! once that it seldom waits; how long a delivery takes is measured afterwards, while there is little to
//! do. The relays take turns, round by round, and each figure is the median of the rounds. Memory, which
//! no other process disturbs, is measured once.
//!
//! The other relay stands in for `@trystero-p2p/ws-relay`: `interop/bench/relay.mjs`, which wants
//! `npm ci` in `interop`.

mod client;
mod crowd;
mod figures;

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{self, Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, thread};

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use serde_json::json;
use tristero_benches::{Process, raise_file_limit};
use tristero_relay::{Config, Relay};

use crowd::{Crowd, Pace};
use figures::{FanOut, Figures};

/// What a delivery and an idle connection cost a relay
#[derive(Clone, Debug, Parser)]
struct Arguments {
    /// Measures so often, one relay after the other
    #[arg(long, value_name = "NUMBER", default_value_t = 7)]
    rounds: usize,
    /// Delivers for so long, for each figure
    #[arg(long, value_name = "SECONDS", default_value_t = 2)]
    seconds: u64,
    /// How many receivers a message has (repeatable)
    #[arg(long, value_name = "NUMBER", default_values_t = [1, 50])]
    fan_out: Vec<usize>,
    /// How many clients there are
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000)]
    clients: usize,
    /// How long a payload is; announces are shorter, descriptions longer
    #[arg(long, value_name = "BYTES", default_value_t = 500)]
    payload: usize,
    /// How many clients say nothing while memory is measured; 0 leaves that out
    #[arg(long, value_name = "NUMBER", default_value_t = 15_000)]
    idle: usize,
    /// Threads of our relay
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    threads: usize,
    /// Measures our relay alone
    #[arg(long)]
    alone: bool,
    /// Prints one JSON object
    #[arg(long)]
    json: bool,
    /// Is our relay
    #[arg(long, hide = true)]
    serve: bool,
    /// What `cargo bench` says to every program
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let files = raise_file_limit();
    if arguments.serve {
        return serve(arguments.threads);
    }
    let needed = arguments.clients.max(arguments.idle) as u64 + FILES_BESIDE;
    ensure!(files >= needed, "this process may open {files} files only, and needs {needed}");
    let kinds: &[Kind] = if arguments.alone { &[Kind::Ours] } else { &[Kind::Ours, Kind::Node] };
    let mut rounds = vec![Vec::new(); kinds.len()];
    for _ in 0..arguments.rounds.max(1) {
        for (kind, rounds) in kinds.iter().zip(&mut rounds) {
            let fan_outs =
                arguments.fan_out.iter().map(|receivers| fan_out(*kind, *receivers, &arguments));
            rounds.push(fan_outs.collect::<Result<Vec<FanOut>>>()?);
        }
    }
    let figures = kinds.iter().zip(&rounds).map(|(kind, rounds)| {
        let (name, fan_outs) = (kind.name(), FanOut::medians(rounds));
        Ok(Figures { name, fan_outs, idle_bytes: idle_bytes(*kind, &arguments)? })
    });
    let figures = figures.collect::<Result<Vec<Figures>>>()?;
    if arguments.json {
        let relays: Vec<_> = figures.iter().map(Figures::to_json).collect();
        let Arguments { clients, payload, idle, .. } = arguments;
        let settings = json!({ "clients": clients, "payloadBytes": payload, "idle": idle });
        println!("{}", json!({ "settings": settings, "relays": relays }));
    } else {
        figures::print(&figures[0], figures.get(1));
    }
    Ok(())
}

/// Which relay.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Ours,
    Node,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Ours => "tristero",
            Kind::Node => "Node.js, ws",
        }
    }
}

fn fan_out(kind: Kind, receivers: usize, arguments: &Arguments) -> Result<FanOut> {
    let relay = Running::start(kind, arguments)?;
    // So that all groups are of one size.
    let clients = arguments.clients.max(receivers) / receivers * receivers;
    let mut crowd = Crowd::new(receivers, arguments.payload)?;
    crowd.grow(relay.address, clients, false)?;
    let busy =
        Pace::InFlight((DELIVERIES_IN_FLIGHT / receivers as u64).max(MESSAGES_IN_FLIGHT_MIN));
    crowd.publish_for(WARM_UP, busy, false)?;

    let time = Duration::from_secs(arguments.seconds);
    let (began, before) = (Instant::now(), relay.process.cpu());
    let passed = crowd.publish_for(time, busy, false)?;
    let (cpu, took) = (relay.process.cpu() - before, began.elapsed().as_secs_f64());

    let idle = Pace::Every(CALM_INTERVAL);
    let mut latencies = crowd.publish_for(time, idle, true)?.latencies;
    latencies.sort_unstable();
    let at = |part: usize| latencies[latencies.len() * part / 100].as_secs_f64() * 1e3;
    Ok(FanOut {
        receivers,
        cpu_micros: cpu.as_secs_f64() * 1e6 / passed.deliveries as f64,
        deliveries_per_second: passed.deliveries as f64 / took,
        cpu_percent: 100.0 * cpu.as_secs_f64() / took,
        median_ms: at(50),
        p99_ms: at(99),
    })
}

/// What one of many connections that say nothing takes of the relay's memory, if that is asked for.
fn idle_bytes(kind: Kind, arguments: &Arguments) -> Result<Option<f64>> {
    if arguments.idle <= IDLE_BEFORE {
        return Ok(None);
    }
    let relay = Running::start(kind, arguments)?;
    let mut crowd = Crowd::new(IDLE_GROUP, arguments.payload)?;
    // What the first ones bring into memory is the program and not theirs.
    crowd.grow(relay.address, IDLE_BEFORE, true)?;
    crowd.stay(SETTLE)?;
    let before = relay.process.resident_kib();
    crowd.grow(relay.address, arguments.idle, true)?;
    crowd.stay(SETTLE)?;
    let after = relay.process.resident_kib();
    let count = arguments.idle - IDLE_BEFORE;
    Ok(Some(after.saturating_sub(before) as f64 * 1024.0 / count as f64))
}

/// A relay that runs.
struct Running {
    child: Child,
    process: Process,
    address: SocketAddr,
}

impl Running {
    fn start(kind: Kind, arguments: &Arguments) -> Result<Self> {
        let mut command = match kind {
            Kind::Ours => {
                let mut command = Command::new(env::current_exe()?);
                command.args(["--serve", "--threads", &arguments.threads.to_string()]);
                command
            }
            Kind::Node => {
                let mut command = Command::new("node");
                let script = "../interop/bench/relay.mjs";
                command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(script));
                command
            }
        };
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("the relay does not start")?;
        let stdout = child.stdout.take().context("it is piped")?;
        let process = Process::with_id(child.id());
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let address = line.trim().strip_prefix("listening on ws://").and_then(|it| it.parse().ok());
        let Some(address) = address else {
            let _ = child.kill();
            anyhow::bail!("the relay does not start; `npm ci` in interop installs what it wants");
        };
        Ok(Running { child, process, address })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Is our relay, for as long as somebody holds the input open.
fn serve(threads: usize) -> Result<()> {
    thread::spawn(|| {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        process::exit(0);
    });
    let mut builder = match threads {
        0 | 1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = builder.worker_threads(threads.max(1)).enable_all().build()?;
    runtime.block_on(async {
        let relay = Relay::bind(Config::new("127.0.0.1:0".parse()?)).await?;
        writeln!(io::stdout(), "listening on {}", relay.url())?;
        relay.run().await;
        Ok(())
    })
}

/// Enough that a relay seldom waits for a client.
const DELIVERIES_IN_FLIGHT: u64 = 64;

/// As many as rooms, at least: a relay with one message at a time would be woken for each.
const MESSAGES_IN_FLIGHT_MIN: u64 = 8;

/// So few that one is delivered before the next comes.
const CALM_INTERVAL: Duration = Duration::from_millis(5);

/// JavaScript is compiled meanwhile.
const WARM_UP: Duration = Duration::from_secs(2);

/// Clients that were there before memory is measured.
const IDLE_BEFORE: usize = 500;

/// Peers of one room, among those that say nothing.
const IDLE_GROUP: usize = 10;

/// The relay may still be busy with the last that came.
const SETTLE: Duration = Duration::from_secs(3);

/// Files of the process beside those of clients.
const FILES_BESIDE: u64 = 32;
