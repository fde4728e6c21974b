//! What a relay is started with.

use std::net::SocketAddr;

use crate::{Limits, Tls};

/// Where a relay listens, how, and within which bounds.
///
/// ```
/// use tristero_relay::Config;
///
/// let mut config = Config::new("127.0.0.1:8080".parse()?);
/// config.limits.connections_max = 500;
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// The address and port to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The certificate to serve `wss://` with; without one the relay serves `ws://`, which
    /// browsers accept from secure pages only on `localhost`.
    pub tls: Option<Tls>,
    /// The bounds the relay keeps.
    pub limits: Limits,
}

impl Config {
    /// A relay without TLS and with the default limits.
    pub fn new(listen: SocketAddr) -> Self {
        Self { listen, tls: None, limits: Limits::default() }
    }
}
