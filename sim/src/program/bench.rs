//! What a large mesh takes: time, in the world and outside, and memory.

use std::fs;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use tristero_proto::{RoomConfig, RoomKey};

use crate::network::Conditions;
use crate::peer::PeerOptions;
use crate::relays::WsService;
use crate::world::{Who, World};

#[derive(Debug, Args)]
pub(super) struct BenchArguments {
    /// How many peers join one room, at the same time
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(2..=512))]
    peers: u32,
    /// The latency of the network in each direction, in milliseconds
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(..=10_000))]
    latency: u64,
    /// How many of a hundred datagrams are lost
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(..=99))]
    loss: u8,
    /// What the world comes from
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

pub(super) fn run(arguments: &BenchArguments) -> ExitCode {
    let mut world = World::new(arguments.seed);
    let conditions = Conditions::latency(Duration::from_millis(arguments.latency));
    world.network().set_conditions(conditions.with_random_loss(arguments.loss.into()));
    let (_, relay) = world.add_relay(WsService::new());
    let config = RoomConfig { relays: vec![relay], ..RoomConfig::new("app", "mesh") };
    let began = Instant::now();
    let visits: Vec<(Who, RoomKey)> = (0..arguments.peers)
        .map(|_| {
            let who = world.add_peer(PeerOptions::default());
            (who, world.join(who, config.clone()).expect("the room is valid"))
        })
        .collect();
    let others = visits.len() - 1;
    let is_full =
        |world: &World| visits.iter().all(|(who, room)| world.members(*who, *room).len() == others);
    while !is_full(&world) && world.now().since_epoch() < PATIENCE {
        world.run_for(LOOK_INTERVAL);
    }
    let is_connected = is_full(&world);
    let (simulated, real) = (world.now().since_epoch(), began.elapsed());
    println!(
        "{} peers, {} connections, {} ms, {} % loss: {}",
        visits.len(),
        visits.len() * others / 2,
        arguments.latency,
        arguments.loss,
        if is_connected { "all connected" } else { "not all connected" },
    );
    tell("until then", simulated, real);
    let began = Instant::now();
    world.run_for(IDLE);
    tell("idle after that", IDLE, began.elapsed());
    match peak_memory() {
        Some(kibibytes) => println!("peak memory: {} MiB", kibibytes / 1_024),
        None => println!("peak memory: this system does not tell"),
    }
    if is_connected { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn tell(what: &str, simulated: Duration, real: Duration) {
    println!(
        "{what}: {:.1} s simulated in {:.1} s, {:.2} simulated for each real one",
        simulated.as_secs_f64(),
        real.as_secs_f64(),
        simulated.as_secs_f64() / real.as_secs_f64(),
    );
}

/// The most memory that this process had, in KiB, where there is `/proc`.
fn peak_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// A mesh that does not stand by then is a failure.
const PATIENCE: Duration = Duration::from_secs(600);

/// How often it is looked whether it stands.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// How long a mesh that stands is watched.
const IDLE: Duration = Duration::from_secs(60);
