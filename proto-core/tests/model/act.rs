//! What applications do: the commands of a scenario that are calls of a node.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use serde_json::{Value, json};
use tristero_proto::wire::Chunk;
use tristero_proto::{
    ActionOptions, JoinError, PeerId, PeerIds, RegisterError, SendId, SendOptions, limits,
};

use super::checks::{Verdict, ensure};
use super::parcel::{Body, Parcel, content, pattern};
use super::play::{Play, pick_in};
use super::record::{Visit, VisitId};
use super::scenario::{Command, Form, Kind, Manner, Pick, Place, Shape, Targets};
use super::under_way::{Feeding, Send};
use super::{ACTIONS, action_name};
use crate::common::Who;

/// More of a stream is asked for while less than this of it waits.
const WINDOW_BYTES: usize = (limits::STREAM_WINDOW_CHUNKS - 1) * Chunk::PAYLOAD_BYTES;

/// An id that no node has.
const STRANGER: &str = "stranger";

impl Play {
    pub(super) fn act(&mut self, command: Command) -> Verdict {
        match command {
            Command::Join { node, place, manner } => self.join(node, place, manner),
            Command::Leave { visit } => self.leave(visit),
            Command::Register { visit, action, kind, progress } => {
                let visit = self.pick_visit(visit);
                let action = usize::from(action) % ACTIONS;
                visit.map_or(Ok(()), |visit| self.register(visit, action, kind, progress))
            }
            Command::Send { visit, action, to, shape, progress } => {
                let visit = self.pick_company(visit);
                let action = usize::from(action) % ACTIONS;
                visit.map_or(Ok(()), |visit| self.send(visit, action, to, shape, progress))
            }
            Command::SendStream { visit, action, to, length } => {
                let visit = self.pick_company(visit);
                let action = usize::from(action) % ACTIONS;
                visit.map_or(Ok(()), |visit| self.send_stream(visit, action, to, length))
            }
            Command::Feed { stream, bytes } => self.feed(stream, bytes),
            Command::Finish { stream } => {
                if let Some((visit, send, _)) = pick_in(&self.streams(), stream) {
                    self.finish(visit, send);
                }
                Ok(())
            }
            Command::Abort { send } => self.abort(send),
            Command::Request { visit, action, target, shape, timeout_ms } => {
                let action = usize::from(action) % ACTIONS;
                self.request(visit, action, target, shape, timeout_ms)
            }
            Command::AbortRequest { request } => self.abort_request(request),
            Command::Respond { call, shape } => {
                let (payload, _) = content(usize::from(call), shape);
                self.respond(call, Ok(payload))
            }
            Command::Reject { call } => self.respond(call, Err(format!("no {call}"))),
            Command::Ping { visit, target } => self.ping(visit, target),
            Command::Greet { handshake } => self.greet(handshake),
            Command::Accept { handshake } => {
                let picked = pick_in(&self.handshakes(), handshake);
                picked.map_or(Ok(()), |(visit, handshake)| self.accept(visit, handshake))
            }
            Command::Refuse { handshake } => self.refuse(handshake),
            around => unreachable!("{around:?} is no call of a node"),
        }
    }

    fn join(&mut self, node: Pick, place: Place, manner: Manner) -> Verdict {
        let Some(who) = self.pick(node, |play, who| play.record.is_awake(who)) else {
            return Ok(());
        };
        let (now, config) = (self.world.now, place.config(manner));
        let result = self.world.with(who, |node| node.join(config.clone(), now));
        if let Some(current) = self.record.current(who, place) {
            let current = self.record.visit(current);
            let is_same = place.config(current.manner) == config;
            let is_right = match &result {
                Ok(key) => is_same && *key == current.key,
                Err(JoinError::Differs(_)) => !is_same,
                Err(_) => false,
            };
            ensure!(is_right, "{who:?} joins {place:?} again, which gives {result:?}");
            return Ok(());
        }
        let is_new = result.as_ref().is_ok_and(|key| self.record.visit_of(who, *key).is_none());
        ensure!(is_new, "{who:?} joins {place:?}, which gives {result:?}");
        let Ok(key) = result else { return Ok(()) };
        self.record.visits.push(Visit {
            who,
            place,
            manner,
            key,
            from: now,
            until: None,
            actions: BTreeMap::new(),
            was_unhandled: BTreeSet::new(),
            accepted: BTreeSet::new(),
            ever_accepted: BTreeSet::new(),
            refused: BTreeSet::new(),
        });
        let id = VisitId(self.record.visits.len() - 1);
        let purposes = [Kind::Message, Kind::Transfer, Kind::Handled].into_iter().enumerate();
        for (action, kind) in purposes.filter(|_| manner.is_equipped) {
            self.register(id, action, kind, true)?;
        }
        Ok(())
    }

    fn leave(&mut self, visit: Pick) -> Verdict {
        let Some(id) = self.pick_visit(visit) else { return Ok(()) };
        self.record.end_visit(id);
        let (now, visit) = (self.world.now, self.record.visit(id));
        self.world.with(visit.who, |node| node.leave(visit.key, now));
        Ok(())
    }

    fn register(&mut self, id: VisitId, action: usize, kind: Kind, progress: bool) -> Verdict {
        let (now, name) = (self.world.now, action_name(action));
        let options = ActionOptions { kind: kind.of_action(), progress };
        let visit = &mut self.record.visits[id.0];
        let is_like = visit.actions.get(&action).is_none_or(|(known, _)| known.is_like(kind));
        if is_like {
            visit.actions.insert(action, (kind, progress));
        }
        if is_like && kind == Kind::Unhandled {
            visit.was_unhandled.insert(action);
        }
        let (who, key) = (visit.who, visit.key);
        let result = self.world.with(who, |node| node.register(key, &name, options, now));
        let expected = if is_like { Ok(()) } else { Err(RegisterError::OtherKind(name.clone())) };
        ensure!(result == expected, "{who:?} registers {name:?} for {kind:?}: {result:?}");
        Ok(())
    }

    fn send(
        &mut self,
        id: VisitId,
        action: usize,
        to: Targets,
        shape: Shape,
        progress: bool,
    ) -> Verdict {
        let (payload, metadata) = content(self.record.parcels.len(), shape);
        let (targets, present, absent) = self.targets(id, to);
        let options = SendOptions {
            targets: targets.map(PeerIds::from),
            metadata: metadata.clone(),
            progress,
        };
        let (now, name) = (self.world.now, action_name(action));
        let (who, key) = (self.record.visit(id).who, self.record.visit(id).key);
        let sent = payload.clone();
        let result = self.world.with(who, |node| node.send(key, &name, sent, &options, now));
        ensure!(result.is_ok(), "{who:?} sends: {result:?}");
        let Ok(send) = result else { return Ok(()) };
        self.note_parcel(id, action, Body::Whole(payload), metadata, &present, send);
        self.note_send(id, send, present, absent, progress, Feeding::Done);
        Ok(())
    }

    fn send_stream(
        &mut self,
        id: VisitId,
        action: usize,
        to: Targets,
        length: Option<u64>,
    ) -> Verdict {
        let number = self.record.parcels.len();
        let metadata = Some(json!({ "n": number }));
        let (targets, present, absent) = self.targets(id, to);
        let options = SendOptions {
            targets: targets.map(PeerIds::from),
            metadata: metadata.clone(),
            progress: true,
        };
        let (now, name) = (self.world.now, action_name(action));
        let (who, key) = (self.record.visit(id).who, self.record.visit(id).key);
        let result =
            self.world.with(who, |node| node.send_stream(key, &name, &options, length, now));
        ensure!(result.is_ok(), "{who:?} sends a stream: {result:?}");
        let Ok(send) = result else { return Ok(()) };
        let body = Body::stream(now);
        self.note_parcel(id, action, body, metadata, &present, send);
        // With nobody to send to it is over at once.
        let feeding =
            if present.is_empty() { Feeding::Done } else { Feeding::Owing { parcel: number } };
        self.note_send(id, send, present, absent, true, feeding);
        Ok(())
    }

    fn feed(&mut self, stream: Pick, length: usize) -> Verdict {
        let Some((visit, send, number)) = pick_in(&self.streams(), stream) else { return Ok(()) };
        let parcel = &mut self.record.parcels[number];
        let start = parcel.bytes().0.len();
        let fed: Vec<u8> = pattern(number, start, length).collect();
        parcel.body.feed(&fed, false, self.world.now);
        if let Some(known) = self.record.sends.get_mut(&(visit, send)) {
            known.feeding = Feeding::Owing { parcel: number };
        }
        let (now, visit) = (self.world.now, self.record.visit(visit));
        self.world.with(visit.who, |node| node.feed(visit.key, send, Bytes::from(fed), now));
        Ok(())
    }

    fn finish(&mut self, id: VisitId, send: SendId) {
        let Some(known) = self.record.sends.get_mut(&(id, send)) else { return };
        let (Feeding::Owing { parcel } | Feeding::Ready { parcel }) = known.feeding else { return };
        known.feeding = Feeding::Done;
        self.record.parcels[parcel].body.feed(&[], true, self.world.now);
        let (now, visit) = (self.world.now, self.record.visit(id));
        self.world.with(visit.who, |node| node.finish(visit.key, send, now));
    }

    fn abort(&mut self, send: Pick) -> Verdict {
        let open = self.record.sends.iter().filter(|((visit, _), known)| {
            known.is_open() && self.record.is_awake(self.record.visit(*visit).who)
        });
        let open: Vec<(VisitId, SendId)> = open.map(|(key, _)| *key).collect();
        let Some((id, send)) = pick_in(&open, send) else { return Ok(()) };
        if let Some(known) = self.record.sends.get_mut(&(id, send)) {
            known.is_aborted = true;
        }
        let (now, visit) = (self.world.now, self.record.visit(id));
        let who = visit.who;
        self.world.with(who, |node| node.abort(visit.key, send, now));
        self.observe()?;
        let is_over = self.record.sends.get(&(id, send)).is_some_and(|known| !known.is_open());
        ensure!(is_over, "{who:?} aborted {send:?}, and it goes on");
        Ok(())
    }

    /// Streams that are not finished, with their parcels.
    fn streams(&self) -> Vec<(VisitId, SendId, usize)> {
        let fed = self.record.sends.iter().filter_map(|((visit, send), known)| {
            let is_awake = self.record.is_awake(self.record.visit(*visit).who);
            match known.feeding {
                _ if !known.is_open() || !is_awake => None,
                Feeding::Done => None,
                Feeding::Owing { parcel } | Feeding::Ready { parcel } => {
                    Some((*visit, *send, parcel))
                }
            }
        });
        fed.collect()
    }

    /// Who is named, and who of them is a member and who is not.
    fn targets(
        &self,
        id: VisitId,
        to: Targets,
    ) -> (Option<Vec<PeerId>>, BTreeSet<Who>, BTreeSet<PeerId>) {
        let members = self.record.members(id);
        let Targets::Some(bits) = to else { return (None, members, BTreeSet::new()) };
        let named: Vec<Who> =
            self.record.everyone().filter(|who| bits & (1 << who.0) != 0).collect();
        let (present, absent): (BTreeSet<Who>, BTreeSet<Who>) =
            named.iter().partition(|who| members.contains(who));
        let stranger = (bits & 0x80 != 0).then(|| PeerId::new(STRANGER).unwrap());
        let id = |who: &Who| self.record.id(*who).clone();
        let absent: BTreeSet<PeerId> = absent.iter().map(id).chain(stranger.clone()).collect();
        (Some(named.iter().map(id).chain(stranger).collect()), present, absent)
    }

    pub(super) fn note_parcel(
        &mut self,
        from: VisitId,
        action: usize,
        body: Body,
        metadata: Option<Value>,
        present: &BTreeSet<Who>,
        send: SendId,
    ) {
        let stay = |who: &Who| self.record.stay(from, *who).map(|stay| (*who, stay));
        let targets = present.iter().filter_map(stay).collect();
        self.record.parcels.push(Parcel {
            from,
            action,
            body,
            metadata,
            sent_at: self.world.now,
            targets,
            send,
            is_request: false,
            is_request_given_up: false,
            handed_over: BTreeSet::new(),
            arrived: BTreeMap::new(),
            answer: None,
        });
    }

    pub(super) fn note_send(
        &mut self,
        id: VisitId,
        send: SendId,
        present: BTreeSet<Who>,
        absent: BTreeSet<PeerId>,
        wants_progress: bool,
        feeding: Feeding,
    ) {
        let known = Send {
            since: self.world.now,
            staying: present.clone(),
            targets: present,
            absent,
            wants_progress,
            fractions: BTreeMap::new(),
            feeding,
            is_aborted: false,
            report: None,
        };
        self.record.sends.insert((id, send), known);
    }

    /// Finishes all that an application has begun, and lets everyone say something at last.
    pub(super) fn finish_all(&mut self) -> Verdict {
        for (visit, send, parcel) in self.streams() {
            let is_small = self.record.parcels[parcel].bytes().0.len() < WINDOW_BYTES;
            let is_asked = self.record.sends[&(visit, send)].feeding == Feeding::Ready { parcel };
            ensure!(is_asked || !is_small, "nobody asked for more of {send:?} of {visit:?}");
            self.finish(visit, send);
            self.observe()?;
        }
        for id in self.record.open_visits().collect::<Vec<_>>() {
            for action in 0..=ACTIONS {
                if !self.record.visit(id).actions.contains_key(&action) {
                    self.register(id, action, Kind::Message, false)?;
                    self.observe()?;
                }
            }
        }
        let shape = Shape { form: Form::Text, size: 10, is_bare: true };
        for id in self.record.open_visits().collect::<Vec<_>>() {
            self.send(id, ACTIONS, Targets::All, shape, false)?;
            self.observe()?;
        }
        self.answer_all()
    }
}
