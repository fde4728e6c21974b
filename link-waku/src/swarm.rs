//! A swarm with one connection: to the node of a link.

use std::io;
use std::sync::Arc;

use futures_util::StreamExt as _;
use libp2p::core::transport::OrTransport;
use libp2p::core::upgrade::{SelectUpgrade, Version};
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{
    Multiaddr, PeerId, Swarm, SwarmBuilder, Transport as _, dns, identify, noise, ping, tcp, yamux,
};
use tristero::Dialer;

use crate::protocol::{FILTER_PUSH, METADATA};
use crate::streams;
use crate::web_socket::WebSockets;

/// What a link takes part in.
#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    pub(crate) streams: streams::Behaviour,
    /// Tells the node which protocols we accept: without it nothing is pushed.
    identify: identify::Behaviour,
    /// Finds out when the node is gone without a word.
    ping: ping::Behaviour,
}

/// A connection that stands.
pub(crate) struct Connection {
    pub(crate) swarm: Swarm<Behaviour>,
    pub(crate) node: PeerId,
}

/// Reads a relay's URL.
pub(crate) fn parse_address(text: &str) -> io::Result<Multiaddr> {
    text.parse().map_err(|error| {
        let why = format!("{text:?} is not the multiaddress of a node: {error}");
        io::Error::new(io::ErrorKind::InvalidInput, why)
    })
}

/// Connects to the node. It takes libp2p's own limit of ten seconds at most.
pub(crate) async fn connect(
    address: Multiaddr,
    web_sockets: Arc<dyn Dialer>,
) -> io::Result<Connection> {
    let mut swarm = build(WebSockets(web_sockets))?;
    swarm.dial(DialOpts::from(address)).map_err(io::Error::other)?;
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::ConnectionEstablished { peer_id, .. } => {
                return Ok(Connection { swarm, node: peer_id });
            }
            SwarmEvent::OutgoingConnectionError { error, .. } => {
                return Err(io::Error::other(error));
            }
            // Nothing else decides whether we are connected.
            _ => {}
        }
    }
}

/// Most nodes know yamux; those that don't know mplex.
fn build(web_sockets: WebSockets) -> io::Result<Swarm<Behaviour>> {
    let tcp = tcp::tokio::Transport::new(tcp::Config::default());
    let transport = OrTransport::new(web_sockets, dns::tokio::Transport::system(tcp)?);
    let muxers = SelectUpgrade::new(yamux::Config::default(), libp2p_mplex::Config::default());
    let builder = SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_other_transport(|key| {
            let noise = noise::Config::new(key)?;
            Ok(transport.upgrade(Version::V1Lazy).authenticate(noise).multiplex(muxers))
        })
        .map_err(io::Error::other)?
        .with_behaviour(|key| Behaviour {
            streams: streams::Behaviour::new([FILTER_PUSH, METADATA]),
            identify: identify::Behaviour::new(
                identify::Config::new("ipfs/0.1.0".to_owned(), key.public())
                    .with_agent_version(concat!("tristero/", env!("CARGO_PKG_VERSION")).to_owned()),
            ),
            ping: ping::Behaviour::default(),
        });
    let Ok(builder) = builder;
    Ok(builder.build())
}

/// Why the connection is lost, if an event says that it is.
pub(crate) fn loss(event: &SwarmEvent<BehaviourEvent>) -> Option<String> {
    match event {
        SwarmEvent::ConnectionClosed { cause: Some(error), .. } => Some(error.to_string()),
        SwarmEvent::ConnectionClosed { cause: None, .. } => {
            Some("the node closed the connection".to_owned())
        }
        SwarmEvent::Behaviour(BehaviourEvent::Ping(ping::Event {
            result: Err(failure), ..
        })) => match failure {
            ping::Failure::Unsupported => None,
            ping::Failure::Timeout => Some("the node answers no ping".to_owned()),
            ping::Failure::Other { error } => Some(error.to_string()),
        },
        _ => None,
    }
}
