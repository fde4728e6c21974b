//! A room for those who know its password, and in which nobody whose name we refuse is let in.
//! Run these, and then one as `--name Mallory`, or with another `--password`:
//!
//! ```sh
//! cargo run --release -- relay
//! cargo run -p tristero-tokio --example private_room -- --name Ada --refuse Mallory
//! cargo run -p tristero-tokio --example private_room -- --name Grace
//! ```

use anyhow::{Context as _, anyhow};
use clap::Parser;
use tristero_tokio::{Action, Config, Handshake, Payload, Room, RoomEvent, join};

/// Greets those who are let into a room; Ctrl-C leaves it.
#[derive(Parser)]
struct Arguments {
    /// The room
    #[arg(default_value = "parlour")]
    room: String,
    /// Its password; whoever has another one is never met
    #[arg(long, env = "ROOM_PASSWORD", hide_env_values = true, default_value = "swordfish")]
    password: String,
    /// Who we say that we are
    #[arg(long)]
    name: String,
    /// Whom we do not want to meet (repeatable)
    #[arg(long, value_name = "NAME")]
    refuse: Vec<String>,
    /// Where to meet
    #[arg(long, default_value = "ws://127.0.0.1:8080")]
    relay: String,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Arguments { room, password, name, refuse, relay } = Arguments::parse();
    let config = Config::new("tristero-example-private").relay(relay);
    // With `handshake` nobody is in the room before both sides accepted each other.
    let room = join(&config.password(password).handshake(), &room)?;
    let result = tokio::select! {
        () = room.serve_handshakes(|handshake| decide(handshake, &name, &refuse)) => Ok(()),
        result = greet(&room, &name) => result,
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
    };
    room.leave().await;
    result
}

/// Both sides say who they are, and then what they think of it. An error refuses the peer.
///
/// Whoever says nothing for ten seconds is refused without us.
async fn decide(handshake: Handshake, name: &str, refuse: &[String]) -> anyhow::Result<()> {
    handshake.send(name)?;
    let said = handshake.recv().await.context("it said no name")?;
    let theirs: String = said.payload.decode().context("its name is no text")?;
    let is_refused = refuse.contains(&theirs);
    let verdict = if is_refused { Err(format!("{theirs} is not welcome")) } else { Ok(()) };
    // A refusal is not sent by itself, so the reason is said like anything else. Both are heard
    // before either counts: what was not heard would be taken for a word of the next attempt.
    handshake.send(Payload::json(&verdict)?)?;
    let said = handshake.recv().await.context("it said no verdict")?;
    let theirs: Result<(), String> = said.payload.decode().context("its verdict is none")?;
    verdict.map_err(|why| anyhow!(why))?;
    theirs.map_err(|why| anyhow!("it refused us: {why}"))
}

async fn greet(room: &Room, name: &str) -> anyhow::Result<()> {
    let mut greetings: Action<String> = room.action("greeting")?;
    let mut events = room.events();
    loop {
        tokio::select! {
            Some(event) = events.recv() => match event {
                RoomEvent::PeerJoined { peer } => {
                    println!("{peer} was let in");
                    greetings.send(format!("Good evening, {name} here")).to(&peer).detach()?;
                }
                RoomEvent::PeerLeft { peer, reason } => println!("{peer} is gone: {reason}"),
                // A wrong password, a refusal, or no way to connect.
                RoomEvent::JoinFailed { peer, failure } => {
                    println!("{peer} is not let in: {failure} ({})", failure.code());
                }
                _ => {}
            },
            Some(greeting) = greetings.recv() => match greeting {
                Ok(greeting) => println!("{}: {:?}", greeting.peer, greeting.value),
                Err(wrong) => println!("{wrong}"),
            },
            else => return Ok(()), // the room was left
        }
    }
}
