//! What a simulated relay is: a server that reads and writes frames.

use std::fmt;
use std::sync::Arc;

use tristero_proto::Time;
use tristero_proto::signaling::{LinkFrame, RelayUrl, Strategy};

/// A client of a relay: one link, from the relay's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub(crate) u64);

/// A server. It is as strict as those of the real service: what they would refuse, it refuses.
pub trait Service: fmt::Debug {
    /// How peers meet there.
    fn strategy(&self) -> Arc<dyn Strategy>;

    /// Where it is, if it runs on this host.
    fn url(&self, host: &str) -> RelayUrl;

    /// A client's link stands.
    fn on_open(&mut self, client: ClientId, now: Time);

    /// A client sent a frame.
    fn on_frame(&mut self, client: ClientId, frame: LinkFrame, now: Time);

    /// A client is gone. It may be one that was never here.
    fn on_close(&mut self, client: ClientId);

    /// The machine stops: clients, subscriptions and all that was kept are lost.
    fn forget(&mut self);

    /// The next thing to do, until `None`.
    fn poll_output(&mut self) -> Option<ServiceOutput>;

    /// Does what is due.
    fn handle_timeout(&mut self, _now: Time) {}

    /// When to call [`handle_timeout`](Self::handle_timeout).
    fn poll_timeout(&self) -> Option<Time> {
        None
    }
}

/// What a server does.
#[derive(Debug)]
pub enum ServiceOutput {
    /// Sends a frame.
    Send(ClientId, LinkFrame),
    /// Ends a link, and why.
    Close(ClientId, &'static str),
}
