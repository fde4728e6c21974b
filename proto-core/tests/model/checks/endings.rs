//! Each send, request, ping, call, handshake and transfer ends once, by the time that its peer
//! leaves at the latest.

use std::collections::BTreeSet;

use tristero_proto::{Event, PeerId, SendFailure, SendId, SendReport};

use super::{Seen, Verdict, ensure};
use crate::common::Who;
use crate::model::record::{Record, VisitId};
use crate::model::under_way::{AskedState, Feeding, Send, of_visit};

pub fn check(record: &Record, seen: Seen<'_>) -> Verdict {
    let visit = seen.visit;
    match seen.event {
        Event::PeerLeft { peer, .. } => {
            let guest = record.who(peer);
            return guest.map_or(Ok(()), |guest| check_left(record, visit, guest));
        }
        Event::Sent { send, report, .. } => {
            let known = record.sends.get(&(visit, *send));
            let Some(known) = known.filter(|send| send.is_open()) else {
                ensure!(false, "the end of a send that is not under way");
                return Ok(());
            };
            return check_report(record, known, report);
        }
        Event::SendReady { send, .. } => {
            let known = record.sends.get(&(visit, *send)).filter(|send| send.is_open());
            let is_owed = known.is_some_and(|s| matches!(s.feeding, Feeding::Owing { .. }));
            ensure!(is_owed, "nobody was to be told that more can be fed");
        }
        Event::Sending { send, peer, fraction, .. } => {
            return check_progress(record, visit, *send, peer, *fraction);
        }
        Event::Response { request, .. } => {
            let known = record.requests.get(&(visit, *request));
            let is_open = known.is_some_and(|asked| asked.state == AskedState::Open);
            ensure!(is_open, "the end of a request that is not under way");
        }
        Event::Pong { ping, .. } => {
            let is_open = record.pings.get(&(visit, *ping)).is_some_and(|ping| ping.is_open);
            ensure!(is_open, "the end of a ping that is not under way");
        }
        Event::CallEnded { call, .. } => {
            let is_open = record.calls.get(&(visit, *call)).is_some_and(|call| call.is_open);
            ensure!(is_open, "the end of a call that is not under way");
        }
        Event::Request { request, .. } => {
            let is_new = !record.calls.contains_key(&(visit, request.call));
            ensure!(is_new, "a call that there was already");
        }
        Event::Handshake { handshake, peer, .. } => {
            let is_new = !record.greetings.contains_key(&(visit, *handshake));
            ensure!(is_new, "a handshake that there was already");
            let guest = record.who(peer);
            let mut open = of_visit(&record.greetings, visit).filter(|(_, other)| other.is_open);
            let has_other = open.any(|(_, other)| Some(other.peer) == guest);
            ensure!(!has_other, "another handshake with this peer is under way");
        }
        Event::HandshakeData { handshake, .. } | Event::HandshakeEnded { handshake, .. } => {
            let known = record.greetings.get(&(visit, *handshake));
            ensure!(known.is_some_and(|known| known.is_open), "a handshake that is over");
        }
        Event::TransferBegan { transfer, .. } => {
            let is_new = !record.transfers.contains_key(&(visit, *transfer));
            ensure!(is_new, "a transfer that there was already");
        }
        Event::TransferPiece { transfer, .. } | Event::TransferEnded { transfer, .. } => {
            let known = record.transfers.get(&(visit, *transfer));
            ensure!(known.is_some_and(|known| known.is_open), "a transfer that is over");
        }
        _ => {}
    }
    Ok(())
}

/// By the time that a peer leaves all that was under way with it has ended.
fn check_left(record: &Record, visit: VisitId, guest: Who) -> Verdict {
    let waits = |send: &Send| {
        send.is_open() && !send.targets.is_empty() && send.staying.iter().all(|who| *who == guest)
    };
    let mut sends = of_visit(&record.sends, visit).filter(|(_, send)| waits(send));
    let mut requests = of_visit(&record.requests, visit).filter(|(_, asked)| {
        asked.state == AskedState::Open && asked.target.is_some_and(|(who, _)| who == guest)
    });
    let is_open = |is_open: bool, peer: Who| is_open && peer == guest;
    let mut calls =
        of_visit(&record.calls, visit).filter(|(_, call)| is_open(call.is_open, call.peer));
    let mut pings =
        of_visit(&record.pings, visit).filter(|(_, ping)| is_open(ping.is_open, ping.peer));
    let mut greetings =
        of_visit(&record.greetings, visit).filter(|(_, other)| is_open(other.is_open, other.peer));
    let mut transfers =
        of_visit(&record.transfers, visit).filter(|(_, other)| is_open(other.is_open, other.peer));
    ensure!(sends.next().is_none(), "a send to it goes on");
    ensure!(requests.next().is_none(), "a request to it goes on");
    ensure!(calls.next().is_none(), "a call of it goes on");
    ensure!(pings.next().is_none(), "a ping to it goes on");
    ensure!(greetings.next().is_none(), "a handshake with it goes on");
    ensure!(transfers.next().is_none(), "a transfer of it goes on");
    Ok(())
}

/// A report names every target once, and fails only those that it may.
fn check_report(record: &Record, send: &Send, report: &SendReport) -> Verdict {
    let SendReport { delivered, failed } = report;
    let named: Vec<&PeerId> = delivered.iter().chain(failed.iter().map(|(id, _)| id)).collect();
    let targets = send.targets.iter().map(|who| record.id(*who));
    let expected: BTreeSet<&PeerId> = targets.chain(&send.absent).collect();
    let is_complete = named.iter().copied().collect::<BTreeSet<_>>() == expected;
    ensure!(is_complete && named.len() == expected.len(), "not what it was sent to: {expected:?}");
    for (id, why) in failed {
        let may_fail = match why {
            SendFailure::NotInRoom => send.absent.contains(id),
            // Whether it leaves is seen at the end of the batch, if it has not left before.
            SendFailure::Left => !send.absent.contains(id),
            SendFailure::Aborted => send.is_aborted && !send.absent.contains(id),
            SendFailure::Stalled => record.may_have_stalled(send.since),
            _ => false,
        };
        ensure!(may_fail, "{id} has no reason to fail");
    }
    let is_fed = send.is_aborted || matches!(send.feeding, Feeding::Done);
    ensure!(is_fed || delivered.is_empty(), "a stream was delivered before it was finished");
    Ok(())
}

/// Progress is told only to who asked, and grows.
fn check_progress(
    record: &Record,
    visit: VisitId,
    send: SendId,
    peer: &PeerId,
    fraction: f64,
) -> Verdict {
    let asked = of_visit(&record.requests, visit).find(|(request, _)| request.send_id() == send);
    if let Some((_, asked)) = asked {
        ensure!(asked.wants_progress, "nobody asked for progress");
        ensure!(asked.state == AskedState::Open, "progress of a request that is over");
        return Ok(());
    }
    let known = record.sends.get(&(visit, send)).filter(|send| send.is_open());
    let guest = record.who(peer);
    let Some((known, guest)) = known.zip(guest) else {
        ensure!(false, "progress of a send that is not under way");
        return Ok(());
    };
    ensure!(known.wants_progress && known.targets.contains(&guest), "nobody asked for progress");
    let before = known.fractions.get(&guest).copied().unwrap_or(0.0);
    ensure!(before <= fraction && fraction <= 1.0, "progress went from {before} to {fraction}");
    Ok(())
}

/// In the end, when nothing is wrong and everything was finished, nothing is under way.
pub fn check_at_end(record: &Record) -> Verdict {
    for visit in record.open_visits() {
        let who = record.visit(visit).who;
        let send = of_visit(&record.sends, visit).find(|(_, send)| send.is_open());
        ensure!(send.is_none(), "{who:?} still sends {send:?}");
        let ping = of_visit(&record.pings, visit)
            .find(|(_, ping)| ping.is_open && record.are_together_since(ping.stay, ping.since));
        ensure!(ping.is_none(), "{who:?} still waits for {ping:?}");
        let greeting = of_visit(&record.greetings, visit).find(|(_, other)| other.is_open);
        ensure!(greeting.is_none(), "{who:?} still greets {greeting:?}");
        let transfer = of_visit(&record.transfers, visit).find(|(_, other)| other.is_open);
        ensure!(transfer.is_none(), "{who:?} still gets {transfer:?}");
    }
    Ok(())
}
