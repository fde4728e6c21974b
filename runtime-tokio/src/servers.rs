//! What an engine needs beside datagrams: names resolved, and byte streams to TURN servers. A task
//! each; multicast DNS has one for all.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tristero_proto::engine::{NetworkEvent, NetworkRequest, StreamId, StreamTarget};

use crate::links::Network;
use crate::mdns::Mdns;
use crate::proxy;

/// Messages that wait to be written to one stream. What is sent beyond is lost, as a datagram would
/// be: a TURN client that falls behind carries datagrams, and they may be.
const OUTBOUND_MAX: usize = 1_024;
/// Events that wait for the node. Streams wait while there are more.
const INBOUND_MAX: usize = 64;
/// How much is read at once, in bytes.
const READ_BYTES: usize = 16 * 1024;
/// A host that can't be reached or asked within this is none.
const PATIENCE: Duration = Duration::from_secs(10);

/// All of a node.
#[derive(Debug)]
pub(crate) struct Servers {
    network: Arc<Network>,
    streams: HashMap<StreamId, mpsc::Sender<Bytes>>,
    mdns: Mdns,
    events: mpsc::Receiver<NetworkEvent>,
    /// Given to each task.
    sender: mpsc::Sender<NetworkEvent>,
}

impl Servers {
    pub(crate) fn new(network: Arc<Network>, with_loopback: bool) -> Self {
        let (sender, events) = mpsc::channel(INBOUND_MAX);
        let mdns = Mdns::new(with_loopback, sender.clone());
        Servers { network, streams: HashMap::new(), mdns, events, sender }
    }

    pub(crate) fn request(&mut self, request: NetworkRequest) {
        match request {
            NetworkRequest::Resolve { name } => {
                let sender = self.sender.clone();
                tokio::spawn(async move {
                    let addresses = resolve(&name).await;
                    // Nobody listens once the node is gone.
                    let _ = sender.send(NetworkEvent::Resolved { name, addresses }).await;
                });
            }
            NetworkRequest::ResolveLocal { name } => self.mdns.resolve(name),
            NetworkRequest::PublishLocal { name, address } => self.mdns.publish(name, address),
            NetworkRequest::WithdrawLocal { name } => self.mdns.withdraw(name),
            NetworkRequest::OpenStream { stream, target } => self.open(stream, target),
            NetworkRequest::SendStream { stream, bytes } => {
                if let Some(sender) = self.streams.get(&stream) {
                    let _ = sender.try_send(bytes);
                }
            }
            NetworkRequest::CloseStream { stream } => {
                self.streams.remove(&stream);
            }
            other => tracing::debug!(?other, "this runtime does not know what to do"),
        }
    }

    pub(crate) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<NetworkEvent> {
        loop {
            let Poll::Ready(Some(event)) = self.events.poll_recv(cx) else { return Poll::Pending };
            match &event {
                NetworkEvent::StreamOpened { stream }
                | NetworkEvent::StreamBytes { stream, .. }
                    if !self.streams.contains_key(stream) => {}
                // Of a stream that was closed here nothing more is told.
                NetworkEvent::StreamClosed { stream, .. }
                    if self.streams.remove(stream).is_none() => {}
                _ => return Poll::Ready(event),
            }
        }
    }

    fn open(&mut self, stream: StreamId, target: StreamTarget) {
        let (outbound, waiting) = mpsc::channel(OUTBOUND_MAX);
        self.streams.insert(stream, outbound);
        let (network, events) = (self.network.clone(), self.sender.clone());
        tokio::spawn(async move {
            let why = match run(stream, &target, &network, waiting, &events).await {
                Ok(()) => "the server closed the connection".to_owned(),
                Err(error) => error.to_string(),
            };
            let _ = events.send(NetworkEvent::StreamClosed { stream, why }).await;
        });
    }
}

async fn resolve(name: &str) -> Vec<IpAddr> {
    let looked_up = timeout(PATIENCE, tokio::net::lookup_host((name, 0))).await;
    match looked_up.map_err(io::Error::from).and_then(|found| found) {
        Ok(found) => found.map(|address| address.ip()).collect(),
        Err(error) => {
            tracing::debug!(name, %error, "a name can't be resolved");
            Vec::new()
        }
    }
}

/// Runs a stream to its end.
async fn run(
    id: StreamId,
    target: &StreamTarget,
    network: &Network,
    mut outbound: mpsc::Receiver<Bytes>,
    events: &mpsc::Sender<NetworkEvent>,
) -> io::Result<()> {
    let dialled = tokio::select! {
        dialled = timeout(PATIENCE, dial(target, network)) => dialled,
        _ = outbound.recv() => return Ok(()),
    };
    let (mut reader, mut writer) = tokio::io::split(dialled.map_err(io::Error::from)??);
    let _ = events.send(NetworkEvent::StreamOpened { stream: id }).await;
    let mut buffer = BytesMut::new();
    loop {
        buffer.reserve(READ_BYTES);
        tokio::select! {
            bytes = outbound.recv() => {
                let Some(bytes) = bytes else {
                    return timeout(PATIENCE, writer.shutdown()).await.map_err(io::Error::from)?;
                };
                timeout(PATIENCE, writer.write_all(&bytes)).await.map_err(io::Error::from)??;
                timeout(PATIENCE, writer.flush()).await.map_err(io::Error::from)??;
            }
            read = reader.read_buf(&mut buffer) => {
                if read? == 0 {
                    return Ok(());
                }
                let bytes = buffer.split().freeze();
                if events.send(NetworkEvent::StreamBytes { stream: id, bytes }).await.is_err() {
                    return Ok(());
                }
            }
        }
    }
}

/// A stream of bytes, whatever is below.
trait ByteStream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> ByteStream for S {}

async fn dial(target: &StreamTarget, network: &Network) -> io::Result<Box<dyn ByteStream>> {
    let StreamTarget { host, port, is_secure } = target;
    let stream = proxy::connect(host, *port, *is_secure, network).await?;
    if !is_secure {
        return Ok(Box::new(stream));
    }
    let invalid = |error| io::Error::new(io::ErrorKind::InvalidInput, error);
    let name = ServerName::try_from(host.clone()).map_err(invalid)?;
    Ok(Box::new(TlsConnector::from(network.tls.config()).connect(name, stream).await?))
}
