//! Copies a file of audio and video to files as a recording would have: `copy FILE DIR [webm]`.
//!
//! What it makes can be looked at by ffprobe and by players.

use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;

use tristero_media_files::{Form, Sink, Source};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [from, to, rest @ ..] = &arguments[..] else {
        return Err("copy FILE DIR [webm]".into());
    };
    let form = if rest.is_empty() { Form::Separate } else { Form::Webm };
    let directory = PathBuf::from(to);
    std::fs::create_dir_all(&directory)?;
    let mut source = Source::open(File::open(from)?, from)?;
    let mut sink = Sink::new(form, |name| {
        let path = directory.join(name.to_string());
        println!("{}", path.display());
        File::create(path).map(BufWriter::new)
    });
    let tracks = source
        .tracks()
        .iter()
        .map(|track| sink.add_track(track.codec.kind()))
        .collect::<Result<Vec<_>, _>>()?;
    while let Some((track, frame)) = source.next_frame()? {
        sink.write(tracks[track], &frame, frame.time.since_beginning())?;
    }
    for stats in sink.finish()? {
        println!("{stats:?}");
    }
    Ok(())
}
