//! MQTT brokers: signals as messages on MQTT topics.
//!
//! **What it does.** It speaks MQTT 3.1.1 over a WebSocket of the sub-protocol `mqtt`, with a clean
//! session, at quality of service 0 and retaining nothing. A topic is subscribed by a SUBSCRIBE of
//! its own and stands with the SUBACK. A signal is a PUBLISH with its JSON; a broker sends our own
//! back to us, which rooms ignore. `user:password@` in a relay's URL becomes the user name and the
//! password of the CONNECT, and is not in the URL that is dialled.
//!
//! The packets are those of the crate `mqtt-protocol-core`. Its state machine is not used: a
//! publish of a hostile broker, with packet id 0 and quality of service 1 or 2, makes it panic.
//!
//! spec: docs/protocol.md, section 9, "MQTT"; MQTT 3.1.1 (OASIS), sections 2, 3 and 6

mod account;
mod packet;
mod relays;
mod session;
#[cfg(test)]
mod tests;

use crate::signaling::{RelaySession, RelayUrl, SessionTerms, Strategy};
use session::MqttSession;

/// The strategy `mqtt`: public MQTT brokers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mqtt;

impl Strategy for Mqtt {
    fn name(&self) -> &'static str {
        "mqtt"
    }

    fn session(&self, terms: SessionTerms) -> Box<dyn RelaySession> {
        Box::new(MqttSession::new(terms))
    }

    fn default_relays(&self, _app_id: &str) -> Vec<RelayUrl> {
        relays::all()
    }

    fn redundancy(&self) -> usize {
        relays::REDUNDANCY
    }
}
