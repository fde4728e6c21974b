//! One section of a session, and who sends in it what.

use tristero_proto::TrackId;
use tristero_proto::engine::IncomingTrack;
use tristero_proto::media::{Codec, MediaKind, Msid};

use super::extensions::Extension;
use super::formats::Numbered;
use super::parse::{Feedback, Label};

/// One section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    /// That of the data channel.
    Data,
    /// One that may carry a track each way.
    Media(Box<MediaSection>),
    /// One that is not wanted, or no more. Its place may be taken by another.
    Refused { label: Label, mid: String },
}

/// A section that may carry a track each way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MediaSection {
    pub(crate) mid: String,
    pub(crate) kind: MediaKind,
    pub(crate) maker: Maker,
    /// What it is named by if it has to be refused.
    pub(crate) label: Label,
    /// What may be sent in it, the best first. If there is none, its one format is one that we don't
    /// know, and str0m is not told of the section.
    pub(crate) formats: Vec<Numbered>,
    pub(crate) extensions: Vec<(Extension, u8)>,
    pub(crate) feedback: Feedback,
    pub(crate) sending: Option<Sending>,
    pub(crate) receiving: Option<Receiving>,
    pub(crate) past: Past,
    /// Whether an offer of ours offers to receive in it though they send nothing there yet.
    pub(crate) invites: bool,
}

/// Whether the other side ever sent in a section. A browser puts a track only into one in which it
/// never did (`addTrack` of the WebRTC specification), and at any moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Past {
    Unused,
    Used,
}

/// Who brought a section into the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Maker {
    Us,
    Them,
}

/// A track of ours in a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sending {
    pub(crate) track: TrackId,
    pub(crate) msid: Msid,
    pub(crate) ssrc: u32,
    /// That of retransmissions.
    pub(crate) repair_ssrc: u32,
    /// What it may be encoded as, the best first; anything if there is nothing.
    pub(crate) wished: Vec<Codec>,
    /// What the other side takes, the best first; nothing until it has said.
    pub(crate) taken: Vec<Numbered>,
}

/// A track of theirs in a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Receiving {
    pub(crate) track: IncomingTrack,
    pub(crate) msid: Option<Msid>,
    /// The sources of its packets; if there are none, they are not known.
    pub(crate) ssrcs: Vec<u32>,
}

/// Which half of an exchange something is said in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Half {
    Offer,
    Answer,
}

impl Section {
    pub(crate) fn media(&self) -> Option<&MediaSection> {
        match self {
            Section::Media(media) => Some(media),
            Section::Data | Section::Refused { .. } => None,
        }
    }

    /// What it is called, if it is not that of the data channel.
    pub(crate) fn mid(&self) -> Option<&str> {
        match self {
            Section::Data => None,
            Section::Media(media) => Some(&media.mid),
            Section::Refused { mid, .. } => Some(mid),
        }
    }

    pub(crate) fn media_mut(&mut self) -> Option<&mut MediaSection> {
        match self {
            Section::Media(media) => Some(media),
            Section::Data | Section::Refused { .. } => None,
        }
    }
}

impl MediaSection {
    /// Whether we send in it. An offer says what we would like, an answer what was agreed on.
    pub(crate) fn sends(&self, half: Half) -> bool {
        self.sending.as_ref().is_some_and(|sending| half == Half::Offer || sending.is_taken())
    }

    /// Notes what both sides have agreed on for now.
    pub(crate) fn note_use(&mut self) {
        if self.receiving.is_some() {
            self.past = Past::Used;
        }
    }

    /// Whether we receive in it, or would.
    pub(crate) fn receives(&self, half: Half) -> bool {
        self.receiving.is_some() || half == Half::Offer && self.invites
    }

    /// Whether packets say that they belong to it, without which nobody knows.
    pub(crate) fn has_mid(&self) -> bool {
        self.extensions.iter().any(|(extension, _)| *extension == Extension::Mid)
    }

    /// Whether what is sent in it is repeated for who missed it.
    pub(crate) fn is_repaired(&self) -> bool {
        self.formats.iter().any(|numbered| numbered.repair.is_some())
    }

    /// The same section, refused.
    pub(crate) fn refused(&self) -> Section {
        Section::Refused { label: self.label.clone(), mid: self.mid.clone() }
    }

    /// Whether a track that may be encoded as these can be sent here.
    pub(crate) fn has_codec_of(&self, wished: &[Codec]) -> bool {
        let is_wished = |codec| wished.is_empty() || wished.contains(&codec);
        self.formats.iter().any(|known| is_wished(known.format.codec()))
    }
}

impl Sending {
    pub(crate) fn is_taken(&self) -> bool {
        !self.taken.is_empty()
    }

    /// Notes what the other side takes of what the section has.
    pub(crate) fn take(&mut self, theirs: &[Numbered], formats: &[Numbered]) {
        let is_wished = |numbered: &&Numbered| {
            self.wished.is_empty() || self.wished.contains(&numbered.format.codec())
        };
        let is_known = |numbered: &&Numbered| formats.iter().any(|known| known.is_same(numbered));
        let mut taken: Vec<Numbered> =
            theirs.iter().filter(is_wished).filter(is_known).copied().collect();
        // What was meant first stays so: later descriptions of browsers have an order of their own.
        let place = |known: &Numbered| {
            let before = self.taken.iter().position(|was| was.format == known.format);
            before.unwrap_or(usize::MAX)
        };
        taken.sort_by_key(place);
        self.taken = taken;
    }

    /// How its frames may be encoded, the best first, each codec once.
    pub(crate) fn codecs(&self) -> Vec<Codec> {
        let mut codecs = Vec::new();
        for codec in self.taken.iter().map(|numbered| numbered.format.codec()) {
            if !codecs.contains(&codec) {
                codecs.push(codec);
            }
        }
        codecs
    }
}
