//! Greets everyone who joins, and prints what they say. Run two of them:
//!
//! ```sh
//! cargo run --release -- relay --listen 127.0.0.1:8080
//! cargo run -p tristero-tokio --example hello -- ws://127.0.0.1:8080
//! ```

use serde::{Deserialize, Serialize};
use tristero_tokio::{Action, Config, RoomEvent, join};

#[derive(Debug, Serialize, Deserialize)]
struct Greeting {
    text: String,
    number: u32,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let relay = std::env::args().nth(1).ok_or("say where the relay is: ws://…")?;
    let room = join(&Config::new("hello-example").relay(relay), "lobby")?;
    let mut hello: Action<Greeting> = room.action("hello")?;
    let mut events = room.events();
    println!("I am {}; press Ctrl-C to leave", room.self_id());
    let mut number = 0;
    loop {
        tokio::select! {
            Some(event) = events.recv() => match event {
                RoomEvent::PeerJoined { peer } => {
                    number += 1;
                    let greeting = Greeting { text: "hello, you".to_owned(), number };
                    if let Err(error) = hello.send(greeting).to(&peer).await {
                        println!("{error}");
                    }
                }
                RoomEvent::PeerLeft { peer, reason } => println!("{peer}: {reason}"),
                _ => {}
            },
            Some(message) = hello.recv() => match message {
                Ok(message) => println!("{}: {:?}", message.peer, message.value),
                Err(error) => println!("{error}"),
            },
            _ = tokio::signal::ctrl_c() => break,
        }
    }
    room.leave().await;
    Ok(())
}
