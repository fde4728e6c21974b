//! What applications do: they join and leave, and send, ask and answer meanwhile.

use std::collections::BTreeMap;
use std::time::Duration;

use tristero_proto::wire::{ActionName, Payload};
use tristero_proto::{
    ActionKind, ActionOptions, Event, HandshakeId, PeerId, PeerIds, RequestOptions, Rng,
    RoomConfig, SendId, SendOptions,
};

use super::options::{Options, index, number};
use super::parcel::{Form, Parcel, number_of};
use super::record::{Answer, Fact, Manner, Place, VisitId};
use super::run::Run;
use crate::world::Who;

/// The text of a refusal.
pub(crate) const REFUSAL: &str = "not today";

/// What a peer says in a handshake that it began.
pub(crate) fn greeting_of(id: &PeerId) -> Payload {
    Payload::Text(format!("this is {id}"))
}

/// Messages go over one of these, so that one overtakes another.
pub(super) const MESSAGES: [&str; 3] = ["a", "b", "c"];
/// Transfers go over this.
pub(crate) const TRANSFERS: &str = "t";
pub(super) const REQUESTS: &str = "r";

/// A stream takes pieces of this size.
const PIECE_BYTES: usize = 30_000;

/// The state of all applications.
#[derive(Debug)]
pub(super) struct Apps {
    pub(super) rng: Rng,
    parcels: u64,
    /// Transfers that are fed, and how much of each was.
    streams: BTreeMap<(VisitId, SendId), (Parcel, usize)>,
    /// Whether they only finish what they began.
    pub(super) are_finishing: bool,
}

impl Apps {
    pub(super) fn new(rng: Rng) -> Self {
        Apps { rng, parcels: 0, streams: BTreeMap::new(), are_finishing: false }
    }

    /// How long until the next thing is done.
    pub(super) fn pause(&mut self, options: &Options) -> Duration {
        self.rng.duration_below(options.act_interval * 2)
    }
}

impl Run {
    /// Has somebody do something.
    pub(super) fn act(&mut self) -> Result<(), String> {
        let awake: Vec<Who> = self.awake().collect();
        if awake.is_empty() {
            return Ok(());
        }
        let who = awake[index(&mut self.apps.rng, awake.len())];
        let visits: Vec<VisitId> =
            self.record.open_visits().map(|(id, _)| id).filter(|id| id.who == who).collect();
        if visits.is_empty() || self.apps.rng.below(40) == 0 {
            let place = number(&mut self.apps.rng, 0, self.options.rooms - 1);
            return self.join(who, place);
        }
        let visit = visits[index(&mut self.apps.rng, visits.len())];
        if self.record.is_js(who) {
            return self.act_in_js(visit);
        }
        match self.apps.rng.below(40) {
            0 => self.leave(visit),
            1..=4 => self.ping(visit),
            5..=12 => self.ask(visit),
            13..=16 => self.send_stream(visit),
            _ => self.send(visit),
        }
    }

    /// Has a peer join a room, unless it is there.
    pub(super) fn join(&mut self, who: Who, place: Place) -> Result<(), String> {
        if self.record.visit_of(place, self.record.id(who)).is_some() {
            return Ok(());
        }
        let is_js = self.record.is_js(who);
        let rng = &mut self.apps.rng;
        let options = &self.options;
        let mut is_one_of = |percent: u32| rng.below(100) < u64::from(percent);
        let manner = Manner {
            passive: is_one_of(options.passive_percent) && !is_js,
            is_password_right: !(options.has_password && is_one_of(options.wrong_password_percent)),
            has_handshake: options.has_handshake(place),
        };
        self.enter(who, place, manner).map(drop)
    }

    /// Has a peer join a room where it is not.
    pub(super) fn enter(
        &mut self,
        who: Who,
        place: Place,
        manner: Manner,
    ) -> Result<VisitId, String> {
        let password = match (self.options.has_password, manner.is_password_right) {
            (true, true) => "right",
            (true, false) => "wrong",
            (false, _) => "",
        };
        let config = RoomConfig {
            relays: self.relays.iter().map(|(_, config)| config.clone()).collect(),
            password: password.into(),
            passive: manner.passive,
            handshake: manner.has_handshake,
            ice: self.ice.clone(),
            ..RoomConfig::new("app", format!("room {place}"))
        };
        let room = self.world.join(who, config).map_err(|error| format!("{who:?}: {error}"))?;
        let visit = VisitId { who, room };
        self.note(Fact::Joined { visit, place, manner })?;
        for action in MESSAGES {
            self.register(visit, action, ActionKind::Message)?;
        }
        self.register(visit, TRANSFERS, ActionKind::Transfer)?;
        self.register(visit, REQUESTS, ActionKind::Request { handled: true })?;
        Ok(visit)
    }

    fn register(&mut self, visit: VisitId, action: &str, kind: ActionKind) -> Result<(), String> {
        if self.record.is_js(visit.who) {
            return self.register_in_js(visit, action, kind);
        }
        let options = ActionOptions { kind, progress: false };
        let registered = self
            .world
            .with(visit.who, |node, now| node.register(visit.room, &name(action), options, now));
        self.observe()?;
        match registered {
            Some(Err(error)) => Err(format!("{:?} can't register {action}: {error}", visit.who)),
            Some(Ok(())) | None => Ok(()),
        }
    }

    pub(super) fn leave(&mut self, visit: VisitId) -> Result<(), String> {
        // What it is told in the same moment it was told before.
        self.note(Fact::Left { visit })?;
        self.world.with(visit.who, |node, now| node.leave(visit.room, now));
        self.observe()
    }

    fn send(&mut self, visit: VisitId) -> Result<(), String> {
        let action = MESSAGES[index(&mut self.apps.rng, MESSAGES.len())];
        let parcel = self.draw_parcel(None);
        let (targets, to) = self.draw_targets(visit);
        self.send_parcel(visit, action, parcel, (targets, to))
    }

    /// Sends something to some, as an option and as a list.
    pub(super) fn send_parcel(
        &mut self,
        visit: VisitId,
        action: &'static str,
        parcel: Parcel,
        (targets, to): (Option<Vec<PeerId>>, Vec<PeerId>),
    ) -> Result<(), String> {
        let options = SendOptions { targets: targets.map(PeerIds::from), ..SendOptions::default() };
        let sent = self.world.with(visit.who, |node, now| {
            node.send(visit.room, &name(action), parcel.payload(), &options, now)
        });
        match sent {
            Some(Ok(send)) => self.note(Fact::Sent { visit, action, parcel, send, to: &to }),
            Some(Err(error)) => Err(format!("{:?} can't send: {error}", visit.who)),
            None => Ok(()),
        }
    }

    fn send_stream(&mut self, visit: VisitId) -> Result<(), String> {
        let parcel = self.draw_parcel(Some(Form::Binary));
        let (targets, to) = self.draw_targets(visit);
        let options = SendOptions { targets: targets.map(PeerIds::from), ..SendOptions::default() };
        let length = parcel.bytes().len() as u64;
        let sent = self.world.with(visit.who, |node, now| {
            node.send_stream(visit.room, &name(TRANSFERS), &options, Some(length), now)
        });
        match sent {
            Some(Ok(send)) => {
                self.apps.streams.insert((visit, send), (parcel, 0));
                self.note(Fact::Sent { visit, action: TRANSFERS, parcel, send, to: &to })
            }
            Some(Err(error)) => Err(format!("{:?} can't send: {error}", visit.who)),
            None => Ok(()),
        }
    }

    fn ask(&mut self, visit: VisitId) -> Result<(), String> {
        let parcel = self.draw_parcel(None);
        let members: Vec<PeerId> = self.record.visits[&visit].members.keys().cloned().collect();
        if members.is_empty() {
            return Ok(());
        }
        let target = members[index(&mut self.apps.rng, members.len())].clone();
        let timeout = (self.apps.rng.below(2) == 0)
            .then(|| self.apps.rng.duration_below(Duration::from_secs(20)));
        self.ask_parcel(visit, parcel, &target, timeout)
    }

    /// Asks somebody.
    pub(super) fn ask_parcel(
        &mut self,
        visit: VisitId,
        parcel: Parcel,
        target: &PeerId,
        timeout: Option<Duration>,
    ) -> Result<(), String> {
        // Its progress says when its time begins.
        let progress = timeout.is_some();
        let options = RequestOptions { timeout, progress, ..RequestOptions::to(target.clone()) };
        let asked = self.world.with(visit.who, |node, now| {
            node.request(visit.room, &name(REQUESTS), parcel.payload(), options, now)
        });
        match asked {
            Some(Ok(request)) => self.note(Fact::Asked { visit, parcel, request, target, timeout }),
            Some(Err(error)) => Err(format!("{:?} can't ask: {error}", visit.who)),
            None => Ok(()),
        }
    }

    fn ping(&mut self, visit: VisitId) -> Result<(), String> {
        let members: Vec<PeerId> = self.record.visits[&visit].members.keys().cloned().collect();
        if members.is_empty() {
            return Ok(());
        }
        let target = &members[index(&mut self.apps.rng, members.len())];
        let pinged = self.world.with(visit.who, |node, now| node.ping(visit.room, target, now));
        match pinged {
            Some(Ok(ping)) => self.note(Fact::Pinged { visit, ping, target }),
            // So many pings at once are refused.
            Some(Err(_)) | None => Ok(()),
        }
    }

    /// What an application does about what it is told.
    pub(super) fn react(&mut self, who: Who, event: &Event) -> Result<(), String> {
        match event {
            Event::Request { room, request, .. } => {
                let Some(number) = number_of(&request.payload) else { return Ok(()) };
                let with = if self.apps.rng.below(8) == 0 { Answer::Refusal } else { Answer::Echo };
                let answer: Result<Payload, String> = match with {
                    Answer::Echo => Ok(request.payload.clone()),
                    Answer::Refusal => Err(REFUSAL.to_owned()),
                };
                self.note(Fact::Answered { number, with })?;
                let call = request.call;
                if self.record.is_js(who) {
                    self.world.with_js(who, |js, now| js.respond(*room, call, answer, now));
                    return Ok(());
                }
                self.world.with(who, |node, now| node.respond(*room, call, answer, now));
                Ok(())
            }
            Event::Handshake { room, handshake, is_initiator: true, .. } => {
                self.greet(VisitId { who, room: *room }, *handshake)
            }
            Event::HandshakeData { room, handshake, .. } => {
                self.admit(VisitId { who, room: *room }, *handshake)
            }
            Event::SendReady { room, send } => self.feed(VisitId { who, room: *room }, *send),
            Event::Sent { room, send, .. } => {
                self.apps.streams.remove(&(VisitId { who, room: *room }, *send));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Begins a handshake: says who we are, and lets the other in.
    fn greet(&mut self, visit: VisitId, handshake: HandshakeId) -> Result<(), String> {
        let greeting = greeting_of(self.record.id(visit.who));
        self.world.with(visit.who, |node, now| {
            node.handshake_send(visit.room, handshake, greeting, None, now)
        });
        self.accept(visit, handshake)
    }

    /// Ends a handshake that the other side began.
    fn admit(&mut self, visit: VisitId, handshake: HandshakeId) -> Result<(), String> {
        if self.apps.are_finishing || self.apps.rng.below(8) > 0 {
            return self.accept(visit, handshake);
        }
        let refusal = REFUSAL.to_owned();
        self.world.with(visit.who, |node, now| {
            node.handshake_refuse(visit.room, handshake, refusal, now)
        });
        Ok(())
    }

    fn accept(&mut self, visit: VisitId, handshake: HandshakeId) -> Result<(), String> {
        self.note(Fact::Accepted { visit, handshake })?;
        // It may be over: what was told in the same moment is not yet looked at.
        self.world.with(visit.who, |node, now| node.handshake_accept(visit.room, handshake, now));
        Ok(())
    }

    fn feed(&mut self, visit: VisitId, send: SendId) -> Result<(), String> {
        let Some((parcel, fed)) = self.apps.streams.get_mut(&(visit, send)) else { return Ok(()) };
        let bytes = parcel.bytes();
        let piece = bytes.slice(*fed..bytes.len().min(*fed + PIECE_BYTES));
        *fed += piece.len();
        let is_last = *fed == bytes.len();
        self.world.with(visit.who, |node, now| {
            if !piece.is_empty() {
                node.feed(visit.room, send, piece, now);
            }
            if is_last {
                node.finish(visit.room, send, now);
            }
        });
        Ok(())
    }

    pub(super) fn draw_parcel(&mut self, form: Option<Form>) -> Parcel {
        let rng = &mut self.apps.rng;
        let form = form.unwrap_or([Form::Text, Form::Json, Form::Binary][index(rng, 3)]);
        // Each order of magnitude is as likely as any other.
        let most = self.options.message_bytes_max;
        let limit = most >> number(rng, 0, most.ilog2());
        let size = number(rng, 0, limit) as usize;
        self.parcel(form, size)
    }

    /// The next parcel.
    pub(super) fn parcel(&mut self, form: Form, size: usize) -> Parcel {
        self.apps.parcels += 1;
        Parcel { number: self.apps.parcels, form, size }
    }

    /// Everyone or some, as an option and as a list.
    pub(super) fn draw_targets(&mut self, visit: VisitId) -> (Option<Vec<PeerId>>, Vec<PeerId>) {
        let mut members: Vec<PeerId> = self.record.visits[&visit].members.keys().cloned().collect();
        if self.apps.rng.below(2) == 0 {
            return (None, members);
        }
        members.retain(|_| self.apps.rng.below(2) == 0);
        (Some(members.clone()), members)
    }
}

pub(super) fn name(action: &str) -> ActionName {
    ActionName::new(action).expect("it is short")
}
