//! A game that plays sixty frames a second, and has its peers in each of them.
//!
//! ```sh
//! cargo run --release -p tristero-examples --bin game_loop -- --relay ws://127.0.0.1:8080 --loopback
//! ```
//!
//! The peers never make a frame wait, and a frame in which nothing happens allocates nothing: what
//! each frame allocates is counted, and printed in the end as JSON, by what the frame had to do. The
//! relay is best given by its address: a name is looked up while the frame waits.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use allocation_counter::AllocationInfo;
use anyhow::Result;
use clap::Parser;
use serde_json::{Value, json};
use tristero_examples::{Epoch, Frame, Game, Place, addresses};

/// A game that has its peers in each of its frames
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    place: Place,
    /// Plays so many frames after another ship has come
    #[arg(long, value_name = "NUMBER", default_value_t = 600)]
    frames: u64,
}

/// The time of one frame.
const FRAME: Duration = Duration::from_nanos(1_000_000_000 / 60);
/// The ship moves in one of so many frames.
const FRAMES_PER_MOVE: u64 = 60;

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let epoch = Epoch::begin();
    let config = arguments.place.room(&arguments.place.room)?;
    let mut game = Game::join(config, &addresses(arguments.place.loopback)?, epoch)?;
    let mut frames = Frames::default();
    let mut next = Instant::now();
    while !game.is_over() {
        let mut frame = Ok(Frame::Idle);
        let began = Instant::now();
        let allocated = allocation_counter::measure(|| frame = game.frame(epoch.now()));
        let is_played = frames.played > 0 || !game.ships().is_empty();
        if is_played && frames.played <= arguments.frames {
            frames.count(frame?, &allocated, began.elapsed());
            if frames.played == arguments.frames {
                println!("{}", frames.report(game.ships().len()));
                game.leave(epoch.now());
            } else if frames.played.is_multiple_of(FRAMES_PER_MOVE) {
                game.steer((1, 0), epoch.now())?;
            }
        }
        // Here a game computes and draws, and waits for the screen. One that is late skips frames.
        next = (next + FRAME).max(began);
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    Ok(())
}

/// What frames cost, by what they had to do.
#[derive(Default)]
struct Frames {
    played: u64,
    by_kind: BTreeMap<Frame, Cost>,
}

#[derive(Default)]
struct Cost {
    frames: u64,
    allocations: u64,
    bytes: u64,
    longest: Duration,
}

impl Frames {
    fn count(&mut self, frame: Frame, allocated: &AllocationInfo, took: Duration) {
        self.played += 1;
        let cost = self.by_kind.entry(frame).or_default();
        cost.frames += 1;
        cost.allocations += allocated.count_total;
        cost.bytes += allocated.bytes_total;
        cost.longest = cost.longest.max(took);
    }

    fn report(&self, ships: usize) -> Value {
        let kinds = self.by_kind.iter().map(|(frame, cost)| {
            let name = match frame {
                Frame::Idle => "idle",
                Frame::Came => "came",
                Frame::Due(why) => why,
            };
            let Cost { frames, allocations, bytes, longest } = cost;
            let micros = longest.as_micros();
            let cost = json!({
                "frames": frames, "allocations": allocations, "bytes": bytes,
                "longestMicros": u64::try_from(micros).unwrap_or(u64::MAX),
            });
            (name.to_owned(), cost)
        });
        let kinds: Value = kinds.collect();
        json!({ "event": "played", "frames": self.played, "ships": ships, "by": kinds })
    }
}
