//! What must hold of every event, and of the record at the end. One file per promise.

pub mod admittance;
pub mod asking;
pub mod delivery;
pub mod endings;
pub mod membership;
pub mod reunion;

use std::fmt;

use tristero_proto::Event;

use super::record::{Record, Visit, VisitId};
use crate::common::Who;

/// A promise that was not kept.
#[derive(Debug)]
pub struct Violation(pub String);

pub type Verdict = Result<(), Violation>;

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Ends the check with a violation if something does not hold.
macro_rules! ensure {
    ($holds:expr, $($text:tt)+) => {
        if !$holds {
            return Err($crate::model::checks::Violation(format!($($text)+)));
        }
    };
}
pub(crate) use ensure;

/// An event, where it was said.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    pub visit: VisitId,
    pub event: &'a Event,
}

impl Seen<'_> {
    pub fn of<'r>(&self, record: &'r Record) -> &'r Visit {
        record.visit(self.visit)
    }
}

/// Holds an event against all that was promised.
pub fn on_event(record: &Record, who: Who, event: &Event) -> Result<Option<VisitId>, Violation> {
    let Some(visit) = membership::visit_of(record, who, event)? else { return Ok(None) };
    let seen = Seen { visit, event };
    membership::check(record, seen)
        .and_then(|()| endings::check(record, seen))
        .and_then(|()| delivery::check(record, seen))
        .and_then(|()| asking::check(record, seen))
        .and_then(|()| admittance::check(record, seen))
        .map_err(|violation| describe(record, seen, &violation))?;
    Ok(Some(visit))
}

fn describe(record: &Record, seen: Seen<'_>, violation: &Violation) -> Violation {
    let Visit { who, place, .. } = seen.of(record);
    let id = record.id(*who);
    let event: String = format!("{:?}", seen.event).chars().take(400).collect();
    Violation(format!("{:?}: {id} in {place:?}: {violation}; {event}", record.now))
}
