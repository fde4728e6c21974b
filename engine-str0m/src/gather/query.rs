//! One question to a STUN server: at which address does it see one of our sockets?
//!
//! spec: RFC 8489, section 6 and 7; RFC 8445, section 5.1.1.2

use std::net::SocketAddr;
use std::time::Duration;

use stun_proto::agent::{StunAgent, StunAgentPollRet};
use stun_proto::types::TransportType;
use stun_proto::types::attribute::{ErrorCode, XorMappedAddress};
use stun_proto::types::message::{BINDING, Message, MessageWriteVec};
use stun_proto::types::prelude::MessageWrite as _;
use tristero_proto::Time;
use tristero_proto::engine::{Path, ServerFailure};

use super::clock::{instant, time};
use super::outbound::Outbound;
use crate::limits::{
    MAPPING_KEPT_ALIVE_EVERY, REQUEST_LAST, REQUEST_RTO, REQUEST_RTO_MAX, REQUEST_TRIES,
};

/// A question that is repeated until it is answered, and again while the answer has to stay true.
#[derive(Debug)]
pub(crate) struct Query {
    agent: StunAgent,
    path: Path,
    state: State,
    mapped: Option<SocketAddr>,
    /// Whether somebody waits for a peer at the address, so that the NAT must not forget it.
    is_kept_alive: bool,
}

#[derive(Debug)]
enum State {
    /// A request is out; there is something to do then.
    Asking {
        due: Time,
    },
    Answered {
        at: Time,
    },
    Failed,
}

/// What came of a datagram or of time passing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Nothing to be told.
    Nothing,
    /// The server sees the socket there.
    Mapped(SocketAddr),
    /// It does not say.
    Failed(ServerFailure),
}

impl Query {
    pub(crate) fn new(path: Path, now: Time, out: &mut Outbound<'_>) -> Self {
        let agent = StunAgent::builder(TransportType::Udp, path.local)
            .remote_addr(path.remote)
            .request_retransmits(REQUEST_RTO, REQUEST_RTO_MAX, REQUEST_TRIES, REQUEST_LAST)
            .build();
        let state = State::Failed;
        let mut query = Query { agent, path, state, mapped: None, is_kept_alive: false };
        query.ask(now, out);
        query
    }

    pub(crate) fn path(&self) -> Path {
        self.path
    }

    /// The address at which the server saw the socket last.
    pub(crate) fn mapped(&self) -> Option<SocketAddr> {
        self.mapped
    }

    /// Whether nothing new is to be expected.
    pub(crate) fn is_settled(&self) -> bool {
        !matches!(self.state, State::Asking { .. })
    }

    /// Somebody new wants to know. Asks again if the answer is old, or if there was none.
    pub(crate) fn refresh(&mut self, now: Time, out: &mut Outbound<'_>) {
        let is_fresh = match self.state {
            State::Asking { .. } => true,
            State::Answered { at } => now.since(at) < MAPPING_KEPT_ALIVE_EVERY,
            State::Failed => false,
        };
        if !is_fresh {
            self.ask(now, out);
        }
    }

    pub(crate) fn keep_alive(&mut self, is_kept_alive: bool) {
        self.is_kept_alive = is_kept_alive;
    }

    /// Takes a message that came on its path; `None` if it is no answer to it.
    pub(crate) fn on_message(&mut self, message: &Message<'_>, now: Time) -> Option<Progress> {
        let is_answer = message.is_response()
            && message.has_method(BINDING)
            && self.agent.handle_stun_message_with_time(message, self.path.remote, instant(now));
        if !is_answer {
            return None;
        }
        if let Ok(error) = message.attribute::<ErrorCode>() {
            self.state = State::Failed;
            let (code, reason) = (error.code(), error.reason().to_owned());
            return Some(Progress::Failed(ServerFailure::Refused { code, reason }));
        }
        let Ok(mapped) = message.attribute::<XorMappedAddress>() else {
            self.state = State::Failed;
            return Some(Progress::Failed(ServerFailure::Nonsense));
        };
        let mapped = mapped.addr(message.transaction_id());
        self.state = State::Answered { at: now };
        let is_new = self.mapped.replace(mapped) != Some(mapped);
        Some(if is_new { Progress::Mapped(mapped) } else { Progress::Nothing })
    }

    /// Does what is due.
    pub(crate) fn wake(&mut self, now: Time, out: &mut Outbound<'_>) -> Progress {
        if self.due().is_none_or(|due| due > now) {
            return Progress::Nothing;
        }
        if matches!(self.state, State::Answered { .. }) {
            self.ask(now, out);
            return Progress::Nothing;
        }
        match self.pump(now, out) {
            true => Progress::Nothing,
            false => {
                self.state = State::Failed;
                Progress::Failed(ServerFailure::Silent)
            }
        }
    }

    pub(crate) fn due(&self) -> Option<Time> {
        match self.state {
            State::Asking { due } => Some(due),
            State::Answered { at } if self.is_kept_alive => Some(at + MAPPING_KEPT_ALIVE_EVERY),
            State::Answered { .. } | State::Failed => None,
        }
    }

    fn ask(&mut self, now: Time, out: &mut Outbound<'_>) {
        let request = Message::builder_request(BINDING, MessageWriteVec::new()).finish();
        match self.agent.send_request(&request, self.path.remote, instant(now)) {
            Ok(transmit) => out.datagram(self.path, transmit.data.as_ref()),
            Err(error) => tracing::debug!(%error, "a STUN request was not sent"),
        }
        self.state = State::Asking { due: now };
        self.pump(now, out);
    }

    /// Repeats what is due; false if that was in vain.
    fn pump(&mut self, now: Time, out: &mut Outbound<'_>) -> bool {
        while let Some(transmit) = self.agent.poll_transmit(instant(now)) {
            out.datagram(self.path, transmit.data);
        }
        let StunAgentPollRet::WaitUntil(at) = self.agent.poll(instant(now)) else { return false };
        // Whatever it waits for, it is not to be asked in circles.
        self.state = State::Asking { due: time(at).max(now + Duration::from_millis(1)) };
        true
    }
}
