//! Several rooms of one node: it has one id in all of them, and one connection to each peer, however
//! many rooms they share; what is said in one is not heard in another. Run three of them:
//!
//! ```sh
//! cargo run --release -- relay
//! cargo run -p tristero-tokio --example two_rooms -- lobby kitchen
//! cargo run -p tristero-tokio --example two_rooms -- lobby kitchen
//! cargo run -p tristero-tokio --example two_rooms -- kitchen
//! ```

use clap::Parser;
use tokio::task::JoinSet;
use tristero_tokio::{Action, Config, Options, Room, RoomEvent, node};

/// Talks in several rooms; Ctrl-C leaves them all.
#[derive(Parser)]
struct Arguments {
    /// The rooms
    #[arg(default_values = ["lobby", "kitchen"])]
    rooms: Vec<String>,
    /// Where to meet
    #[arg(long, default_value = "ws://127.0.0.1:8080")]
    relay: String,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Arguments { rooms, relay } = Arguments::parse();
    // `tristero_tokio::join` makes a node for one room. Here it is made first.
    let node = node(Options::default())?;
    println!("I am {} in all rooms", node.self_id());
    let config = Config::new("tristero-example-two-rooms").relay(relay);
    let mut talks = JoinSet::new();
    for name in rooms {
        let room = node.join(&config, &name)?;
        talks.spawn(talk(room, name));
    }
    let result = tokio::select! {
        Some(ended) = talks.join_next() => ended?,
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
    };
    // It leaves all rooms. To leave one, and stay in the others, there is `Room::leave`.
    node.shut_down().await;
    result
}

async fn talk(room: Room, name: String) -> anyhow::Result<()> {
    // The same name in two rooms is two actions.
    let mut chat: Action<String> = room.action("chat")?;
    let mut events = room.events();
    loop {
        tokio::select! {
            Some(event) = events.recv() => match event {
                RoomEvent::PeerJoined { peer } => {
                    let path = room.connection_info(&peer).and_then(|connection| connection.path);
                    println!("{name}: {peer} joined, connected by {path:?}");
                    chat.send(format!("hello in the {name}")).to(&peer).detach()?;
                }
                RoomEvent::PeerLeft { peer, reason } => println!("{name}: {peer} is gone: {reason}"),
                _ => {}
            },
            Some(said) = chat.recv() => match said {
                Ok(said) => println!("{name}: {} says {:?}", said.peer, said.value),
                Err(wrong) => println!("{name}: {wrong}"),
            },
            else => return Ok(()), // the room was left
        }
    }
}
