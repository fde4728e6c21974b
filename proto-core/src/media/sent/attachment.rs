//! A track that goes to one peer.

use crate::engine::MediaOutcome;
use crate::ids::{StreamKey, TrackId};
use crate::media::{Codec, KEY_FRAME_PAUSE, MediaFrame, MediaKind, Msid, SentTrack, TrackSpec};
use crate::time::Time;

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Attachment {
    /// What the engine calls it. Each attachment has a number of its own, so that a track that is
    /// removed and added again, or replaced, is never taken for another.
    pub(super) wire: TrackId,
    pub(super) stream: StreamKey,
    pub(super) key: String,
    pub(super) msid: Msid,
    /// Whether it was announced alone, and not as a part of its stream.
    pub(super) is_alone: bool,
    spec: TrackSpec,
    standing: Standing,
    /// Whether nothing but a key frame is of use.
    awaits_key: bool,
    /// When a key frame was asked for last.
    asked: Option<Time>,
}

/// How far the other side knows of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It has not been offered, or in vain.
    Wanted,
    /// It is offered.
    Offered,
    /// It was answered, with these codecs; none if it is refused.
    Answered(Vec<Codec>),
}

/// What to do with a frame or a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passed {
    /// It goes under this number.
    To(TrackId),
    /// It is of no use, and whether a key frame has to be asked for.
    Dropped { asks: bool },
}

impl Attachment {
    pub(super) fn new(
        wire: TrackId,
        stream: StreamKey,
        (key, msid): (String, Msid),
        is_alone: bool,
        spec: TrackSpec,
    ) -> Self {
        let awaits_key = spec.kind == MediaKind::Video;
        let standing = Standing::Wanted;
        let asked = None;
        Attachment { wire, stream, key, msid, is_alone, spec, standing, awaits_key, asked }
    }

    /// It is offered.
    pub(super) fn propose(&mut self) -> SentTrack {
        if self.standing == Standing::Wanted {
            self.standing = Standing::Offered;
        }
        SentTrack {
            track: self.wire,
            kind: self.spec.kind,
            msid: self.msid.clone(),
            codecs: self.spec.codecs.clone(),
        }
    }

    pub(super) fn on_rolled_back(&mut self) {
        if self.standing == Standing::Offered {
            self.standing = Standing::Wanted;
        }
    }

    /// The other side says how it takes it. True if that is new.
    pub(super) fn on_agreed(&mut self, codecs: &[Codec]) -> bool {
        let answered = Standing::Answered(codecs.to_vec());
        let is_new = self.standing != answered;
        self.standing = answered;
        is_new
    }

    /// The offer was answered, and nothing more is said of it.
    pub(super) fn on_answered(&mut self) {
        if self.standing == Standing::Offered {
            self.standing = Standing::Answered(Vec::new());
        }
    }

    /// Whether it has to be offered.
    pub(super) fn is_wanted(&self) -> bool {
        self.standing == Standing::Wanted
    }

    /// Whether the other side has said whether it takes it.
    pub(super) fn is_settled(&self) -> bool {
        matches!(self.standing, Standing::Answered(_))
    }

    /// Whether the other side takes it.
    pub(super) fn is_agreed(&self) -> bool {
        !self.agreed().is_empty()
    }

    /// Something else is sent in its place. True if that has to be offered.
    pub(super) fn replace(&mut self, spec: &TrackSpec) -> bool {
        let before = std::mem::replace(&mut self.spec, spec.clone());
        self.break_off();
        match &self.standing {
            Standing::Wanted => false,
            // What comes of that offer is about the old one.
            Standing::Offered => before.codecs != spec.codecs,
            // Who refused the old one may take this.
            Standing::Answered(agreed) => {
                let is_agreed = |codec: &Codec| agreed.contains(codec);
                let fits = spec.codecs.is_empty() || spec.codecs.iter().any(is_agreed);
                agreed.is_empty() || !fits
            }
        }
    }

    /// What comes next does not follow what came before.
    pub(super) fn break_off(&mut self) {
        self.awaits_key = self.spec.kind == MediaKind::Video;
    }

    /// `is_contiguous` is whether nothing that comes before it was lost on its way to us.
    pub(super) fn pass_frame(
        &mut self,
        frame: &MediaFrame,
        is_contiguous: bool,
        now: Time,
    ) -> Passed {
        if !self.agreed().contains(&frame.codec) {
            return Passed::Dropped { asks: false };
        }
        self.awaits_key |= !is_contiguous && self.spec.kind == MediaKind::Video;
        if self.awaits_key && !frame.is_key {
            return Passed::Dropped { asks: self.may_ask(now) };
        }
        Passed::To(self.wire)
    }

    pub(super) fn pass_packet(&self, codec: Codec) -> Passed {
        if self.agreed().contains(&codec) {
            Passed::To(self.wire)
        } else {
            Passed::Dropped { asks: false }
        }
    }

    /// What became of a frame. True if a key frame has to be asked for.
    pub(super) fn on_sent(&mut self, outcome: MediaOutcome, now: Time) -> bool {
        self.awaits_key = match outcome {
            MediaOutcome::Taken => false,
            MediaOutcome::Full | MediaOutcome::Unwanted => self.spec.kind == MediaKind::Video,
        };
        self.awaits_key && self.may_ask(now)
    }

    /// Whether a key frame may be asked for now; then it is taken to be.
    pub(super) fn may_ask(&mut self, now: Time) -> bool {
        let is_soon = self.asked.is_some_and(|asked| now.since(asked) < KEY_FRAME_PAUSE);
        if !is_soon {
            self.asked = Some(now);
        }
        !is_soon
    }

    fn agreed(&self) -> &[Codec] {
        match &self.standing {
            Standing::Answered(codecs) => codecs,
            Standing::Wanted | Standing::Offered => &[],
        }
    }
}
