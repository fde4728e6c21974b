//! Many peers in one thread, all connected with each other, and everybody tells everybody.
//!
//! `cargo bench -p tristero-benches --bench mesh`, with `--json` for programs.
//!
//! In rounds: everybody broadcasts some messages of 100 bytes, and when all of them have arrived, again.
//! The peers are nodes in a room, or, over the same sockets, engines alone with the same number of
//! connections, which carry as many messages of the same lengths as nodes make of theirs. That is the limit: what
//! is between the two is what rooms, actions and peers cost. Both are there at once and take turns of a
//! second, so that what else the machine does falls on both; figures are medians of the turns.

mod bare;
mod nodes;

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::Parser;
use serde_json::{Value, json};
use tristero_benches::{Usage, raise_file_limit};

/// Many peers in one thread, where everybody tells everybody
#[derive(Clone, Debug, Parser)]
struct Arguments {
    /// How many peers there are (repeatable)
    #[arg(long, value_name = "NUMBER", default_values_t = [5, 20])]
    peers: Vec<usize>,
    /// How many messages each tells everybody in a round
    #[arg(long, value_name = "NUMBER", default_value_t = 10)]
    burst: usize,
    /// How many turns of a second nodes and engines have
    #[arg(long, value_name = "NUMBER", default_value_t = 9)]
    turns: usize,
    /// Prints one JSON object
    #[arg(long)]
    json: bool,
    /// What `cargo bench` says to every program
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    raise_file_limit();
    let mut rows = Vec::new();
    for peers in &arguments.peers {
        ensure!(*peers > 1, "a mesh has two peers at least");
        let mut nodes = nodes::Nodes::meet(*peers)?;
        let mut engines = bare::Engines::connect(*peers)?;
        let [of_nodes, of_engines] = measure(*peers, &arguments, [&mut nodes, &mut engines])?;
        rows.push(Figures::median("nodes", *peers, &of_nodes));
        rows.push(Figures::median("engines alone", *peers, &of_engines));
    }
    if arguments.json {
        let rows: Vec<Value> = rows.iter().map(Figures::to_json).collect();
        println!("{}", json!({ "burst": arguments.burst, "meshes": rows }));
    } else {
        print(&rows);
    }
    Ok(())
}

/// Peers that are connected, whatever they are made of.
trait Mesh {
    /// Lets everybody tell everybody so many messages.
    fn tell(&mut self, burst: usize) -> Result<()>;

    /// Waits until something happens, and gives how many messages arrived.
    fn step(&mut self) -> Result<usize>;
}

/// What came of a turn.
struct Turn {
    deliveries: u64,
    cpu: Duration,
    took: Duration,
}

/// What a message took.
struct Figures {
    name: &'static str,
    peers: usize,
    deliveries: u64,
    cpu_micros: f64,
    per_second: f64,
}

fn measure(
    peers: usize,
    arguments: &Arguments,
    mut meshes: [&mut dyn Mesh; 2],
) -> Result<[Vec<Turn>; 2]> {
    let mut turns = [Vec::new(), Vec::new()];
    // In the first turns caches are filled and buffers grow.
    for number in 0..=arguments.turns.max(1) {
        for (mesh, turns) in meshes.iter_mut().zip(&mut turns) {
            let turn = take_turn(peers, arguments.burst, *mesh)?;
            turns.extend((number > 0).then_some(turn));
        }
    }
    Ok(turns)
}

fn take_turn(peers: usize, burst: usize, mesh: &mut dyn Mesh) -> Result<Turn> {
    let expected = peers * (peers - 1) * burst;
    let (began, before, mut deliveries) = (Instant::now(), Usage::now().cpu, 0);
    while began.elapsed() < TURN {
        mesh.tell(burst)?;
        let (mut arrived, end) = (0, Instant::now() + PATIENCE);
        while arrived < expected {
            arrived += mesh.step()?;
            ensure!(Instant::now() < end, "{arrived} of {expected} messages came");
        }
        ensure!(arrived == expected, "more came than was sent");
        deliveries += expected as u64;
    }
    let cpu = Usage::now().cpu.saturating_sub(before);
    Ok(Turn { deliveries, cpu, took: began.elapsed() })
}

impl Figures {
    fn median(name: &'static str, peers: usize, turns: &[Turn]) -> Self {
        let of = |figure: fn(&Turn) -> f64| {
            let mut figures: Vec<f64> = turns.iter().map(figure).collect();
            figures.sort_by(f64::total_cmp);
            figures[figures.len() / 2]
        };
        Figures {
            name,
            peers,
            deliveries: turns.iter().map(|turn| turn.deliveries).sum(),
            cpu_micros: of(|turn| turn.cpu.as_secs_f64() * 1e6 / turn.deliveries as f64),
            per_second: of(|turn| turn.deliveries as f64 / turn.took.as_secs_f64()),
        }
    }

    fn to_json(&self) -> Value {
        json!({
            "name": self.name,
            "peers": self.peers,
            "deliveries": self.deliveries,
            "cpuMicrosPerDelivery": self.cpu_micros,
            "deliveriesPerSecond": self.per_second,
        })
    }
}

fn print(rows: &[Figures]) {
    println!(
        "{:14} {:>6} {:>12} {:>8} {:>14}",
        "", "peers", "deliveries", "CPU µs", "deliveries/s"
    );
    for row in rows {
        println!(
            "{:14} {:>6} {:>12} {:>8.2} {:>14.0}",
            row.name, row.peers, row.deliveries, row.cpu_micros, row.per_second
        );
    }
    for pair in rows.chunks_exact(2) {
        println!(
            "{} peers: nodes / engines alone {:.2}",
            pair[0].peers,
            pair[0].cpu_micros / pair[1].cpu_micros
        );
    }
}

/// How long a text is that everybody tells.
const TEXT_BYTES: usize = 98;

/// Shorter than the time after which a connection that nobody looks after is given up.
const TURN: Duration = Duration::from_secs(1);

/// A round that takes longer does not end any more.
const PATIENCE: Duration = Duration::from_secs(20);
