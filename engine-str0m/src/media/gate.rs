//! Which RTP packets str0m gets to see.
//!
//! str0m looks at a packet's source, and changes what it thinks of its sections by it, before it knows
//! whether the packet is authentic. So only sources pass that a description named, and where one
//! named none, as many as an honest peer may have.
//!
//! And it keeps packets until they make a frame, for each track as many as the largest one has. So
//! where much is kept on a connection, tracks that don't get along have to wait.

use std::collections::BTreeMap;

use tristero_proto::engine::IncomingTrack;

use super::session::Session;
use crate::limits::{KEPT_PACKETS_MAX, KEPT_PACKETS_OF_TRACK, UNNAMED_SSRCS_MAX};

/// The sources that may pass on one connection.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    /// Sorted.
    named: Vec<(u32, IncomingTrack)>,
    /// Tracks whose sources nobody named.
    nameless: Vec<IncomingTrack>,
    /// Sources that passed without being named.
    unnamed: Vec<u32>,
    kept: Kept,
}

/// Packets that passed since the last frame, by the track that they belong to. Of those that have no
/// name that is not known.
#[derive(Debug, Default)]
struct Kept {
    of: BTreeMap<Option<IncomingTrack>, usize>,
    all: usize,
}

impl Gate {
    /// Lets those pass that this session has, and no others.
    pub(crate) fn follow(&mut self, session: &Session) {
        self.named.clear();
        self.nameless.clear();
        for (_, receiving) in session.received() {
            let named = receiving.ssrcs.iter().map(|ssrc| (*ssrc, receiving.track));
            self.named.extend(named);
            if receiving.ssrcs.is_empty() {
                self.nameless.push(receiving.track);
            }
        }
        self.named.sort_unstable();
        if self.nameless.is_empty() {
            self.unnamed.clear();
        }
        self.kept.forget(|track| session.received().all(|(_, known)| Some(known.track) != track));
    }

    /// Whether nothing is received.
    pub(crate) fn is_shut(&self) -> bool {
        self.named.is_empty() && self.nameless.is_empty()
    }

    /// Whether a packet may pass. Source 0 is that of probes, which have no content.
    pub(crate) fn admits(&mut self, ssrc: u32) -> bool {
        if self.is_shut() || ssrc == 0 {
            return !self.is_shut();
        }
        let named = self.named.binary_search_by_key(&ssrc, |(named, _)| *named);
        let track = named.ok().map(|index| self.named[index].1);
        if track.is_none() && !self.admits_unnamed(ssrc) {
            return false;
        }
        self.kept.take(track)
    }

    /// Notes that a track got along.
    pub(crate) fn on_frame(&mut self, track: IncomingTrack) {
        let is_nameless = self.nameless.contains(&track);
        self.kept.forget(|kept| kept == Some(track) || is_nameless && kept.is_none());
    }

    fn admits_unnamed(&mut self, ssrc: u32) -> bool {
        if self.nameless.is_empty() || self.unnamed.contains(&ssrc) {
            return !self.nameless.is_empty();
        }
        let has_room = self.unnamed.len() < UNNAMED_SSRCS_MAX;
        if has_room {
            self.unnamed.push(ssrc);
        }
        has_room
    }
}

impl Kept {
    /// Counts one more, if there is room for it.
    fn take(&mut self, track: Option<IncomingTrack>) -> bool {
        let of_track = self.of.entry(track).or_default();
        if self.all >= KEPT_PACKETS_MAX && *of_track >= KEPT_PACKETS_OF_TRACK {
            return false;
        }
        *of_track += 1;
        self.all += 1;
        true
    }

    fn forget(&mut self, is_gone: impl Fn(Option<IncomingTrack>) -> bool) {
        self.of.retain(|track, count| {
            let stays = !is_gone(*track);
            if !stays {
                self.all -= *count;
            }
            stays
        });
    }
}
