//! What an engine wants of the network beside datagrams.

use std::net::ToSocketAddrs as _;

use tristero_proto::engine::{NetworkEvent, NetworkRequest};

/// Answers a request, if it has an answer.
///
/// The name of a STUN or TURN server is looked up here and now, and the loop stands still meanwhile:
/// milliseconds mostly, seconds where no name server answers. A loop that may not do that gives
/// servers by their addresses, has none, or looks names up in a thread which wakes it.
///
/// There is no multicast, so `.local` names have no address, and no stream to a TURN server: UDP is
/// all there is.
pub fn answer(request: NetworkRequest) -> Option<NetworkEvent> {
    match request {
        NetworkRequest::Resolve { name } => {
            let found = (name.as_str(), 0).to_socket_addrs();
            let addresses = found.into_iter().flatten().map(|address| address.ip()).collect();
            Some(NetworkEvent::Resolved { name, addresses })
        }
        NetworkRequest::ResolveLocal { name } => {
            Some(NetworkEvent::LocalResolved { name, addresses: Vec::new() })
        }
        NetworkRequest::OpenStream { stream, .. } => {
            let why = "this loop has datagrams alone".to_owned();
            Some(NetworkEvent::StreamClosed { stream, why })
        }
        // Of what was refused nothing follows, and of what is unknown nothing is expected.
        _ => None,
    }
}
