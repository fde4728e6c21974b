//! A chat on smol: what is typed goes to everyone in the room.
//!
//! ```sh
//! cargo run -p tristero-smol --example chat -- wss://relay.example lobby
//! ```

use std::{env, io};

use anyhow::{Context as _, Result};
use smol::Unblock;
use smol::future::or;
use smol::io::{AsyncBufReadExt as _, BufReader};
use smol::stream::StreamExt as _;
use tristero_smol::{Action, Config, RoomEvent, join};

/// What there is to do next.
enum Next {
    Typed(Option<io::Result<String>>),
    Event(Option<RoomEvent>),
    Heard(Option<String>),
}

fn main() -> Result<()> {
    smol::block_on(chat())
}

async fn chat() -> Result<()> {
    let mut arguments = env::args().skip(1);
    let relay = arguments.next().context("the first argument is a relay's URL")?;
    let name = arguments.next().unwrap_or_else(|| "lobby".to_owned());

    let room = join(&Config::new("tristero-chat").relay(relay), &name)?;
    let (mut events, mut chat): (_, Action<String>) = (room.events(), room.action("chat")?);
    let mut lines = BufReader::new(Unblock::new(io::stdin())).lines();
    loop {
        let heard = async {
            Next::Heard(chat.recv().await.map(|message| match message {
                Ok(message) => format!("{}: {}", message.peer, message.value),
                Err(wrong) => wrong.to_string(),
            }))
        };
        let event = async { Next::Event(events.recv().await) };
        let typed = async { Next::Typed(lines.next().await) };
        // Whichever is there first. The others are dropped, and lose nothing.
        match or(typed, or(event, heard)).await {
            Next::Typed(Some(line)) => drop(chat.send(line?).await?),
            Next::Event(Some(RoomEvent::PeerJoined { peer })) => println!("{peer} joined"),
            Next::Event(Some(RoomEvent::PeerLeft { peer, .. })) => println!("{peer} left"),
            Next::Event(Some(_)) => {}
            Next::Heard(Some(line)) => println!("{line}"),
            Next::Typed(None) | Next::Event(None) | Next::Heard(None) => break,
        }
    }
    room.leave().await;
    Ok(())
}
