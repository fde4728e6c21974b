//! Plays a video into a room, again and again, for browsers to see. Start it:
//!
//! ```sh
//! cargo run --release -- relay
//! cargo run -p tristero-tokio --example video_to_browser -- film.ivf
//! ```
//!
//! A page on npm's Trystero shows it by this:
//!
//! ```js
//! import { joinRoom } from './ws-relay.mjs' // interop/js/ws-relay.mjs, on npm's @trystero-p2p/core
//!
//! const config = { appId: 'tristero-example-video', relayConfig: { urls: ['ws://127.0.0.1:8080'] } }
//! const room = joinRoom(config, 'cinema')
//! room.onPeerStream = (stream, peerId, metadata) => {
//!   const video = document.body.appendChild(document.createElement('video'))
//!   // Browsers play nothing with sound before somebody has clicked.
//!   Object.assign(video, { srcObject: stream, title: metadata.title, autoplay: true, muted: true })
//! }
//! ```
//!
//! `ffmpeg -i film.mp4 -c:v libvpx -b:v 1M -g 60 film.ivf` makes such a file; WebM has sound too. Who
//! joins sees something from the next key frame on (`-g`, in frames), for a file can't make one when
//! it is wanted. An encoder can: see `LocalTrack::key_frame_wanted`.

use std::fs::File;
use std::path::PathBuf;

use clap::Parser;
use serde_json::json;
use tokio::time::{Instant, sleep_until};
use tristero_media_files::Source;
use tristero_tokio::{Config, LocalStream, LocalTrack, Room, RoomEvent, join};

/// Plays a video into a room; Ctrl-C leaves.
#[derive(Parser)]
struct Arguments {
    /// The file: IVF or WebM
    file: PathBuf,
    /// The room
    #[arg(long, default_value = "cinema")]
    room: String,
    /// Where to meet
    #[arg(long, default_value = "ws://127.0.0.1:8080")]
    relay: String,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Arguments { file, room, relay } = Arguments::parse();
    let title = file.display().to_string();
    let source = Source::open(File::open(&file)?, &title)?.repeating(true);
    let room = join(&Config::new("tristero-example-video").relay(relay), &room)?;

    let tracks: Vec<LocalTrack> =
        source.tracks().iter().map(|track| LocalTrack::of(track.codec)).collect();
    // For those who are there and those who come.
    let stream = LocalStream::new(tracks.clone());
    room.add_stream(&stream).metadata(json!({ "title": title })).detach()?;

    let result = tokio::select! {
        played = play(source, &tracks) => played,
        told = tell(&room) => told,
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
    };
    room.leave().await;
    result
}

/// Writes each frame when it is due, which is the pace at which all see it.
async fn play(mut source: Source<File>, tracks: &[LocalTrack]) -> anyhow::Result<()> {
    let begun = Instant::now();
    // Reading a file blocks, for so short a time that a program with little else to do may.
    while let Some((track, frame)) = source.next_frame()? {
        sleep_until(begun + frame.time.since_beginning()).await;
        tracks[track].write(&frame)?;
    }
    Ok(())
}

async fn tell(room: &Room) -> anyhow::Result<()> {
    let mut events = room.events();
    while let Some(event) = events.recv().await {
        match event {
            RoomEvent::PeerJoined { peer } => println!("{peer} is there"),
            RoomEvent::PeerLeft { peer, .. } => println!("{peer} has left"),
            _ => {}
        }
    }
    Ok(())
}
