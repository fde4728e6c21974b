//! A world of many peers, relays and lossy networks, in virtual time and from one seed.
//!
//! Peers are real nodes on the real engine: ICE and SCTP run as they do outside. Only DTLS is
//! replaced by something that encrypts nothing. What happens is a function of the seed and of what
//! is done to the [`World`], so whatever went wrong can be seen again.

mod app;
mod network;
mod null_dtls;
mod peer;
#[doc(hidden)]
pub mod program;
mod queue;
mod relays;
mod soak;
mod trace;
mod world;

pub use app::{App, Elapsed, SimRuntime, Sleep};
pub use network::{
    Conditions, Counters, DISTURBANCE_MIN, Dependence, Extent, Family, HostId, Loss, Nat, NatId,
    Network, Ports, Realm,
};
pub use peer::{PeerOptions, SimNode};
pub use relays::{
    Announce, ClientId, Excess, Faults, LinkFault, Message, MqttService, NostrService, Rate, Relay,
    Relays, Service, ServiceOutput, TrackerService, Verdicts, WsService,
};
pub use world::{Told, Who, World};
