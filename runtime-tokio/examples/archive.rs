//! A peer that is always there and remembers what others wrote, for those who come later. It is
//! passive: in an empty room it is silent, and two of its kind don't meet. Keep an archive in one
//! terminal, and write and read in another:
//!
//! ```sh
//! cargo run --release -- relay
//! cargo run -p tristero-tokio --example archive
//! cargo run -p tristero-tokio --example archive -- write "the first line"
//! cargo run -p tristero-tokio --example archive -- read
//! ```

use std::{collections::VecDeque, future, time::Duration};

use clap::{Parser, Subcommand};
use serde::{Deserialize, Serialize};
use tristero_tokio::{Config, Request, RequestAction, Room, RoomEvent, join};

/// Keeps what others write in a room, or asks for it; Ctrl-C leaves.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    question: Option<Question>,
    /// The room
    #[arg(long, default_value = "library", global = true)]
    room: String,
    /// Where to meet
    #[arg(long, default_value = "ws://127.0.0.1:8080", global = true)]
    relay: String,
}

/// What an archive is asked. Both are answered with all lines.
#[derive(Clone, Subcommand, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Question {
    /// Shows what was written
    Read,
    /// Adds a line
    Write { line: String },
}

type Archive = RequestAction<Question, VecDeque<String>>;

/// Peers are not trusted, so all that is kept for them is bounded.
const LINES_MAX: usize = 1000;
const LINE_BYTES_MAX: usize = 1000;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Arguments { question, room, relay } = Arguments::parse();
    let config = Config::new("tristero-example-archive").relay(relay);
    let room = join(&config.passive(question.is_none()), &room)?;
    let archive: Archive = room.request_action("archive")?;
    let work = async {
        match question {
            None => keep(&archive).await,
            Some(question) => ask(&room, &archive, question).await,
        }
    };
    let result = tokio::select! {
        () = work => Ok(()),
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
    };
    room.leave().await;
    result
}

async fn keep(archive: &Archive) {
    let mut lines = VecDeque::new();
    // It is called for one request after another, so what it keeps needs no lock.
    let mut answer = |request: Request<Question>| match request.value {
        Question::Write { line } if line.len() > LINE_BYTES_MAX => Err("the line is too long"),
        Question::Write { line } => {
            println!("{} writes {line:?}", request.peer);
            lines.truncate(LINES_MAX - 1);
            lines.push_front(line);
            Ok(lines.clone())
        }
        Question::Read => Ok(lines.clone()),
    };
    archive.serve(move |request| future::ready(answer(request))).await;
}

/// Asks whoever joins until somebody answers. Other readers don't: they have nothing to.
async fn ask(room: &Room, archive: &Archive, question: Question) {
    let mut events = room.events();
    while let Some(event) = events.recv().await {
        let RoomEvent::PeerJoined { peer } = event else { continue };
        match archive.request(&peer, question.clone()).timeout(Duration::from_secs(5)).await {
            Ok(lines) => {
                lines.iter().rev().for_each(|line| println!("{line:?}"));
                return;
            }
            Err(error) => eprintln!("no answer from {peer}: {error}"),
        }
    }
}
