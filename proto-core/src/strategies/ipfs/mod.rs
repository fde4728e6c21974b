//! IPFS, which is Waku: signals as ephemeral messages of content topics.
//!
//! A service node takes what is published by *light push*, and sends what a *filter subscription*
//! asks for. Each topic has a content topic of its own, which falls on one of eight shards.
//!
//! The node is reached by libp2p, which is not spoken here. A link of the medium opens the streams,
//! and carries one protobuf message per frame, without the length before it that it has on its
//! stream, after a byte that tells the protocol:
//!
//! | byte | protocol | which way |
//! |---|---|---|
//! | 1 | `/vac/waku/filter-subscribe/2.0.0-beta1` | request out, response in |
//! | 2 | `/vac/waku/lightpush/3.0.0` | request out, response in |
//! | 3 | `/vac/waku/filter-push/2.0.0-beta1` | in |
//! | 4 | `/vac/waku/metadata/1.0.0` | request out, response in |
//!
//! There are no default relays: js-waku finds nodes by lists in the DNS and by asking others, which
//! is not done here. Name the nodes.
//!
//! spec: docs/protocol.md, section 9, "IPFS"; Waku's RFCs 12, 14, 19 and 66

mod session;
mod wire;

use crate::signaling::{InvalidRelayUrl, RelaySession, RelayUrl, SessionTerms, Strategy};
use session::IpfsSession;

/// Ways to name a host at the beginning of a multiaddr.
const HOST_PROTOCOLS: [&str; 5] = ["dns", "dns4", "dns6", "ip4", "ip6"];

/// The strategy `ipfs`: service nodes of the Waku network.
///
/// A relay is a node's multiaddr, `/dns4/HOST/tcp/443/wss/p2p/ID`, and is dialled as
/// [`LinkTarget::Custom`](crate::signaling::LinkTarget::Custom). Candidates don't trickle, as in Trystero, where a room's configuration
/// does not say otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ipfs;

impl Strategy for Ipfs {
    fn name(&self) -> &'static str {
        "ipfs"
    }

    fn session(&self, terms: SessionTerms) -> Box<dyn RelaySession> {
        Box::new(IpfsSession::new(terms))
    }

    fn trickles(&self) -> bool {
        false
    }

    fn relay_url(&self, text: &str) -> Result<RelayUrl, InvalidRelayUrl> {
        let invalid = |why| Err(InvalidRelayUrl::new(text, why));
        let Some(rest) = text.strip_prefix('/') else {
            return invalid(
                "a Waku node has a multiaddr, such as /dns4/HOST/tcp/443/wss/p2p/ID, and no URL",
            );
        };
        let mut parts = rest.trim_end_matches('/').split('/');
        let has_host = parts.next().is_some_and(|name| HOST_PROTOCOLS.contains(&name))
            && parts.next().is_some_and(|host| !host.is_empty());
        let has_port = parts.next() == Some("tcp")
            && parts.next().is_some_and(|port| port.parse::<u16>().is_ok());
        if !has_host || !has_port {
            return invalid("it has to begin with a host and a port, such as /dns4/HOST/tcp/443");
        }
        let has_id = parts.by_ref().any(|name| name == "p2p")
            && parts.next().is_some_and(|id| !id.is_empty());
        if !has_id || parts.next().is_some() {
            return invalid("it has to end with the node's id, /p2p/ID");
        }
        Ok(RelayUrl::custom(text.trim_end_matches('/')))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_named_by_multiaddrs() {
        for text in [
            "/dns4/node.example/tcp/443/wss/p2p/16Uiu2",
            "/ip4/127.0.0.1/tcp/8000/ws/p2p/16Uiu2",
            "/ip6/::1/tcp/8000/tls/ws/p2p/16Uiu2",
        ] {
            assert_eq!(Ipfs.relay_url(text).unwrap().as_str(), text);
            assert_eq!(Ipfs.relay_url(&format!("{text}/")).unwrap().as_str(), text);
        }
        for text in [
            "",
            "/",
            "wss://node.example",
            "/dns4//tcp/443/p2p/16Uiu2",
            "/dns4/node.example/tcp/99999/wss/p2p/16Uiu2",
            "/dns4/node.example/tcp/443/wss",
            "/dns4/node.example/tcp/443/wss/p2p",
            "/dns4/node.example/tcp/443/wss/p2p/16Uiu2/p2p-circuit",
        ] {
            assert!(Ipfs.relay_url(text).is_err(), "{text}");
        }
        let hint = Ipfs.relay_url("wss://node.example").unwrap_err().to_string();
        assert!(hint.contains("multiaddr"), "{hint}");
    }
}
