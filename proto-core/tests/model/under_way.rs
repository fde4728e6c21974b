//! What was begun and has to end: each kind of thing that a room hands out a number for.

use std::collections::{BTreeMap, BTreeSet};

use tristero_proto::{PeerId, SendReport, Time};

use super::record::{StayId, VisitId};
use crate::common::Who;

/// A call of `send`, `send_stream` or `respond`.
#[derive(Debug)]
pub struct Send {
    pub since: Time,
    /// Who is to get it.
    pub targets: BTreeSet<Who>,
    /// Those of them that have not left since.
    pub staying: BTreeSet<Who>,
    /// Who was no member when it was sent.
    pub absent: BTreeSet<PeerId>,
    pub wants_progress: bool,
    pub fractions: BTreeMap<Who, f64>,
    pub feeding: Feeding,
    pub is_aborted: bool,
    pub report: Option<SendReport>,
}

/// How a call of `send_stream` stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feeding {
    /// It is no stream, or all was fed.
    Done,
    /// It is asked for more, and `SendReady` was not said since.
    Owing { parcel: usize },
    /// `SendReady` was said.
    Ready { parcel: usize },
}

impl Send {
    pub fn is_open(&self) -> bool {
        self.report.is_none()
    }
}

/// A request of ours.
#[derive(Debug)]
pub struct Asked {
    pub parcel: usize,
    pub since: Time,
    /// Who is asked; none if it was no member.
    pub target: Option<(Who, StayId)>,
    pub timeout_ms: Option<u64>,
    pub wants_progress: bool,
    pub state: AskedState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskedState {
    Open,
    Answered,
    Aborted,
}

/// A request of a peer.
#[derive(Debug)]
pub struct Call {
    pub peer: Who,
    pub parcel: usize,
    pub is_open: bool,
}

#[derive(Debug)]
pub struct Ping {
    pub peer: Who,
    pub stay: StayId,
    pub since: Time,
    pub is_open: bool,
}

/// A run of the application's handshake.
#[derive(Debug)]
pub struct Greeting {
    pub peer: Who,
    pub is_open: bool,
    /// The number of the last message that came.
    pub last_word: Option<u64>,
}

/// Something that arrives piece by piece.
#[derive(Debug)]
pub struct Transfer {
    pub peer: Who,
    pub action: usize,
    /// The parcel, once it is known.
    pub parcel: Option<usize>,
    pub bytes: Vec<u8>,
    pub is_open: bool,
}

/// Things of one kind that are under way in one visit.
pub fn of_visit<K: Copy + Ord, T>(
    all: &BTreeMap<(VisitId, K), T>,
    visit: VisitId,
) -> impl Iterator<Item = (K, &T)> {
    all.iter().filter(move |((of, _), _)| *of == visit).map(|((_, key), thing)| (*key, thing))
}
