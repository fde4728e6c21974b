//! A request that has a timeout is over by then. The time counts from when all of it was handed over.

use std::collections::BTreeMap;
use std::time::Duration;

use tristero_proto::{Event, SendId, Time};

use super::{Check, Verdict, ensure};
use crate::soak::record::{Fact, Record, State, VisitId};
use crate::world::World;

#[derive(Debug, Default)]
pub(super) struct Timeouts {
    /// Requests that are not handed over yet, and how long they may take from then on.
    waiting: BTreeMap<(VisitId, SendId), Duration>,
    /// Those that are, and when they are to be over.
    due: BTreeMap<(VisitId, SendId), Time>,
}

impl Check for Timeouts {
    fn name(&self) -> &'static str {
        "timeouts"
    }

    fn see(&mut self, fact: Fact<'_>, record: &Record) -> Verdict {
        match fact {
            Fact::Asked { visit, request, timeout: Some(timeout), .. } => {
                self.waiting.insert((visit, request.send_id()), timeout);
            }
            Fact::Left { visit } => self.due.retain(|(of, _), _| *of != visit),
            Fact::Crashed { who } => self.due.retain(|(of, _), _| of.who != who),
            Fact::Told { who, event: Event::Sending { room, send, fraction, .. } } => {
                let key = (VisitId { who, room: *room }, *send);
                if *fraction >= 1.0
                    && let Some(timeout) = self.waiting.remove(&key)
                {
                    self.due.insert(key, record.now + timeout);
                }
            }
            Fact::Told { who, event: Event::Response { room, request, .. } } => {
                let key = (VisitId { who, room: *room }, request.send_id());
                self.waiting.remove(&key);
                self.due.remove(&key);
            }
            _ => {}
        }
        Ok(())
    }

    fn look(&mut self, _: &World, record: &Record) -> Verdict {
        let is_late = |((visit, _), due): &(&(VisitId, SendId), &Time)| {
            let host = &record.peers[&visit.who];
            host.state == State::Awake && record.now.since(host.since.max(**due)) > LATE
        };
        let late = self.due.iter().find(is_late);
        ensure!(late.is_none(), "a request was to be over, and is not: {late:?}");
        Ok(())
    }
}

/// A machine that wakes up has this long to do what became due while it slept.
const LATE: Duration = Duration::from_secs(1);
