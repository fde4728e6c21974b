//! Links of a medium that is not a WebSocket, supplied by the application.

use std::future::Future;
use std::io;
use std::pin::Pin;

use futures_core::Stream;
use futures_util::Sink;
use tristero_proto::signaling::{LinkFrame, RelayUrl};

/// Opens links for the relays of a strategy of your own, whose
/// [`target`](tristero_proto::signaling::RelaySession::target) is
/// [`Custom`](tristero_proto::signaling::LinkTarget::Custom).
///
/// It needs to know nothing of the protocol: frames go out and come in as the strategy's session
/// wrote and expects them.
pub trait Dialer: Send + Sync {
    /// Opens a link. Dropping the future gives it up. Dialling is repeated, after a while, when it
    /// fails or the link ends.
    fn dial(&self, url: &RelayUrl) -> Dialling;
}

/// What [`Dialer::dial`] gives.
pub type Dialling = Pin<Box<dyn Future<Output = io::Result<Link>> + Send>>;

/// A link that stands. Dropping it closes it.
pub struct Link {
    /// What comes in. Its end is the link's, and so is an error.
    pub frames: Pin<Box<dyn Stream<Item = io::Result<LinkFrame>> + Send>>,
    /// What goes out. It is closed before the link is dropped, where there is time for that.
    pub sink: Pin<Box<dyn Sink<LinkFrame, Error = io::Error> + Send>>,
}
