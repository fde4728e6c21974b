//! `tristero play`: files become what others see and hear.

use std::time::Duration;

use tokio::time::sleep;
use tristero_tokio::{LocalStream, PeerId, Room, RoomEvent, RoomEvents};

use crate::args::PlayArguments;
use crate::chat::{NODE_ENDED, first_relay};
use crate::exit::Failure;
use crate::joining;
use crate::media::{Notes, Program, called};
use crate::signals::StopSignals;

/// Sends the files to their end, or until it is told to stop.
pub(crate) async fn run(arguments: PlayArguments) -> Result<(), Failure> {
    let mut signals = StopSignals::listen()?;
    let program =
        Program::open(arguments.files, arguments.repeats).await.map_err(Failure::running)?;
    let room = joining::join(&arguments.room)?;
    let node = room.node().clone();
    let mut events = room.events();
    let work = async {
        first_relay(&mut events, arguments.room.wait).await?;
        play(&room, &mut events, program).await
    };
    let outcome = tokio::select! {
        outcome = work => outcome,
        () = signals.next() => Ok(()),
    };
    room.leave().await;
    node.shut_down().await;
    outcome
}

async fn play(room: &Room, events: &mut RoomEvents, program: Program) -> Result<(), Failure> {
    let stream = program.stream();
    let mut notes = Notes::default();
    eprintln!("waiting for somebody to play to");
    while !is_taken(room, &stream, next_peer(events, &mut notes).await?).await? {}
    let mut playing = program.play();
    let played = loop {
        tokio::select! {
            played = playing.end() => break played.map_err(Failure::running)?,
            peer = next_peer(events, &mut notes) => drop(peer?),
        }
    };
    // The room is left when this returns, and the last frames are still on their way.
    sleep(LINGER).await;
    eprintln!("played {} frames to the end", played.written);
    if played.late > 0 {
        eprintln!("{} were too late, and left out", played.late);
    }
    if played.too_large > 0 {
        eprintln!("{} were too large to be sent, and left out", played.too_large);
    }
    Ok(())
}

/// Offers the stream, and says whether somebody takes it.
async fn is_taken(room: &Room, stream: &LocalStream, peer: PeerId) -> Result<bool, Failure> {
    // Of a stream that nobody took nothing is left to be removed.
    room.remove_stream(stream).ok();
    let added = room.add_stream(stream).await.map_err(Failure::running)?;
    for (peer, why) in &added.failed {
        eprintln!("{} does not get it: {why}", called(peer));
    }
    if added.taken.contains(&peer) {
        eprintln!("playing to {}", called(&peer));
    }
    Ok(!added.taken.is_empty())
}

/// Waits for the next one who joins, and says what else is to be known.
async fn next_peer(events: &mut RoomEvents, notes: &mut Notes) -> Result<PeerId, Failure> {
    loop {
        let event = events.recv().await.ok_or_else(|| Failure::running(NODE_ENDED))?;
        notes.note(&event);
        if let RoomEvent::PeerJoined { peer } = event {
            return Ok(peer);
        }
    }
}

/// Longer than a frame is on its way, lost packets and all.
const LINGER: Duration = Duration::from_millis(500);
