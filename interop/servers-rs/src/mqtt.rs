//! An MQTT broker: rumqttd, with what its own example configuration has for WebSockets.
//!
//! It answers the upgrade of one connection after the other, and names the sub-protocol `mqtt`
//! whatever it was asked for.

use std::collections::HashMap;
use std::net::SocketAddr;

use anyhow::{Result, bail};
use rumqttd::{Broker, Config, ConnectionSettings, RouterConfig, ServerSettings};

/// Serves until it fails.
pub(crate) fn serve(address: SocketAddr) -> Result<()> {
    let connections = ConnectionSettings {
        connection_timeout_ms: 60_000,
        max_payload_size: 20_480,
        max_inflight_count: 500,
        auth: None,
        external_auth: None,
        dynamic_filters: true,
    };
    let settings = ServerSettings {
        name: "ws".to_owned(),
        listen: address,
        tls: None,
        next_connection_delay_ms: 1,
        connections,
    };
    let router = RouterConfig {
        max_connections: 10_010,
        max_outgoing_packet_count: 200,
        max_segment_size: 100 << 20,
        max_segment_count: 10,
        ..RouterConfig::default()
    };
    let ws = Some(HashMap::from([("1".to_owned(), settings)]));
    Broker::new(Config { router, ws, ..Config::default() }).start()?;
    bail!("rumqttd could not listen at {address}")
}
