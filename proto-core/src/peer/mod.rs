//! One connection to one remote peer, shared by every room that both are in.
//!
//! A [`Peer`] knows which rooms the other side says it is in, which of ours are attached to the
//! connection, what waits to be sent ([`Outbox`]) and what came for rooms that are not attached
//! yet. What a frame means inside a room is the room's matter; how it travels is the engine's.
//!
//! spec: docs/protocol.md, section 3

mod early;
mod outbox;

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::crypto::RoomToken;
use crate::ids::{PeerId, RoomKey};
use crate::limits;
use crate::room::LEAVE;
use crate::time::{Deadline, Time};
use crate::wire::{Chunk, Frame};

use early::EarlyFrames;
pub(crate) use outbox::{Outbox, OutboxEvent, Outgoing};

/// A connection that no room uses is closed after this long, as Trystero does.
pub const IDLE_TTL: Duration = Duration::from_millis(123_333);

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) id: PeerId,
    pub(crate) app_id: String,
    pub(crate) outbox: Outbox,
    remote_rooms: BTreeSet<RoomToken>,
    attached: BTreeSet<RoomKey>,
    early: EarlyFrames,
    idle_since: Option<Time>,
}

impl Peer {
    pub(crate) fn new(id: PeerId, app_id: String, now: Time) -> Self {
        Peer {
            id,
            app_id,
            outbox: Outbox::default(),
            remote_rooms: BTreeSet::new(),
            attached: BTreeSet::new(),
            early: EarlyFrames::default(),
            idle_since: Some(now),
        }
    }

    /// Attaches a room, and gives what came for it before. False if it is attached already.
    pub(crate) fn attach(&mut self, room: RoomKey, token: &RoomToken) -> Option<Vec<Bytes>> {
        if !self.attached.insert(room) {
            return None;
        }
        self.idle_since = None;
        Some(self.early.take(token))
    }

    /// Detaches a room. The connection stays, for a while.
    pub(crate) fn detach(&mut self, room: RoomKey, token: &RoomToken, now: Time) {
        if self.attached.remove(&room) && self.attached.is_empty() {
            self.idle_since = Some(now);
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

    /// Keeps a chunk for a room that is not attached yet. A goodbye is not kept: it ends what was
    /// said before it, and would end a later visit if it were read then.
    pub(crate) fn hold(&mut self, token: RoomToken, chunk: Bytes) {
        if Chunk::parse(&chunk).is_ok_and(|chunk| chunk.action.as_str() == LEAVE) {
            self.early.take(&token);
            self.remote_rooms.remove(&token);
        } else {
            self.early.push(token, chunk);
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

    /// When the connection is to be closed because no room uses it.
    pub(crate) fn poll_timeout(&self) -> Option<Deadline> {
        let since = self.idle_since?;
        Some(Deadline::new(since + IDLE_TTL, "close an idle connection"))
    }
}
