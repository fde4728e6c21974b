//! Requests of ours that wait for their response.
//!
//! spec: docs/protocol.md, section 6

use std::collections::BTreeMap;
use std::time::Duration;

use crate::ids::{PeerId, RequestId};
use crate::time::{Deadline, DueSet, Time};

/// See the [module](self). Bounded by the limit on requests of a room.
#[derive(Debug)]
pub(super) struct Requests {
    open: BTreeMap<RequestId, Open>,
    by_wire_id: BTreeMap<String, RequestId>,
    due: DueSet<RequestId>,
    /// How many responses of each peer may still come to requests that are over.
    late: BTreeMap<PeerId, u64>,
}

#[derive(Debug)]
struct Open {
    peer: PeerId,
    wire_id: String,
    timeout: Option<Duration>,
}

/// Whose a response is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Match {
    /// It answers this request.
    Answers(RequestId),
    /// The request was given up.
    Late,
    /// Nobody asked this peer.
    Unasked,
}

impl Requests {
    pub(super) fn new() -> Self {
        Requests {
            open: BTreeMap::new(),
            by_wire_id: BTreeMap::new(),
            due: DueSet::new(),
            late: BTreeMap::new(),
        }
    }

    pub(super) fn begin(
        &mut self,
        request: RequestId,
        peer: PeerId,
        wire_id: String,
        timeout: Option<Duration>,
    ) {
        self.by_wire_id.insert(wire_id.clone(), request);
        self.open.insert(request, Open { peer, wire_id, timeout });
    }

    /// The request was handed over; its time begins.
    pub(super) fn on_sent(&mut self, request: RequestId, now: Time) {
        if let Some(timeout) = self.open.get(&request).and_then(|open| open.timeout) {
            let deadline = Deadline::new(now + timeout, "give a request up");
            self.due.set(request, Some(deadline));
        }
    }

    /// Takes the request that a peer's response names.
    pub(super) fn answer(&mut self, peer: &PeerId, wire_id: &str) -> Match {
        if let Some(&request) = self.by_wire_id.get(wire_id) {
            if self.open.get(&request).is_none_or(|open| open.peer != *peer) {
                return Match::Unasked;
            }
            self.take(request);
            return Match::Answers(request);
        }
        match self.late.get_mut(peer) {
            None | Some(0) => Match::Unasked,
            Some(late) => {
                *late -= 1;
                Match::Late
            }
        }
    }

    /// Gives a request up whose response may still come.
    pub(super) fn give_up(&mut self, request: RequestId) -> Option<PeerId> {
        let peer = self.take(request)?;
        *self.late.entry(peer.clone()).or_default() += 1;
        Some(peer)
    }

    /// Takes one request out whose time is over.
    pub(super) fn pop_due(&mut self, now: Time) -> Option<RequestId> {
        let request = self.due.pop_due(now)?;
        self.give_up(request);
        Some(request)
    }

    /// A peer is gone; takes out what it was asked.
    pub(super) fn forget(&mut self, peer: &PeerId) -> Vec<RequestId> {
        self.late.remove(peer);
        let asked = self.open.iter().filter(|(_, open)| open.peer == *peer);
        let asked: Vec<RequestId> = asked.map(|(request, _)| *request).collect();
        for request in &asked {
            self.take(*request);
        }
        asked
    }

    /// Takes a request out that will get no response.
    pub(super) fn take(&mut self, request: RequestId) -> Option<PeerId> {
        let open = self.open.remove(&request)?;
        self.by_wire_id.remove(&open.wire_id);
        self.due.set(request, None);
        Some(open.peer)
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    pub(super) fn poll_timeout(&self) -> Option<Deadline> {
        self.due.next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_one_that_was_asked_may_answer_and_only_once() {
        let (asked, other) = (PeerId::new("asked").unwrap(), PeerId::new("other").unwrap());
        let mut requests = Requests::new();
        requests.begin(RequestId(1), asked.clone(), "r".into(), None);
        assert_eq!(requests.answer(&other, "r"), Match::Unasked);
        assert_eq!(requests.answer(&asked, "q"), Match::Unasked);
        assert_eq!(requests.answer(&asked, "r"), Match::Answers(RequestId(1)));
        assert_eq!(requests.answer(&asked, "r"), Match::Unasked);
    }

    #[test]
    fn a_late_response_is_nobodys_fault_once() {
        let asked = PeerId::new("asked").unwrap();
        let mut requests = Requests::new();
        let timeout = Duration::from_millis(10);
        requests.begin(RequestId(1), asked.clone(), "r".into(), Some(timeout));
        assert_eq!(requests.poll_timeout(), None, "its time begins once it was sent");
        requests.on_sent(RequestId(1), Time::ZERO);
        assert_eq!(requests.pop_due(Time::from_millis(9)), None);
        assert_eq!(requests.pop_due(Time::from_millis(10)), Some(RequestId(1)));
        assert_eq!(requests.answer(&asked, "r"), Match::Late);
        assert_eq!(requests.answer(&asked, "r"), Match::Unasked);
    }
}
