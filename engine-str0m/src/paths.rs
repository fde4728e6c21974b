//! Which connections a path belongs to.
//!
//! STUN requests name their connection; everything else is known by the pair of addresses it
//! travelled between. A path is learned in two steps: when we check it, so that answers find their
//! connection, and when a STUN message with the right key came over it: only then does it carry
//! DTLS. Nobody is ever displaced by a forged source address: connections share a path, and each
//! is offered what arrives there. A DTLS record that is not its own fails authentication and is
//! dropped without harm. Two nodes share a path for good reason when they hold two connections
//! for a moment, since each has one socket.

use std::collections::{BTreeMap, BTreeSet};

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
    of_conn: BTreeMap<ConnId, BTreeSet<Path>>,
}

impl Paths {
    /// Notes that a connection uses a path; false if it has too many.
    pub(crate) fn learn(&mut self, path: Path, conn: ConnId, standing: Standing) -> bool {
        let known = self.sharers.get_mut(&path).and_then(|sharers| find(sharers, conn));
        if let Some(known) = known {
            *known = standing.max(*known);
            return true;
        }
        let paths = self.of_conn.entry(conn).or_default();
        if paths.len() >= PATHS_PER_CONN_MAX {
            return false;
        }
        paths.insert(path);
        let sharers = self.sharers.entry(path).or_default();
        if sharers.len() >= CONNS_PER_PATH_MAX {
            let least = (0..sharers.len()).min_by_key(|index| sharers[*index].1);
            let (displaced, _) = sharers.remove(least.expect("it is full, not empty"));
            if let Some(paths) = self.of_conn.get_mut(&displaced) {
                paths.remove(&path);
            }
        }
        sharers.push((conn, standing));
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
        for path in self.of_conn.remove(&conn).into_iter().flatten() {
            if let Some(sharers) = self.sharers.get_mut(&path) {
                sharers.retain(|(sharer, _)| *sharer != conn);
                if sharers.is_empty() {
                    self.sharers.remove(&path);
                }
            }
        }
    }
}

fn find(sharers: &mut [(ConnId, Standing)], conn: ConnId) -> Option<&mut Standing> {
    sharers.iter_mut().find(|(sharer, _)| *sharer == conn).map(|(_, standing)| standing)
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
        assert!(paths.learn(path(1), A, Standing::Tried));
        assert_eq!(conns(&paths, path(1), Standing::Tried), [1]);
        assert!(conns(&paths, path(1), Standing::Heard).is_empty());
        assert!(paths.learn(path(1), A, Standing::Heard));
        assert!(paths.learn(path(1), A, Standing::Tried));
        assert_eq!(conns(&paths, path(1), Standing::Heard), [1], "it stays proven");
    }

    #[test]
    fn connections_share_a_path_and_leave_it_one_by_one() {
        let mut paths = Paths::default();
        paths.learn(path(1), A, Standing::Heard);
        paths.learn(path(1), B, Standing::Heard);
        assert_eq!(conns(&paths, path(1), Standing::Heard), [1, 2]);
        paths.forget(A);
        assert_eq!(conns(&paths, path(1), Standing::Heard), [2]);
        paths.forget(B);
        assert!(paths.sharers.is_empty() && paths.of_conn.is_empty());
    }

    #[test]
    fn one_connection_has_a_bounded_number_of_paths() {
        let mut paths = Paths::default();
        for port in 0..u16::try_from(PATHS_PER_CONN_MAX).unwrap() {
            assert!(paths.learn(path(port), A, Standing::Heard));
        }
        assert!(!paths.learn(path(9_999), A, Standing::Heard));
        assert!(paths.learn(path(0), A, Standing::Heard), "what is known stays");
        assert!(paths.learn(path(9_999), B, Standing::Heard), "others are not affected");
    }

    #[test]
    fn a_crowd_displaces_first_who_never_heard_anything() {
        let mut paths = Paths::default();
        paths.learn(path(1), A, Standing::Heard);
        paths.learn(path(1), B, Standing::Tried);
        for number in 3..=100 {
            paths.learn(path(1), ConnId::from_number(number), Standing::Tried);
        }
        let sharers = conns(&paths, path(1), Standing::Tried);
        assert_eq!(sharers.len(), CONNS_PER_PATH_MAX);
        assert!(sharers.contains(&1) && sharers.contains(&100) && !sharers.contains(&2));
        for number in 1..=100 {
            paths.forget(ConnId::from_number(number));
        }
        assert!(paths.sharers.is_empty() && paths.of_conn.is_empty());
    }
}
