//! A hundred nodes in one thread: bots in rooms of ten, who meet at one relay and greet each other.
//!
//! ```sh
//! cargo run --release -p tristero-examples --bin hundred_nodes -- --relay ws://127.0.0.1:8080 --loopback
//! ```
//!
//! It ends when everyone has a greeting of everyone else in the room, and prints as JSON how many
//! pairs that are and what they cost.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Parser;
use serde_json::json;
use tristero_examples::{Place, Swarm, Usage, addresses};
use tristero_proto::wire::{ActionName, Payload};
use tristero_proto::{ActionOptions, Event, PeerId, RoomKey, SendOptions};

/// A hundred nodes in one thread
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    place: Place,
    /// How many nodes there are
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    nodes: usize,
    /// How many of them are in a room
    #[arg(long, value_name = "NUMBER", default_value = "10")]
    per_room: NonZeroUsize,
    /// Gives up after so long
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    patience: u64,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let began = Instant::now();
    let patience = Duration::from_secs(arguments.patience);
    let mut bots = Bots::join(&arguments)?;
    while bots.greetings.len() < bots.expected {
        let left = patience.saturating_sub(began.elapsed());
        if left.is_zero() {
            bail!("{} of {} greetings came", bots.greetings.len(), bots.expected);
        }
        bots.swarm.step(Some(left))?;
        while let Some((number, event)) = bots.swarm.poll_event() {
            bots.on_event(number, event)?;
        }
    }
    let Usage { cpu, resident_kib } = Usage::now();
    let report = json!({
        "event": "met", "nodes": arguments.nodes, "pairs": bots.greetings.len() / 2,
        "seconds": began.elapsed().as_secs_f64(), "cpuSeconds": cpu.as_secs_f64(),
        "residentKiB": resident_kib,
    });
    println!("{report}");
    bots.leave()
}

/// Nodes that greet whoever joins their room.
struct Bots {
    swarm: Swarm,
    rooms: Vec<RoomKey>,
    action: ActionName,
    /// Who has a greeting of whom.
    greetings: BTreeSet<(usize, PeerId)>,
    expected: usize,
}

impl Bots {
    fn join(arguments: &Arguments) -> Result<Self> {
        let Arguments { place, nodes, .. } = arguments;
        let per_room = arguments.per_room.get();
        let mut swarm = Swarm::bind(*nodes, &addresses(place.loopback)?)?;
        let action = ActionName::new("chat")?;
        let (mut rooms, mut expected) = (Vec::new(), 0);
        for number in 0..*nodes {
            let config = place.room(&format!("{} {}", place.room, number / per_room))?;
            rooms.push(swarm.act(number, |bot, now| -> Result<RoomKey> {
                let room = bot.act(|node| node.join(config, now))?;
                bot.act(|node| node.register(room, &action, ActionOptions::default(), now))?;
                Ok(room)
            })?);
            // Each pair that it makes with those before it in the room greets both ways.
            expected += 2 * (number % per_room);
        }
        Ok(Bots { swarm, rooms, action, greetings: BTreeSet::new(), expected })
    }

    fn on_event(&mut self, number: usize, event: Event) -> Result<()> {
        match event {
            Event::PeerJoined { peer, .. } => {
                let (room, action) = (self.rooms[number], &self.action);
                let options = SendOptions { targets: Some(peer.into()), ..SendOptions::default() };
                let payload = Payload::Text("hello".to_owned());
                self.swarm.act(number, |bot, now| {
                    bot.act(|node| node.send(room, action, payload, &options, now))
                })?;
            }
            Event::Message { peer, .. } => {
                self.greetings.insert((number, peer));
            }
            // Of no matter to bots.
            _ => {}
        }
        Ok(())
    }

    /// Says all goodbyes.
    fn leave(&mut self) -> Result<()> {
        let mut there = self.rooms.len();
        for number in 0..there {
            self.swarm.act(number, |bot, now| bot.act(|node| node.shut_down(now)));
        }
        while there > 0 {
            while let Some((_, event)) = self.swarm.poll_event() {
                there -= usize::from(event == Event::ShutDown);
            }
            if there > 0 {
                self.swarm.step(None)?;
            }
        }
        Ok(())
    }
}
