//! Nobody becomes a member where applications decide, unless this one let it in, and what is said in
//! a handshake is what the other side said.

use std::collections::BTreeMap;

use tristero_proto::{Event, HandshakeId, PeerId};

use super::{Check, Verdict, ensure};
use crate::soak::apps::greeting_of;
use crate::soak::record::{Fact, Record, VisitId};

#[derive(Debug, Default)]
pub(super) struct Handshakes {
    runs: BTreeMap<(VisitId, HandshakeId), Run>,
}

#[derive(Debug)]
struct Run {
    peer: PeerId,
    is_accepted: bool,
}

impl Check for Handshakes {
    fn name(&self) -> &'static str {
        "handshakes"
    }

    fn see(&mut self, fact: Fact<'_>, record: &Record) -> Verdict {
        match fact {
            Fact::Accepted { visit, handshake } => {
                let run = self.runs.get_mut(&(visit, handshake));
                run.into_iter().for_each(|run| run.is_accepted = true);
                Ok(())
            }
            Fact::Told { who, event } => {
                let Some(room) = event.room() else { return Ok(()) };
                self.see_event(VisitId { who, room }, event, record)
            }
            _ => Ok(()),
        }
    }
}

impl Handshakes {
    fn see_event(&mut self, visit: VisitId, event: &Event, record: &Record) -> Verdict {
        let who = visit.who;
        match event {
            Event::Handshake { peer, handshake, .. } => {
                let run = Run { peer: peer.clone(), is_accepted: false };
                let before = self.runs.insert((visit, *handshake), run);
                ensure!(before.is_none(), "{who:?} was told twice of {handshake:?}");
            }
            Event::HandshakeData { handshake, payload, .. } => {
                let run = self.runs.get(&(visit, *handshake));
                let Some(run) = run else {
                    return Err(format!("{who:?} heard something in no handshake: {payload:?}"));
                };
                let is_right = *payload == greeting_of(&run.peer) || !record.is_honest(&run.peer);
                ensure!(is_right, "{who:?} heard what {} did not say: {payload:?}", run.peer);
            }
            Event::HandshakeEnded { handshake, .. } => {
                let run = self.runs.remove(&(visit, *handshake));
                ensure!(run.is_some(), "{who:?} was told the end of no handshake");
            }
            Event::PeerJoined { peer, .. } if record.visits[&visit].manner.has_handshake => {
                let mut of_peer =
                    self.runs.iter().filter(|((of, _), run)| *of == visit && run.peer == *peer);
                let was_let_in = of_peer.next_back().is_some_and(|(_, run)| run.is_accepted);
                ensure!(was_let_in, "{peer} became a member for {who:?}, who had not let it in");
            }
            _ => {}
        }
        Ok(())
    }
}
