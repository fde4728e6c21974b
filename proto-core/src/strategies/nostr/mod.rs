//! Nostr relays: signals as ephemeral events of NIP-01.
//!
//! Every signal is an event with its topic in an `x` tag, signed by a key that the node draws at
//! its beginning. One subscription per 250 topics carries all that the node listens to.
//!
//! spec: docs/protocol.md, section 9, "Nostr"

mod event;
mod relays;
mod session;

use crate::signaling::{RelaySession, RelayUrl, SessionTerms, Strategy};
use session::NostrSession;

/// The strategy `nostr`: public relays of the Nostr network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Nostr;

impl Strategy for Nostr {
    fn name(&self) -> &'static str {
        "nostr"
    }

    fn session(&self, terms: SessionTerms) -> Box<dyn RelaySession> {
        Box::new(NostrSession::new(terms))
    }

    fn default_relays(&self, app_id: &str) -> Vec<RelayUrl> {
        relays::of_app(app_id)
    }

    fn redundancy(&self) -> usize {
        relays::REDUNDANCY
    }
}
