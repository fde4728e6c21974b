//! A Nostr relay: nostr-relay-builder, which keeps its events in memory.

use std::future;
use std::net::SocketAddr;

use anyhow::Result;
use nostr_relay_builder::{LocalRelay, RelayBuilder};
use tokio::runtime;

/// Serves until it fails.
pub(crate) fn serve(address: SocketAddr) -> Result<()> {
    runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let builder = RelayBuilder::default().addr(address.ip()).port(address.port());
        let relay = LocalRelay::new(builder);
        relay.run().await?;
        future::pending().await
    })
}
