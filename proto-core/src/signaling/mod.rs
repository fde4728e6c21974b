//! Finding peers through relays, up to the point where a connection opens.
//!
//! `relay` keeps one relay dialled. `room_signaling` is one room's side of it: when to announce
//! (`announcer`), when a passive one is silent (`passivity`), what trackers pass round
//! (`offer_pool`), and one `session` per remote peer that is being negotiated with. What a service
//! speaks is a [`Strategy`]'s matter; what becomes of a connection once it is open is the matter of
//! `peer` and `room`.

mod announcer;
mod offer_pool;
mod passivity;
mod relay;
mod room_signaling;
mod session;
mod strategy;
mod topic_session;

pub(crate) use announcer::Announcer;
pub(crate) use relay::{Relay, RelayOutput};
pub use relay::{RelayState, RelayStatus};
pub(crate) use room_signaling::{RoomNames, Signaling, SignalingOutput, SignalingTerms};
pub use strategy::{
    BulkOffers, Decoded, InvalidRelayUrl, LinkFrame, LinkTarget, Malformed, Publication,
    RelaySession, RelayUrl, SameStrategy, SessionInput, SessionOutput, SessionTerms, Strategy,
    Subscription, TopicCodec,
};
pub use topic_session::TopicSession;
