//! In the end, when nothing is wrong any more, everybody knows everybody that he should, and at no
//! time anybody who is long gone.

use std::time::Duration;

use super::{Verdict, ensure};
use crate::common::Who;
use crate::model::record::{Record, VisitId};

/// A connection whose other side is gone without a word ends within this long.
const SILENCE: Duration = Duration::from_secs(12);

/// Who misses whom.
pub fn missing(record: &Record) -> Vec<(VisitId, Who)> {
    let mut missing = Vec::new();
    for visit in record.open_visits() {
        for guest in record.everyone() {
            if should_meet(record, visit, guest) && record.stay(visit, guest).is_none() {
                missing.push((visit, guest));
            }
        }
    }
    missing
}

/// Whether the two are in one room and have nothing between them.
fn should_meet(record: &Record, visit: VisitId, guest: Who) -> bool {
    let here = record.visit(visit);
    let other = record.current(guest, here.place).filter(|_| guest != here.who);
    other.map(|other| record.visit(other)).is_some_and(|there| {
        let password = |manner| here.place.password(manner);
        let are_passive = here.manner.is_passive && there.manner.is_passive;
        password(here.manner) == password(there.manner) && !are_passive
    })
}

/// Who left the room is no member for long.
pub fn check_ghosts(record: &Record) -> Verdict {
    for stay in record.stays.iter().filter(|stay| stay.until.is_none()) {
        let here = record.visit(stay.visit);
        let last = record.visits_to(stay.guest, here.place).next();
        let left = last.and_then(|last| record.visit(last).until);
        let may_be_here = left.is_none_or(|left| record.may_be_under_way(left));
        // Someone who sleeps notices nothing, and a connection that ended so is noticed later.
        let is_excused = !record.is_awake(here.who) || record.was_troubled_lately(SILENCE);
        let is_right = may_be_here || is_excused;
        let (who, place, guest) = (here.who, here.place, stay.guest);
        ensure!(is_right, "{guest:?} left {place:?} at {left:?}, and {who:?} has it still");
    }
    Ok(())
}
