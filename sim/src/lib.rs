//! A world of many peers, relays and lossy networks, in virtual time and from one seed.
//!
//! Peers are real nodes on the real engine: ICE and SCTP run as they do outside. Only DTLS is
//! replaced by something that encrypts nothing. What happens is a function of the seed and of what
//! is done to the [`World`], so whatever went wrong can be seen again.
//!
//! # Nodes
//!
//! A peer may be a bare node, which does nothing but what the test has it do:
//!
//! ```
//! use std::time::Duration;
//!
//! use tristero_proto::RoomConfig;
//! use tristero_sim::{Conditions, PeerOptions, World, WsService};
//!
//! let mut world = World::new(7);
//! world.network().set_conditions(Conditions::default().with_random_loss(20.0));
//! let (_, relay) = world.add_relay(WsService::new());
//! let config = RoomConfig { relays: vec![relay], ..RoomConfig::new("app", "room") };
//! let (a, b) = (world.add_peer(PeerOptions::default()), world.add_peer(PeerOptions::default()));
//! let room = world.join(a, config.clone())?;
//! world.join(b, config)?;
//! assert!(world.run_until(Duration::from_secs(60), |world| world.members(a, room).len() == 1));
//! # Ok::<(), tristero_proto::JoinError>(())
//! ```
//!
//! # Applications
//!
//! Or a peer is an application that is written against the crate [`tristero`], and runs here as it
//! does elsewhere. [`World::add_app`] calls it with its node and a [`SimRuntime`], which has the
//! timers and tasks that a runtime has.
//!
//! ```
//! use std::time::Duration;
//!
//! use tristero::{Action, Config, NodeHandle, RoomEvent};
//! use tristero_sim::{PeerOptions, SimRuntime, World, WsService};
//!
//! async fn greet(node: NodeHandle, runtime: SimRuntime, config: Config) -> String {
//!     let room = node.join(&config, "room").expect("the configuration is right");
//!     let mut greetings: Action<String> = room.action("greet").expect("it is a name");
//!     let mut events = room.events();
//!     while !matches!(events.recv().await, Some(RoomEvent::PeerJoined { .. })) {}
//!     greetings.send(format!("hello from {}", room.self_id())).detach().expect("we are in the room");
//!     let greeting = greetings.recv().await.expect("we are in the room").expect("it is a text");
//!     runtime.sleep(Duration::from_secs(1)).await; // leaving at once would take ours back
//!     greeting.value
//! }
//!
//! let mut world = World::new(7);
//! let (_, relay) = world.add_relay(WsService::new());
//! let config = Config::new("app").relays([relay]);
//! let [a, b] = ["a", "b"].map(|id| {
//!     let config = config.clone();
//!     let options = PeerOptions::default().with_id(id);
//!     world.add_app(options, |node, runtime| greet(node, runtime, config))
//! });
//! assert!(world.run_until(Duration::from_secs(60), |_| a.is_over() && b.is_over()));
//! assert_eq!(a.take().as_deref(), Some("hello from b"));
//! ```
//!
//! The example `game` tests a game that knows of no simulator, and finds a bug in it.
//!
//! Runs repeat as long as an application
//!
//! - waits for nothing but its node, its [`SimRuntime`] and other tasks of the world: no threads,
//!   no sockets, no timers of tokio; but tokio's channels are fine, which need no runtime;
//! - takes time from [`SimRuntime::now`], and chance from [`SimRuntime::seed`] or from the functions
//!   of [`fastrand`], whose generator is the peer's own while it runs;
//! - does not depend on the order in which a `HashMap` gives what is in it;
//! - writes `biased;` in `tokio::select!` and takes `select_biased!` for `select!` of `futures`,
//!   since these two ask by chance which branch goes first.
//!
//! A test may keep handles that an application gave it, and look at what they say. What it sends by
//! them is sent as soon as the world goes on; but chance is not the peer's own then, so a run that
//! has to repeat leaves that to applications.

mod app;
mod hostile;
mod js;
mod network;
mod null_dtls;
mod peer;
#[doc(hidden)]
pub mod program;
mod queue;
mod relays;
mod report;
mod soak;
mod trace;
mod world;

pub use app::{App, Elapsed, SimRuntime, Sleep};
pub use hostile::{Malice, SimEngine};
pub use js::JsPeer;
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
