//! How long two peers on this machine take from `join` to `PeerJoined` on both sides.
//!
//! `cargo bench -p tristero-benches --bench join -- --joins 200`
//!
//! Each join has two new nodes; the relay stays, as relays do. Beside it stands how long the same two
//! took until the relay's link stood, which nothing of ours can undercut. No server is asked for
//! addresses: those are on the Internet, and nobody waits for them.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::Parser;
use serde_json::{Value, json};
use tristero_relay::{Config as RelayConfig, Relay};
use tristero_tokio::{Config, IceConfig, Options, RelayState, Room, RoomEvent, node};

/// How long two peers on this machine take to meet
#[derive(Debug, Parser)]
struct Arguments {
    /// Lets so many pairs meet, one after another
    #[arg(long, value_name = "NUMBER", default_value_t = 200)]
    joins: usize,
    /// Prints one JSON object
    #[arg(long)]
    json: bool,
    /// What `cargo bench` says to every program
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let relay = Relay::bind(RelayConfig::new("127.0.0.1:0".parse()?)).await?;
    let config = Config::new("bench").relay(relay.url()).ice(IceConfig::none());
    let _handle = relay.spawn();
    // Whatever is set up once for the process is set up by it.
    meet(&config, "warm-up").await?;
    let mut met = Vec::new();
    for number in 0..arguments.joins.max(1) {
        met.push(meet(&config, &format!("room {number}")).await?);
    }
    let (joins, dials) = (Times::of(&met, |met| met.join), Times::of(&met, |met| met.dial));
    if arguments.json {
        println!("{}", json!({ "join": joins.to_json(), "dial": dials.to_json() }));
    } else {
        println!("{:32} {:>6} {:>9} {:>9} {:>9}", "milliseconds", "joins", "median", "p90", "p99");
        joins.print("join to PeerJoined, both sides");
        dials.print("of that: join to open relay");
    }
    Ok(())
}

/// How long it took until both sides were there.
struct Met {
    join: Duration,
    dial: Duration,
}

/// Lets two new peers meet in a room that nobody else is in.
async fn meet(config: &Config, room: &str) -> Result<Met> {
    let start = Instant::now();
    let options = || Options { loopback: true, ..Options::default() };
    let a = node(options())?.join(config, room)?;
    let b = node(options())?.join(config, room)?;
    let (met_a, met_b) = tokio::join!(watch(&a, start), watch(&b, start));
    tokio::join!(a.node().shut_down(), b.node().shut_down());
    let (a, b) = (met_a?, met_b?);
    Ok(Met { join: a.join.max(b.join), dial: a.dial.max(b.dial) })
}

async fn watch(room: &Room, start: Instant) -> Result<Met> {
    let mut events = room.events();
    let mut dial = Duration::ZERO;
    loop {
        match events.recv().await.context("the room was left")? {
            RoomEvent::PeerJoined { .. } => return Ok(Met { join: start.elapsed(), dial }),
            RoomEvent::Relay(status) if status.state == RelayState::Open => dial = start.elapsed(),
            _ => {}
        }
    }
}

/// Times, the shortest first.
struct Times(Vec<Duration>);

impl Times {
    fn of(met: &[Met], time: impl Fn(&Met) -> Duration) -> Self {
        let mut times: Vec<Duration> = met.iter().map(time).collect();
        times.sort_unstable();
        Times(times)
    }

    /// The median, and what 90 and 99 of a hundred stay below, in milliseconds.
    fn percentiles(&self) -> [f64; 3] {
        [50, 90, 99].map(|percent| {
            let rank = (self.0.len() * percent).div_ceil(100).max(1);
            self.0[rank - 1].as_secs_f64() * 1e3
        })
    }

    fn print(&self, what: &str) {
        let [median, p90, p99] = self.percentiles();
        println!("{what:32} {:6} {median:9.1} {p90:9.1} {p99:9.1}", self.0.len());
    }

    fn to_json(&self) -> Value {
        let [median, p90, p99] = self.percentiles();
        json!({ "joins": self.0.len(), "medianMs": median, "p90Ms": p90, "p99Ms": p99 })
    }
}
