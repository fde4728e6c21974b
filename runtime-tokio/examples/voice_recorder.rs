//! Records a voice room: the sound of each peer goes to an Ogg Opus file of its own, which any player
//! opens. Nothing is decoded. Start it, let somebody speak, and end it by Ctrl-C:
//!
//! ```sh
//! cargo run --release -- relay
//! cargo run -p tristero-tokio --example voice_recorder -- voices
//! cargo run --release -- play voices speech.opus --app tristero-example-voices --relay ws://127.0.0.1:8080
//! ```
//!
//! A browser speaks by `room.addStream(await navigator.mediaDevices.getUserMedia({ audio: true }))`.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use clap::Parser;
use tokio::task::JoinSet;
use tristero_media_files::OggOpusWriter;
use tristero_tokio::blocking::iter;
use tristero_tokio::{Codec, Config, MediaConfig, RemoteTrack, Room, join};

/// Records who speaks in a room; Ctrl-C leaves.
#[derive(Parser)]
struct Arguments {
    /// The room
    #[arg(default_value = "voices")]
    room: String,
    /// The folder that files go to
    #[arg(long, default_value = "recordings")]
    into: PathBuf,
    /// Where to meet
    #[arg(long, default_value = "ws://127.0.0.1:8080")]
    relay: String,
}

/// Peers are not trusted, so there is a bound to what is done for them.
const FILES_MAX: usize = 100;

/// Files that are being written: each is a thread, for writing blocks.
type Files = JoinSet<anyhow::Result<PathBuf>>;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Arguments { room, into, relay } = Arguments::parse();
    fs::create_dir_all(&into)?;
    // Pictures, and sound of other codecs, are refused and never sent.
    let media = MediaConfig { codecs: vec![Codec::Opus], ..MediaConfig::default() };
    let room = join(&Config::new("tristero-example-voices").relay(relay).media(media), &room)?;
    println!("recording {room:?}");
    let mut files = Files::new();
    let result = tokio::select! {
        result = record(&room, &into, &mut files) => result,
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
    };
    // All tracks end by this, and then their files.
    room.leave().await;
    while let Some(file) = files.join_next().await {
        println!("{} is complete", file??.display());
    }
    result
}

async fn record(room: &Room, into: &Path, files: &mut Files) -> anyhow::Result<()> {
    let (mut streams, mut tracks) = (room.peer_streams(), room.peer_tracks());
    let mut begun = 0;
    loop {
        let arrived: Vec<RemoteTrack> = tokio::select! {
            Some(arrived) = streams.recv() => arrived.stream.tracks,
            // One that was added to a stream later on.
            Some(arrived) = tracks.recv() => vec![arrived.track],
            Some(file) = files.join_next() => {
                println!("{} is complete", file??.display());
                continue;
            }
            else => return Ok(()),
        };
        for track in arrived.into_iter().take(FILES_MAX - files.len()) {
            begun += 1;
            let path = into.join(file_name(begun, &track));
            println!("{} speaks", track.peer());
            files.spawn_blocking(move || write(track, path));
        }
    }
}

/// The name of a file. The id of a peer is what that says, and may be no name of a file.
fn file_name(number: u32, track: &RemoteTrack) -> String {
    let id = track.peer().as_str().chars().filter(char::is_ascii_alphanumeric);
    format!("{number:03}-{}.opus", id.take(20).collect::<String>())
}

fn write(track: RemoteTrack, path: PathBuf) -> anyhow::Result<PathBuf> {
    let mut writer = OggOpusWriter::new(BufWriter::new(File::create(&path)?));
    for frame in iter(track) {
        // What is missing is left to the decoder, so that the rest stays at its time.
        writer.write(&frame)?;
    }
    writer.finish()?;
    Ok(path)
}
