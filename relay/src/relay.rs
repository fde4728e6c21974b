//! The listening socket and the tasks it starts.

use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use thiserror::Error;
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    select,
    sync::{OwnedSemaphorePermit, Semaphore},
    task::{JoinError, JoinSet},
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tracing::{Instrument, debug, debug_span, error, info, warn};

use crate::{
    Config, Handle, connection,
    handle::Life,
    http::{self, Opened},
    shared::Shared,
    stream::Split,
};

/// A relay that has its port and does not serve yet; clients that connect meanwhile wait.
pub struct Relay {
    listener: TcpListener,
    local_addr: SocketAddr,
    tls: Option<TlsAcceptor>,
    shared: Arc<Shared>,
    life: Life,
}

/// Why a relay can't listen where it was told to.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BindError {
    /// Another socket listens there.
    #[error(
        "{addr} is already in use: another program, or another relay, listens there; \
         stop it or choose another port"
    )]
    InUse {
        /// The address that was asked for.
        addr: SocketAddr,
    },
    /// The address is none of this machine's.
    #[error("this machine has no network interface with the address {}", addr.ip())]
    NotLocal {
        /// The address that was asked for.
        addr: SocketAddr,
    },
    /// The system reserves the port.
    #[error("this user may not listen on {addr}; ports below 1024 usually need privileges")]
    NotPermitted {
        /// The address that was asked for.
        addr: SocketAddr,
    },
    /// Anything else.
    #[error("can't listen on {addr}: {reason}")]
    Other {
        /// The address that was asked for.
        addr: SocketAddr,
        /// What the system said.
        reason: io::Error,
    },
}

impl Relay {
    /// Takes the port. Call within a tokio runtime; then [`run`](Self::run) or
    /// [`spawn`](Self::spawn) the relay.
    pub async fn bind(config: Config) -> Result<Self, BindError> {
        let addr = config.listen;
        let (listener, local_addr) = listen(addr).map_err(|reason| bind_error(addr, reason))?;
        let shared = Arc::new(Shared::new(config.limits));
        Ok(Self {
            listener,
            local_addr,
            tls: config.tls.map(|tls| tls.acceptor()),
            life: Life::new(Arc::clone(&shared)),
            shared,
        })
    }

    /// Serves until [`Handle::shutdown`]. When the future is dropped all connections end at
    /// once, without a close frame.
    pub async fn run(self) {
        // Declared first, so that it ends last, when the future is dropped too.
        let life = self.life;
        let Self { listener, local_addr, tls, shared, .. } = self;
        info!(addr = %local_addr, tls = tls.is_some(), "the relay listens");
        let handshakes = shared.limits.handshakes_max.clamp(1, Semaphore::MAX_PERMITS);
        let handshakes = Arc::new(Semaphore::new(handshakes));
        let mut tasks = JoinSet::new();
        let mut stopping = std::pin::pin!(shared.stopping());
        loop {
            select! {
                () = &mut stopping => break,
                Some(ended) = tasks.join_next() => report_panic(ended),
                (socket, peer, permit) = accept(&listener, &handshakes) => {
                    shared.meters.accepted.count();
                    let span = debug_span!("client", %peer);
                    let serving = serve(socket, tls.clone(), Arc::clone(&shared), permit);
                    tasks.spawn(serving.instrument(span));
                }
            }
        }
        drop(listener);
        info!(connections = shared.stats().connections, "the relay shuts down");
        if timeout(shared.limits.shutdown_timeout, join_all(&mut tasks)).await.is_err() {
            warn!(unclosed = tasks.len(), "the relay ends with connections that did not close");
            tasks.shutdown().await;
        }
        drop(life);
    }

    /// Runs the relay in a task of its own.
    pub fn spawn(self) -> Handle {
        let handle = self.handle();
        tokio::spawn(self.run());
        handle
    }

    /// Watches and ends the relay while it runs.
    pub fn handle(&self) -> Handle {
        Handle::new(Arc::clone(&self.shared))
    }

    /// The address it listens on, with the port it was given.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// The URL at which clients of this machine reach it; `0.0.0.0` and `[::]`, which are no
    /// destinations, become the loopback address.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "wss" } else { "ws" };
        let mut addr = self.local_addr;
        if addr.ip().is_unspecified() {
            addr.set_ip(match addr.ip() {
                IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            });
        }
        format!("{scheme}://{addr}")
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay").field("url", &self.url()).finish_non_exhaustive()
    }
}

fn listen(addr: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A restarted relay gets its port back at once. On Windows the option means something
    // else: to share the port.
    if cfg!(not(windows)) {
        socket.set_reuseaddr(true)?;
    }
    socket.bind(addr)?;
    let listener = socket.listen(BACKLOG)?;
    let local_addr = listener.local_addr()?;
    Ok((listener, local_addr))
}

fn bind_error(addr: SocketAddr, reason: io::Error) -> BindError {
    match reason.kind() {
        io::ErrorKind::AddrInUse => BindError::InUse { addr },
        io::ErrorKind::AddrNotAvailable => BindError::NotLocal { addr },
        io::ErrorKind::PermissionDenied => BindError::NotPermitted { addr },
        _ => BindError::Other { addr, reason },
    }
}

/// The next socket, once there is room for another handshake.
async fn accept(
    listener: &TcpListener,
    handshakes: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    let permit = Arc::clone(handshakes).acquire_owned().await.expect("it is never closed");
    loop {
        match listener.accept().await {
            Ok((socket, peer)) => return (socket, peer, permit),
            Err(error) if is_of_one_socket(&error) => debug!(%error, "a socket was not accepted"),
            Err(error) => {
                // Out of file descriptors or memory; trying again at once would only burn
                // time until a connection ends.
                warn!(%error, "the relay can't accept connections");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Whether accepting failed because of the client, and the next one may do better.
fn is_of_one_socket(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};

    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

async fn serve(
    socket: TcpStream,
    tls: Option<TlsAcceptor>,
    shared: Arc<Shared>,
    handshake: OwnedSemaphorePermit,
) {
    // Signaling is small messages that someone waits for.
    if let Err(error) = socket.set_nodelay(true) {
        debug!(%error, "the socket keeps Nagle's algorithm");
    }
    // Boxed, because a handshake's state is much larger than that of the connection that
    // follows and lasts.
    match tls {
        None => serve_stream(Box::pin(http::negotiate(socket, &shared)), handshake, &shared).await,
        Some(tls) => {
            let opening = Box::pin(async {
                let stream = tls.accept(socket).await?;
                http::negotiate(Box::new(stream), &shared).await
            });
            serve_stream(opening, handshake, &shared).await;
        }
    }
}

async fn serve_stream<S>(
    opening: impl Future<Output = io::Result<Option<Opened<S>>>>,
    handshake: OwnedSemaphorePermit,
    shared: &Shared,
) where
    S: Split,
{
    let opened = select! {
        opened = timeout(shared.limits.handshake_timeout, opening) => opened,
        () = shared.stopping() => return,
    };
    drop(handshake);
    match opened {
        Ok(Ok(Some(opened))) => connection::serve(opened, shared).await,
        Ok(Ok(None)) => {}
        Ok(Err(error)) => {
            debug!(%error, "the handshake failed");
            shared.meters.failed_handshake.count();
        }
        Err(_elapsed) => {
            debug!("the handshake took too long");
            shared.meters.failed_handshake.count();
        }
    }
}

async fn join_all(tasks: &mut JoinSet<()>) {
    while let Some(ended) = tasks.join_next().await {
        report_panic(ended);
    }
}

fn report_panic(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        error!(%error, "a connection's task panicked, which is a bug of the relay");
    }
}

/// Clients of a restarted relay come back at the same moment. Systems cap it (Linux at
/// `net.core.somaxconn`, 4096 unless told otherwise).
const BACKLOG: u32 = 4_096;

/// How long the relay stops accepting when the system is out of file descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);
