//! One connection to one remote peer, shared by every room that both are in.
//!
//! A [`Peer`] knows which rooms the other side says it is in, which of ours are attached to the
//! connection, what waits to be sent ([`Outbox`]) and what came for rooms that are not attached
//! yet. What a frame means inside a room is the room's matter; how it travels is the engine's.
//!
//! spec: docs/protocol.md, section 3

mod early;
mod negotiator;
mod outbox;
mod restart;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::conduct::{Conduct, Offence};
use crate::crypto::RoomToken;
use crate::event::Event;
use crate::ids::{PeerId, RelayId, RoomKey};
use crate::limits::{self, Limits};
use crate::media::{Received, Sent};
use crate::rng::Rng;
use crate::room::LEAVE;
use crate::time::{Deadline, Time};
use crate::wire::{Capabilities, Chunk, Frame, Hello, Signal, detached};

use early::EarlyFrames;
pub(crate) use negotiator::{Lapsed, Made, Negotiator, Next, Their, What};
pub(crate) use outbox::{Order, Outbox, OutboxEvent, Outgoing};
pub(crate) use restart::{Heard, Restarts, Told, Way};

/// A connection that no room uses is closed after this long, as Trystero does.
pub const IDLE_TTL: Duration = Duration::from_millis(123_333);

/// A connection on which JavaScript is stuck is closed after this long, or when a room would use it
/// again: not before JavaScript has left, which takes a tenth of a second in which it would meet us
/// once more.
const STUCK_TTL: Duration = Duration::from_millis(1_000);

/// A peer that seems to have lost us, and does not say otherwise for this long when it is asked,
/// is connected to anew.
const PROBE_TIMEOUT: Duration = Duration::from_millis(3_000);

/// A peer that a room did not admit is not tried again for this long when a relay brings its
/// announce: a relay may repeat that as often as it likes.
const REFUSAL_PAUSE: Duration = Duration::from_millis(1_000);

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) id: PeerId,
    pub(crate) app_id: String,
    pub(crate) outbox: Outbox,
    /// Restarts, if it is one of ours.
    pub(crate) restarts: Restarts,
    /// What is offered over the connection, other than those.
    pub(crate) negotiator: Negotiator,
    /// What it sends of audio and video.
    pub(crate) received: Received,
    /// What goes to it.
    pub(crate) sent: Sent,
    remote_rooms: BTreeSet<RoomToken>,
    attached: BTreeSet<RoomKey>,
    /// Rooms among them in which nothing of it was heard yet.
    silent: BTreeSet<RoomKey>,
    early: EarlyFrames,
    /// Since when no room uses the connection, and how long that may be so.
    idle_since: Option<Time>,
    idle_ttl: Duration,
    /// Whether no room could use it any more: JavaScript takes its tracks away when it leaves, and
    /// offers that in no room, so that nobody answers and it offers nothing ever again.
    is_stuck: bool,
    capabilities: Capabilities,
    conduct: Conduct,
    /// What it is cut for.
    verdict: Option<Offence>,
    /// A question whether it still hears us, if one is open.
    probe: Option<Probe>,
    /// Rooms that did not admit it, and when they may try again because of a relay.
    refused: BTreeMap<RoomKey, Time>,
}

/// A question whether the other side still hears us.
#[derive(Debug)]
struct Probe {
    /// Until when it has to have shown that it does.
    until: Time,
    /// Where it was asked.
    room: RoomKey,
    signals: Vec<SignalOfPeer>,
}

/// What a relay brought of a connected peer.
#[derive(Debug)]
pub(crate) struct SignalOfPeer {
    pub(crate) room: RoomKey,
    pub(crate) relay: RelayId,
    pub(crate) signal: Signal,
}

impl Peer {
    pub(crate) fn new(
        id: PeerId,
        app_id: String,
        limits: &Limits,
        idle_ttl: Duration,
        restarts: Restarts,
        names: Rng,
        now: Time,
    ) -> Self {
        let mut hello = BytesMut::new();
        let secret = Some(restarts.secret());
        Frame::emit_hello(Hello { capabilities: Capabilities::OURS, secret }, &mut hello);
        let mut peer = Peer {
            received: Received::new(id.clone()),
            sent: Sent::new(id.clone(), names),
            id,
            app_id,
            outbox: Outbox::new(limits.outbox_transmissions),
            restarts,
            negotiator: Negotiator::default(),
            remote_rooms: BTreeSet::new(),
            attached: BTreeSet::new(),
            silent: BTreeSet::new(),
            early: EarlyFrames::new(limits),
            idle_since: Some(now),
            idle_ttl,
            is_stuck: false,
            capabilities: Capabilities::default(),
            conduct: Conduct::default(),
            verdict: None,
            probe: None,
            refused: BTreeMap::new(),
        };
        peer.outbox.push_control(hello.freeze());
        peer
    }

    /// The other side says that it is one of ours.
    pub(crate) fn on_hello(&mut self, hello: Hello) {
        self.capabilities = hello.capabilities;
        self.outbox.set_bundles(hello.capabilities.has(Capabilities::BUNDLES));
        if let Some(secret) = hello.secret {
            self.restarts.on_secret(&secret);
        }
    }

    /// Whether it proves the passwords of rooms as we do.
    pub(crate) fn proves_too(&self) -> bool {
        self.capabilities.has(Capabilities::MUTUAL_PROOF)
    }

    /// Whether it is one of ours that takes what is said of media by names.
    pub(crate) fn is_ours(&self) -> bool {
        self.capabilities.has(Capabilities::MEDIA)
    }

    /// What to tell the application of the audio and video between us.
    pub(crate) fn media_events(&mut self) -> impl Iterator<Item = Event> {
        let (received, sent) = (&mut self.received, &mut self.sent);
        std::iter::from_fn(|| received.poll_event().or_else(|| sent.poll_event()))
    }

    /// Whether presence 0 of it ends its membership in a room.
    pub(crate) fn is_presence_exact(&self) -> bool {
        self.capabilities.has(Capabilities::EXACT_PRESENCE)
    }

    /// Notes an offence. True if the peer is to be cut now.
    pub(crate) fn on_offence(&mut self, offence: Offence, now: Time) -> bool {
        let is_cut = self.conduct.note(now) && self.verdict.is_none();
        if is_cut {
            self.verdict = Some(offence);
        }
        is_cut
    }

    /// What it was cut for.
    pub(crate) fn verdict(&self) -> Option<Offence> {
        self.verdict
    }

    /// It was asked in a room whether it still hears us.
    pub(crate) fn on_probed(&mut self, room: RoomKey, now: Time) {
        self.probe = Some(Probe { until: now + PROBE_TIMEOUT, room, signals: Vec::new() });
    }

    /// A relay brought a signal of it. While it is asked whether it hears us that is kept: if it
    /// does not, it has made an offer that nobody has answered, and may not repeat it at once.
    pub(crate) fn on_signal(&mut self, signal: SignalOfPeer) {
        if let Some(probe) = &mut self.probe
            && probe.signals.len() < limits::PROBED_SIGNALS_MAX
        {
            probe.signals.push(signal);
        }
    }

    /// Takes what relays brought of it since it was asked in vain.
    pub(crate) fn take_signals(&mut self) -> Vec<SignalOfPeer> {
        self.probe.take().map(|probe| probe.signals).unwrap_or_default()
    }

    /// It hears us.
    pub(crate) fn on_heard(&mut self) {
        self.probe = None;
    }

    /// It talks to us in a room, which nobody does who has given us up.
    pub(crate) fn on_said(&mut self, room: RoomKey) {
        self.silent.remove(&room);
        self.on_heard();
    }

    /// Whether it is none of ours, and nothing of it was heard in any room since it was attached
    /// there; so it is also where no room is attached.
    pub(crate) fn is_silent(&self) -> bool {
        self.capabilities == Capabilities::default() && self.attached.is_subset(&self.silent)
    }

    /// A room did not admit it.
    pub(crate) fn on_refused(&mut self, room: RoomKey, now: Time) {
        self.refused.insert(room, now + REFUSAL_PAUSE);
    }

    /// Whether a relay's message may bring it before the door of a room again.
    pub(crate) fn may_return(&self, room: RoomKey, now: Time) -> bool {
        self.refused.get(&room).is_none_or(|until| *until <= now)
    }

    pub(crate) fn is_probed(&self) -> bool {
        self.probe.is_some()
    }

    /// Whether the connection is of no use any more, and why.
    pub(crate) fn is_over(&self, now: Time) -> Option<&'static str> {
        if self.probe.as_ref().is_some_and(|probe| probe.until <= now) {
            return Some("it does not hear us any more");
        }
        let is_idle = self.idle_deadline().is_some_and(|until| until <= now);
        is_idle.then_some("no room uses it")
    }

    /// Attaches a room, and gives what came for it before; `None` if it is attached already.
    pub(crate) fn attach(&mut self, room: RoomKey, token: &RoomToken) -> Option<Vec<Bytes>> {
        if !self.attached.insert(room) {
            return None;
        }
        if !self.is_stuck {
            self.idle_since = None;
        }
        let early = self.early.take(token);
        if early.is_empty() {
            self.silent.insert(room);
        }
        Some(early)
    }

    /// Detaches a room. The connection stays, for a while.
    pub(crate) fn detach(&mut self, room: RoomKey, token: &RoomToken, now: Time) {
        if self.attached.remove(&room) && self.attached.is_empty() {
            self.idle_since = Some(now);
            self.is_stuck = !self.is_ours() && self.received.has_tracks();
        }
        // Nothing is answered there any more. A peer that never spoke has not answered by this
        // either.
        if !self.silent.remove(&room) {
            self.probe.take_if(|probe| probe.room == room);
        }
        self.early.take(token);
    }

    /// Notes what the other side says of a room it is in, or is in no longer.
    pub(crate) fn on_presence(&mut self, token: &RoomToken, is_present: bool) {
        if !is_present {
            self.remote_rooms.remove(token);
            self.early.take(token);
        } else if self.remote_rooms.len() < limits::REMOTE_ROOMS_MAX {
            self.remote_rooms.insert(token.clone());
        }
    }

    /// Keeps a chunk for a room of ours that is not attached yet. A goodbye is not kept: it ends
    /// what was said before it, and would end a later visit if it were read then.
    pub(crate) fn hold(&mut self, token: RoomToken, chunk: &Bytes) {
        if is_goodbye(chunk) {
            self.on_presence(&token, false);
        } else {
            self.early.push(token, detached(chunk));
        }
    }

    /// Takes a chunk for a room that we are not in. It was sent before the other side knew that,
    /// and would make no sense on a later visit.
    pub(crate) fn discard(&mut self, token: &RoomToken, chunk: &Bytes) {
        if is_goodbye(chunk) {
            self.on_presence(token, false);
        }
    }

    /// Tells the other side that we are in a room, or are there no longer. False if nothing
    /// leaves any more, and the peer has to be cut.
    pub(crate) fn say_presence(&mut self, token: &RoomToken, is_present: bool) -> bool {
        let mut frame = BytesMut::with_capacity(4 + token.as_bytes().len());
        Frame::emit_presence(token, is_present, &mut frame);
        self.outbox.push_control(frame.freeze())
    }

    /// Whether the other side says that it is in this room.
    pub(crate) fn is_present_in(&self, token: &RoomToken) -> bool {
        self.remote_rooms.contains(token)
    }

    pub(crate) fn is_attached(&self, room: RoomKey) -> bool {
        self.attached.contains(&room)
    }

    pub(crate) fn attached(&self) -> impl Iterator<Item = RoomKey> {
        self.attached.iter().copied()
    }

    /// When [`is_over`](Self::is_over), or the outbox, has something new to say.
    pub(crate) fn poll_timeout(&self) -> Option<Deadline> {
        let idle = self.idle_deadline().map(|at| Deadline::new(at, "close an idle connection"));
        let probe =
            self.probe.as_ref().map(|probe| Deadline::new(probe.until, "replace a connection"));
        let own = Deadline::earlier(idle, probe);
        let restarts =
            Deadline::earlier(self.restarts.poll_timeout(), self.negotiator.poll_timeout());
        let media = Deadline::earlier(restarts, self.received.poll_timeout());
        Deadline::earlier(self.outbox.poll_timeout(), Deadline::earlier(own, media))
    }

    fn idle_deadline(&self) -> Option<Time> {
        let ttl = match (self.is_stuck, self.attached.is_empty()) {
            (false, _) => self.idle_ttl,
            (true, true) => STUCK_TTL,
            (true, false) => Duration::ZERO,
        };
        self.idle_since.map(|since| since + ttl)
    }
}

fn is_goodbye(chunk: &Bytes) -> bool {
    Chunk::parse(chunk).is_ok_and(|chunk| chunk.action.as_str() == LEAVE)
}
