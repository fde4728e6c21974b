//! A peer that is gone is a member no longer than its bound.
//!
//! Nothing is heard of it for 9 s, then its connection is closed. If it is heard and what it sends does
//! not pass, its goodbye among it, it gives up after 20 s. Whoever sleeps notices when it wakes.
//!
//! One in JavaScript drops a peer without closing the connection. If it leaves then, the other is not
//! told, and it is a member until its process ends. Between two in JavaScript that is not our affair.

use std::time::Duration;

use tristero_proto::Time;

use super::{Check, Verdict, ensure};
use crate::soak::record::{Character, Known, Record, State, Visit, VisitId};
use crate::world::{Who, World};

/// How long a peer may be a member after it is gone.
const GHOST_MAX: Duration = Duration::from_secs(35);

#[derive(Debug)]
pub(super) struct Ghosts;

impl Check for Ghosts {
    fn name(&self) -> &'static str {
        "ghosts"
    }

    fn look(&mut self, _: &World, record: &Record) -> Verdict {
        for (visit, known) in record.open_visits() {
            let host = &record.peers[&visit.who];
            let is_settled = record.now.since(host.since) > GHOST_MAX;
            let is_ours = host.state == State::Awake && host.character == Character::Honest;
            if is_ours && (is_settled || host.since == known.from) {
                self.look_at(visit, known, record)?;
            }
        }
        Ok(())
    }
}

impl Ghosts {
    fn look_at(&self, visit: VisitId, known: &Visit, record: &Record) -> Verdict {
        for (id, since) in &known.members {
            let is_there = record.visit_of(known.place, id).is_some();
            if is_there || record.now.since(*since) <= GHOST_MAX {
                continue;
            }
            let of_id = record.peers.iter().filter(|(who, known)| {
                known.id == *id && !(record.is_js(visit.who) && record.is_js(**who))
            });
            let gone = of_id.map(|(who, peer)| gone_since(*who, peer, visit, record)).max();
            let Some(gone) = gone else { continue };
            ensure!(
                record.now.since(gone) <= GHOST_MAX,
                "{id} is gone since {gone:?}, and still a member for {:?}",
                visit.who,
            );
        }
        Ok(())
    }
}

/// When a process left this place last.
fn gone_since(who: Who, peer: &Known, as_seen_by: VisitId, record: &Record) -> Time {
    let at = &record.visits[&as_seen_by];
    let visits =
        record.visits.iter().filter(|(id, visit)| id.who == who && visit.place == at.place);
    let left = visits.filter_map(|(_, visit)| visit.until).max();
    match peer.state {
        State::Crashed => left.unwrap_or(peer.since).min(peer.since),
        // Its goodbye may have been spoiled.
        State::Awake if peer.character == Character::Hostile => record.now,
        State::Awake | State::Asleep if record.was_dropped_by(&peer.id, as_seen_by) => record.now,
        State::Awake | State::Asleep => left.unwrap_or(record.now),
    }
}
