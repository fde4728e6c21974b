//! A request is answered with what its target answered, or with a reason that holds; a ping takes
//! no longer than it was under way.

use std::time::Duration;

use tristero_proto::{Event, RequestFailure, RequestId, Response, SendFailure};

use super::{Seen, Verdict, ensure};
use crate::model::record::Record;
use crate::model::scenario::{Kind, millis};
use crate::model::under_way::{Asked, AskedState, of_visit};

pub fn check(record: &Record, seen: Seen<'_>) -> Verdict {
    match seen.event {
        Event::Response { request, result, .. } => check_response(record, seen, *request, result),
        Event::Pong { peer, ping, rtt, .. } => {
            let known = record.pings.get(&(seen.visit, *ping));
            let is_theirs = known.is_some_and(|known| record.who(peer) == Some(known.peer));
            ensure!(is_theirs, "another peer was pinged");
            let taken = known.map_or(Duration::ZERO, |known| record.now.since(known.since));
            ensure!(rtt.is_none_or(|rtt| rtt <= taken && !rtt.is_zero()), "it took {taken:?}");
            Ok(())
        }
        _ => Ok(()),
    }
}

fn check_response(
    record: &Record,
    seen: Seen<'_>,
    request: RequestId,
    result: &Result<Response, RequestFailure>,
) -> Verdict {
    let Some(asked) = record.requests.get(&(seen.visit, request)) else { return Ok(()) };
    let answer = record.parcels[asked.parcel].answer.as_ref().map(|(answer, ..)| answer);
    match result {
        Ok(Response { payload, .. }) => {
            ensure!(answer == Some(&Ok(payload.clone())), "the answer was {answer:?}");
        }
        Err(RequestFailure::Rejected(why)) => {
            ensure!(answer == Some(&Err(why.clone())), "the answer was {answer:?}");
        }
        Err(RequestFailure::TimedOut) => {
            let taken = record.now.since(asked.since);
            let is_over = asked.timeout_ms.is_some_and(|ms| taken >= millis(ms));
            ensure!(is_over, "after {taken:?} of {:?} ms", asked.timeout_ms);
        }
        // If it was a member it has to leave at once, which is seen at the end of the batch.
        Err(RequestFailure::Disconnected) => {}
        Err(RequestFailure::NoHandler) => {
            ensure!(has_no_handler(record, seen, asked), "its target has a handler");
        }
        Err(RequestFailure::NotSent(SendFailure::Stalled)) => {
            ensure!(record.may_have_stalled(asked.since), "nothing was wrong");
        }
        Err(other) => ensure!(false, "no reason for {other:?}"),
    }
    Ok(())
}

/// Whether the target registered the action for requests, and had no handler at some time.
fn has_no_handler(record: &Record, seen: Seen<'_>, asked: &Asked) -> bool {
    let (place, action) = (seen.of(record).place, record.parcels[asked.parcel].action);
    asked.target.is_some_and(|(target, _)| {
        record
            .visits_to(target, place)
            .any(|visit| record.visit(visit).was_unhandled.contains(&action))
    })
}

/// In the end, when nothing is wrong, requests wait only for who has nothing to answer: it got
/// them as something else, or its answer was aborted.
pub fn check_at_end(record: &Record) -> Verdict {
    for visit in record.open_visits() {
        let open = |asked: &Asked| asked.state == AskedState::Open;
        for (request, asked) in of_visit(&record.requests, visit).filter(|(_, a)| open(a)) {
            ensure!(asked.target.is_some(), "{request:?} waits for nobody");
            ensure!(asked.timeout_ms.is_none(), "{request:?} has not timed out");
            let parcel = &record.parcels[asked.parcel];
            let Some((target, stay)) = asked.target else { continue };
            let place = record.visit(visit).place;
            let other = record.current(target, place);
            let kind = other.and_then(|other| record.visit(other).actions.get(&parcel.action));
            let is_for_requests = matches!(kind, Some((Kind::Handled | Kind::Unhandled, _)));
            let is_together = record.are_together_since(stay, asked.since);
            let is_lost = parcel.answer.as_ref().is_some_and(|(_, visit, send)| {
                record.sends.get(&(*visit, *send)).is_some_and(|send| send.is_aborted)
            });
            let may_wait = !is_for_requests || !is_together || is_lost;
            ensure!(may_wait, "{request:?} to {target:?} has no answer: {parcel:?}");
        }
    }
    Ok(())
}
