//! `PeerJoined` precedes any other event of that peer in that room, but for its handshake and
//! `JoinFailed`; nothing of it follows `PeerLeft`; after `leave` there is no event of that room.

use tristero_proto::{Event, PeerId, RequestFailure};

use super::{Seen, Verdict, Violation, ensure};
use crate::common::Who;
use crate::model::record::{Record, VisitId};

/// The visit that an event is of, which must not be over.
pub fn visit_of(record: &Record, who: Who, event: &Event) -> Result<Option<VisitId>, Violation> {
    let Some(key) = event.room() else {
        let is_end = *event == Event::ShutDown && record.is_shut_down(who);
        ensure!(is_end, "{:?}: {who:?} says {event:?}", record.now);
        return Ok(None);
    };
    let visit = record.visit_of(who, key);
    let is_open = visit.is_some_and(|visit| record.visit(visit).until.is_none());
    ensure!(is_open, "{:?}: {who:?} says of a room that was left: {event:?}", record.now);
    Ok(visit)
}

pub fn check(record: &Record, seen: Seen<'_>) -> Verdict {
    let is_member =
        |peer: &PeerId| record.who(peer).is_some_and(|who| record.stay(seen.visit, who).is_some());
    match seen.event {
        Event::PeerJoined { peer, .. } => {
            let is_other = record.who(peer).is_some_and(|who| who != seen.of(record).who);
            ensure!(is_other, "a member that is none of the other nodes");
            ensure!(!is_member(peer), "joined again without having left");
        }
        Event::PeerLeft { peer, .. } => ensure!(is_member(peer), "left without having joined"),
        Event::JoinFailed { peer, .. } | Event::Handshake { peer, .. } => {
            ensure!(record.who(peer).is_some(), "nobody has this id");
            ensure!(!is_member(peer), "a member is about to join");
        }
        event => {
            let subject = subject(record, seen.visit, event);
            ensure!(subject.as_ref().is_none_or(is_member), "an event of {subject:?}, no member");
        }
    }
    Ok(())
}

/// The member that an event is of.
fn subject(record: &Record, visit: VisitId, event: &Event) -> Option<PeerId> {
    let id = |who: Who| record.id(who).clone();
    match event {
        Event::Message { peer, .. }
        | Event::Receiving { peer, .. }
        | Event::Sending { peer, .. }
        | Event::Request { peer, .. }
        | Event::Pong { peer, .. }
        | Event::TransferBegan { peer, .. } => Some(peer.clone()),
        Event::CallEnded { call, .. } => {
            record.calls.get(&(visit, *call)).map(|call| id(call.peer))
        }
        Event::TransferPiece { transfer, .. } | Event::TransferEnded { transfer, .. } => {
            record.transfers.get(&(visit, *transfer)).map(|transfer| id(transfer.peer))
        }
        Event::Response { result: Err(RequestFailure::Disconnected), .. } => None,
        Event::Response { request, .. } => {
            let target = record.requests.get(&(visit, *request)).and_then(|asked| asked.target);
            target.map(|(who, _)| id(who))
        }
        _ => None,
    }
}

/// What ended because a member leaves must have been followed by its `PeerLeft`.
pub fn check_leaving(record: &Record) -> Verdict {
    let leaving = &record.leaving;
    ensure!(leaving.is_empty(), "{:?}: {leaving:?} did not leave after all", record.now);
    Ok(())
}
