//! The files of `data`, and files in memory.
#![allow(dead_code, unreachable_pub)] // Each test has its part of it.

use std::io::{Cursor, Read, Result, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tristero_media_files::{Form, Sink, Source, is_key_frame};
use tristero_proto::media::{Codec, MediaFrame, MediaTime};

pub const NAMES: [&str; 7] =
    ["vp8.ivf", "vp9.ivf", "av1.ivf", "sine.opus", "vp8-opus.webm", "vp9-opus.webm", "av1.webm"];

pub fn bytes(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    std::fs::read(path).expect("a file of data")
}

pub fn open(name: &str) -> Source<Cursor<Vec<u8>>> {
    Source::open(Cursor::new(bytes(name)), name).expect("its headers")
}

pub fn frames<R: Read + Seek>(source: &mut Source<R>) -> Vec<(usize, MediaFrame)> {
    std::iter::from_fn(|| source.next_frame().expect("sound")).collect()
}

/// The frames of a file with one track.
pub fn of(name: &str) -> Vec<MediaFrame> {
    frames(&mut open(name)).into_iter().map(|(_, frame)| frame).collect()
}

/// Frames of every codec of video.
pub fn videos() -> [Vec<MediaFrame>; 4] {
    [of("vp8.ivf"), of("vp9.ivf"), of("av1.ivf"), access_units()]
}

/// A key frame of each codec that needs bytes of its own, and sound of which any bytes are.
pub fn one_of_each() -> Vec<MediaFrame> {
    let silence = MediaFrame {
        codec: Codec::Pcmu,
        time: MediaTime::new(0, 8_000),
        is_key: true,
        is_contiguous: true,
        bytes: Arc::from(vec![0xff; 160]),
    };
    let frames = videos().into_iter().chain([of("sine.opus"), vec![silence]]);
    frames.map(|frames| frames[0].clone()).collect()
}

/// The pictures of the file of H.264, which has no container: each has one slice, and ends with it.
pub fn access_units() -> Vec<MediaFrame> {
    let bytes = bytes("baseline.h264");
    let starts: Vec<usize> = (0..bytes.len() - 4)
        .filter(|at| bytes[*at..].starts_with(&[0, 0, 1]))
        .map(|at| if at > 0 && bytes[at - 1] == 0 { at - 1 } else { at })
        .collect();
    let mut units: Vec<Vec<u8>> = vec![Vec::new()];
    for (index, start) in starts.iter().enumerate() {
        let unit = &bytes[*start..starts.get(index + 1).copied().unwrap_or(bytes.len())];
        units.last_mut().expect("one").extend_from_slice(unit);
        let kind = unit[if unit[2] == 1 { 3 } else { 4 }] & 0x1f;
        if kind == 1 || kind == 5 {
            units.push(Vec::new());
        }
    }
    units.pop();
    (0_u64..)
        .zip(units)
        .map(|(index, unit)| MediaFrame {
            codec: Codec::H264,
            time: MediaTime::new(index * 3_000, 90_000),
            is_key: is_key_frame(Codec::H264, &unit),
            is_contiguous: true,
            bytes: Arc::from(unit),
        })
        .collect()
}

/// A file in memory that is still there when its writer is gone.
#[derive(Clone, Default)]
pub struct File(Arc<Mutex<Cursor<Vec<u8>>>>);

impl File {
    pub fn bytes(&self) -> Vec<u8> {
        self.0.lock().expect("whole").get_ref().clone()
    }
}

impl Write for File {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.0.lock().expect("whole").write(bytes)
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

impl Seek for File {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        self.0.lock().expect("whole").seek(to)
    }
}

/// Gives these bytes to every writer as a frame; whether all took them.
pub fn write_everywhere(codec: Codec, bytes: &[u8]) -> bool {
    let frame = MediaFrame {
        codec,
        time: MediaTime::new(77, codec.clock_rate()),
        is_key: true,
        is_contiguous: true,
        bytes: Arc::from(bytes),
    };
    [Form::Separate, Form::Webm].into_iter().all(|form| {
        let mut sink = Sink::new(form, |_| Ok(File::default()));
        let track = sink.add_track(codec.kind()).expect("few");
        let written = sink.write(track, &frame, Duration::ZERO).is_ok();
        written & sink.finish().is_ok()
    })
}

/// A file on a disk that is full after some bytes.
pub struct Full {
    left: usize,
    file: File,
}

impl Full {
    pub fn after(bytes: usize, file: File) -> Self {
        Full { left: bytes, file }
    }
}

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let length = bytes.len().min(self.left);
        if length == 0 {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        self.left -= length;
        self.file.write(&bytes[..length])
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

impl Seek for Full {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        self.file.seek(to)
    }
}
