//! The services that peers meet over. Each is a codec; sockets and time are elsewhere.

mod firebase;
mod nostr;
mod torrent;
mod ws_relay;

pub use firebase::Firebase;
pub use nostr::Nostr;
pub use torrent::Torrent;
pub use ws_relay::WsRelay;
