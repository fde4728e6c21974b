//! When a frame of a file is due, and what becomes of one that is late.

use std::time::Duration;

use tristero_tokio::{MediaFrame, MediaKind};

/// What is later than this is left out, with all that needs it, so that what follows is in time. What
/// is less late is sent at once.
const LATE_MAX: Duration = Duration::from_millis(200);

/// The pace of one track.
#[derive(Debug, Default)]
pub(super) enum Pace {
    #[default]
    InTime,
    /// Something was left out, and pictures are of no use before a key frame.
    AwaitsKey,
}

/// What to do with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    In(Duration),
    Now,
    /// It is too late.
    Never,
}

impl Pace {
    /// What to do with a frame that is due at `at`, both times from the beginning.
    pub(super) fn judge(&mut self, frame: &MediaFrame, at: Duration, now: Duration) -> Due {
        let is_late = now.saturating_sub(at) > LATE_MAX;
        let is_whole = frame.is_key || frame.codec.kind() == MediaKind::Audio;
        match (&self, is_late, is_whole) {
            (_, true, _) | (Pace::AwaitsKey, false, false) => {
                *self = Pace::AwaitsKey;
                Due::Never
            }
            (Pace::InTime, false, _) | (Pace::AwaitsKey, false, true) => {
                *self = Pace::InTime;
                match at.checked_sub(now).filter(|left| !left.is_zero()) {
                    Some(left) => Due::In(left),
                    None => Due::Now,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tristero_tokio::{Codec, MediaTime};

    use super::*;

    fn judge(pace: &mut Pace, codec: Codec, is_key: bool, at: u64, now: u64) -> Due {
        let time = MediaTime::of(codec, Duration::from_millis(at));
        let bytes = Arc::from([1]);
        let frame = MediaFrame { codec, time, is_key, is_contiguous: true, bytes };
        pace.judge(&frame, Duration::from_millis(at), Duration::from_millis(now))
    }

    #[test]
    fn what_is_early_waits_and_what_is_a_little_late_goes_at_once() {
        let mut pace = Pace::default();
        let early = judge(&mut pace, Codec::Vp8, true, 100, 40);
        assert_eq!(early, Due::In(Duration::from_millis(60)));
        assert_eq!(judge(&mut pace, Codec::Vp8, false, 100, 100), Due::Now);
        assert_eq!(judge(&mut pace, Codec::Vp8, false, 100, 300), Due::Now);
    }

    #[test]
    fn pictures_that_are_too_late_are_left_out_up_to_a_key_frame_in_time() {
        let mut pace = Pace::default();
        assert_eq!(judge(&mut pace, Codec::Vp8, false, 100, 301), Due::Never);
        assert_eq!(judge(&mut pace, Codec::Vp8, true, 133, 400), Due::Never);
        assert_eq!(judge(&mut pace, Codec::Vp8, false, 400, 400), Due::Never);
        assert_eq!(judge(&mut pace, Codec::Vp8, true, 433, 433), Due::Now);
        assert_eq!(judge(&mut pace, Codec::Vp8, false, 466, 466), Due::Now);
    }

    #[test]
    fn of_sound_only_what_is_late_is_left_out() {
        let mut pace = Pace::default();
        assert_eq!(judge(&mut pace, Codec::Opus, true, 100, 301), Due::Never);
        assert_eq!(judge(&mut pace, Codec::Opus, true, 120, 301), Due::Now);
    }
}
