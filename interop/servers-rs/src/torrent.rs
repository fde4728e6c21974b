//! A WebTorrent tracker: aquatic_ws, which takes frames of 16 KiB at most.
//!
//! It needs io_uring, and with it 512 KiB of memory that may be locked.
//!
//! Where more peers announce than an announce has offers, it goes on to neighbours in the order in
//! which they came: of five with three offers each, the last two never get one of each other's.

use std::net::SocketAddr;

use anyhow::Result;

/// Serves until it fails.
#[cfg(target_os = "linux")]
pub(crate) fn serve(address: SocketAddr) -> Result<()> {
    use aquatic_ws::config::{Config, NetworkConfig};

    let network = NetworkConfig { address, ..NetworkConfig::default() };
    aquatic_ws::run(Config { network, ..Config::default() })
}

/// Tells that it can't.
#[cfg(not(target_os = "linux"))]
pub(crate) fn serve(_address: SocketAddr) -> Result<()> {
    anyhow::bail!("aquatic runs on Linux only")
}
