//! Tracks of a peer that are written to files.
//!
//! A thread of its own writes, so that a slow disk holds up the frames of its own recording alone: they
//! wait in the bounds of the room, and beyond are dropped and counted as a gap.

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::Instant;
use tristero_media_files::{FileName, Form, Sink, SinkStats, WriteError, Written};
use tristero_tokio::{MediaFrame, MediaKind};

use super::claims::Claimed;
use crate::chat::numbered;

/// Frames that wait for the thread that writes.
const WAITING: usize = 64;
/// Names that are tried for a file.
const NUMBER_MAX: u32 = 10_000;

/// Where a recording goes.
#[derive(Clone, Debug)]
pub(crate) struct RecordingFiles {
    pub(crate) folder: PathBuf,
    /// What the names of its files begin with; see [`RecordingFiles::label`].
    pub(crate) label: String,
    pub(crate) form: Form,
}

/// What was recorded.
#[derive(Debug)]
pub(crate) struct Recorded {
    /// Of each track, in the order in which they were given.
    pub(crate) tracks: Vec<(MediaKind, SinkStats)>,
    pub(crate) files: Vec<PathBuf>,
}

struct Arrived {
    track: usize,
    frame: MediaFrame,
    at: Duration,
}

impl RecordingFiles {
    /// What files of a peer are called by: the letters and digits of its id, which is a stranger's
    /// word.
    pub(crate) fn label(peer: &str, number: u64) -> String {
        const LETTERS_MAX: usize = 20;
        let letters = peer.chars().filter(char::is_ascii_alphanumeric).take(LETTERS_MAX);
        let name: String = letters.collect();
        format!("{}-{number}", if name.is_empty() { "peer" } else { &name })
    }

    /// Begins a file, and never replaces one.
    fn create(&self, name: FileName) -> io::Result<(PathBuf, File)> {
        fs::create_dir_all(&self.folder)?;
        let name = format!("{}-{name}", self.label);
        for number in 1..=NUMBER_MAX {
            let path = self.folder.join(numbered(&name, number));
            match File::create_new(&path) {
                Ok(file) => return Ok((path, file)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        let many = format!("{NUMBER_MAX} files are called {name} already");
        Err(io::Error::new(io::ErrorKind::AlreadyExists, many))
    }
}

/// What is told of a recording.
#[derive(Debug)]
pub(crate) enum Step<'a> {
    /// A file begins.
    File(&'a Path),
    /// A frame of so many bytes was written.
    Frame(usize),
}

/// Records these tracks up to their end.
pub(crate) async fn record(
    tracks: Vec<Claimed>,
    files: RecordingFiles,
    on_step: impl Fn(Step<'_>) + Send + 'static,
) -> Result<Recorded, WriteError> {
    let kinds: Vec<MediaKind> = tracks.iter().map(|(track, _)| track.kind()).collect();
    let wanted: Arc<[AtomicBool]> = tracks.iter().map(|_| AtomicBool::new(false)).collect();
    let (frames, arrived) = mpsc::channel(WAITING);
    let begun = Instant::now();
    let mut reading = JoinSet::new();
    for (index, track) in tracks.into_iter().enumerate() {
        reading.spawn(read(track, index, frames.clone(), wanted.clone(), begun));
    }
    drop(frames);
    let write = move || write(&kinds, arrived, &wanted, &files, on_step);
    spawn_blocking(write).await.expect("writing never panics")
}

/// Hands on what comes, and asks for a key frame where the file can't go on without.
async fn read(
    (mut track, _claim): Claimed,
    index: usize,
    frames: mpsc::Sender<Arrived>,
    wanted: Arc<[AtomicBool]>,
    begun: Instant,
) {
    while let Some(frame) = track.recv().await {
        let arrived = Arrived { track: index, frame, at: begun.elapsed() };
        if frames.send(arrived).await.is_err() {
            return;
        }
        if wanted[index].swap(false, Ordering::Relaxed) {
            track.request_key_frame();
        }
    }
}

fn write(
    kinds: &[MediaKind],
    mut arrived: mpsc::Receiver<Arrived>,
    wanted: &[AtomicBool],
    files: &RecordingFiles,
    on_step: impl Fn(Step<'_>),
) -> Result<Recorded, WriteError> {
    let mut paths = Vec::new();
    let mut sink = Sink::new(files.form, |name| {
        let (path, file) = files.create(name)?;
        on_step(Step::File(&path));
        paths.push(path);
        Ok(BufWriter::new(file))
    });
    let tracks =
        kinds.iter().map(|kind| sink.add_track(*kind)).collect::<Result<Vec<_>, WriteError>>()?;
    let mut result = Ok(());
    while let Some(Arrived { track, frame, at }) = arrived.blocking_recv() {
        match sink.write(tracks[track], &frame, at) {
            Ok(Written::Taken) => on_step(Step::Frame(frame.bytes.len())),
            Ok(Written::LeftOut) => wanted[track].store(true, Ordering::Relaxed),
            Err(error) => {
                result = Err(error);
                break;
            }
        }
    }
    // What was written before an error is to be of use.
    let stats = sink.finish();
    result?;
    Ok(Recorded { tracks: kinds.iter().copied().zip(stats?).collect(), files: paths })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_has_nothing_of_a_path() {
        assert_eq!(RecordingFiles::label("../aB3/..", 1), "aB3-1");
        assert_eq!(RecordingFiles::label("…", 2), "peer-2");
        assert_eq!(RecordingFiles::label(&"x".repeat(99), 3).len(), 22);
    }
}
