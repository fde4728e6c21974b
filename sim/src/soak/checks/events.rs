//! `PeerJoined` comes before anything else of a peer, nothing after `PeerLeft`, and nothing of a
//! room that was left.

use tristero_proto::{Event, PeerId};

use super::{Check, Verdict, ensure};
use crate::soak::record::{Fact, Record, VisitId};
use crate::world::Who;

#[derive(Debug, Default)]
pub(super) struct Events {
    /// Peers that are members of each visit, as was told.
    members: std::collections::BTreeSet<(VisitId, PeerId)>,
}

impl Check for Events {
    fn name(&self) -> &'static str {
        "events"
    }

    fn see(&mut self, fact: Fact<'_>, record: &Record) -> Verdict {
        let Fact::Told { who, event } = fact else { return Ok(()) };
        let Some(room) = event.room() else { return Ok(()) };
        let visit = VisitId { who, room };
        let known = record.visits.get(&visit);
        ensure!(known.is_some(), "{who:?} was told of a room it never joined: {event:?}");
        let has_ended = known.is_some_and(|visit| visit.until.is_some());
        ensure!(!has_ended, "{who:?} was told of a room that it left: {event:?}");
        self.see_event(visit, who, event)
    }
}

impl Events {
    fn see_event(&mut self, visit: VisitId, who: Who, event: &Event) -> Verdict {
        match event {
            Event::PeerJoined { peer, .. } => {
                let is_new = self.members.insert((visit, peer.clone()));
                ensure!(is_new, "{who:?} was told twice that {peer} joined {:?}", visit.room);
            }
            Event::PeerLeft { peer, .. } => {
                let was_there = self.members.remove(&(visit, peer.clone()));
                ensure!(was_there, "{who:?} was told that {peer} left, and it was not there");
            }
            Event::Message { peer, .. }
            | Event::Receiving { peer, .. }
            | Event::Request { peer, .. }
            | Event::TransferBegan { peer, .. } => {
                let is_there = self.members.contains(&(visit, peer.clone()));
                ensure!(is_there, "{who:?} heard of {peer}, which is not there: {event:?}");
            }
            _ => {}
        }
        Ok(())
    }
}
