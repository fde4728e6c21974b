//! Links of a medium that is not a WebSocket, supplied by the application.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

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

/// Who dials which relays that are not WebSockets: a [`Dialer`] for each scheme. There are none by
/// default.
#[derive(Clone, Default)]
pub struct Dialers(BTreeMap<String, Arc<dyn Dialer>>);

impl Dialers {
    /// Dials relays of this scheme so, and no other way any more.
    ///
    /// The scheme of a relay is what its URL has before the first `:`. One that begins with `/`,
    /// as multiaddresses do, has the scheme `/`.
    pub fn with(mut self, scheme: impl Into<String>, dialer: impl Dialer + 'static) -> Self {
        self.0.insert(scheme.into(), Arc::new(dialer));
        self
    }

    /// Who dials this relay. Asked by runtimes.
    pub fn dialer(&self, url: &RelayUrl) -> Option<Arc<dyn Dialer>> {
        self.0.get(scheme(url.as_str())).cloned()
    }
}

impl fmt::Debug for Dialers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Dialers").field(&self.0.keys()).finish()
    }
}

fn scheme(url: &str) -> &str {
    if url.starts_with('/') {
        return "/";
    }
    url.split_once(':').map_or(url, |(scheme, _)| scheme)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nobody;

    impl Dialer for Nobody {
        fn dial(&self, _url: &RelayUrl) -> Dialling {
            Box::pin(async { Err(io::ErrorKind::ConnectionRefused.into()) })
        }
    }

    #[test]
    fn a_relay_is_dialled_by_its_scheme() {
        let dialers = Dialers::default().with("redis", Nobody).with("/", Nobody);
        let is_dialled = |url| dialers.dialer(&RelayUrl::custom(url)).is_some();
        assert!(is_dialled("redis://127.0.0.1:6379") && is_dialled("/ip4/127.0.0.1/tcp/1/ws"));
        assert!(!is_dialled("rediss://127.0.0.1") && !is_dialled("") && !is_dialled("://redis:"));
        assert_eq!(format!("{dialers:?}"), r#"Dialers(["/", "redis"])"#);
    }
}
