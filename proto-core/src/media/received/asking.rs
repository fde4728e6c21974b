//! When a peer is asked for a key frame of a track.

use std::time::Duration;

use crate::media::{MediaFrame, MediaKind};
use crate::time::Time;

/// Of one track a key frame is not asked for again within this time: it takes as long until one is
/// here, and each is many times as large as other frames.
pub(crate) const KEY_FRAME_PAUSE: Duration = Duration::from_millis(500);

/// The same where somebody new is to see the track, to whom the one that came before is of no use.
const PAUSE_FOR_NEW: Duration = Duration::from_millis(100);

/// Whom a key frame is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Viewer {
    /// Who has seen the track before, perhaps.
    Present,
    /// Somebody who is sent it from now on.
    New,
}

/// Whether one is waited for, and when it was asked for last.
#[derive(Debug)]
pub(super) struct Asking {
    is_waiting: bool,
    asked: Option<Time>,
    /// How long after that it may be asked for again.
    pause: Duration,
}

impl Asking {
    /// Of a track that begins.
    pub(super) fn new(kind: MediaKind) -> Self {
        let is_waiting = kind == MediaKind::Video;
        Asking { is_waiting, asked: None, pause: KEY_FRAME_PAUSE }
    }

    /// A frame came, which may be what is waited for, or show that it has to be.
    pub(super) fn on_frame(&mut self, frame: &MediaFrame) {
        if frame.is_key {
            self.is_waiting = false;
        } else if !frame.is_contiguous && frame.codec.kind() == MediaKind::Video {
            self.is_waiting = true;
        }
    }

    /// One is wanted for another reason. True if it has to be asked for now.
    pub(super) fn want(&mut self, viewer: Viewer, now: Time) -> bool {
        if viewer == Viewer::New {
            self.pause = PAUSE_FOR_NEW;
        }
        self.is_waiting = true;
        self.is_due(now)
    }

    /// Whether it has to be asked for now; then it is taken to be.
    pub(super) fn is_due(&mut self, now: Time) -> bool {
        let is_soon = self.asked.is_some_and(|asked| now.since(asked) < self.pause);
        let is_due = self.is_waiting && !is_soon;
        if is_due {
            (self.asked, self.pause) = (Some(now), KEY_FRAME_PAUSE);
        }
        is_due
    }

    /// Waits for none, because nobody sees whether it comes.
    pub(super) fn forget(&mut self) {
        self.is_waiting = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{Codec, MediaTime};

    fn frame(is_key: bool, is_contiguous: bool) -> MediaFrame {
        let time = MediaTime::new(0, 90_000);
        MediaFrame { codec: Codec::Vp8, time, is_key, is_contiguous, bytes: [1].into() }
    }

    #[test]
    fn a_key_frame_is_asked_for_until_it_comes_but_not_too_often() {
        let mut asking = Asking::new(MediaKind::Video);
        let mut asked = Vec::new();
        for step in 0..40 {
            let now = Time::from_millis(step * 33);
            // It is lost twice, as is something later.
            asking.on_frame(&frame(step == 20, step != 30));
            if asking.is_due(now) {
                asked.push(step);
            }
        }
        assert_eq!(asked, [0, 16, 32]);
    }

    #[test]
    fn a_stream_that_begins_with_a_key_frame_is_asked_for_none_nor_is_audio() {
        let mut asking = Asking::new(MediaKind::Video);
        asking.on_frame(&frame(true, true));
        assert!(!asking.is_due(Time::ZERO));
        assert!(!Asking::new(MediaKind::Audio).is_due(Time::ZERO));
        assert!(asking.want(Viewer::Present, Time::ZERO), "the application asks");
        assert!(!asking.want(Viewer::Present, Time::from_millis(499)));
        assert!(asking.is_due(Time::from_millis(500)), "the second time it asked");
    }

    #[test]
    fn somebody_new_waits_less() {
        let mut asking = Asking::new(MediaKind::Video);
        assert!(asking.is_due(Time::ZERO));
        asking.on_frame(&frame(true, true));
        assert!(!asking.want(Viewer::New, Time::from_millis(40)));
        assert!(!asking.is_due(Time::from_millis(99)));
        assert!(asking.is_due(Time::from_millis(100)));
        assert!(!asking.is_due(Time::from_millis(599)), "once");
        assert!(asking.is_due(Time::from_millis(600)), "it did not come");
    }
}
