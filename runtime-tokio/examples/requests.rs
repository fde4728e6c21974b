//! Questions and answers: one to one, with what can go wrong, and one to many. Run two of them:
//!
//! ```sh
//! cargo run --release -- relay
//! cargo run -p tristero-tokio --example requests
//! ```

use std::time::Duration;

use clap::Parser;
use tristero_tokio::{Config, PeerId, RequestAction, RequestError, Room, RoomEvent, join};

/// Asks everyone who joins, and answers; Ctrl-C leaves.
#[derive(Parser)]
struct Arguments {
    /// The room
    #[arg(default_value = "lobby")]
    room: String,
    /// Where to meet
    #[arg(long, default_value = "ws://127.0.0.1:8080")]
    relay: String,
}

/// An answer that takes longer is no use to us. Without a timeout a request waits for its answer
/// for as long as the peer is there.
const TIMEOUT: Duration = Duration::from_millis(500);
const NAP_MAX: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Arguments { room, relay } = Arguments::parse();
    let room = join(&Config::new("tristero-example-requests").relay(relay), &room)?;
    let result = tokio::select! {
        result = talk(&room) => result,
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
    };
    room.leave().await;
    result
}

async fn talk(room: &Room) -> anyhow::Result<()> {
    // A question is of one type, and its answer of another; both are whatever serde knows.
    let divide: RequestAction<(i64, i64), i64> = room.request_action("divide")?;
    let sleep: RequestAction<Duration, String> = room.request_action("sleep")?;
    // Tasks of their own answer while we ask. They end when the room is left.
    tokio::spawn(divide.serve(async |request| {
        let (dividend, divisor) = request.value;
        dividend.checked_div(divisor).ok_or("there is no such number")
    }));
    tokio::spawn(sleep.serve(async |request| {
        let nap = request.value;
        if nap > NAP_MAX {
            return Err("nobody sleeps for so long"); // peers may ask for anything
        }
        // Many are answered at once, so a slow one holds up nobody. This is dropped if the peer
        // that asked leaves.
        tokio::time::sleep(nap).await;
        Ok(format!("I slept for {nap:?}"))
    }));
    let mut events = room.events();
    while let Some(event) = events.recv().await {
        if let RoomEvent::PeerJoined { peer } = event {
            ask(&divide, &peer).await;
            ask_all(&sleep, room).await;
        }
    }
    Ok(())
}

/// Each way to get no answer is an error of its own.
async fn ask(divide: &RequestAction<(i64, i64), i64>, peer: &PeerId) {
    for question in [(84, 2), (1, 0)] {
        match divide.request(peer, question).timeout(TIMEOUT).await {
            Ok(answer) => println!("{peer} says that {question:?} is {answer}"),
            Err(RequestError::Rejected(why)) => println!("{peer} rejects {question:?}: {why:?}"),
            Err(RequestError::TimedOut) => println!("{peer} takes too long"),
            Err(RequestError::Disconnected) => println!("{peer} has left"),
            Err(error) => println!("no answer from {peer}: {error}"),
        }
    }
}

/// The answers of many, as they come. Without `start()` they are given all together at the end.
async fn ask_all(sleep: &RequestAction<Duration, String>, room: &Room) {
    for nap in [TIMEOUT / 10, TIMEOUT * 10, NAP_MAX * 10] {
        let everyone = room.peers().into_keys();
        let mut answers = sleep.request_many(everyone, nap).timeout(TIMEOUT).start();
        while let Some((peer, answer)) = answers.recv().await {
            match answer {
                Ok(answer) => println!("{peer}: {answer}"),
                Err(error) => println!("{peer} was to sleep for {nap:?}: {error}"),
            }
        }
    }
}
