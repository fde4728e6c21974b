//! Lines in, lines out, with names. Run two of them:
//!
//! ```sh
//! cargo run --release -- relay
//! cargo run -p tristero-tokio --example chat -- --name Ada
//! ```

use std::collections::HashMap;

use clap::Parser;
use tokio::sync::mpsc;
use tristero_tokio::{Action, Config, PeerId, RelayState, Room, RoomEvent, join};

/// Talks with whoever is in a room; Ctrl-C or the end of input leaves it.
#[derive(Parser)]
struct Arguments {
    /// The room
    #[arg(default_value = "lobby")]
    room: String,
    /// What the others call us
    #[arg(long, default_value = "somebody")]
    name: String,
    /// Where to meet
    #[arg(long, default_value = "ws://127.0.0.1:8080")]
    relay: String,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Arguments { room, name, relay } = Arguments::parse();
    let room = join(&Config::new("tristero-example-chat").relay(relay), &room)?;
    let result = tokio::select! {
        result = chat(&room, &name) => result,
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
    };
    // The others see it at once. Without this they would have to find out that we are gone.
    room.leave().await;
    result
}

async fn chat(room: &Room, name: &str) -> anyhow::Result<()> {
    let mut chat: Action<String> = room.action("chat")?;
    let mut names: Action<String> = room.action("name")?;
    let (mut events, mut lines) = (room.events(), read_lines());
    let mut known: HashMap<PeerId, String> = HashMap::new();
    loop {
        tokio::select! {
            // There is no order between streams: in this one, words are read before a goodbye.
            biased;
            Some(received) = names.recv() => match received {
                Ok(name) => {
                    print(&format!("* {} is called {}", name.peer, name.value));
                    known.insert(name.peer, name.value);
                }
                Err(error) => eprintln!("{error}"),
            },
            Some(received) = chat.recv() => match received {
                Ok(said) => {
                    let name = known.get(&said.peer).map_or(said.peer.as_str(), String::as_str);
                    print(&format!("{name}: {}", said.value));
                }
                Err(error) => eprintln!("{error}"), // something that is not a text
            },
            Some(event) = events.recv() => match event {
                // What was said to all before is not repeated for who joins.
                RoomEvent::PeerJoined { peer } => names.send(name).to(&peer).detach()?,
                RoomEvent::PeerLeft { peer, reason } => {
                    let name = known.remove(&peer).unwrap_or_else(|| peer.to_string());
                    print(&format!("* {name} is gone: {reason}"));
                }
                RoomEvent::JoinFailed { peer, failure } => print(&format!("* {peer}: {failure}")),
                RoomEvent::Relay(relay) if matches!(relay.state, RelayState::BackingOff { .. }) => {
                    eprintln!("no answer from {}; trying again", relay.url);
                }
                _ => {}
            },
            line = lines.recv() => match line {
                Some(line) => chat.send(line).detach()?, // and wait for nobody who is slow
                None => return Ok(()),
            },
            else => return Ok(()), // the room was left
        }
    }
}

/// Lines of a thread of its own, as tokio advises: its stdin would keep the program from ending.
fn read_lines() -> mpsc::Receiver<String> {
    let (tx, rx) = mpsc::channel(16);
    std::thread::spawn(move || {
        let mut lines = std::io::stdin().lines().map_while(Result::ok);
        lines.try_for_each(|line| tx.blocking_send(line))
    });
    rx
}

/// Peers are not trusted: what they say, and are called, moves no cursor.
fn print(line: &str) {
    println!("{}", line.replace(char::is_control, " "));
}
