//! Between connected peers no message is lost, doubled, reordered or corrupted.
//!
//! A message is owed to its target when the sender was told that all of it was handed over, and
//! neither of the two has lost the other since it was sent.
//!
//! JavaScript sends at once what is sent on one action, so what it sent first may come last.

use std::collections::BTreeMap;

use tristero_proto::{Event, PeerId, SendId, SendReport, Time, TransferId};

use super::{Check, Verdict, ensure};
use crate::soak::parcel::{Form, Parcel, number_in, number_of};
use crate::soak::record::{Fact, Record, VisitId};
use crate::world::{Who, World};

#[derive(Debug, Default)]
pub(super) struct Messages {
    parcels: BTreeMap<u64, Sent>,
    by_send: BTreeMap<(VisitId, SendId), u64>,
    /// The last number that came on each action from each peer.
    last: BTreeMap<(VisitId, Who, &'static str), u64>,
    transfers: BTreeMap<(VisitId, TransferId), Arriving>,
}

#[derive(Debug)]
struct Sent {
    parcel: Parcel,
    from: VisitId,
    action: &'static str,
    at: Time,
    targets: BTreeMap<PeerId, Option<Time>>,
    report: Option<SendReport>,
}

/// A transfer that is not complete.
#[derive(Debug)]
struct Arriving {
    from: PeerId,
    bytes: Vec<u8>,
}

impl Check for Messages {
    fn name(&self) -> &'static str {
        "messages"
    }

    fn see(&mut self, fact: Fact<'_>, record: &Record) -> Verdict {
        match fact {
            Fact::Sent { visit, action, parcel, send, to } => {
                let targets = to.iter().map(|id| (id.clone(), None)).collect();
                let at = record.now;
                let sent = Sent { parcel, from: visit, action, at, targets, report: None };
                self.parcels.insert(parcel.number, sent);
                self.by_send.insert((visit, send), parcel.number);
                Ok(())
            }
            // What hostile peers are told may be about what they spoiled.
            Fact::Told { who, event } if !record.is_hostile(who) => {
                self.see_event(who, event, record)
            }
            _ => Ok(()),
        }
    }

    fn pending(&self, _: &World, record: &Record) -> Option<String> {
        self.parcels.values().find_map(|sent| self.owed(sent, record))
    }
}

impl Messages {
    fn see_event(&mut self, who: Who, event: &Event, record: &Record) -> Verdict {
        let Some(room) = event.room() else { return Ok(()) };
        let visit = VisitId { who, room };
        match event {
            Event::Message { peer, message, .. } if record.is_honest(peer) => {
                let number = number_of(&message.payload);
                self.on_arrival(visit, peer, number, record)?;
                let sent = number.and_then(|number| self.parcels.get(&number));
                let is_same = sent.is_some_and(|sent| {
                    sent.parcel.payload() == message.payload
                        && sent.action == message.action.as_str()
                });
                ensure!(is_same, "{who:?} got from {peer} something else than {number:?}");
            }
            Event::TransferBegan { peer, transfer, .. } => {
                let arriving = Arriving { from: peer.clone(), bytes: Vec::new() };
                self.transfers.insert((visit, *transfer), arriving);
            }
            Event::TransferPiece { transfer, bytes, .. } => {
                let arriving = self.transfers.get_mut(&(visit, *transfer));
                ensure!(arriving.is_some(), "{who:?} got a piece of a transfer that never began");
                arriving.into_iter().for_each(|arriving| arriving.bytes.extend(bytes));
            }
            Event::TransferEnded { transfer, result, .. } => {
                let ended = self.transfers.remove(&(visit, *transfer));
                ensure!(ended.is_some(), "{who:?} was told the end of a transfer that never began");
                if let (Some(ended), Ok(())) = (ended, result)
                    && record.is_honest(&ended.from)
                {
                    self.on_transfer(visit, ended, record)?;
                }
            }
            Event::Sent { send, report, .. } => {
                let number = self.by_send.get(&(visit, *send));
                if let Some(sent) = number.and_then(|number| self.parcels.get_mut(number)) {
                    let number = sent.parcel.number;
                    ensure!(sent.report.is_none(), "{who:?} was told twice that {number} was sent");
                    sent.report = Some(report.clone());
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn on_transfer(&mut self, visit: VisitId, ended: Arriving, record: &Record) -> Verdict {
        let Arriving { from, bytes } = ended;
        let number = number_in(&bytes);
        self.on_arrival(visit, &from, number, record)?;
        let sent = number.and_then(|number| self.parcels.get(&number));
        let is_same = sent
            .is_some_and(|sent| sent.parcel.form == Form::Binary && sent.parcel.bytes() == bytes);
        ensure!(is_same, "{:?} got from {from} another transfer than {number:?}", visit.who);
        Ok(())
    }

    /// Something complete arrived. Once, in order, where it was sent to.
    fn on_arrival(
        &mut self,
        visit: VisitId,
        peer: &PeerId,
        number: Option<u64>,
        record: &Record,
    ) -> Verdict {
        let who = visit.who;
        let sent = number.and_then(|number| self.parcels.get_mut(&number));
        ensure!(sent.is_some(), "{who:?} got from {peer} what nobody sent: {number:?}");
        let Some(sent) = sent else { return Ok(()) };
        let (number, from) = (sent.parcel.number, sent.from);
        ensure!(
            record.id(from.who) == peer,
            "{who:?} got {number} from {peer}, who did not send it"
        );
        let is_same_place = record.visits[&from].place == record.visits[&visit].place;
        ensure!(is_same_place, "{who:?} got {number} of {peer} in another room");
        let place = sent.targets.get_mut(record.id(who));
        ensure!(place.is_some(), "{who:?} got {number} of {peer}, which was for others");
        let Some(place) = place else { return Ok(()) };
        ensure!(place.is_none(), "{who:?} got {number} of {peer} twice");
        *place = Some(record.now);
        let last = self.last.insert((visit, from.who, sent.action), number);
        let is_in_order = last < Some(number) || record.is_js(from.who);
        ensure!(is_in_order, "{who:?} got {number} of {peer} after {last:?}");
        Ok(())
    }

    /// What is still owed of something that was sent.
    fn owed(&self, sent: &Sent, record: &Record) -> Option<String> {
        let from = record.visits.get(&sent.from).filter(|visit| visit.until.is_none())?;
        let number = sent.parcel.number;
        if record.is_hostile(sent.from.who) {
            return None;
        }
        let Some(report) = &sent.report else {
            return Some(format!("{:?} was not told what became of {number}", sent.from.who));
        };
        let owed = report.delivered.iter().find(|target| {
            let is_missing = sent.targets.get(*target).is_some_and(Option::is_none);
            let to = record.visit_of(from.place, target);
            let sender = record.id(sent.from.who);
            let has_kept = from.members.get(*target).is_some_and(|since| *since <= sent.at);
            let is_kept = to.is_some_and(|to| {
                let to = &record.visits[&to];
                let lost_at = to.goodbyes.get(sender).copied();
                to.from <= sent.at
                    && to.members.contains_key(sender)
                    && lost_at.is_none_or(|lost_at| lost_at <= sent.at)
            });
            is_missing && has_kept && is_kept && record.is_honest(target)
        });
        owed.map(|target| format!("{target} has not got {number} of {:?}", sent.from.who))
    }
}
