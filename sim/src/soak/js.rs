//! What applications in JavaScript do: the same as others, but that nothing is a stream to them.

use tristero_proto::{ActionKind, PeerId};

use super::apps::{MESSAGES, REQUESTS, TRANSFERS, name};
use super::options::index;
use super::parcel::Form;
use super::record::{Character, Fact, State, VisitId};
use super::run::Run;
use crate::world::Who;

impl Run {
    /// What the next process runs: as many as were drawn are in JavaScript.
    pub(super) fn next_character(&self) -> Character {
        let is_there = |who: &Who| self.record.peers[who].state != State::Crashed;
        let known = self.record.peers.keys().filter(|who| is_there(who));
        let count = known.filter(|who| self.record.is_js(**who)).count();
        if count < self.options.js_peers as usize { Character::Js } else { Character::Honest }
    }

    /// Has somebody in JavaScript do something in a room.
    pub(super) fn act_in_js(&mut self, visit: VisitId) -> Result<(), String> {
        match self.apps.rng.below(40) {
            0 => self.leave_in_js(visit),
            1..=4 => self.ping_in_js(visit),
            5..=12 => self.ask_in_js(visit),
            13..=16 => self.send_in_js(visit, TRANSFERS, Some(Form::Binary)),
            _ => {
                let action = MESSAGES[index(&mut self.apps.rng, MESSAGES.len())];
                self.send_in_js(visit, action, None)
            }
        }
    }

    pub(super) fn register_in_js(
        &mut self,
        visit: VisitId,
        action: &str,
        kind: ActionKind,
    ) -> Result<(), String> {
        let VisitId { who, room } = visit;
        self.world.with_js(who, |js, now| js.register(room, &name(action), kind, now));
        self.observe()
    }

    fn leave_in_js(&mut self, visit: VisitId) -> Result<(), String> {
        // What it is told in the same moment it was told before.
        self.note(Fact::Left { visit })?;
        self.world.with_js(visit.who, |js, now| js.leave(visit.room, now));
        self.observe()
    }

    fn send_in_js(
        &mut self,
        visit: VisitId,
        action: &'static str,
        form: Option<Form>,
    ) -> Result<(), String> {
        let parcel = self.draw_parcel(form);
        let (targets, to) = self.draw_targets(visit);
        let sent = self.world.with_js(visit.who, |js, now| {
            js.send(visit.room, &name(action), parcel.payload(), targets.as_deref(), now)
        });
        match sent {
            Some(send) => self.note(Fact::Sent { visit, action, parcel, send, to: &to }),
            None => Ok(()),
        }
    }

    fn ask_in_js(&mut self, visit: VisitId) -> Result<(), String> {
        let parcel = self.draw_parcel(None);
        let Some(target) = self.draw_member(visit) else { return Ok(()) };
        let asked = self.world.with_js(visit.who, |js, now| {
            js.request(visit.room, &name(REQUESTS), parcel.payload(), (&target, None), now)
        });
        match asked {
            Some(request) => {
                let (target, timeout) = (&target, None);
                self.note(Fact::Asked { visit, parcel, request, target, timeout })
            }
            None => Ok(()),
        }
    }

    fn ping_in_js(&mut self, visit: VisitId) -> Result<(), String> {
        let Some(target) = self.draw_member(visit) else { return Ok(()) };
        let pinged = self.world.with_js(visit.who, |js, now| js.ping(visit.room, &target, now));
        match pinged {
            Some(ping) => self.note(Fact::Pinged { visit, ping, target: &target }),
            None => Ok(()),
        }
    }

    fn draw_member(&mut self, visit: VisitId) -> Option<PeerId> {
        let members: Vec<PeerId> = self.record.visits[&visit].members.keys().cloned().collect();
        let picked = index(&mut self.apps.rng, members.len().max(1));
        members.get(picked).cloned()
    }
}
