//! Streams of named protocols, as a behaviour of the swarm: opened when asked for, accepted when
//! the other side opens them, and handed out as they are.
//!
//! The crate `libp2p-stream` does nearly that. It drops a stream which arrives while another waits
//! to be fetched, though, and with it a pushed message; and it negotiates one stream at a time, so
//! that one which hangs keeps up all the others. Here streams wait for the swarm, whose own limit
//! of streams in negotiation is the bound.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use libp2p::core::transport::PortUse;
use libp2p::core::upgrade::{InboundUpgrade, OutboundUpgrade, UpgradeInfo};
use libp2p::core::{Endpoint, Multiaddr};
use libp2p::swarm::handler::{
    ConnectionEvent, ConnectionHandler, ConnectionHandlerEvent, DialUpgradeError,
    FullyNegotiatedInbound, FullyNegotiatedOutbound, StreamUpgradeError,
};
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, NotifyHandler, Stream,
    SubstreamProtocol, ToSwarm,
};
use libp2p::{PeerId, StreamProtocol};

/// Names a stream that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct StreamId(u64);

/// What became of a stream.
#[derive(Debug)]
pub(crate) enum Event {
    /// We opened it.
    Opened { id: StreamId, stream: Stream },
    /// It could not be opened, and why.
    Failed { id: StreamId, why: String },
    /// The peer opened it.
    Accepted { peer: PeerId, protocol: StreamProtocol, stream: Stream },
}

/// The behaviour.
pub(crate) struct Behaviour {
    accepted: Vec<StreamProtocol>,
    opened: u64,
    outputs: VecDeque<ToSwarm<Event, Open>>,
}

impl Behaviour {
    /// Accepts streams of the protocols `accepted`, and says so to peers.
    pub(crate) fn new(accepted: impl IntoIterator<Item = StreamProtocol>) -> Self {
        Behaviour { accepted: accepted.into_iter().collect(), opened: 0, outputs: VecDeque::new() }
    }

    /// Opens a stream to a connected peer. An event tells what became of it, unless the connection
    /// ends before.
    pub(crate) fn open(&mut self, peer: PeerId, protocol: StreamProtocol) -> StreamId {
        let id = StreamId(self.opened);
        self.opened += 1;
        let (event, handler) = (Open { id, protocol }, NotifyHandler::Any);
        self.outputs.push_back(ToSwarm::NotifyHandler { peer_id: peer, handler, event });
        id
    }

    fn handler(&self) -> Handler {
        Handler { accepted: self.accepted.clone(), outputs: VecDeque::new() }
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Event;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<Handler, ConnectionDenied> {
        Ok(self.handler())
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<Handler, ConnectionDenied> {
        Ok(self.handler())
    }

    fn on_swarm_event(&mut self, _: FromSwarm<'_>) {}

    fn on_connection_handler_event(&mut self, peer: PeerId, _: ConnectionId, event: Negotiated) {
        let event = match event {
            Negotiated::Opened(id, stream) => Event::Opened { id, stream },
            Negotiated::Failed(id, why) => Event::Failed { id, why },
            Negotiated::Accepted(protocol, stream) => Event::Accepted { peer, protocol, stream },
        };
        self.outputs.push_back(ToSwarm::GenerateEvent(event));
    }

    /// The swarm polls again after each call of [`open`](Self::open), as it is polled for its
    /// events.
    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Event, Open>> {
        self.outputs.pop_front().map_or(Poll::Pending, Poll::Ready)
    }
}

/// A stream that is to be opened.
#[derive(Debug)]
pub(crate) struct Open {
    id: StreamId,
    protocol: StreamProtocol,
}

/// What a connection tells of its streams.
#[derive(Debug)]
pub(crate) enum Negotiated {
    Opened(StreamId, Stream),
    Failed(StreamId, String),
    Accepted(StreamProtocol, Stream),
}

type HandlerOutput = ConnectionHandlerEvent<Negotiation, StreamId, Negotiated>;

/// The behaviour's part in one connection.
pub(crate) struct Handler {
    accepted: Vec<StreamProtocol>,
    outputs: VecDeque<HandlerOutput>,
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Open;
    type ToBehaviour = Negotiated;
    type InboundProtocol = Negotiation;
    type OutboundProtocol = Negotiation;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = StreamId;

    fn listen_protocol(&self) -> SubstreamProtocol<Negotiation> {
        SubstreamProtocol::new(Negotiation(self.accepted.clone()), ())
    }

    /// Streams come and go; the connection is kept without any.
    fn connection_keep_alive(&self) -> bool {
        true
    }

    /// A connection polls its handlers after each event that it gives them.
    fn poll(&mut self, _: &mut Context<'_>) -> Poll<HandlerOutput> {
        self.outputs.pop_front().map_or(Poll::Pending, Poll::Ready)
    }

    fn on_behaviour_event(&mut self, Open { id, protocol }: Open) {
        let protocol = SubstreamProtocol::new(Negotiation(vec![protocol]), id);
        self.outputs.push_back(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<'_, Negotiation, Negotiation, (), StreamId>,
    ) {
        let negotiated = match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: (protocol, stream),
                info: (),
            }) => Negotiated::Accepted(protocol, stream),
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: (_, stream),
                info,
            }) => Negotiated::Opened(info, stream),
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info, error }) => {
                Negotiated::Failed(info, describe(error))
            }
            // The enum is open, and nothing else in it concerns streams.
            _ => return,
        };
        self.outputs.push_back(ConnectionHandlerEvent::NotifyBehaviour(negotiated));
    }
}

fn describe(error: StreamUpgradeError<Infallible>) -> String {
    match error {
        StreamUpgradeError::Timeout => "the node does not answer".to_owned(),
        StreamUpgradeError::NegotiationFailed => "the node does not speak the protocol".to_owned(),
        StreamUpgradeError::Io(error) => error.to_string(),
        StreamUpgradeError::Apply(never) => match never {},
    }
}

/// Agrees on one of these protocols, and does nothing more.
pub(crate) struct Negotiation(Vec<StreamProtocol>);

impl UpgradeInfo for Negotiation {
    type Info = StreamProtocol;
    type InfoIter = std::vec::IntoIter<StreamProtocol>;

    fn protocol_info(&self) -> Self::InfoIter {
        self.0.clone().into_iter()
    }
}

impl InboundUpgrade<Stream> for Negotiation {
    type Output = (StreamProtocol, Stream);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_inbound(self, stream: Stream, protocol: StreamProtocol) -> Self::Future {
        ready(Ok((protocol, stream)))
    }
}

impl OutboundUpgrade<Stream> for Negotiation {
    type Output = (StreamProtocol, Stream);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_outbound(self, stream: Stream, protocol: StreamProtocol) -> Self::Future {
        ready(Ok((protocol, stream)))
    }
}
