//! Messages of one peer on one action arrive in the order in which they were sent, at most once
//! and uncorrupted, and reach nobody else; where the two stayed together each arrives.

use bytes::Bytes;
use serde_json::Value;
use tristero_proto::wire::{ActionName, Payload};
use tristero_proto::{Event, LeaveReason, PeerId};

use super::{Seen, Verdict, ensure};
use crate::common::Who;
use crate::model::action_index;
use crate::model::note::number_of_bytes;
use crate::model::parcel::{Body, Parcel, number_of};
use crate::model::record::{Record, VisitId};
use crate::model::scenario::Kind;
use crate::model::under_way::{Transfer, of_visit};

pub fn check(record: &Record, seen: Seen<'_>) -> Verdict {
    match seen.event {
        Event::Message { peer, message, .. } => {
            let metadata = message.metadata.as_ref();
            let number = number_of(&message.payload, metadata);
            let parcel = check_parcel(record, seen, peer, &message.action, number)?;
            ensure!(is_as(record, seen, &message.action, Kind::Message), "no action for messages");
            ensure!(parcel.holds(&message.payload), "the payload is not what was sent");
            // The wire id of a request is seen where none was expected.
            let sent_along =
                if parcel.is_request { metadata.and_then(|m| m.get("m")) } else { metadata };
            ensure!(sent_along == parcel.metadata.as_ref(), "the metadata is not what was sent");
        }
        Event::Request { peer, request, .. } => {
            let number = number_of(&request.payload, request.metadata.as_ref());
            let parcel = check_parcel(record, seen, peer, &request.action, number)?;
            ensure!(is_as(record, seen, &request.action, Kind::Handled), "no handler");
            ensure!(parcel.is_request, "no request was made");
            ensure!(parcel.holds(&request.payload), "the payload is not what was sent");
            let sent_along = request.metadata.as_ref();
            ensure!(sent_along == parcel.metadata.as_ref(), "the metadata is not what was sent");
        }
        Event::TransferBegan { peer, action, metadata, .. } => {
            ensure!(is_as(record, seen, action, Kind::Transfer), "no action for transfers");
            // If nothing was sent along, it is known by its bytes.
            let number = number_of(&Payload::from(""), metadata.as_ref());
            if let Some((number, metadata)) = number.zip(metadata.as_ref()) {
                check_begun(record, seen, peer, action, number, metadata)?;
            }
        }
        Event::TransferEnded { transfer, result, .. } => {
            let known = record.transfers.get(&(seen.visit, *transfer));
            let Some(known) = known else { return Ok(()) };
            let bytes = Bytes::from(known.bytes.clone());
            return check_transferred(record, seen, known, &bytes, result.is_ok());
        }
        Event::Receiving { action, fraction, .. } => {
            let registered = seen.of(record).actions.get(&action_index(action));
            ensure!(registered.is_some_and(|(_, progress)| *progress), "nobody asked for progress");
            ensure!((0.0..=1.0).contains(fraction), "progress of {fraction}");
        }
        Event::PeerLeft { peer, reason: LeaveReason::Left, .. } => {
            return record.who(peer).map_or(Ok(()), |who| check_goodbye(record, seen.visit, who));
        }
        _ => {}
    }
    Ok(())
}

fn is_as(record: &Record, seen: Seen<'_>, action: &ActionName, kind: Kind) -> bool {
    let registered = seen.of(record).actions.get(&action_index(action));
    registered.is_some_and(|(registered, _)| *registered == kind)
}

/// What arrived is the next of what this peer sent here, on this action, to this visitor.
fn check_parcel<'r>(
    record: &'r Record,
    seen: Seen<'_>,
    peer: &PeerId,
    action: &ActionName,
    number: Option<usize>,
) -> Result<&'r Parcel, super::Violation> {
    let visit = seen.of(record);
    let parcel = number.and_then(|number| record.parcels.get(number));
    let Some((number, parcel)) = number.zip(parcel) else {
        return Err(super::Violation("nobody sent this".into()));
    };
    let from = record.visit(parcel.from);
    ensure!(record.who(peer) == Some(from.who), "{:?} sent it", from.who);
    ensure!(from.place == visit.place, "it was sent in {:?}", from.place);
    ensure!(action_index(action) == parcel.action, "it was sent on another action");
    ensure!(parcel.targets.contains_key(&visit.who), "it was not meant for this visitor");
    ensure!(!parcel.arrived.contains_key(&visit.who), "it was here already");
    let last = record.last_arrivals.get(&(visit.who, from.who, from.place, parcel.action));
    ensure!(last.is_none_or(|last| *last < number), "parcel {number} comes after {last:?}");
    Ok(parcel)
}

fn check_begun(
    record: &Record,
    seen: Seen<'_>,
    peer: &PeerId,
    action: &ActionName,
    number: usize,
    metadata: &Value,
) -> Verdict {
    let parcel = check_parcel(record, seen, peer, action, Some(number))?;
    let sent_along = if parcel.is_request { metadata.get("m") } else { Some(metadata) };
    ensure!(sent_along == parcel.metadata.as_ref(), "the metadata is not what was sent");
    let mut others = of_visit(&record.transfers, seen.visit);
    ensure!(others.all(|(_, other)| other.parcel != Some(number)), "it began here already");
    Ok(())
}

/// A transfer brings all of what was sent if it ends well, and its beginning otherwise.
fn check_transferred(
    record: &Record,
    seen: Seen<'_>,
    transfer: &Transfer,
    bytes: &Bytes,
    is_whole: bool,
) -> Verdict {
    let number = transfer.parcel.or_else(|| number_of_bytes(bytes.clone()));
    let Some(parcel) = number.and_then(|number| record.parcels.get(number)) else {
        ensure!(!is_whole, "nobody sent this");
        return Ok(());
    };
    let (sent, is_all) = parcel.bytes();
    if !is_whole {
        ensure!(sent.starts_with(bytes), "the beginning is not what was sent");
        return Ok(());
    }
    ensure!(is_all && sent == *bytes, "{} bytes are not what was sent", bytes.len());
    let peer = record.id(transfer.peer);
    let action = crate::model::action_name(transfer.action);
    check_parcel(record, seen, peer, &action, number).map(|_| ())
}

/// What was handed over before a goodbye arrives before it.
fn check_goodbye(record: &Record, visit: VisitId, guest: Who) -> Verdict {
    let place = record.visit(visit).place;
    let mut ended = record.visits_to(guest, place).filter(|visit| {
        record.visit(*visit).until.is_some_and(|until| record.may_be_under_way(until))
    });
    // Where there is more than one it can't be told whose goodbye this is.
    let (Some(last), None) = (ended.next(), ended.next()) else { return Ok(()) };
    let Some(stay) = record.stay(visit, guest) else { return Ok(()) };
    let since = record.stays[stay.0].from;
    let who = record.visit(visit).who;
    for (number, parcel) in record.parcels.iter().enumerate() {
        let is_whole = matches!(parcel.body, Body::Whole(_));
        let is_theirs = parcel.from == last && parcel.sent_at >= since && is_whole;
        let is_due = parcel.handed_over.contains(&who);
        if is_theirs && is_due && is_expected(record, visit, parcel) == Some(true) {
            ensure!(parcel.arrived.contains_key(&who), "parcel {number} was sent before and lost");
        }
    }
    Ok(())
}

/// Whether a parcel has to lead to an event of this visit; `None` if it has to once its action is
/// registered.
fn is_expected(record: &Record, visit: VisitId, parcel: &Parcel) -> Option<bool> {
    let visit = record.visit(visit);
    let (kind, _) = visit.actions.get(&parcel.action)?;
    // What came while there was no handler was rejected.
    let was_handled = !visit.was_unhandled.contains(&parcel.action);
    Some(match kind {
        Kind::Message | Kind::Transfer => true,
        Kind::Handled => parcel.is_request && was_handled,
        Kind::Unhandled => false,
    })
}

/// In the end, when nothing is wrong: what was sent to who is still there has arrived, if it was
/// not aborted.
pub fn check_at_end(record: &Record) -> Verdict {
    for (number, parcel) in record.parcels.iter().enumerate() {
        let from = record.visit(parcel.from);
        for (guest, stay) in &parcel.targets {
            let Some(other) = record.current(*guest, from.place) else { continue };
            let is_together = record.are_together_since(*stay, parcel.sent_at);
            let is_given_up = parcel.has_paused() || record.is_given_up(parcel, *guest);
            if is_together && !is_given_up && is_expected(record, other, parcel) == Some(true) {
                let has_arrived = parcel.arrived.contains_key(guest);
                ensure!(has_arrived, "parcel {number} never came to {guest:?}: {parcel:?}");
            }
        }
    }
    check_reports(record)
}

/// What arrived was reported as delivered, if the sender is still there to say so.
fn check_reports(record: &Record) -> Verdict {
    for ((visit, send), known) in &record.sends {
        let (Some(report), Some(parcel)) = (&known.report, record.parcel_of(*visit, *send)) else {
            continue;
        };
        for guest in parcel.arrived.keys() {
            let is_named = report.delivered.contains(record.id(*guest));
            ensure!(is_named, "{guest:?} got {send:?}, and the report is {report:?}");
        }
    }
    Ok(())
}
