//! The services that peers meet over. Each is a codec; sockets and time are elsewhere.

mod nostr;
mod torrent;
mod ws_relay;

pub use nostr::Nostr;
pub use torrent::Torrent;
pub use ws_relay::WsRelay;
