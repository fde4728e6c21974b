//! Many peers in one thread: one place to wait in, and one order of their deadlines.
//!
//! After a wait, those are served at whose sockets something happened, and those that are due. The
//! others cost nothing, however many they are.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use mio::{Events, Poll, Token};
use tristero_proto::{Deadline, Event, Time};

use crate::epoch::Epoch;
use crate::local_peer::LocalPeer;

/// Sockets of which is told after one wait. The others are told of after the next.
const EVENTS_PER_WAIT: usize = 256;

/// Many peers in one thread.
#[derive(Debug)]
pub struct Swarm {
    epoch: Epoch,
    poll: Poll,
    ready: Events,
    peers: Vec<LocalPeer>,
    /// When each wants its turn, as it said last.
    deadlines: Vec<Option<Deadline>>,
    /// The same, soonest first.
    due: BTreeSet<(Time, usize)>,
    /// Those that have a turn now; kept for its memory.
    woken: BTreeSet<usize>,
}

/// Why a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// Something happened at a socket.
    Socket,
    /// Somebody was due, and why the first was.
    Due(&'static str),
    /// It was long enough.
    Bound,
}

impl Swarm {
    /// So many peers, each with sockets at these addresses.
    ///
    /// # Errors
    ///
    /// Fails if the operating system has not so many sockets, or no random numbers.
    pub fn bind(count: usize, addresses: &[IpAddr]) -> io::Result<Self> {
        let (epoch, poll) = (Epoch::begin(), Poll::new()?);
        let bound = (0..count).map(|n| LocalPeer::bind(n, addresses, poll.registry(), epoch));
        let peers = bound.collect::<io::Result<Vec<_>>>()?;
        Ok(Swarm {
            epoch,
            poll,
            ready: Events::with_capacity(EVENTS_PER_WAIT),
            deadlines: vec![None; peers.len()],
            peers,
            due: BTreeSet::new(),
            woken: BTreeSet::new(),
        })
    }

    /// Does something with one of the peers.
    pub fn act<R>(&mut self, number: usize, act: impl FnOnce(&mut LocalPeer, Time) -> R) -> R {
        let result = act(&mut self.peers[number], self.epoch.now());
        self.note_deadline(number);
        result
    }

    /// Waits until something happens or is due, or for so long, and serves whom it concerns.
    ///
    /// # Errors
    ///
    /// Fails if the operating system does not wait.
    pub fn step(&mut self, longest: Option<Duration>) -> io::Result<Wake> {
        let first = self.due.first().copied();
        let pause = self.epoch.pause_until(first.map(|(at, _)| at));
        let pause = pause.into_iter().chain(longest).min();
        match self.poll.poll(&mut self.ready, pause) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let now = self.epoch.now();
        let due = self.due.iter().take_while(|(at, _)| *at <= now).map(|(_, number)| *number);
        self.woken.extend(due);
        let is_due = !self.woken.is_empty();
        for event in &self.ready {
            let Token(token) = event.token();
            let number = token / LocalPeer::TOKENS;
            self.peers[number].note_ready(event.token());
            self.woken.insert(number);
        }
        let why = first.and_then(|(_, number)| self.deadlines[number]).map(|due| due.why);
        while let Some(number) = self.woken.pop_first() {
            self.peers[number].turn(now);
            self.note_deadline(number);
        }
        Ok(match why {
            _ if !self.ready.is_empty() => Wake::Socket,
            Some(why) if is_due => Wake::Due(why),
            Some(_) | None => Wake::Bound,
        })
    }

    /// What happened to any of the peers.
    pub fn poll_event(&mut self) -> Option<(usize, Event)> {
        let mut peers = self.peers.iter_mut().enumerate();
        peers.find_map(|(number, peer)| Some((number, peer.poll_event()?)))
    }

    /// The peers.
    pub fn peers(&self) -> &[LocalPeer] {
        &self.peers
    }

    /// The time that all of them have.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    fn note_deadline(&mut self, number: usize) {
        let deadline = self.peers[number].deadline();
        let noted = std::mem::replace(&mut self.deadlines[number], deadline);
        let (was_at, at) = (noted.map(|due| due.at), deadline.map(|due| due.at));
        if was_at != at {
            was_at.map(|at| self.due.remove(&(at, number)));
            at.map(|at| self.due.insert((at, number)));
        }
    }
}
