//! How an allocation is ended that one of our sockets has on a TURN server, and nobody remembers.
//!
//! It is left where the answer to a request for one was lost, or the request to end one. The server
//! refuses another for that socket until it ends by itself, ten minutes later at the earliest. Who
//! knows the credentials that it was made with may end it.
//!
//! spec: RFC 8656, sections 7.2 and 8; RFC 8489, section 9.2.5

use std::time::Duration;

use stun_proto::agent::{StunAgent, StunAgentPollRet};
use stun_proto::auth::{LongTermClientAuth, LongTermClientValidation};
use stun_proto::types::TransportType;
use stun_proto::types::message::{
    IntegrityAlgorithm, LongTermCredentials, Message, MessageWriteVec,
};
use stun_proto::types::prelude::{MessageWrite as _, MessageWriteExt as _};
use tristero_proto::Time;
use tristero_proto::engine::Path;
use tristero_proto::ice::IceCredentials;
use turn_client_proto::types::attribute::Lifetime;
use turn_client_proto::types::message::REFRESH;

use super::clock::{instant, time};
use super::outbound::Outbound;
use crate::limits::{REQUEST_LAST, REQUEST_RTO, REQUEST_RTO_MAX, REQUEST_TRIES};

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Eviction {
    agent: StunAgent,
    auth: LongTermClientAuth,
    path: Path,
    tries: usize,
    due: Option<Time>,
}

impl Eviction {
    pub(crate) fn new(
        path: Path,
        credentials: &IceCredentials,
        now: Time,
        out: &mut Outbound<'_>,
    ) -> Self {
        let agent = StunAgent::builder(TransportType::Udp, path.local)
            .remote_addr(path.remote)
            .request_retransmits(REQUEST_RTO, REQUEST_RTO_MAX, REQUEST_TRIES, REQUEST_LAST)
            .build();
        let IceCredentials { username, credential } = credentials.clone();
        let mut auth = LongTermClientAuth::new();
        auth.set_credentials(LongTermCredentials::new(username, credential));
        auth.set_supported_integrity(IntegrityAlgorithm::Sha1);
        let mut eviction = Eviction { agent, auth, path, tries: 0, due: None };
        eviction.ask(now, out);
        eviction
    }

    /// Takes a message of the server; true if it ends the matter, in one way or the other.
    pub(crate) fn on_message(&mut self, bytes: &[u8], now: Time, out: &mut Outbound<'_>) -> bool {
        let Ok(message) = Message::from_bytes(bytes) else { return false };
        if !message.is_response()
            || !self.agent.handle_stun_message_with_time(&message, self.path.remote, instant(now))
        {
            return false;
        }
        let validated = self.auth.validate_incoming_message(&message);
        match validated {
            Ok(LongTermClientValidation::ResendRequest(_)) if self.tries < TRIES_MAX => {
                self.ask(now, out);
                false
            }
            Ok(_) | Err(_) => true,
        }
    }

    /// Repeats what is due; true if that was in vain.
    pub(crate) fn wake(&mut self, now: Time, out: &mut Outbound<'_>) -> bool {
        while let Some(transmit) = self.agent.poll_transmit(instant(now)) {
            out.datagram(self.path, transmit.data);
        }
        match self.agent.poll(instant(now)) {
            StunAgentPollRet::WaitUntil(at) => {
                self.due = Some(time(at).max(now + Duration::from_millis(1)));
                false
            }
            StunAgentPollRet::TransactionTimedOut(_)
            | StunAgentPollRet::TransactionCancelled(_) => true,
        }
    }

    pub(crate) fn due(&self) -> Option<Time> {
        self.due
    }

    fn ask(&mut self, now: Time, out: &mut Outbound<'_>) {
        self.tries += 1;
        let mut request = Message::builder_request(REFRESH, MessageWriteVec::new());
        let signed = request
            .add_attribute(&Lifetime::new(0))
            .and_then(|()| self.auth.sign_outgoing_message(request));
        match signed {
            Ok(request) => {
                let request = request.finish();
                if let Ok(transmit) =
                    self.agent.send_request(&request, self.path.remote, instant(now))
                {
                    out.datagram(self.path, transmit.data.as_ref());
                }
            }
            Err(error) => tracing::debug!(%error, "a request to a TURN server can't be written"),
        }
        self.wake(now, out);
    }
}

/// Once to be told a nonce, once with it, and once more if it has become stale.
const TRIES_MAX: usize = 3;
