//! Which RTP packets str0m gets to see.
//!
//! str0m looks at a packet's source, and changes what it thinks of its sections by it, before it knows
//! whether the packet is authentic. So only sources pass that a description named, and where one
//! named none, as many as an honest peer may have.

use super::session::Session;
use crate::limits::UNNAMED_SSRCS_MAX;

/// The sources that may pass on one connection.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    /// Sorted.
    named: Vec<u32>,
    /// Whether some track has sources that nobody named.
    has_unnamed: bool,
    /// Those that passed without being named.
    unnamed: Vec<u32>,
}

impl Gate {
    /// Lets those pass that this session has, and no others.
    pub(crate) fn follow(&mut self, session: &Session) {
        let sources = session.received().flat_map(|(_, receiving)| receiving.ssrcs.iter().copied());
        self.named = sources.collect();
        self.named.sort_unstable();
        self.has_unnamed = session.received().any(|(_, receiving)| receiving.ssrcs.is_empty());
        if !self.has_unnamed {
            self.unnamed.clear();
        }
    }

    /// Whether anything is received.
    pub(crate) fn is_shut(&self) -> bool {
        self.named.is_empty() && !self.has_unnamed
    }

    /// Whether a packet may pass. Source 0 is that of probes, which have no content.
    pub(crate) fn admits(&mut self, ssrc: u32) -> bool {
        if self.is_shut() {
            return false;
        }
        if ssrc == 0 || self.named.binary_search(&ssrc).is_ok() || self.unnamed.contains(&ssrc) {
            return true;
        }
        let is_admitted = self.has_unnamed && self.unnamed.len() < UNNAMED_SSRCS_MAX;
        if is_admitted {
            self.unnamed.push(ssrc);
        }
        is_admitted
    }
}
