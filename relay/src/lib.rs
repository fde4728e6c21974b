//! The self-hosted relay of Trystero's `ws-relay` strategy.

pub mod wire;
