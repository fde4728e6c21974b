//! A script without async: meets somebody in a room, says hello, and waits for an answer.
//!
//! ```sh
//! cargo run -p tristero-smol --example script -- wss://relay.example lobby
//! ```

use std::env;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tristero_smol::blocking::{Wait as _, iter};
use tristero_smol::{Action, Config, RoomEvent, join};

/// How long it waits for somebody, and for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

fn main() -> Result<()> {
    let mut arguments = env::args().skip(1);
    let relay = arguments.next().context("the first argument is a relay's URL")?;
    let name = arguments.next().unwrap_or_else(|| "lobby".to_owned());

    let room = join(&Config::new("tristero-script").relay(relay), &name)?;
    let (mut events, mut chat): (_, Action<String>) = (room.events(), room.action("chat")?);
    let peer = loop {
        match events.recv().wait_for(PATIENCE).context("nobody is there")? {
            Some(RoomEvent::PeerJoined { peer }) => break peer,
            Some(_) => {}
            None => return Ok(()),
        }
    };
    println!("{peer} is {} ms away", room.ping(&peer).wait()?.as_millis());
    chat.send(format!("hello from {}", env::consts::OS)).to(&peer).wait()?;
    match chat.recv().wait_for(PATIENCE) {
        Some(Some(answer)) => println!("it says: {}", answer?.value),
        Some(None) => println!("the room ended"),
        None => println!("it says nothing"),
    }
    room.leave().wait();
    // What else was said is still there to be read.
    for message in iter(chat) {
        println!("it also said: {}", message?.value);
    }
    Ok(())
}
