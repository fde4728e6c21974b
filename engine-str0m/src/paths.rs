//! Which connections a path belongs to.
//!
//! STUN requests name their connection; everything else is known by the pair of addresses it
//! travelled between. A path is learned in two steps: when we check it, so that answers find their
//! connection, and when a STUN message with the right key came over it: only then does it carry
//! DTLS. Nobody is ever displaced by a forged source address: connections share a path, and each
//! is offered what arrives there. A DTLS record that is not its own fails authentication and is
//! dropped without harm. Two nodes share a path for good reason when they hold two connections
//! for a moment, since each has one socket.

use std::collections::{BTreeMap, VecDeque};

use tristero_proto::ConnId;
use tristero_proto::engine::Path;

use crate::limits::{CONNS_PER_PATH_MAX, PATHS_PER_CONN_MAX};

/// How well a connection knows a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    /// We sent a check.
    Tried,
    /// A STUN message with the right key came over it.
    Heard,
}

/// The paths of all connections.
#[derive(Debug, Default)]
pub(crate) struct Paths {
    sharers: BTreeMap<Path, Vec<(ConnId, Standing)>>,
    of_conn: BTreeMap<ConnId, Known>,
}

/// The paths of one connection, by how well it knows them. Each is bounded.
#[derive(Debug, Default)]
struct Known {
    /// The oldest first.
    tried: VecDeque<Path>,
    heard: Vec<Path>,
}

impl Paths {
    /// Notes that we check a path. The oldest one that brought no answer may be forgotten for it.
    pub(crate) fn try_out(&mut self, path: Path, conn: ConnId) {
        if self.standing(path, conn).is_some() {
            return;
        }
        let tried = &mut self.of_conn.entry(conn).or_default().tried;
        tried.push_back(path);
        let forgotten = if tried.len() > PATHS_PER_CONN_MAX { tried.pop_front() } else { None };
        if let Some(forgotten) = forgotten {
            self.leave(forgotten, conn);
        }
        self.join(path, conn, Standing::Tried);
    }

    /// Notes that a STUN message with the right key came over a path; false if the connection has
    /// too many of those.
    pub(crate) fn hear(&mut self, path: Path, conn: ConnId) -> bool {
        let standing = self.standing(path, conn);
        if standing == Some(Standing::Heard) {
            return true;
        }
        let known = self.of_conn.entry(conn).or_default();
        if known.heard.len() >= PATHS_PER_CONN_MAX {
            return false;
        }
        known.heard.push(path);
        if standing == Some(Standing::Tried) {
            known.tried.retain(|tried| *tried != path);
            self.leave(path, conn);
        }
        self.join(path, conn, Standing::Heard);
        true
    }

    /// The connections that know this path at least so well.
    pub(crate) fn conns_on(
        &self,
        path: Path,
        least: Standing,
    ) -> [Option<ConnId>; CONNS_PER_PATH_MAX] {
        let mut conns = [None; CONNS_PER_PATH_MAX];
        let sharers = self.sharers.get(&path).into_iter().flatten();
        let known_well = sharers.filter(|(_, standing)| *standing >= least);
        for (slot, (conn, _)) in conns.iter_mut().zip(known_well) {
            *slot = Some(*conn);
        }
        conns
    }

    /// Forgets all paths of a connection.
    pub(crate) fn forget(&mut self, conn: ConnId) {
        let Some(known) = self.of_conn.remove(&conn) else { return };
        for path in known.tried.into_iter().chain(known.heard) {
            self.leave(path, conn);
        }
    }

    /// Forgets all paths of a connection but one, if it knows that.
    pub(crate) fn forget_but(&mut self, conn: ConnId, kept: Option<Path>) {
        let is_proven = |path: &Path| self.standing(*path, conn) == Some(Standing::Heard);
        let kept = kept.filter(is_proven);
        self.forget(conn);
        if let Some(kept) = kept {
            self.hear(kept, conn);
        }
    }

    fn standing(&self, path: Path, conn: ConnId) -> Option<Standing> {
        let sharers = self.sharers.get(&path)?;
        sharers.iter().find(|(sharer, _)| *sharer == conn).map(|(_, standing)| *standing)
    }

    /// Puts a connection on a path, in the place of another if it is crowded.
    fn join(&mut self, path: Path, conn: ConnId, standing: Standing) {
        let sharers = self.sharers.entry(path).or_default();
        if sharers.len() >= CONNS_PER_PATH_MAX {
            let least = (0..sharers.len()).min_by_key(|index| sharers[*index].1);
            let (displaced, _) = sharers.remove(least.expect("it is full, not empty"));
            if let Some(known) = self.of_conn.get_mut(&displaced) {
                known.tried.retain(|tried| *tried != path);
                known.heard.retain(|heard| *heard != path);
            }
        }
        sharers.push((conn, standing));
    }

    fn leave(&mut self, path: Path, conn: ConnId) {
        if let Some(sharers) = self.sharers.get_mut(&path) {
            sharers.retain(|(sharer, _)| *sharer != conn);
            if sharers.is_empty() {
                self.sharers.remove(&path);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(port: u16) -> Path {
        Path { local: ([192, 0, 2, 1], 1).into(), remote: ([192, 0, 2, 2], port).into() }
    }

    fn conns(paths: &Paths, path: Path, least: Standing) -> Vec<u64> {
        paths.conns_on(path, least).into_iter().flatten().map(ConnId::number).collect()
    }

    const A: ConnId = ConnId::from_number(1);
    const B: ConnId = ConnId::from_number(2);

    #[test]
    fn a_path_that_was_only_tried_carries_no_data() {
        let mut paths = Paths::default();
        paths.try_out(path(1), A);
        assert_eq!(conns(&paths, path(1), Standing::Tried), [1]);
        assert!(conns(&paths, path(1), Standing::Heard).is_empty());
        assert!(paths.hear(path(1), A));
        paths.try_out(path(1), A);
        assert_eq!(conns(&paths, path(1), Standing::Heard), [1], "it stays proven");
        paths.forget(A);
        assert_is_empty(&paths);
    }

    #[test]
    fn of_all_paths_one_that_is_proven_may_be_kept() {
        let mut paths = Paths::default();
        assert!(paths.hear(path(1), A) && paths.hear(path(2), A));
        paths.try_out(path(3), A);
        paths.forget_but(A, Some(path(2)));
        assert_eq!(conns(&paths, path(2), Standing::Heard), [1]);
        paths.try_out(path(3), A);
        paths.forget_but(A, Some(path(3)));
        assert_is_empty(&paths);
    }

    #[test]
    fn connections_share_a_path_and_leave_it_one_by_one() {
        let mut paths = Paths::default();
        assert!(paths.hear(path(1), A) && paths.hear(path(1), B));
        assert_eq!(conns(&paths, path(1), Standing::Heard), [1, 2]);
        paths.forget(A);
        assert_eq!(conns(&paths, path(1), Standing::Heard), [2]);
        paths.forget(B);
        assert_is_empty(&paths);
    }

    #[test]
    fn one_connection_has_a_bounded_number_of_proven_paths() {
        let mut paths = Paths::default();
        let max = u16::try_from(PATHS_PER_CONN_MAX).unwrap();
        assert!((0..max).all(|port| paths.hear(path(port), A)));
        assert!(!paths.hear(path(9_999), A));
        assert!(paths.hear(path(0), A), "what is known stays");
        assert!(paths.hear(path(9_999), B), "others are not affected");
    }

    #[test]
    fn checks_that_nobody_answers_leave_room_for_those_that_somebody_does() {
        let mut paths = Paths::default();
        for port in 1..=1_000 {
            paths.try_out(path(port), A);
        }
        assert!(conns(&paths, path(1), Standing::Tried).is_empty(), "the oldest is forgotten");
        assert_eq!(conns(&paths, path(1_000), Standing::Tried), [1]);
        assert_eq!(paths.sharers.len(), PATHS_PER_CONN_MAX);
        assert!(paths.hear(path(1), A) && paths.hear(path(1_000), A));
        paths.forget(A);
        assert_is_empty(&paths);
    }

    #[test]
    fn a_crowd_displaces_first_who_never_heard_anything() {
        let mut paths = Paths::default();
        assert!(paths.hear(path(1), A));
        for number in 2..=100 {
            paths.try_out(path(1), ConnId::from_number(number));
        }
        let sharers = conns(&paths, path(1), Standing::Tried);
        assert_eq!(sharers.len(), CONNS_PER_PATH_MAX);
        assert!(sharers.contains(&1) && sharers.contains(&100) && !sharers.contains(&2));
        for number in 1..=100 {
            paths.forget(ConnId::from_number(number));
        }
        assert_is_empty(&paths);
    }

    fn assert_is_empty(paths: &Paths) {
        assert!(paths.sharers.is_empty() && paths.of_conn.is_empty(), "{paths:?}");
    }
}
