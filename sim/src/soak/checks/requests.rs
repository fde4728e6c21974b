//! A request is answered exactly once, with what its handler said, and a ping too.
//!
//! JavaScript drops what waits for a channel that is full for too long. Where that was a ping or an
//! answer, who asked may wait until one of them leaves. Of two in JavaScript one may have dropped
//! the other, which never learns of it: what becomes of their questions is not our affair.

use std::collections::BTreeMap;

use tristero_proto::{Event, PeerId, PingId, RequestFailure, RequestId};

use super::{Check, Verdict, ensure};
use crate::soak::apps::REFUSAL;
use crate::soak::parcel::{Parcel, number_of};
use crate::soak::record::{Answer, Fact, Record, VisitId};
use crate::world::{Who, World};

#[derive(Debug, Default)]
pub(super) struct Requests {
    asked: BTreeMap<(VisitId, RequestId), Asked>,
    by_number: BTreeMap<u64, (VisitId, RequestId)>,
    pings: BTreeMap<(VisitId, PingId), PeerId>,
}

#[derive(Debug)]
struct Asked {
    parcel: Parcel,
    target: PeerId,
    /// Whether a handler has got it.
    has_arrived: bool,
    answer: Option<Answer>,
    is_over: bool,
}

impl Check for Requests {
    fn name(&self) -> &'static str {
        "requests"
    }

    fn see(&mut self, fact: Fact<'_>, record: &Record) -> Verdict {
        match fact {
            Fact::Asked { visit, parcel, request, target, timeout: _ } => {
                let (has_arrived, answer, is_over) = (false, None, false);
                let target = target.clone();
                let asked = Asked { parcel, target, has_arrived, answer, is_over };
                self.asked.insert((visit, request), asked);
                self.by_number.insert(parcel.number, (visit, request));
            }
            Fact::Answered { number, with } => {
                let key = self.by_number.get(&number);
                if let Some(asked) = key.and_then(|key| self.asked.get_mut(key)) {
                    asked.answer = Some(with);
                }
            }
            Fact::Pinged { visit, ping, target } => {
                self.pings.insert((visit, ping), target.clone());
            }
            // What hostile peers are told may be about what they spoiled.
            Fact::Told { who, event } if !record.is_hostile(who) => {
                self.see_event(who, event, record)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn pending(&self, world: &World, record: &Record) -> Option<String> {
        let is_open = |visit: &VisitId, target: &PeerId| {
            record.visits[visit].until.is_none()
                && !may_wait_in_vain(visit.who, target, world, record)
                // Whoever is not told that one has gone asks it in vain.
                && !record.was_dropped_by(target, *visit)
        };
        let asked = self
            .asked
            .iter()
            .find(|((visit, _), asked)| !asked.is_over && is_open(visit, &asked.target));
        let ping = self.pings.iter().find(|((visit, _), target)| is_open(visit, target));
        asked
            .map(|((visit, _), asked)| {
                format!(
                    "{:?} has no answer to {} from {}",
                    visit.who, asked.parcel.number, asked.target
                )
            })
            .or_else(|| {
                ping.map(|((visit, ping), _)| format!("{:?} has no end of {ping:?}", visit.who))
            })
    }
}

/// Whether the answer to who asked this peer may never come, because of what JavaScript does.
fn may_wait_in_vain(who: Who, target: &PeerId, world: &World, record: &Record) -> bool {
    let of_target = record.peers.iter().filter(|(_, peer)| peer.id == *target);
    let mut of_target = of_target.filter_map(|(other, _)| world.js(*other));
    match world.js(who) {
        Some(js) => of_target.next().is_some() || js.has_cut_short().contains(target),
        None => of_target.any(|js| js.has_cut_short().contains(record.id(who))),
    }
}

impl Requests {
    fn see_event(&mut self, who: Who, event: &Event, record: &Record) -> Verdict {
        let Some(room) = event.room() else { return Ok(()) };
        let visit = VisitId { who, room };
        match event {
            Event::Request { peer, request, .. } if record.is_honest(peer) => {
                let number = number_of(&request.payload);
                let key = number.and_then(|number| self.by_number.get(&number));
                let asked = key.and_then(|key| self.asked.get_mut(key));
                ensure!(asked.is_some(), "{peer} asks {who:?} what it never asked: {number:?}");
                let Some(asked) = asked else { return Ok(()) };
                let is_right =
                    asked.target == *record.id(who) && asked.parcel.payload() == request.payload;
                ensure!(
                    is_right,
                    "{who:?} is asked {number:?} by {peer}, which is not what was asked"
                );
                ensure!(!asked.has_arrived, "{who:?} is asked {number:?} by {peer} twice");
                asked.has_arrived = true;
            }
            Event::Response { request, result, .. } => {
                let asked = self.asked.get_mut(&(visit, *request));
                ensure!(asked.is_some(), "{who:?} has an answer to what it never asked");
                let Some(asked) = asked else { return Ok(()) };
                let number = asked.parcel.number;
                ensure!(!asked.is_over, "{who:?} has two answers to {number}");
                asked.is_over = true;
                if !record.is_honest(&asked.target) {
                    return Ok(());
                }
                match (result, asked.answer) {
                    (Ok(response), Some(Answer::Echo)) => {
                        let is_same = response.payload == asked.parcel.payload();
                        ensure!(is_same, "{who:?} has a wrong answer to {number}");
                    }
                    (Err(RequestFailure::Rejected(why)), Some(Answer::Refusal)) => {
                        ensure!(
                            why == REFUSAL,
                            "{who:?} was refused {number} in other words: {why}"
                        );
                    }
                    (Ok(_) | Err(RequestFailure::Rejected(_)), answer) => {
                        return Err(format!(
                            "{who:?} has for {number} {result:?}, and the answer was {answer:?}"
                        ));
                    }
                    (Err(_), _) => {}
                }
            }
            Event::Pong { ping, .. } => {
                let was_open = self.pings.remove(&(visit, *ping)).is_some();
                ensure!(was_open, "{who:?} has a second end of {ping:?}");
            }
            _ => {}
        }
        Ok(())
    }
}
