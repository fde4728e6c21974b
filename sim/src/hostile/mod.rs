//! Peers that say what no honest peer says.
//!
//! A hostile peer is a node like any other, so that it is found, connected and let in; what it sends
//! is spoiled on the way out, on each layer by itself: frames to relays, descriptions and
//! candidates before they are sealed, messages of the channel, and datagrams. So its garbage is
//! nearly right, which gets further than noise does.

mod engine;
mod spoil;

use bytes::Bytes;
use tristero_proto::Rng;
use tristero_proto::signaling::LinkFrame;

pub use engine::SimEngine;
use spoil::{spoil_bytes, spoil_text};

/// How much of what a peer sends is spoiled: so many of a hundred on each layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Malice {
    /// Frames to relays.
    pub frames: u8,
    /// Descriptions and candidates, which are sealed after that.
    pub signals: u8,
    /// Messages of the channel, some of which are also followed by another.
    pub messages: u8,
    /// Datagrams.
    pub datagrams: u8,
}

impl Malice {
    /// The same on every layer.
    pub fn everywhere(percent: u8) -> Self {
        Malice { frames: percent, signals: percent, messages: percent, datagrams: percent }
    }

    pub(crate) fn is_none(self) -> bool {
        self == Malice::default()
    }
}

/// What spoils the frames that a peer sends to relays.
#[derive(Debug)]
pub(crate) struct FrameSpoiler {
    percent: u8,
    rng: Rng,
}

impl FrameSpoiler {
    pub(crate) fn new(malice: Malice, rng: Rng) -> Self {
        FrameSpoiler { percent: malice.frames, rng }
    }

    /// What is sent in place of a frame.
    pub(crate) fn spoil(&mut self, frame: LinkFrame) -> LinkFrame {
        if !is_drawn(&mut self.rng, self.percent) {
            return frame;
        }
        match frame {
            LinkFrame::Text(text) => LinkFrame::Text(spoil_text(&text, &mut self.rng)),
            LinkFrame::Binary(bytes) => {
                LinkFrame::Binary(Bytes::from(spoil_bytes(&bytes, &mut self.rng)))
            }
        }
    }
}

fn is_drawn(rng: &mut Rng, percent: u8) -> bool {
    rng.below(100) < u64::from(percent)
}
