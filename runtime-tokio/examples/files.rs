//! Sends files and saves those of others, with progress bars. No file is in memory as a whole, so
//! they may be as large as the disk. Run one that receives, and one that sends:
//!
//! ```sh
//! cargo run --release -- relay
//! cargo run --release -p tristero-tokio --example files
//! cargo run --release -p tristero-tokio --example files -- holiday.mkv
//! ```
#![expect(clippy::cast_possible_truncation, reason = "progress is a number from 0 to 1")]

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, ensure};
use clap::Parser;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tokio::{fs, io::AsyncWriteExt as _, task::JoinSet};
use tristero_tokio::{Config, Incoming, Room, RoomEvent, SendFile, join, send_file};

/// Sends files to everyone who joins a room, and saves theirs in `received`; Ctrl-C leaves it.
#[derive(Parser)]
struct Arguments {
    /// What to send
    files: Vec<PathBuf>,
    /// The room
    #[arg(long, default_value = "lobby")]
    room: String,
    /// Where to meet
    #[arg(long, default_value = "ws://127.0.0.1:8080")]
    relay: String,
}

const INTO: &str = "received";

#[tokio::main]
async fn main() -> Result<()> {
    let Arguments { files, room, relay } = Arguments::parse();
    fs::create_dir_all(INTO).await?;
    let room = join(&Config::new("tristero-example-files").relay(relay), &room)?;
    let result = tokio::select! {
        result = share(&room, &files) => result,
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
    };
    room.leave().await;
    result
}

async fn share(room: &Room, files: &[PathBuf]) -> Result<()> {
    let (mut action, mut events) = (room.transfer_action("file")?, room.events());
    let (bars, mut transfers) = (MultiProgress::new(), JoinSet::new());
    loop {
        tokio::select! {
            Some(event) = events.recv() => if let RoomEvent::PeerJoined { peer } = event {
                for path in files {
                    let bar = add_bar(&bars, format!("{} to {peer}", path.display()))?;
                    transfers.spawn(send(send_file(&action, path).to(&peer), bar));
                }
            },
            Some(incoming) = action.recv() => {
                transfers.spawn(save(incoming, bars.clone()));
            }
            Some(ended) = transfers.join_next() => {
                let line = ended?.unwrap_or_else(|error| format!("failed: {error:#}"));
                bars.suspend(|| println!("{line}"));
            }
            else => return Ok(()), // the room was left
        }
    }
}

async fn send(sending: SendFile, bar: ProgressBar) -> Result<String> {
    let what = bar.message();
    let sending = sending.on_progress(move |_, done| bar.set_position((done * 100.0) as u64));
    sending.await.map_err(|error| anyhow!("{what}: {error}"))?;
    Ok(format!("sent {what}"))
}

/// What `tristero_tokio::save` does in one call, with a bar.
async fn save(mut incoming: Incoming, bars: MultiProgress) -> Result<String> {
    // Peers are not trusted: of what may be a path to elsewhere only the last part is taken.
    let name = incoming.metadata.as_ref().and_then(|metadata| metadata["name"].as_str());
    let name = name.and_then(|name| Path::new(name).file_name()).context("a file has no name")?;
    let path = Path::new(INTO).join(name);
    let part = Path::new(INTO).join(format!("{}.part", name.display()));
    ensure!(!path.exists(), "{} is there already", path.display());
    let bar = add_bar(&bars, format!("{} from {}", path.display(), incoming.peer))?;
    let mut file = fs::File::create(&part).await.with_context(|| bar.message())?;
    while let Some(piece) = incoming.piece().await.with_context(|| bar.message())? {
        file.write_all(&piece).await?;
        bar.set_position((incoming.progress() * 100.0) as u64);
    }
    file.flush().await?;
    fs::rename(part, path).await?; // only now, so that what has this name is complete
    Ok(format!("saved {}", bar.message()))
}

fn add_bar(bars: &MultiProgress, what: String) -> Result<ProgressBar> {
    let style = ProgressStyle::with_template("{percent:>3}% {wide_bar} {eta:>3} {msg}")?;
    Ok(bars.add(ProgressBar::new(100).with_style(style).with_message(what)))
}
