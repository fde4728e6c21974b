//! Files as a stream that is sent.
//!
//! Files are read by threads of their own, a little ahead, and what they hold is written to tracks
//! when it is due. All files begin at one moment.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use tokio::sync::mpsc;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, sleep};
use tristero_media_files::{ReadError, Source};
use tristero_tokio::{LocalStream, LocalTrack, MediaError, MediaFrame};

use super::pace::{Due, Pace};

/// Frames of a file that are read ahead.
const AHEAD: usize = 64;

/// Files that are to be sent together.
#[derive(Debug)]
pub(crate) struct Program {
    files: Vec<ProgramFile>,
}

#[derive(Debug)]
struct ProgramFile {
    path: PathBuf,
    source: Source<File>,
    tracks: Vec<LocalTrack>,
}

/// Files that are being sent. Dropping this ends it.
#[derive(Debug)]
pub(crate) struct Playing(JoinSet<Result<Played, PlayError>>);

/// What became of a file.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Played {
    /// Frames that were written, whether or not somebody took them.
    pub(crate) written: u64,
    /// Frames that came too late to be.
    pub(crate) late: u64,
    /// Frames that are larger than what can be sent.
    pub(crate) too_large: u64,
}

/// Why a file is not sent, or not to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlayError {
    #[error("{} can't be opened: {why}", .path.display())]
    Open { path: PathBuf, why: io::Error },
    #[error("{} {why}", .path.display())]
    Read { path: PathBuf, why: ReadError },
    #[error("{} can't be sent: {why}", .path.display())]
    Send { path: PathBuf, why: MediaError },
}

impl Program {
    /// Opens the files, and reads their headers.
    pub(crate) async fn open(paths: Vec<PathBuf>, repeats: bool) -> Result<Self, PlayError> {
        let open = move || {
            let open = |path: PathBuf| ProgramFile::open(path, repeats);
            Ok(Program { files: paths.into_iter().map(open).collect::<Result<_, _>>()? })
        };
        spawn_blocking(open).await.expect("opening files never panics")
    }

    /// All their tracks.
    pub(crate) fn tracks(&self) -> Vec<LocalTrack> {
        self.files.iter().flat_map(|file| file.tracks.iter().cloned()).collect()
    }

    /// All their tracks as a stream.
    pub(crate) fn stream(&self) -> LocalStream {
        LocalStream::new(self.tracks())
    }

    /// Sends them from now on.
    pub(crate) fn play(self) -> Playing {
        let begun = Instant::now();
        let mut playing = JoinSet::new();
        for file in self.files {
            playing.spawn(file.play(begun));
        }
        Playing(playing)
    }
}

impl Playing {
    /// Waits for the end of all files.
    ///
    /// # Errors
    ///
    /// The first that there is; the others are not sent any further then.
    pub(crate) async fn end(&mut self) -> Result<Played, PlayError> {
        let mut all = Played::default();
        while let Some(played) = self.0.join_next().await {
            let Played { written, late, too_large } = played.expect("playing never panics")?;
            all.written += written;
            all.late += late;
            all.too_large += too_large;
        }
        Ok(all)
    }
}

impl ProgramFile {
    fn open(path: PathBuf, repeats: bool) -> Result<Self, PlayError> {
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(why) => return Err(PlayError::Open { path, why }),
        };
        let source = match Source::open(file, &path.to_string_lossy()) {
            Ok(source) => source.repeating(repeats),
            Err(why) => return Err(PlayError::Read { path, why }),
        };
        let tracks = source.tracks().iter().map(|track| LocalTrack::of(track.codec)).collect();
        Ok(ProgramFile { path, source, tracks })
    }

    async fn play(self, begun: Instant) -> Result<Played, PlayError> {
        let ProgramFile { path, source, tracks } = self;
        let mut paces: Vec<Pace> = tracks.iter().map(|_| Pace::default()).collect();
        let mut frames = read_ahead(source);
        let mut first = None;
        let mut played = Played::default();
        while let Some(frame) = frames.recv().await {
            let (track, frame) =
                frame.map_err(|why| PlayError::Read { path: path.clone(), why })?;
            let time = frame.time.since_beginning();
            let at = time.saturating_sub(*first.get_or_insert(time));
            match paces[track].judge(&frame, at, begun.elapsed()) {
                Due::Never => {
                    played.late += 1;
                    continue;
                }
                Due::In(left) => sleep(left).await,
                Due::Now => {}
            }
            match tracks[track].write(&frame) {
                Ok(_) => played.written += 1,
                Err(MediaError::TooLarge { .. }) => played.too_large += 1,
                Err(why) => return Err(PlayError::Send { path, why }),
            }
        }
        Ok(played)
    }
}

/// Reads in a thread of its own, until its end, or until nobody takes what it reads.
fn read_ahead(mut source: Source<File>) -> mpsc::Receiver<Result<(usize, MediaFrame), ReadError>> {
    let (frames, taken) = mpsc::channel(AHEAD);
    spawn_blocking(move || {
        while let Some(frame) = source.next_frame().transpose() {
            let is_last = frame.is_err();
            if frames.blocking_send(frame).is_err() || is_last {
                return;
            }
        }
    });
    taken
}
