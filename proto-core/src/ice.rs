//! How two peers come to a connection: STUN servers tell a peer its address outside, TURN servers
//! relay for those that no direct path leads to, and addresses may be hidden.
//!
//! The words are those of Trystero's `rtcConfig` and `turnConfig`.
//!
//! spec: RFC 7064 and RFC 7065 (URLs), docs/protocol.md, section 2, "ICE"

use std::fmt;
use std::str::FromStr;

/// Which servers help, and what paths are allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IceConfig {
    /// The servers. Those past [`ICE_SERVERS_MAX`](crate::limits::ICE_SERVERS_MAX) are not asked.
    pub servers: Vec<IceServer>,
    /// What paths are allowed.
    pub transport_policy: IceTransportPolicy,
    /// How peers are told of the addresses of this machine.
    pub host_candidates: HostCandidates,
}

/// How peers are told of the addresses of this machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HostCandidates {
    /// As they are.
    #[default]
    Addresses,
    /// By random names that multicast DNS resolves, as browsers do for pages that may not use the
    /// microphone. Only who is on the same network can find out the address behind a name.
    ///
    /// It hides the addresses of interfaces, which say how a network is built and may tell one
    /// machine from another. It does not hide the address that a STUN server sees, nor that from
    /// which datagrams come: against those there is [`IceTransportPolicy::Relay`].
    ///
    /// It costs paths. Where no multicast gets through (many guest and company networks, most VPNs and
    /// containers), or the other side can't resolve such names, it reaches this machine only if this
    /// machine reaches it first, or at the address that a STUN server sees.
    ///
    /// As with [`IceTransportPolicy::Relay`], it holds if every room of the node has it.
    ///
    /// spec: draft-ietf-mmusic-mdns-ice-candidates, section 3.1
    Mdns,
}

/// What paths a connection may take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IceTransportPolicy {
    /// Any.
    #[default]
    All,
    /// Only those over a TURN server of ours, so that no peer learns our addresses.
    ///
    /// Two peers have one connection for all rooms of an app that both are in. So this holds if every
    /// room of the node has it: one without it may have made the connection, some minutes ago even.
    Relay,
}

/// A STUN or TURN server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct IceServer {
    /// Where it is.
    pub url: IceUrl,
    /// What a TURN server wants to see.
    pub credentials: Option<IceCredentials>,
}

/// A name and a password for a TURN server (RFC 8489, section 9.2).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct IceCredentials {
    /// The name.
    pub username: String,
    /// The password.
    pub credential: String,
}

/// Where a server is, and how it is spoken to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct IceUrl {
    /// What it does, and over what.
    pub kind: IceServerKind,
    /// Its name or address; that of IPv6 without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// What a server does, and over what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum IceServerKind {
    /// STUN over UDP: `stun:host`.
    Stun,
    /// TURN over UDP: `turn:host`.
    TurnUdp,
    /// TURN over TCP: `turn:host?transport=tcp`.
    TurnTcp,
    /// TURN over TLS: `turns:host`.
    TurnTls,
}

/// What was given as the URL of a server is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidIceUrl {
    /// It does not begin with `stun:`, `turn:` or `turns:`.
    #[error("it begins with neither stun: nor turn: nor turns:")]
    Scheme,
    /// There is no host, or none that could be one.
    #[error("it names no host")]
    Host,
    /// The port is no number from 1 to 65535.
    #[error("its port is no number from 1 to 65535")]
    Port,
    /// What comes after the question mark is not `transport=udp` or `transport=tcp`, or a transport
    /// that is not spoken: STUN has UDP alone, `turns:` has TCP alone.
    #[error("there is no such transport")]
    Transport,
}

impl Default for IceConfig {
    /// Trystero's STUN servers, and any path.
    fn default() -> Self {
        let server = |(host, port)| IceServer {
            url: IceUrl { kind: IceServerKind::Stun, host: String::from(host), port },
            credentials: None,
        };
        IceConfig {
            servers: DEFAULT_SERVERS.map(server).to_vec(),
            transport_policy: IceTransportPolicy::All,
            host_candidates: HostCandidates::Addresses,
        }
    }
}

impl IceConfig {
    /// No servers: only peers that reach each other directly connect.
    pub fn none() -> Self {
        IceConfig {
            servers: Vec::new(),
            transport_policy: IceTransportPolicy::All,
            host_candidates: HostCandidates::Addresses,
        }
    }

    /// Says how peers are told of the addresses of this machine.
    #[must_use]
    pub fn with_host_candidates(self, host_candidates: HostCandidates) -> Self {
        IceConfig { host_candidates, ..self }
    }

    /// Adds servers, as Trystero's `turnConfig` does.
    #[must_use]
    pub fn with_servers(mut self, servers: impl IntoIterator<Item = IceServer>) -> Self {
        self.servers.extend(servers);
        self
    }

    /// Whether a TURN server is among the servers.
    pub fn has_turn(&self) -> bool {
        self.servers.iter().any(|server| server.url.kind != IceServerKind::Stun)
    }
}

impl IceServer {
    /// A server that wants no credentials, as STUN servers do.
    pub fn new(url: IceUrl) -> Self {
        IceServer { url, credentials: None }
    }

    /// A server that wants these.
    #[must_use]
    pub fn with_credentials(
        self,
        username: impl Into<String>,
        credential: impl Into<String>,
    ) -> Self {
        let (username, credential) = (username.into(), credential.into());
        IceServer { credentials: Some(IceCredentials { username, credential }), ..self }
    }
}

impl fmt::Debug for IceCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IceCredentials").field("username", &self.username).finish_non_exhaustive()
    }
}

impl FromStr for IceUrl {
    type Err = InvalidIceUrl;

    fn from_str(text: &str) -> Result<Self, InvalidIceUrl> {
        let (scheme, rest) = text.split_once(':').ok_or(InvalidIceUrl::Scheme)?;
        let (place, query) = match rest.split_once('?') {
            Some((place, query)) => (place, Some(query)),
            None => (rest, None),
        };
        let kind = kind(&scheme.to_ascii_lowercase(), query)?;
        let (host, port) = split_port(place)?;
        if host.is_empty() || host.len() > HOST_BYTES_MAX || !host.chars().all(is_of_host) {
            return Err(InvalidIceUrl::Host);
        }
        let port = match port {
            None => kind.default_port(),
            Some(port) => match port.parse() {
                Ok(0) | Err(_) => return Err(InvalidIceUrl::Port),
                Ok(port) => port,
            },
        };
        Ok(IceUrl { kind, host: host.to_owned(), port })
    }
}

impl fmt::Display for IceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, query) = match self.kind {
            IceServerKind::Stun => ("stun", ""),
            IceServerKind::TurnUdp => ("turn", ""),
            IceServerKind::TurnTcp => ("turn", "?transport=tcp"),
            IceServerKind::TurnTls => ("turns", ""),
        };
        let IceUrl { host, port, .. } = self;
        if host.contains(':') {
            write!(f, "{scheme}:[{host}]:{port}{query}")
        } else {
            write!(f, "{scheme}:{host}:{port}{query}")
        }
    }
}

impl IceServerKind {
    fn default_port(self) -> u16 {
        if self == IceServerKind::TurnTls { 5349 } else { 3478 }
    }
}

fn kind(scheme: &str, query: Option<&str>) -> Result<IceServerKind, InvalidIceUrl> {
    let transport = query.map(|query| query.strip_prefix("transport=").unwrap_or("?"));
    match (scheme, transport) {
        ("stun", None | Some("udp")) => Ok(IceServerKind::Stun),
        ("turn", None | Some("udp")) => Ok(IceServerKind::TurnUdp),
        ("turn", Some("tcp")) => Ok(IceServerKind::TurnTcp),
        ("turns", None | Some("tcp")) => Ok(IceServerKind::TurnTls),
        ("stun" | "turn" | "turns", _) => Err(InvalidIceUrl::Transport),
        _ => Err(InvalidIceUrl::Scheme),
    }
}

fn split_port(place: &str) -> Result<(&str, Option<&str>), InvalidIceUrl> {
    if let Some(rest) = place.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or(InvalidIceUrl::Host)?;
        return match rest.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if rest.is_empty() => Ok((host, None)),
            None => Err(InvalidIceUrl::Host),
        };
    }
    Ok(match place.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (place, None),
    })
}

fn is_of_host(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_' | ':')
}

/// The longest name that DNS has.
const HOST_BYTES_MAX: usize = 253;

const DEFAULT_SERVERS: [(&str, u16); 4] = [
    ("stun.l.google.com", 19302),
    ("stun1.l.google.com", 19302),
    ("stun2.l.google.com", 19302),
    ("stun.cloudflare.com", 3478),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::limits;

    #[test]
    fn urls_of_each_kind_are_read() {
        let cases = [
            ("stun:stun.example.org", IceServerKind::Stun, "stun.example.org", 3478),
            ("STUN:192.0.2.1:19302", IceServerKind::Stun, "192.0.2.1", 19302),
            ("turn:turn.example.org", IceServerKind::TurnUdp, "turn.example.org", 3478),
            ("turn:t.example.org?transport=udp", IceServerKind::TurnUdp, "t.example.org", 3478),
            ("turn:t.example.org:80?transport=tcp", IceServerKind::TurnTcp, "t.example.org", 80),
            ("turns:[2001:db8::1]", IceServerKind::TurnTls, "2001:db8::1", 5349),
            ("turns:[2001:db8::1]:443?transport=tcp", IceServerKind::TurnTls, "2001:db8::1", 443),
        ];
        for (text, kind, host, port) in cases {
            let expected = IceUrl { kind, host: host.to_owned(), port };
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_url_says_why() {
        let cases = [
            ("", InvalidIceUrl::Scheme),
            ("stun.example.org", InvalidIceUrl::Scheme),
            ("https://example.org", InvalidIceUrl::Scheme),
            ("stuns:example.org", InvalidIceUrl::Scheme),
            ("stun:", InvalidIceUrl::Host),
            ("stun://example.org", InvalidIceUrl::Host),
            ("turn:a b", InvalidIceUrl::Host),
            ("turn:[2001:db8::1", InvalidIceUrl::Host),
            ("turn:[2001:db8::1]3478", InvalidIceUrl::Host),
            ("turn:example.org:0", InvalidIceUrl::Port),
            ("turn:example.org:65536", InvalidIceUrl::Port),
            ("turn:example.org:", InvalidIceUrl::Port),
            ("stun:example.org?transport=tcp", InvalidIceUrl::Transport),
            ("turns:example.org?transport=udp", InvalidIceUrl::Transport),
            ("turn:example.org?transport=sctp", InvalidIceUrl::Transport),
            ("turn:example.org?tcp", InvalidIceUrl::Transport),
        ];
        for (text, why) in cases {
            assert_eq!(text.parse::<IceUrl>(), Err(why), "{text}");
        }
    }

    #[test]
    fn the_default_servers_fit_their_bound() {
        let config = IceConfig::default();
        assert!(config.servers.len() <= limits::ICE_SERVERS_MAX && !config.has_turn());
        let turn = IceServer::new("turn:example.org".parse().unwrap());
        assert!(config.with_servers([turn]).has_turn());
    }

    #[test]
    fn passwords_are_not_shown() {
        let server = IceServer::new("turn:example.org".parse().unwrap());
        let shown = format!("{:?}", server.with_credentials("alice", "secret"));
        assert!(shown.contains("alice") && !shown.contains("secret"), "{shown}");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(text in "(stun|turns?):[a-z0-9.:\\[\\]?=-]{0,40}") {
            if let Ok(url) = text.parse::<IceUrl>() {
                prop_assert_eq!(url.to_string().parse(), Ok(url));
            }
        }
    }
}
