//! Files of encoded audio and video, for rooms of Tristero: reading what is to be sent, and writing
//! what was received.
//!
//! Nothing here encodes or decodes, and nothing knows of rooms or of the network: frames are
//! [`MediaFrame`](tristero_proto::media::MediaFrame)s, and files are whatever can be read or written
//! and sought in. All of it blocks, as files do.
//!
//! | form | holds | read | written |
//! |---|---|---|---|
//! | IVF | VP8, VP9, H264, AV1; one track | [`IvfReader`] | [`IvfWriter`] |
//! | Ogg | Opus; one track | [`OggOpusReader`] | [`OggOpusWriter`] |
//! | WebM | VP8, VP9, AV1, Opus; several tracks | [`WebmReader`] | [`WebmWriter`] |
//! | none | G722, PCMU, PCMA; one track | [`RawReader`] | [`RawWriter`] |
//!
//! [`Source`] is one file of any of them, [`Sink`] the tracks of a peer to whatever files they need.
//! What is written is read by ffmpeg, by browsers and by players; a file whose writing broke off can
//! be played up to there.
//!
//! Files are believed as little as peers are: a wrong one is an error, and takes no more memory than
//! [`limits`] say.

mod annex_b;
mod bits;
mod bytes;
mod error;
mod ivf;
mod key_frame;
pub mod limits;
mod obu;
mod ogg_opus;
mod opus;
mod picture;
mod raw;
mod sink;
mod source;
mod track;
mod webm;

pub use error::{ReadError, WriteError};
pub use ivf::{IvfReader, IvfWriter};
pub use key_frame::is_key_frame;
pub use ogg_opus::{OggOpusReader, OggOpusWriter};
pub use raw::{RawReader, RawWriter, codec_of_name};
pub use sink::{FileName, Form, Sink, SinkStats, SinkTrack, Written};
pub use source::Source;
pub use track::FileTrack;
pub use webm::{WebmReader, WebmTrack, WebmWriter};
