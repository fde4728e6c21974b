//! Requests of peers that were not answered yet.
//!
//! spec: docs/protocol.md, section 6

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::Request;
use crate::ids::{CallId, Counter, PeerId};
use crate::limits;
use crate::time::{Deadline, Time};
use crate::wire::ActionName;

/// A request waits this long for a handler, as in Trystero.
const HANDLER_PATIENCE: Duration = Duration::from_millis(500);

/// See the [module](self).
#[derive(Debug, Default)]
pub(super) struct Calls {
    open: BTreeMap<CallId, Call>,
    by_peer: BTreeMap<PeerId, BTreeMap<String, CallId>>,
    /// Those that wait for a handler, in the order in which they came.
    held: VecDeque<(Time, PeerId, Request)>,
    held_bytes: usize,
    next: Counter,
}

/// Whom to answer, and under which id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) peer: PeerId,
    pub(super) wire_id: String,
}

/// Why a request is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotTaken {
    /// The peer asked under this id already, and has no answer yet.
    Repeated,
    /// The peer has too many unanswered ones.
    TooMany,
}

impl Calls {
    pub(super) fn open(
        &mut self,
        peer: &PeerId,
        wire_id: &str,
        calls_max: usize,
    ) -> Result<CallId, NotTaken> {
        let of_peer = self.by_peer.entry(peer.clone()).or_default();
        if of_peer.contains_key(wire_id) {
            return Err(NotTaken::Repeated);
        }
        if of_peer.len() >= calls_max {
            return Err(NotTaken::TooMany);
        }
        let call = CallId(self.next.next());
        of_peer.insert(wire_id.to_owned(), call);
        self.open.insert(call, Call { peer: peer.clone(), wire_id: wire_id.to_owned() });
        Ok(call)
    }

    pub(super) fn get(&self, call: CallId) -> Option<&Call> {
        self.open.get(&call)
    }

    /// Takes a call out, because it is answered.
    pub(super) fn take(&mut self, call: CallId) -> Option<Call> {
        let taken = self.open.remove(&call)?;
        if let Some(of_peer) = self.by_peer.get_mut(&taken.peer) {
            of_peer.remove(&taken.wire_id);
        }
        Some(taken)
    }

    /// Keeps a request until its action has a handler.
    pub(super) fn hold(&mut self, peer: PeerId, request: Request, now: Time) {
        self.held_bytes += request.size;
        self.held.push_back((now + HANDLER_PATIENCE, peer, request));
    }

    /// Takes the requests that waited for the handler of an action.
    pub(super) fn take_held(&mut self, action: &ActionName) -> VecDeque<(PeerId, Request)> {
        self.split_off(|_, request| request.action == *action)
    }

    /// Takes a call out that waited for a handler for too long, or in vain because too much waits.
    pub(super) fn pop_overdue(&mut self, now: Time) -> Option<Call> {
        let is_too_much = self.held_bytes > limits::UNCLAIMED_BYTES_MAX;
        let (until, ..) = self.held.front()?;
        if *until > now && !is_too_much {
            return None;
        }
        let (_, _, request) = self.held.pop_front()?;
        self.held_bytes -= request.size;
        self.take(request.call)
    }

    /// A peer is gone; takes out what it asked and was told of already.
    pub(super) fn forget(&mut self, peer: &PeerId) -> Vec<CallId> {
        let held = self.split_off(|from, _| from == peer);
        let untold: Vec<CallId> = held.into_iter().map(|(_, request)| request.call).collect();
        let calls = self.by_peer.remove(peer).unwrap_or_default().into_values();
        calls.filter(|call| self.open.remove(call).is_some() && !untold.contains(call)).collect()
    }

    pub(super) fn poll_timeout(&self) -> Option<Deadline> {
        let (until, ..) = self.held.front()?;
        Some(Deadline::new(*until, "reject a request that has no handler"))
    }

    fn split_off(
        &mut self,
        is_taken: impl Fn(&PeerId, &Request) -> bool,
    ) -> VecDeque<(PeerId, Request)> {
        let (taken, kept): (VecDeque<_>, _) = std::mem::take(&mut self.held)
            .into_iter()
            .partition(|(_, peer, request)| is_taken(peer, request));
        self.held = kept;
        self.held_bytes = self.held.iter().map(|(_, _, request)| request.size).sum();
        taken.into_iter().map(|(_, peer, request)| (peer, request)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_answered_once_and_an_id_is_not_open_twice() {
        let peer = PeerId::new("peer").unwrap();
        let mut calls = Calls::default();
        let call = calls.open(&peer, "r", 2).unwrap();
        assert_eq!(calls.open(&peer, "r", 2), Err(NotTaken::Repeated));
        let other = calls.open(&peer, "s", 2).unwrap();
        assert_eq!(calls.open(&peer, "t", 2), Err(NotTaken::TooMany));
        assert_eq!(calls.take(call), Some(Call { peer: peer.clone(), wire_id: "r".into() }));
        assert_eq!(calls.take(call), None);
        assert_eq!(calls.forget(&peer), [other]);
    }
}
