//! Where the programs meet.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use clap::Args;
use tristero_proto::ice::IceConfig;
use tristero_proto::signaling::{InvalidRelayUrl, RelayUrl};
use tristero_proto::strategies::WsRelay;
use tristero_proto::{RelayConfig, RoomConfig};

/// What each program is told.
#[derive(Clone, Debug, Args)]
pub struct Place {
    /// The relay to meet at: ws://HOST:PORT
    #[arg(long, value_name = "URL")]
    pub relay: String,
    /// The application
    #[arg(long, value_name = "ID", default_value = "tristero-examples")]
    pub app: String,
    /// The room
    #[arg(long, value_name = "ID", default_value = "lobby")]
    pub room: String,
    /// Meets peers on this machine and no others
    #[arg(long)]
    pub loopback: bool,
    /// Asks no STUN servers, as when all peers are on one network
    #[arg(long)]
    pub no_stun: bool,
}

impl Place {
    /// One of its rooms. On one machine no STUN server is of use.
    ///
    /// # Errors
    ///
    /// Fails if the relay is not given by a URL.
    pub fn room(&self, room: &str) -> Result<RoomConfig, InvalidRelayUrl> {
        let url = RelayUrl::web_socket(&self.relay)?;
        let mut config = RoomConfig::new(&self.app, room);
        config.relays = vec![RelayConfig { strategy: Arc::new(WsRelay), url }];
        if self.loopback || self.no_stun {
            config.ice = IceConfig::none();
        }
        Ok(config)
    }
}

/// The addresses to have sockets at: that of loopback alone, or those of the interfaces that are up.
///
/// # Errors
///
/// Fails if the operating system does not tell.
pub fn addresses(is_loopback: bool) -> io::Result<Vec<IpAddr>> {
    if is_loopback {
        return Ok(vec![Ipv4Addr::LOCALHOST.into()]);
    }
    let interfaces = if_addrs::get_if_addrs()?;
    let usable = interfaces.iter().filter(|interface| {
        interface.is_oper_up() && !interface.is_loopback() && !interface.is_link_local()
    });
    Ok(usable.map(if_addrs::Interface::ip).collect())
}
