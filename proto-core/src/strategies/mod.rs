//! The services that peers meet over. Each is a codec; sockets and time are elsewhere.

mod firebase;
mod ipfs;
mod mqtt;
mod nostr;
mod supabase;
mod torrent;
mod ws_relay;

pub use firebase::Firebase;
pub use ipfs::Ipfs;
pub use mqtt::Mqtt;
pub use nostr::Nostr;
pub use supabase::Supabase;
pub use torrent::Torrent;
pub use ws_relay::WsRelay;
