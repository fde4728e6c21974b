//! One file as tracks of frames, whatever its form.

use std::io::{BufReader, Read, Seek};
use std::time::Duration;

use tristero_proto::media::{Codec, MediaFrame, MediaTime};

use crate::error::ReadError;
use crate::ivf::{self, IvfReader};
use crate::ogg_opus::{self, OggOpusReader};
use crate::opus;
use crate::raw::{self, RawReader};
use crate::track::FileTrack;
use crate::webm::{self, WebmReader};

/// Frames of a file, in the order in which they stand in it.
///
/// ```
/// use std::io::Cursor;
/// use tristero_media_files::Source;
/// use tristero_proto::media::Codec;
///
/// // A second of silence, told from its name; other forms are known by what is in them.
/// let mut source = Source::open(Cursor::new(vec![0xff; 8_000]), "silence.ul")?;
/// assert_eq!(source.tracks()[0].codec, Codec::Pcmu);
/// let mut frames = 0;
/// while let Some((track, frame)) = source.next_frame()? {
///     assert_eq!((track, frame.bytes.len()), (0, 160));
///     frames += 1;
/// }
/// assert_eq!(frames, 50);
/// # Ok::<(), tristero_media_files::ReadError>(())
/// ```
#[derive(Debug)]
pub struct Source<R> {
    reader: Reader<R>,
    tracks: Vec<FileTrack>,
    repeats: bool,
    /// What is added to times: the passes through the file that are over.
    passed: Duration,
    /// Of this pass.
    ends: Vec<Ending>,
    passes: u64,
}

#[derive(Debug)]
enum Reader<R> {
    Ivf(IvfReader<BufReader<R>>),
    OggOpus(OggOpusReader<BufReader<R>>),
    Webm(WebmReader<BufReader<R>>),
    Raw(RawReader<BufReader<R>>),
}

/// How far a track is in this pass.
#[derive(Clone, Copy, Debug, Default)]
enum Ending {
    /// No frame yet.
    #[default]
    Empty,
    Ends {
        last: Duration,
        /// How long the last frame is, as far as can be told.
        lasts: Duration,
    },
}

impl<R: Read + Seek> Source<R> {
    /// Tells by its first bytes what it is, and reads its headers. Files without any are told by the
    /// ending of `name`: `.g722`, `.ul`, `.al`.
    pub fn open(from: R, name: &str) -> Result<Self, ReadError> {
        let mut from = BufReader::new(from);
        let mut magic = Vec::new();
        from.by_ref().take(4).read_to_end(&mut magic)?;
        from.rewind()?;
        let reader = if magic == ivf::MAGIC {
            Reader::Ivf(IvfReader::new(from)?)
        } else if magic == ogg_opus::PAGE_MAGIC {
            Reader::OggOpus(OggOpusReader::new(from)?)
        } else if magic == webm::MAGIC {
            Reader::Webm(WebmReader::new(from)?)
        } else {
            let codec = raw::codec_of_name(name).ok_or(ReadError::UnknownForm)?;
            Reader::Raw(RawReader::new(from, codec)?)
        };
        let tracks = match &reader {
            Reader::Ivf(reader) => vec![reader.track()],
            Reader::OggOpus(reader) => vec![reader.track()],
            Reader::Webm(reader) => reader.tracks().to_vec(),
            Reader::Raw(reader) => vec![reader.track()],
        };
        let ends = vec![Ending::Empty; tracks.len()];
        Ok(Source { reader, tracks, repeats: false, passed: Duration::ZERO, ends, passes: 0 })
    }

    /// Whether it begins anew after its last frame. Times go on; a file without any frame ends, and so
    /// does one whose frames take no time.
    #[must_use]
    pub fn repeating(mut self, repeats: bool) -> Self {
        self.repeats = repeats;
        self
    }

    /// The next frame, and the index of its track in [`Source::tracks`]; `None` at the end.
    pub fn next_frame(&mut self) -> Result<Option<(usize, MediaFrame)>, ReadError> {
        loop {
            if let Some((track, mut frame)) = self.read()? {
                self.ends[track].advance(&frame);
                let rate = frame.time.rate();
                let passed = MediaTime::of(frame.codec, self.passed).rescaled(rate).ticks();
                let ticks = frame.time.ticks().saturating_add(passed);
                frame.time = MediaTime::new(ticks, rate);
                return Ok(Some((track, frame)));
            }
            let length = self.ends.iter().filter_map(|end| end.at()).max();
            // A pass that takes no time would be followed by the next at once, for ever.
            let length = length.filter(|length| self.repeats && !length.is_zero());
            let Some(length) = length else { return Ok(None) };
            self.rewind()?;
            self.passed = self.passed.saturating_add(length);
            self.passes += 1;
            self.ends.fill(Ending::Empty);
        }
    }

    /// What is in the file.
    pub fn tracks(&self) -> &[FileTrack] {
        &self.tracks
    }

    /// How often it was read to its end and begun anew.
    pub fn passes(&self) -> u64 {
        self.passes
    }

    fn read(&mut self) -> Result<Option<(usize, MediaFrame)>, ReadError> {
        let first = |frame: Option<MediaFrame>| frame.map(|frame| (0, frame));
        match &mut self.reader {
            Reader::Ivf(reader) => reader.next_frame().map(first),
            Reader::OggOpus(reader) => reader.next_frame().map(first),
            Reader::Webm(reader) => reader.next_frame(),
            Reader::Raw(reader) => reader.next_frame().map(first),
        }
    }

    fn rewind(&mut self) -> Result<(), ReadError> {
        match &mut self.reader {
            Reader::Ivf(reader) => reader.rewind(),
            Reader::OggOpus(reader) => reader.rewind(),
            Reader::Webm(reader) => reader.rewind(),
            Reader::Raw(reader) => reader.rewind(),
        }
    }
}

impl Ending {
    fn advance(&mut self, frame: &MediaFrame) {
        let now = frame.time.since_beginning();
        let lasts = match (*self, frame.codec) {
            (_, Codec::Opus) => {
                MediaTime::new(opus::samples(&frame.bytes).unwrap_or(0), opus::RATE)
                    .since_beginning()
            }
            (_, Codec::Pcmu | Codec::Pcma | Codec::G722) => SOUND,
            (Ending::Empty, _) => PICTURE,
            // A picture is shown as long as the one before it.
            (Ending::Ends { last, lasts }, _) => {
                now.checked_sub(last).filter(|step| !step.is_zero()).unwrap_or(lasts)
            }
        };
        *self = Ending::Ends { last: now, lasts };
    }

    fn at(self) -> Option<Duration> {
        match self {
            Ending::Empty => None,
            Ending::Ends { last, lasts } => Some(last.saturating_add(lasts)),
        }
    }
}

/// What [`RawReader`] makes its frames of.
const SOUND: Duration = Duration::from_millis(20);
/// If a file has a single one.
const PICTURE: Duration = Duration::from_millis(40);
