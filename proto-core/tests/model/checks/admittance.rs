//! Who may meet whom: peers with one password, not two passive ones by themselves, and where
//! there is a handshake those that were accepted. Who does not is told why.

use tristero_proto::{Event, JoinFailure, LeaveReason};

use super::{Seen, Verdict, ensure};
use crate::common::Who;
use crate::model::record::{Record, Visit, VisitId};
use crate::model::scenario::Place;

pub fn check(record: &Record, seen: Seen<'_>) -> Verdict {
    match seen.event {
        Event::PeerJoined { peer, .. } => {
            record.who(peer).map_or(Ok(()), |guest| check_joined(record, seen.visit, guest))
        }
        Event::PeerLeft { peer, reason, .. } => {
            record.who(peer).map_or(Ok(()), |guest| check_left(record, seen, guest, *reason))
        }
        Event::JoinFailed { peer, failure, .. } => {
            record.who(peer).map_or(Ok(()), |guest| check_failed(record, seen, guest, failure))
        }
        Event::Handshake { peer, is_initiator, .. } => {
            let visit = seen.of(record);
            ensure!(visit.place.has_handshake(visit.manner), "no handshake was wanted");
            let is_smaller = record.id(visit.who) < peer;
            ensure!(*is_initiator == is_smaller, "both begin, or none");
            Ok(())
        }
        Event::HandshakeData { handshake, payload, .. } => {
            let known = record.greetings.get(&(seen.visit, *handshake));
            let word = payload.decode::<(u64, usize, usize)>();
            let Some((known, (number, from, to))) = known.zip(word.ok()) else {
                ensure!(false, "nobody said this");
                return Ok(());
            };
            let is_theirs = Who(from) == known.peer && Who(to) == seen.of(record).who;
            ensure!(is_theirs, "{from} said it to {to}");
            ensure!(known.last_word < Some(number), "it comes after {:?}", known.last_word);
            Ok(())
        }
        _ => Ok(()),
    }
}

fn check_joined(record: &Record, visit: VisitId, guest: Who) -> Verdict {
    let here = record.visit(visit);
    let is_accepted = here.accepted.contains(&guest);
    let has_handshake = here.place.has_handshake(here.manner);
    ensure!(is_accepted || !has_handshake, "it was not accepted");
    let mut theirs = record.visits_to(guest, here.place).filter(|visit| {
        record.visit(*visit).until.is_none_or(|until| record.may_be_under_way(until))
    });
    let may_meet = theirs.any(|other| may_meet(record, visit, other));
    ensure!(may_meet, "these two may not meet");
    Ok(())
}

/// Whether two visits may lead to one having the other as a member.
fn may_meet(record: &Record, visit: VisitId, other: VisitId) -> bool {
    let (here, there) = (record.visit(visit), record.visit(other));
    let place = here.place;
    let has_password = place.password(here.manner) == place.password(there.manner);
    let has_accepted =
        !place.has_handshake(there.manner) || there.ever_accepted.contains(&here.who);
    let are_passive = here.manner.is_passive && there.manner.is_passive;
    let is_woken = !are_passive || (was_woken(record, here) && was_woken(record, there));
    has_password && has_accepted && is_woken
}

/// Whether an active peer was in the room at some time of a visit.
fn was_woken(record: &Record, visit: &Visit) -> bool {
    record.visits.iter().any(|other| {
        let is_active = other.who != visit.who && !other.manner.is_passive;
        let was_there = other.until.is_none_or(|until| {
            until >= visit.from || record.may_be_under_way_at(until, visit.from)
        });
        is_active && other.place == visit.place && was_there
    })
}

fn check_left(record: &Record, seen: Seen<'_>, guest: Who, reason: LeaveReason) -> Verdict {
    match reason {
        LeaveReason::Left => {
            let mut theirs = record.visits_to(guest, seen.of(record).place);
            let has_left = theirs.any(|visit| {
                let visit = record.visit(visit);
                let is_over = visit.until.is_some_and(|until| record.may_be_under_way(until));
                // A passive one that has lost us falls asleep, and is not there for a while. Where
                // one waits for the other's application, that one may begin anew.
                is_over || visit.manner.is_passive || visit.place == Place::Door
            });
            ensure!(has_left, "it has not left");
        }
        LeaveReason::Lost(_) => {
            let may_be_lost = !record.was_calm() || may_be_closed(record, seen, guest);
            ensure!(may_be_lost, "nothing was wrong with the network or a node");
        }
        other => ensure!(false, "an honest peer was cut: {other}"),
    }
    Ok(())
}

/// Whether a peer may have closed the connection without saying goodbye here.
fn may_be_closed(record: &Record, seen: Seen<'_>, guest: Who) -> bool {
    let place = seen.of(record).place;
    // Where one waits for the other's application, that one may give it up meanwhile and have no
    // use for the connection.
    if place == Place::Door {
        return true;
    }
    // It was shut down before it knew that it was met.
    let last = record.visits_to(guest, place).next().and_then(|visit| record.visit(visit).until);
    let since = record.stay(seen.visit, guest).map(|stay| record.stays[stay.0].from);
    let is_unknown = last
        .zip(since)
        .is_some_and(|(until, since)| since >= until || record.may_be_under_way_at(since, until));
    record.is_shut_down(guest) && is_unknown
}

fn check_failed(record: &Record, seen: Seen<'_>, guest: Who, failure: &JoinFailure) -> Verdict {
    let here = seen.of(record);
    let place = here.place;
    match failure {
        JoinFailure::OfferPassword | JoinFailure::AnswerPassword | JoinFailure::PasswordProof => {
            let password = place.password(here.manner);
            let of = |visit: VisitId| place.password(record.visit(visit).manner);
            // An answer to an earlier visit of ours counts too.
            let mut all = record.visits_to(guest, place).chain(record.visits_to(here.who, place));
            ensure!(all.any(|visit| of(visit) != password), "all have the same password");
        }
        JoinFailure::HandshakeRefused { .. } => {
            ensure!(here.refused.contains(&guest), "it was not refused");
        }
        JoinFailure::HandshakeTimedOut { after } => {
            ensure!(record.now.since(here.from) >= *after, "it was not there for {after:?}");
        }
        JoinFailure::NotConnected { peer, .. } => {
            ensure!(record.id(guest).as_str() == peer, "the text names {peer}");
        }
        other => ensure!(false, "no honest peer does so: {other}"),
    }
    Ok(())
}
