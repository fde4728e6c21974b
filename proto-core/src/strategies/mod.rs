//! The services that peers meet over. Each is a codec; sockets and time are elsewhere.

mod ws_relay;

pub use ws_relay::WsRelay;
