//! Links to Waku nodes: the libp2p half of the IPFS strategy.
//!
//! libp2p is a stack of its own, and a heavy one. This crate holds all of it, behind
//! [`tristero::Dialer`]: what the strategy's codec writes goes out on streams of libp2p, and what
//! the node says comes back as frames. The crate knows the names of four protocols and how their
//! messages are framed. What is in a message is the codec's business.
//!
//! # The boundary
//!
//! A relay is named by a multiaddress such as `/dns4/host/tcp/443/wss/p2p/ID` or
//! `/ip4/127.0.0.1/tcp/60000/ws`. With `/p2p/ID` no other node is taken for it. Every frame is
//! [`Binary`](tristero_proto::signaling::LinkFrame::Binary): a byte that names a protocol, then one
//! message of that protocol without its length.
//!
//! | byte | protocol | to the node | from the node |
//! |---|---|---|---|
//! | 1 | `/vac/waku/filter-subscribe/2.0.0-beta1` | request | its response |
//! | 2 | `/vac/waku/lightpush/3.0.0` | request | its response |
//! | 3 | `/vac/waku/filter-push/2.0.0-beta1` | | a message |
//! | 4 | `/vac/waku/metadata/1.0.0` | request | its response |
//!
//! - Every request gets exactly one frame back while the link stands: its response, or **the byte
//!   of its protocol alone, which says that the request failed**. The node does not speak the
//!   protocol, ended the stream, answered nothing for ten seconds, or said what is no message of at
//!   most 1 MiB. An empty response looks the same, and is no use either.
//! - Filter requests are made one after another, so that they take effect and are answered in the
//!   order of their frames. Other requests are made at once, and answered in any order.
//! - A message that the node pushes is never empty.
//! - The node may ask for our metadata. It gets what our last metadata request said, or cluster 1.
//! - A text, a frame without a byte of a request, or a message over 1 MiB ends the link.

mod driver;
mod link;
mod message;
mod protocol;
mod streams;
mod swarm;
mod web_socket;

use std::fmt;
use std::io;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;
use tristero::{Dialer, Dialling};
use tristero_proto::signaling::RelayUrl;

/// Opens links to Waku nodes: the [`Dialer`] for the IPFS strategy.
///
/// It works within tokio. Each link has a connection, a key and a task of its own; the task ends
/// with the link. The key is a new one each time, so nodes can't tell that two links are of one
/// peer.
///
/// WebSockets, which nearly all nodes have, are opened by what it is given:
///
/// ```
/// use tristero_tokio::{Dialers, Options, WebSockets};
/// use tristero_waku::WakuDialer;
///
/// let dialers = Dialers::default().with("/", WakuDialer::new(WebSockets::default()));
/// let options = Options { dialers, ..Options::default() };
/// ```
///
/// so the same certificates are believed, and the same proxies asked, as for other relays. An
/// address without a WebSocket, `/ip4/…/tcp/…/p2p/ID`, is dialled directly, whatever proxies there
/// are.
#[derive(Clone)]
pub struct WakuDialer {
    web_sockets: Arc<dyn Dialer>,
    /// What libp2p runs on, whatever drives the node.
    tokio: Option<Handle>,
}

impl WakuDialer {
    /// A dialer whose WebSockets are opened so; it is asked for `ws:` and `wss:` URLs.
    ///
    /// libp2p runs on the tokio runtime that this is called in. If that is none, the node has to be
    /// driven by tokio.
    pub fn new(web_sockets: impl Dialer + 'static) -> Self {
        WakuDialer { web_sockets: Arc::new(web_sockets), tokio: Handle::try_current().ok() }
    }
}

impl fmt::Debug for WakuDialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WakuDialer").finish_non_exhaustive()
    }
}

impl Dialer for WakuDialer {
    fn dial(&self, url: &RelayUrl) -> Dialling {
        let address = swarm::parse_address(url.as_str());
        let web_sockets = self.web_sockets.clone();
        let tokio = self.tokio.clone().or_else(|| Handle::try_current().ok());
        Box::pin(async move {
            let address = address?;
            let none = || io::Error::other("libp2p needs a tokio runtime: see WakuDialer::new");
            let dialling = tokio
                .ok_or_else(none)?
                .spawn(async move { Ok(link::open(swarm::connect(address, web_sockets).await?)) });
            AbortOnDropHandle::new(dialling).await.map_err(io::Error::other)?
        })
    }
}
