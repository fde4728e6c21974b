//! A peer that sends the audio and video of each member on to all others, so that each has to send it
//! once (a selective forwarding unit). Nothing is decoded, and nothing but this program knows that it
//! is one. Start it, and any number of peers that play and record:
//!
//! ```sh
//! cargo run --release -- relay
//! cargo run -p tristero-tokio --example forward
//! cargo run --release -- play stage film.webm --loop --app tristero-example-forward --relay ws://127.0.0.1:8080
//! ```
//!
//! Who plays to everyone is seen twice by those who are not told that it is forwarded: in a room of
//! its own kind members add their streams `.to(&forwarder)` alone.

use std::collections::BTreeMap;

use clap::Parser;
use serde_json::json;
use tristero_tokio::{
    Config, LocalStream, LocalTrack, PeerId, PeerStream, PeerStreamId, Relaying, Room, RoomEvent,
    join,
};

/// Sends on what the members of a room send; Ctrl-C leaves.
#[derive(Parser)]
struct Arguments {
    /// The room
    #[arg(long, default_value = "stage")]
    room: String,
    /// Where to meet
    #[arg(long, default_value = "ws://127.0.0.1:8080")]
    relay: String,
}

/// A stream that is sent on.
struct Forwarded {
    from: PeerId,
    stream: LocalStream,
    /// It goes on as long as these are there.
    _relaying: Vec<Relaying>,
}

/// Peers are not trusted, so there is a bound to what is done for them.
const STREAMS_MAX: usize = 50;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Arguments { room, relay } = Arguments::parse();
    let room = join(&Config::new("tristero-example-forward").relay(relay), &room)?;
    println!("forwarding in {room:?}");
    let result = tokio::select! {
        result = forward(&room) => result,
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
    };
    room.leave().await;
    result
}

async fn forward(room: &Room) -> anyhow::Result<()> {
    let (mut events, mut streams) = (room.events(), room.peer_streams());
    let mut forwarded: BTreeMap<PeerStreamId, Forwarded> = BTreeMap::new();
    loop {
        tokio::select! {
            Some(arrived) = streams.recv() => {
                if forwarded.len() < STREAMS_MAX {
                    println!("{} sends something", arrived.peer);
                    forwarded.insert(arrived.stream.id(), begin(room, &arrived)?);
                }
            }
            Some(event) = events.recv() => match event {
                RoomEvent::PeerJoined { peer } => {
                    for Forwarded { stream, from, .. } in forwarded.values() {
                        if *from != peer {
                            send(room, stream, from, std::slice::from_ref(&peer))?;
                        }
                    }
                }
                // What was made of it ends as it is dropped.
                RoomEvent::PeerStreamEnded { stream, .. } => drop(forwarded.remove(&stream)),
                _ => {}
            },
            else => return Ok(()),
        }
    }
}

/// Begins to send a stream on to all others who are there.
fn begin(room: &Room, arrived: &PeerStream) -> anyhow::Result<Forwarded> {
    let from = arrived.peer.clone();
    let others: Vec<PeerId> = room.peers().into_keys().filter(|peer| *peer != from).collect();
    // In any codec: what comes is what goes.
    let tracks: Vec<LocalTrack> =
        arrived.stream.tracks.iter().map(|track| LocalTrack::any(track.kind())).collect();
    let stream = LocalStream::new(tracks.clone());
    send(room, &stream, &from, &others)?;
    let relaying = tracks.iter().zip(&arrived.stream.tracks).map(|(to, from)| to.relay(from));
    let _relaying = relaying.collect::<Result<_, _>>()?;
    Ok(Forwarded { from, stream, _relaying })
}

fn send(room: &Room, stream: &LocalStream, from: &PeerId, to: &[PeerId]) -> anyhow::Result<()> {
    Ok(room.add_stream(stream).to_all(to).metadata(json!({ "from": from.as_str() })).detach()?)
}
