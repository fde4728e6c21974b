//! A game of ships that see each other, as far as it has to do with peers.
//!
//! It draws nothing and never waits: a game has its own clock, and calls [`frame`](Game::frame) at
//! each tick of it. A frame in which nothing happens costs one system call and no memory.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use anyhow::Result;
use mio::{Events, Poll};
use serde_json::json;
use tristero_proto::wire::{ActionName, Payload};
use tristero_proto::{
    ActionOptions, Event, PeerId, RoomConfig, RoomKey, SendError, SendOptions, Time,
};

use crate::epoch::Epoch;
use crate::local_peer::{LocalPeer, Traffic};

/// Sockets of which is told in one frame.
const EVENTS_PER_FRAME: usize = 64;

/// Where a ship is.
pub type Position = (i64, i64);

/// A game, with one ship of ours and one of each peer in the room.
#[derive(Debug)]
pub struct Game {
    poll: Poll,
    ready: Events,
    peer: LocalPeer,
    room: RoomKey,
    moves: ActionName,
    ship: Position,
    ships: BTreeMap<PeerId, Position>,
    is_over: bool,
}

/// What a frame had to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Frame {
    /// Nothing came, and nothing was due.
    Idle,
    /// Something came.
    Came,
    /// Something was due, and why.
    Due(&'static str),
}

impl Game {
    /// Enters a room, with sockets at these addresses.
    ///
    /// # Errors
    ///
    /// Fails if there are no sockets or random numbers, or the room can't be joined.
    pub fn join(config: RoomConfig, addresses: &[IpAddr], epoch: Epoch) -> Result<Self> {
        let (poll, now) = (Poll::new()?, epoch.now());
        let mut peer = LocalPeer::bind(0, addresses, poll.registry(), epoch)?;
        let moves = ActionName::new("move")?;
        let room = peer.act(|node| node.join(config, now))?;
        peer.act(|node| node.register(room, &moves, ActionOptions::default(), now))?;
        let (ready, ships) = (Events::with_capacity(EVENTS_PER_FRAME), BTreeMap::new());
        Ok(Game { poll, ready, peer, room, moves, ship: (0, 0), ships, is_over: false })
    }

    /// Does what there is to do now.
    ///
    /// # Errors
    ///
    /// Fails if the operating system does not say which sockets are ready.
    pub fn frame(&mut self, now: Time) -> io::Result<Frame> {
        self.poll.poll(&mut self.ready, Some(Duration::ZERO))?;
        for event in &self.ready {
            self.peer.note_ready(event.token());
        }
        let due = self.peer.deadline().filter(|deadline| deadline.at <= now);
        self.peer.turn(now);
        while let Some(event) = self.peer.poll_event() {
            self.on_event(event);
        }
        Ok(match due {
            _ if !self.ready.is_empty() => Frame::Came,
            Some(deadline) => Frame::Due(deadline.why),
            None => Frame::Idle,
        })
    }

    /// Moves our ship, and tells the others.
    ///
    /// # Errors
    ///
    /// Fails if the room was left.
    pub fn steer(&mut self, (x, y): Position, now: Time) -> Result<(), SendError> {
        self.ship = (self.ship.0 + x, self.ship.1 + y);
        let (room, moves, payload) = (self.room, &self.moves, Payload::Json(json!(self.ship)));
        self.peer.act(|node| node.send(room, moves, payload, &SendOptions::default(), now))?;
        // It leaves in this frame, and not in the next.
        self.peer.turn(now);
        Ok(())
    }

    /// Says goodbye. Frames go on until the game [`is_over`](Self::is_over).
    pub fn leave(&mut self, now: Time) {
        self.peer.act(|node| node.shut_down(now));
    }

    /// Whether all goodbyes are said.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// The ships of the others.
    pub fn ships(&self) -> &BTreeMap<PeerId, Position> {
        &self.ships
    }

    /// What its peer has done so far.
    pub fn traffic(&self) -> Traffic {
        self.peer.traffic()
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::PeerJoined { peer, .. } => {
                self.ships.insert(peer, (0, 0));
            }
            Event::PeerLeft { peer, .. } => {
                self.ships.remove(&peer);
            }
            Event::Message { peer, message, .. } => {
                // What a peer sends may be anything.
                if let Ok(position) = message.payload.decode() {
                    self.ships.insert(peer, position);
                }
            }
            Event::ShutDown => self.is_over = true,
            // Relays that come and go, and peers that could not join: of no matter to a ship.
            _ => {}
        }
    }
}
