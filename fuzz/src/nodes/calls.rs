//! What applications do.

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use tristero_proto::wire::{ActionName, Payload};
use tristero_proto::{
    ActionKind, ActionOptions, Command, PeerId, PeerIds, Reply, RequestOptions, RoomKey,
    SendOptions,
};

use super::{PLACES, Play, Step, config};
use crate::world::{Parcel, Thing, Who, content};

impl Play {
    pub(super) fn join(&mut self, who: Who, place: u8, manner: u8) {
        let place = place % PLACES;
        let config = Box::new(config(place, manner));
        if let Reply::Joined(Ok(room)) = self.world.command(who, Command::Join(config)) {
            self.world.witness(who).join(room, place);
        }
        self.world.drain(who);
    }

    pub(super) fn leave(&mut self, who: Who, room: u8) {
        let Some(room) = self.room(who, room) else { return };
        self.world.command(who, Command::Leave(room));
        self.world.witness(who).leave(room);
        self.world.drain(who);
    }

    pub(super) fn shut_down(&mut self, who: Who) {
        self.world.command(who, Command::ShutDown);
        self.world.witness(who).leave_all();
        self.world.drain(who);
    }

    pub(super) fn register(&mut self, who: Who, room: u8, action: u8, options: u8) {
        let Some(room) = self.room(who, room) else { return };
        let kind = match options % 4 {
            0 => ActionKind::Message,
            1 => ActionKind::Transfer,
            2 => ActionKind::Request { handled: true },
            _ => ActionKind::Request { handled: false },
        };
        let options = ActionOptions { kind, progress: options & 4 > 0 };
        self.command(who, Command::Register(room, action_name(action), options));
    }

    pub(super) fn send(&mut self, step: &Step) {
        let (who, [room, action, shape]) = (step.who, step.picks);
        let Some(room) = self.room(who, room) else { return };
        let (parcel, options) = self.parcel(step, room, shape, &step.bytes);
        let (payload, with) = (parcel.payload.clone(), options.targets.clone());
        self.world.witness(who).parcels.note(parcel);
        let command = Command::Send(room, action_name(action), payload, options);
        if let Reply::Sending(Ok(send)) = self.world.command(who, command) {
            self.world.witness(who).begin(room, Thing::Send(send), with.as_deref());
        }
        self.world.drain(who);
    }

    pub(super) fn send_stream(&mut self, step: &Step) {
        let (who, [room, action, shape]) = (step.who, step.picks);
        let Some(room) = self.room(who, room) else { return };
        let (mut parcel, mut options) = self.parcel(step, room, shape, &[]);
        let witness = self.world.witness(who);
        let metadata = Some(json!({ "n": witness.label(witness.parcels.next()) }));
        parcel.payload = Payload::Binary(Bytes::new());
        parcel.metadata.clone_from(&metadata);
        options.metadata = metadata;
        witness.parcels.note(parcel);
        let (length, with) = (Some(u64::from(shape) * 100), options.targets.clone());
        let command = Command::SendStream(room, action_name(action), options, length);
        if let Reply::Sending(Ok(send)) = self.world.command(who, command) {
            let witness = self.world.witness(who);
            witness.begin(room, Thing::Send(send), with.as_deref());
            witness.feed(room, send);
            witness.parcels.note_stream(send);
        }
        self.world.drain(who);
    }

    pub(super) fn feed(&mut self, who: Who, pick: u8, times: u8, bytes: &[u8]) {
        let Some((room, Thing::Send(send))) = self.pick(who, pick, is_send) else { return };
        let more: Vec<u8> = bytes.repeat(usize::from(times) + 1);
        let witness = self.world.witness(who);
        witness.feed(room, send);
        witness.parcels.feed(send, &more);
        self.command(who, Command::Feed(room, send, more.into()));
    }

    pub(super) fn finish(&mut self, who: Who, pick: u8) {
        let Some((room, Thing::Send(send))) = self.pick(who, pick, is_send) else { return };
        self.world.witness(who).parcels.finish(send);
        self.command(who, Command::Finish(room, send));
    }

    pub(super) fn abort(&mut self, who: Who, pick: u8) {
        let Some((room, Thing::Send(send))) = self.pick(who, pick, is_send) else { return };
        self.command(who, Command::Abort(room, send));
        let is_over = !self.world.witness(who).is_under_way(room, Thing::Send(send));
        assert!(is_over, "{send:?} was aborted, and goes on");
    }

    pub(super) fn request(&mut self, step: &Step) {
        let (who, [room, action, shape]) = (step.who, step.picks);
        let Some(room) = self.room(who, room) else { return };
        let (mut parcel, SendOptions { targets, metadata, progress }) =
            self.parcel(step, room, shape, &step.bytes);
        parcel.is_request = true;
        let target = targets.and_then(|t| t.first().cloned()).unwrap_or_else(|| self.other(who));
        let payload = parcel.payload.clone();
        let timeout = (shape & 8 > 0).then(|| Duration::from_millis(u64::from(shape) * 20));
        let options = RequestOptions { target: target.clone(), metadata, timeout, progress };
        self.world.witness(who).parcels.note(parcel);
        let command = Command::Request(room, action_name(action), payload, options);
        if let Reply::Requested(Ok(request)) = self.world.command(who, command) {
            let witness = self.world.witness(who);
            witness.begin(room, Thing::Request(request), Some(&[target]));
            witness.parcels.note_request(request);
        }
        self.world.drain(who);
    }

    pub(super) fn abort_request(&mut self, who: Who, pick: u8) {
        let is_request = |thing: &Thing| matches!(thing, Thing::Request(_));
        let picked = self.pick(who, pick, is_request);
        let Some((room, Thing::Request(request))) = picked else { return };
        self.world.command(who, Command::AbortRequest(room, request));
        self.world.witness(who).end(room, Thing::Request(request));
        self.world.drain(who);
    }

    pub(super) fn respond(&mut self, who: Who, pick: u8, answer: Result<Payload, String>) {
        let is_call = |thing: &Thing| matches!(thing, Thing::Call(_));
        let Some((room, Thing::Call(call))) = self.pick(who, pick, is_call) else { return };
        let is_open = self.world.witness(who).is_under_way(room, Thing::Call(call));
        let with: Vec<PeerId> = self.world.witness(who).with(room, Thing::Call(call));
        let reply = self.world.command(who, Command::Respond(room, call, answer.clone()));
        let Reply::Responded(result) = reply else { unreachable!("it answers a response") };
        assert_eq!(result.is_ok(), is_open, "{call:?} is answered once: {result:?}");
        if let Ok(send) = result {
            let witness = self.world.witness(who);
            witness.end(room, Thing::Call(call));
            witness.begin(room, Thing::Send(send), Some(&with));
            if let Some(label) = witness.parcels.of_call(room, call) {
                self.world.witness(Who(label % 2)).parcels.note_answer(label / 2, answer);
            }
        }
        self.world.drain(who);
    }

    pub(super) fn ping(&mut self, who: Who, room: u8, target: u8) {
        let Some(room) = self.room(who, room) else { return };
        let target = self.targets(who, target).and_then(|t| t.first().cloned());
        let target = target.unwrap_or_else(|| self.other(who));
        let reply = self.world.command(who, Command::Ping(room, target.clone()));
        if let Reply::Pinged(Ok(ping)) = reply {
            self.world.witness(who).begin(room, Thing::Ping(ping), Some(&[target]));
        }
        self.world.drain(who);
    }

    pub(super) fn greet(&mut self, who: Who, pick: u8, form: u8, bytes: &[u8]) {
        let picked = self.pick(who, pick, is_handshake);
        let Some((room, Thing::Handshake(handshake))) = picked else { return };
        let payload = content(0, form, bytes, bytes.len());
        self.command(who, Command::HandshakeSend(room, handshake, payload, None));
    }

    pub(super) fn answer_handshake(&mut self, who: Who, pick: u8, accepts: bool) {
        let picked = self.pick(who, pick, is_handshake);
        let Some((room, Thing::Handshake(handshake))) = picked else { return };
        let command = match accepts {
            true => Command::HandshakeAccept(room, handshake),
            false => Command::HandshakeRefuse(room, handshake, "not today".to_owned()),
        };
        let is_open = self.world.witness(who).is_under_way(room, Thing::Handshake(handshake));
        let reply = self.world.command(who, command);
        let Reply::Handshake(result) = reply else { unreachable!("it answers a handshake") };
        assert_eq!(result.is_ok(), is_open, "{handshake:?} is answered once: {result:?}");
        self.world.witness(who).end(room, Thing::Handshake(handshake));
        self.world.drain(who);
    }

    /// What is sent, and how. The shape says both.
    fn parcel(
        &mut self,
        step: &Step,
        room: RoomKey,
        shape: u8,
        more: &[u8],
    ) -> (Parcel, SendOptions) {
        let [_, action, _] = step.picks;
        let targets = self.targets(step.who, shape >> 6);
        let witness = self.world.witness(step.who);
        let label = witness.label(witness.parcels.next());
        let size = if shape & 4 > 0 { more.len() * 400 } else { more.len() };
        let payload = content(label, shape, more, size);
        let metadata = (shape & 32 > 0).then(|| json!({ "n": label }));
        let mut parcel = Parcel::new(witness.visits[&room].place, action_name(action), payload);
        parcel.metadata.clone_from(&metadata);
        (
            parcel,
            SendOptions { targets: targets.map(PeerIds::from), metadata, progress: shape & 16 > 0 },
        )
    }

    /// A room that was joined once.
    pub(super) fn room(&mut self, who: Who, pick: u8) -> Option<RoomKey> {
        let visits = &self.world.witness(who).visits;
        let open: Vec<RoomKey> = visits.iter().filter(|(_, v)| !v.is_over).map(|v| *v.0).collect();
        let all: Vec<RoomKey> = visits.keys().copied().collect();
        // Now and then one that was left.
        let from = if pick >= 200 || open.is_empty() { all } else { open };
        from.get(usize::from(pick) % from.len().max(1)).copied()
    }

    /// Something of a kind that was ever begun.
    fn pick(
        &mut self,
        who: Who,
        pick: u8,
        is_it: impl Fn(&Thing) -> bool,
    ) -> Option<(RoomKey, Thing)> {
        let witness = self.world.witness(who);
        let all: Vec<_> = witness.things().filter(|(_, thing)| is_it(thing)).collect();
        let open: Vec<_> =
            all.iter().copied().filter(|(room, t)| witness.is_under_way(*room, *t)).collect();
        let from = if pick >= 200 || open.is_empty() { all } else { open };
        from.get(usize::from(pick) % from.len().max(1)).copied()
    }

    fn other(&self, who: Who) -> PeerId {
        self.world.id(Who(1 - who.0))
    }

    pub(super) fn targets(&self, who: Who, pick: u8) -> Option<Vec<PeerId>> {
        let stranger = PeerId::new("stranger").expect("this is an id");
        match pick % 4 {
            0 => None,
            1 => Some(vec![self.other(who)]),
            2 => Some(vec![self.other(who), stranger, self.world.id(who)]),
            _ => Some(vec![stranger]),
        }
    }
}

fn action_name(pick: u8) -> ActionName {
    let names = ["x", "y", "z", "w"];
    ActionName::new(names[usize::from(pick) % names.len()]).expect("this is a name")
}

fn is_send(thing: &Thing) -> bool {
    matches!(thing, Thing::Send(_))
}

fn is_handshake(thing: &Thing) -> bool {
    matches!(thing, Thing::Handshake(_))
}
