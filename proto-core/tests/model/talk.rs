//! What applications do that is answered: requests, pings and handshakes.

use std::collections::BTreeSet;

use tristero_proto::wire::Payload;
use tristero_proto::{CallId, HandshakeId, PingError, RequestId, RequestOptions, RespondError};

use super::action_name;
use super::checks::{Verdict, ensure};
use super::parcel::{Body, content};
use super::play::{Play, pick_in};
use super::record::VisitId;
use super::scenario::{PICKS, Pick, Shape, millis};
use super::under_way::{Asked, AskedState, Feeding, Ping};
use crate::common::Who;

impl Play {
    pub(super) fn request(
        &mut self,
        visit: Pick,
        action: usize,
        target: Pick,
        shape: Shape,
        timeout_ms: Option<u64>,
    ) -> Verdict {
        let Some(id) = self.pick_company(visit) else { return Ok(()) };
        let Some(target) = self.pick_target(id, target) else { return Ok(()) };
        let parcel = self.record.parcels.len();
        let (payload, metadata) = content(parcel, shape);
        let options = RequestOptions {
            metadata: metadata.clone(),
            timeout: timeout_ms.map(millis),
            progress: true,
            ..RequestOptions::to(self.record.id(target).clone())
        };
        let (now, name, asked) = (self.world.now, action_name(action), payload.clone());
        let (who, key) = (self.record.visit(id).who, self.record.visit(id).key);
        let result = self.world.with(who, |node| node.request(key, &name, asked, options, now));
        ensure!(result.is_ok(), "{who:?} asks: {result:?}");
        let Ok(request) = result else { return Ok(()) };
        let stay = self.record.stay(id, target).map(|stay| (target, stay));
        let present: BTreeSet<_> = stay.iter().map(|(who, _)| *who).collect();
        self.note_parcel(id, action, Body::Whole(payload), metadata, &present, request.send_id());
        self.record.parcels[parcel].is_request = true;
        let state = AskedState::Open;
        let known =
            Asked { parcel, since: now, target: stay, timeout_ms, wants_progress: true, state };
        self.record.requests.insert((id, request), known);
        Ok(())
    }

    /// One of the members, or anyone if there is none or the number is high.
    fn pick_target(&self, visit: VisitId, target: Pick) -> Option<Who> {
        let members = self.record.members(visit);
        let is_anyone = members.is_empty() || target >= PICKS - 2;
        self.pick(target % 5, |_, who| is_anyone || members.contains(&who))
    }

    pub(super) fn abort_request(&mut self, request: Pick) -> Verdict {
        let open = self.record.requests.iter().filter(|((visit, _), asked)| {
            asked.state == AskedState::Open && self.record.is_awake(self.record.visit(*visit).who)
        });
        let open: Vec<(VisitId, RequestId)> = open.map(|(key, _)| *key).collect();
        let Some((id, request)) = pick_in(&open, request) else { return Ok(()) };
        if let Some(asked) = self.record.requests.get_mut(&(id, request)) {
            asked.state = AskedState::Aborted;
            self.record.parcels[asked.parcel].is_request_given_up = true;
        }
        let (now, visit) = (self.world.now, self.record.visit(id));
        self.world.with(visit.who, |node| node.abort_request(visit.key, request, now));
        Ok(())
    }

    /// Answers one of the calls that are open.
    pub(super) fn respond(&mut self, call: Pick, answer: Result<Payload, String>) -> Verdict {
        let Some((id, call)) = pick_in(&self.open_calls(), call) else { return Ok(()) };
        self.answer(id, call, answer)
    }

    pub(super) fn answer(
        &mut self,
        id: VisitId,
        call: CallId,
        answer: Result<Payload, String>,
    ) -> Verdict {
        let (who, key) = (self.record.visit(id).who, self.record.visit(id).key);
        let Some(known) = self.record.calls.get_mut(&(id, call)) else { return Ok(()) };
        if !std::mem::replace(&mut known.is_open, false) {
            return Ok(());
        }
        let (peer, parcel) = (known.peer, known.parcel);
        let (now, given) = (self.world.now, answer.clone());
        let result = self.world.with(who, |node| node.respond(key, call, given, now));
        ensure!(result.is_ok(), "{who:?} answers {call:?}: {result:?}");
        let Ok(send) = result else { return Ok(()) };
        self.note_send(id, send, [peer].into(), BTreeSet::new(), false, Feeding::Done);
        self.record.parcels[parcel].answer = Some((answer, id, send));
        let again = Ok("again".into());
        let result = self.world.with(who, |node| node.respond(key, call, again, now));
        ensure!(result == Err(RespondError::Over), "{who:?} answers twice: {result:?}");
        Ok(())
    }

    /// From now on everything is answered.
    pub(super) fn answer_all(&mut self) -> Verdict {
        self.is_answering = true;
        for (id, call) in self.open_calls() {
            self.answer(id, call, Err("at last".into()))?;
            self.observe()?;
        }
        Ok(())
    }

    pub(super) fn ping(&mut self, visit: Pick, target: Pick) -> Verdict {
        let Some(id) = self.pick_company(visit) else { return Ok(()) };
        let Some(peer) = self.pick_target(id, target) else { return Ok(()) };
        let (now, target) = (self.world.now, self.record.id(peer).clone());
        let (who, key) = (self.record.visit(id).who, self.record.visit(id).key);
        let result = self.world.with(who, |node| node.ping(key, &target, now));
        let stay = self.record.stay(id, peer);
        let is_right = match &result {
            Ok(_) | Err(PingError::TooMany(_)) => stay.is_some(),
            Err(PingError::NotInRoom) => stay.is_none(),
            Err(_) => false,
        };
        ensure!(is_right, "{who:?} pings {peer:?}: {result:?}");
        if let Some((ping, stay)) = result.ok().zip(stay) {
            let known = Ping { peer, stay, since: now, is_open: true };
            self.record.pings.insert((id, ping), known);
        }
        Ok(())
    }

    /// Says something in a handshake.
    pub(super) fn greet(&mut self, handshake: Pick) -> Verdict {
        let Some((id, handshake)) = pick_in(&self.handshakes(), handshake) else { return Ok(()) };
        let (who, key) = (self.record.visit(id).who, self.record.visit(id).key);
        let Some(known) = self.record.greetings.get(&(id, handshake)) else { return Ok(()) };
        self.words += 1;
        let word = Payload::json(&(self.words, who.0, known.peer.0)).unwrap();
        let now = self.world.now;
        let result =
            self.world.with(who, |node| node.handshake_send(key, handshake, word, None, now));
        ensure!(result.is_ok(), "{who:?} greets in {handshake:?}: {result:?}");
        Ok(())
    }

    pub(super) fn accept(&mut self, id: VisitId, handshake: HandshakeId) -> Verdict {
        let Some(known) = self.record.greetings.get_mut(&(id, handshake)) else { return Ok(()) };
        if !std::mem::replace(&mut known.is_open, false) {
            return Ok(());
        }
        let (peer, visit) = (known.peer, &mut self.record.visits[id.0]);
        visit.accepted.insert(peer);
        visit.ever_accepted.insert(peer);
        let (now, who, key) = (self.world.now, visit.who, visit.key);
        let result = self.world.with(who, |node| node.handshake_accept(key, handshake, now));
        ensure!(result.is_ok(), "{who:?} accepts {peer:?}: {result:?}");
        Ok(())
    }

    pub(super) fn accept_all(&mut self) -> Verdict {
        for (id, handshake) in self.handshakes() {
            self.accept(id, handshake)?;
            self.observe()?;
        }
        Ok(())
    }

    pub(super) fn refuse(&mut self, handshake: Pick) -> Verdict {
        let Some((id, handshake)) = pick_in(&self.handshakes(), handshake) else { return Ok(()) };
        let Some(known) = self.record.greetings.get_mut(&(id, handshake)) else { return Ok(()) };
        known.is_open = false;
        let (peer, visit) = (known.peer, &mut self.record.visits[id.0]);
        visit.refused.insert(peer);
        let (now, who, key) = (self.world.now, visit.who, visit.key);
        let why = "not today".to_owned();
        let result = self.world.with(who, |node| node.handshake_refuse(key, handshake, why, now));
        ensure!(result.is_ok(), "{who:?} refuses {peer:?}: {result:?}");
        self.observe()?;
        let is_told = !self.record.visit(id).refused.contains(&peer);
        ensure!(is_told, "{who:?} was not told that it refused {peer:?}");
        Ok(())
    }

    /// The handshakes that are under way.
    pub(super) fn handshakes(&self) -> Vec<(VisitId, HandshakeId)> {
        let open = self.record.greetings.iter().filter(|((visit, _), known)| {
            known.is_open && self.record.is_awake(self.record.visit(*visit).who)
        });
        open.map(|(key, _)| *key).collect()
    }

    fn open_calls(&self) -> Vec<(VisitId, CallId)> {
        let open = self.record.calls.iter().filter(|((visit, _), known)| {
            known.is_open && self.record.is_awake(self.record.visit(*visit).who)
        });
        open.map(|(key, _)| *key).collect()
    }
}
