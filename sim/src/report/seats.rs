//! Which processes share a line of the page: those of which one began in place of another.

use std::collections::BTreeMap;

use super::recording::{Recording, Stay};
use crate::soak::VisitId;
use crate::world::Who;

/// A place that one process after the other has.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Seat(pub(super) Vec<Who>);

impl Seat {
    /// What it is called: by its processes.
    pub(super) fn name(&self) -> String {
        let numbers: Vec<String> = self.0.iter().map(|who| who.number().to_string()).collect();
        numbers.join(", ")
    }

    /// The stays of its processes in rooms.
    pub(super) fn stays<'a>(
        &'a self,
        recording: &'a Recording,
    ) -> impl Iterator<Item = (VisitId, &'a Stay)> {
        let all = recording.stays.iter().map(|(visit, stay)| (*visit, stay));
        all.filter(|(visit, _)| self.0.contains(&visit.who))
    }
}

/// Gives every process a seat: the one that its id had, or the one that has been empty longest, or
/// one of its own while there are fewer than `at_least`.
pub(super) fn seats(recording: &Recording, at_least: usize) -> Vec<Seat> {
    let processes: BTreeMap<_, _> = recording.processes.iter().collect();
    let mut seats: Vec<Seat> = Vec::new();
    for (who, process) in &processes {
        let last = |seat: &Seat| seat.0.last().map(|last| processes[last]);
        let mut empty: Vec<usize> = (0..seats.len()).collect();
        empty.retain(|seat| {
            let ended = last(&seats[*seat]).and_then(|last| last.life.until);
            ended.is_some_and(|ended| ended <= process.life.from)
        });
        empty.sort_by_key(|seat| last(&seats[*seat]).and_then(|last| last.life.until));
        let same = empty
            .iter()
            .find(|seat| last(&seats[**seat]).is_some_and(|last| last.id == process.id));
        let taken = same.or(empty.first().filter(|_| seats.len() >= at_least)).copied();
        match taken {
            Some(seat) => seats[seat].0.push(**who),
            None => seats.push(Seat(vec![**who])),
        }
    }
    seats
}
