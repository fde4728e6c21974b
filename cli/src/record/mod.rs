//! `tristero record`: what peers send becomes files.
//!
//! Stdout has the paths of the files as they begin; what else there is to say goes to stderr.

mod progress;

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;
use tristero_media_files::{Form, SinkStats, WriteError};
use tristero_tokio::{MediaConfig, PeerId, RemoteTrack, Room, RoomEvents};

use crate::args::RecordArguments;
use crate::chat::{NODE_ENDED, first_relay};
use crate::exit::Failure;
use crate::joining;
use crate::media::{Claimed, Claims, Notes, Recorded, RecordingFiles, Step, called, record};
use crate::signals::StopSignals;
use progress::Progress;

/// Records until it is told to stop, or its time is over.
pub(crate) async fn run(arguments: RecordArguments) -> Result<(), Failure> {
    let mut signals = StopSignals::listen()?;
    let folder = &arguments.out;
    fs::create_dir_all(folder).map_err(|error| {
        Failure::running(format!("the folder {} can't be made: {error}", folder.display()))
    })?;
    let mut media = MediaConfig::default();
    if !arguments.codecs.is_empty() {
        media.codecs.clone_from(&arguments.codecs);
    }
    let room = joining::join_with(&arguments.room, media)?;
    let node = room.node().clone();
    let mut events = room.events();
    let mut recorder = Recorder::new(&arguments);
    let wait = arguments.room.wait;
    let patience = arguments.duration.map_or(wait, |duration| duration.min(wait));
    let work = async {
        first_relay(&mut events, patience).await?;
        recorder.run(&room, &mut events).await
    };
    let outcome = tokio::select! {
        // Where no relay was reached until the end, that is what is told.
        biased;
        outcome = work => outcome,
        () = signals.next() => Ok(()),
        () = over(arguments.duration) => Ok(()),
    };
    room.leave().await;
    // The tracks have ended with the room, and their files with them.
    let finished = recorder.finish().await;
    node.shut_down().await;
    outcome.and(finished)
}

async fn over(duration: Option<Duration>) {
    match duration {
        Some(duration) => sleep(duration).await,
        None => std::future::pending().await,
    }
}

struct Recorder {
    files: RecordingFiles,
    /// How many recordings were begun.
    number: u64,
    /// What is recorded now: a peer may tell of a stream as often as it likes.
    claims: Claims,
    progress: Progress,
    /// Bounded by what the peers of a room may send.
    running: JoinSet<(PeerId, Result<Recorded, WriteError>)>,
}

impl Recorder {
    fn new(arguments: &RecordArguments) -> Self {
        let form = if arguments.webm { Form::Webm } else { Form::Separate };
        let files = RecordingFiles { folder: arguments.out.clone(), label: String::new(), form };
        let (claims, progress) = (Claims::default(), Progress::begin());
        Recorder { files, number: 0, claims, progress, running: JoinSet::new() }
    }

    async fn run(&mut self, room: &Room, events: &mut RoomEvents) -> Result<(), Failure> {
        let (mut streams, mut tracks) = (room.peer_streams(), room.peer_tracks());
        let mut notes = Notes::default();
        self.progress.aside(|| eprintln!("recording what is sent in this room; Ctrl-C ends it"));
        loop {
            tokio::select! {
                Some(arrived) = streams.recv() => self.begin(&arrived.peer, arrived.stream.tracks),
                Some(arrived) = tracks.recv() => self.begin(&arrived.peer, vec![arrived.track]),
                Some(ended) = self.running.join_next() => {
                    let (peer, recorded) = ended.map_err(Failure::running)?;
                    self.progress.aside(|| report(&peer, recorded))?;
                }
                event = events.recv() => {
                    let event = event.ok_or_else(|| Failure::running(NODE_ENDED))?;
                    self.progress.aside(|| notes.note(&event));
                }
            }
        }
    }

    fn begin(&mut self, peer: &PeerId, tracks: Vec<RemoteTrack>) {
        for group in self.claims.claim_groups(tracks) {
            self.begin_group(peer, group);
        }
    }

    fn begin_group(&mut self, peer: &PeerId, tracks: Vec<Claimed>) {
        self.number += 1;
        let label = RecordingFiles::label(peer.as_str(), self.number);
        let kinds: Vec<String> = tracks.iter().map(|(track, _)| track.kind().to_string()).collect();
        self.progress.aside(|| eprintln!("{} sends {}", called(peer), kinds.join(" and ")));
        let files = RecordingFiles { label, ..self.files.clone() };
        let peer = peer.clone();
        let progress = self.progress.clone();
        let on_step = move |step: Step<'_>| match step {
            Step::File(path) => progress.aside(|| print(path)),
            Step::Frame(bytes) => progress.add(bytes as u64),
        };
        self.running.spawn(async move { (peer, record(tracks, files, on_step).await) });
    }

    async fn finish(mut self) -> Result<(), Failure> {
        let mut outcome = Ok(());
        while let Some(ended) = self.running.join_next().await {
            let (peer, recorded) = ended.map_err(Failure::running)?;
            outcome = outcome.and(self.progress.aside(|| report(&peer, recorded)));
        }
        self.progress.end();
        outcome
    }
}

/// Says where a file is. That nobody reads it is no reason to stop recording.
fn print(path: &Path) {
    let _ = writeln!(io::stdout(), "{}", path.display());
}

/// Says what became of a recording. Others go on, whatever one peer sends.
///
/// # Errors
///
/// Fails if no other recording can be written either.
fn report(peer: &PeerId, recorded: Result<Recorded, WriteError>) -> Result<(), Failure> {
    let peer = called(peer);
    match recorded {
        Ok(recorded) => {
            for (kind, stats) in recorded.tracks {
                eprintln!("{peer}: {}", describe(&kind.to_string(), &stats));
            }
            Ok(())
        }
        Err(error) => {
            let lost = format!("the rest of what {peer} sends is lost: {error}");
            if concerns_all(&error) {
                return Err(Failure::Running(lost));
            }
            eprintln!("{lost}");
            Ok(())
        }
    }
}

/// Whether it is the disk or the folder, and not what one peer sends.
fn concerns_all(error: &WriteError) -> bool {
    use io::ErrorKind::{
        NotADirectory, NotFound, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull,
    };
    let WriteError::Io(error) = error else { return false };
    matches!(
        error.kind(),
        NotADirectory
            | NotFound
            | PermissionDenied
            | QuotaExceeded
            | ReadOnlyFilesystem
            | StorageFull
    )
}

fn describe(kind: &str, stats: &SinkStats) -> String {
    let Some(codec) = stats.codec else { return format!("{kind} without a frame") };
    let SinkStats { frames, left_out, length, .. } = *stats;
    let seconds = length.as_secs_f64();
    let missing = match left_out {
        0 => String::new(),
        1 => ", and 1 left out that can't be decoded".to_owned(),
        many => format!(", and {many} left out that can't be decoded"),
    };
    format!("{kind} of {seconds:.1} s, {frames} frames of {codec}{missing}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_told() {
        assert_eq!(describe("video", &SinkStats::default()), "video without a frame");
    }

    #[test]
    fn what_one_peer_sends_ends_the_recording_of_no_other() {
        let peer = PeerId::new("peer").unwrap();
        let report = |error| report(&peer, Err(error));
        assert_eq!(report(WriteError::Tracks), Ok(()));
        let many_files = io::Error::other("too many open files");
        assert_eq!(report(WriteError::Io(many_files)), Ok(()));
        let full = WriteError::Io(io::ErrorKind::StorageFull.into());
        assert!(matches!(report(full), Err(Failure::Running(_))));
    }

    #[test]
    fn an_id_is_shown_in_the_order_of_its_letters() {
        let peer = PeerId::new("a\u{202e}b").unwrap();
        let full = WriteError::Io(io::ErrorKind::StorageFull.into());
        let Err(Failure::Running(said)) = report(&peer, Err(full)) else {
            panic!("a full disk concerns all");
        };
        assert!(!said.contains('\u{202e}'), "{said:?}");
    }
}
