//! A game of Nim by typed moves, twice at once: as JSON, which a browser could play too, and as
//! Postcard, which is smaller and for Rust programs only. Run two of them:
//!
//! ```sh
//! cargo run --release -- relay
//! cargo run -p tristero-tokio --example typed
//! ```

use clap::Parser;
use serde::{Deserialize, Serialize};
use tristero_tokio::{Action, Config, Format, Json, Postcard, Room, RoomEvent, join};

/// Plays against everyone in a room; Ctrl-C leaves it.
#[derive(Parser)]
struct Arguments {
    /// The room
    #[arg(default_value = "lobby")]
    room: String,
    /// Where to meet
    #[arg(long, default_value = "ws://127.0.0.1:8080")]
    relay: String,
}

/// Of 21 stones each takes one to three by turns. Whoever takes the last one wins.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Move {
    Begin { stones: u32 },           // in a browser: { begin: { stones: 21 } }
    Take { stones: u32, left: u32 }, // { take: { stones: 1, left: 20 } }
    Resign,                          // "resign"
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Arguments { room, relay } = Arguments::parse();
    let room = join(&Config::new("tristero-example-typed").relay(relay), &room)?;
    println!("I am {}", room.self_id());
    // The type of an action says what travels; everything else is the same.
    let json: Action<Move, Json> = room.action("nim")?;
    let postcard: Action<Move, Postcard> = room.action("nim-postcard")?;
    let games =
        async { tokio::try_join!(play("JSON", &room, json), play("Postcard", &room, postcard)) };
    let result = tokio::select! {
        result = games => result.map(|_| ()),
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
    };
    room.leave().await;
    result
}

async fn play<F: Format<Move>>(
    format: &str,
    room: &Room,
    mut moves: Action<Move, F>,
) -> anyhow::Result<()> {
    let mut events = room.events();
    loop {
        tokio::select! {
            Some(event) = events.recv() => match event {
                // Of two players the one with the smaller id begins.
                RoomEvent::PeerJoined { peer } if *room.self_id() < peer => {
                    moves.send(Move::Begin { stones: 21 }).to(&peer).detach()?;
                }
                RoomEvent::PeerLeft { peer, .. } => println!("{peer} plays no more"),
                _ => {}
            },
            Some(received) = moves.recv() => match received {
                Ok(theirs) => {
                    println!("{format}: {} plays {:?}", theirs.peer, theirs.value);
                    if let Some(ours) = answer(theirs.value) {
                        println!("{format}: I play {ours:?}");
                        moves.send(ours).to(&theirs.peer).detach()?;
                    }
                }
                // It is no move of this version of the game. What comes after it may be one.
                Err(wrong) => println!("{format}: {wrong}"),
            },
            else => return Ok(()), // the room was left
        }
    }
}

fn answer(theirs: Move) -> Option<Move> {
    let left = match theirs {
        Move::Begin { stones } => stones,
        Move::Take { left, .. } => left,
        Move::Resign => return None,
    };
    let stones = match left {
        0 => return None,               // they won
        4 => return Some(Move::Resign), // they will take what we leave
        _ => (left % 4).max(1),
    };
    Some(Move::Take { stones, left: left - stones })
}
