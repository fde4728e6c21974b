//! Files of audio and video that come from anyone.

use std::io::Cursor;

use tristero_media_files::{FileName, Form, Sink, Source};

/// Reads bytes as a file, and writes what was read to other files. A file has no more frames than
/// bytes.
pub fn run(bytes: &[u8]) {
    let Ok(mut source) = Source::open(Cursor::new(bytes), "") else { return };
    let mut sinks = [Form::Separate, Form::Webm].map(|form| Sink::new(form, create));
    let tracks: Vec<_> = sinks
        .iter_mut()
        .map(|sink| {
            let kinds = source.tracks().iter().map(|track| track.codec.kind());
            kinds.map(|kind| sink.add_track(kind).expect("a file has no more")).collect::<Vec<_>>()
        })
        .collect();
    let mut frames = 0;
    while let Ok(Some((track, frame))) = source.next_frame() {
        frames += 1;
        assert!(frames <= bytes.len(), "more frames than bytes");
        for (sink, tracks) in sinks.iter_mut().zip(&tracks) {
            // What is no frame of its codec is refused, and the next one may be.
            let _ = sink.write(tracks[track], &frame, frame.time.since_beginning());
        }
    }
    for sink in sinks {
        let _ = sink.finish();
    }
}

#[expect(clippy::unnecessary_wraps, reason = "a file may not be there to be written")]
fn create(_: FileName) -> std::io::Result<Cursor<Vec<u8>>> {
    Ok(Cursor::new(Vec::new()))
}
