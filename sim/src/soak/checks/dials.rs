//! A relay that is away is dialled seldom: when it comes back, all who used it are still there.
//!
//! The waits are random and double each time, from 3.3 s at most. A machine with a new address dials
//! at once, which may be every other second for a while.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tristero_proto::signaling::RelayState;
use tristero_proto::{Event, Time};

use super::{Check, Verdict, ensure};
use crate::soak::record::{Fact, Record, VisitId};

#[derive(Debug, Default)]
pub(super) struct Dials {
    /// When dials or links to each relay failed lately, as each room was told.
    failed: BTreeMap<(VisitId, String), VecDeque<Time>>,
}

impl Check for Dials {
    fn name(&self) -> &'static str {
        "dials"
    }

    fn see(&mut self, fact: Fact<'_>, record: &Record) -> Verdict {
        let Fact::Told { who, event: Event::Relay { room, status } } = fact else { return Ok(()) };
        if !matches!(status.state, RelayState::BackingOff { .. }) {
            return Ok(());
        }
        let visit = VisitId { who, room: *room };
        let failed = self.failed.entry((visit, status.url.to_string())).or_default();
        failed.push_back(record.now);
        while failed.front().is_some_and(|at| record.now.since(*at) > WINDOW) {
            failed.pop_front();
        }
        ensure!(
            failed.len() <= FAILURES_MAX,
            "{who:?} dialled {} in vain {} times within {WINDOW:?}",
            status.url,
            failed.len(),
        );
        Ok(())
    }
}

/// How long is looked back.
const WINDOW: Duration = Duration::from_secs(10);

/// So many failures within that time are too many. Of waits alone there are some four.
const FAILURES_MAX: usize = 20;
