//! What an engine needs beside datagrams: names resolved, and byte streams to TURN servers. A task
//! each; multicast DNS has one for all.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_channel::mpsc;
use futures_util::future::{Either, select};
use futures_util::io::{AsyncReadExt as _, AsyncWriteExt as _};
use futures_util::{SinkExt as _, StreamExt as _};
use tristero_proto::engine::{NetworkEvent, NetworkRequest, StreamId, StreamTarget};

use crate::links::Network;
use crate::mdns::Mdns;
use crate::proxy;
use crate::reactor::Reactor;
use crate::stream::{self, ByteStream};
use crate::time::timeout;

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
pub(crate) struct Servers<R> {
    network: Arc<Network>,
    streams: HashMap<StreamId, mpsc::Sender<Bytes>>,
    mdns: Mdns<R>,
    events: mpsc::Receiver<NetworkEvent>,
    /// Given to each task.
    sender: mpsc::Sender<NetworkEvent>,
}

impl<R: Reactor> Servers<R> {
    pub(crate) fn new(network: Arc<Network>, with_loopback: bool) -> Self {
        let (sender, events) = mpsc::channel(INBOUND_MAX);
        let mdns = Mdns::new(with_loopback, sender.clone());
        Servers { network, streams: HashMap::new(), mdns, events, sender }
    }

    pub(crate) fn request(&mut self, request: NetworkRequest) {
        match request {
            NetworkRequest::Resolve { name } => {
                let mut sender = self.sender.clone();
                R::spawn(async move {
                    let addresses = resolve::<R>(&name).await;
                    // Nobody listens once the node is gone.
                    let _ = sender.send(NetworkEvent::Resolved { name, addresses }).await;
                });
            }
            NetworkRequest::ResolveLocal { name } => self.mdns.resolve(name),
            NetworkRequest::PublishLocal { name, address } => self.mdns.publish(name, address),
            NetworkRequest::WithdrawLocal { name } => self.mdns.withdraw(name),
            NetworkRequest::OpenStream { stream, target } => self.open(stream, target),
            NetworkRequest::SendStream { stream, bytes } => {
                if let Some(sender) = self.streams.get_mut(&stream) {
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
            let Poll::Ready(Some(event)) = self.events.poll_next_unpin(cx) else {
                return Poll::Pending;
            };
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
        let (network, mut events) = (self.network.clone(), self.sender.clone());
        R::spawn(async move {
            let why = match run::<R>(stream, &target, &network, waiting, &mut events).await {
                Ok(()) => "the server closed the connection".to_owned(),
                Err(error) => error.to_string(),
            };
            let _ = events.send(NetworkEvent::StreamClosed { stream, why }).await;
        });
    }
}

async fn resolve<R: Reactor>(name: &str) -> Vec<IpAddr> {
    let looked_up = timeout::<R, _>(PATIENCE, stream::resolve(name, 0)).await;
    match looked_up.and_then(|found| found) {
        Ok(found) => found.iter().map(SocketAddr::ip).collect(),
        Err(error) => {
            tracing::debug!(name, %error, "a name can't be resolved");
            Vec::new()
        }
    }
}

/// Runs a stream to its end.
async fn run<R: Reactor>(
    id: StreamId,
    target: &StreamTarget,
    network: &Network,
    mut outbound: mpsc::Receiver<Bytes>,
    events: &mut mpsc::Sender<NetworkEvent>,
) -> io::Result<()> {
    let dialled = {
        let dialling = timeout::<R, _>(PATIENCE, dial::<R>(target, network));
        match select(pin!(dialling), outbound.next()).await {
            Either::Left((dialled, _)) => dialled,
            // It is not wanted any more: nothing is sent before it is open.
            Either::Right(_) => return Ok(()),
        }
    };
    let (mut reader, mut writer) = dialled??.split();
    let _ = events.send(NetworkEvent::StreamOpened { stream: id }).await;
    let mut buffer = vec![0; READ_BYTES];
    loop {
        // What is to be sent is first: it is bounded, and what comes may have no end.
        match select(outbound.next(), reader.read(&mut buffer)).await {
            Either::Left((None, _)) => return timeout::<R, _>(PATIENCE, writer.close()).await?,
            Either::Left((Some(bytes), _)) => {
                timeout::<R, _>(PATIENCE, writer.write_all(&bytes)).await??;
                timeout::<R, _>(PATIENCE, writer.flush()).await??;
            }
            Either::Right((read, _)) => {
                let length = read?;
                if length == 0 {
                    return Ok(());
                }
                let bytes = Bytes::copy_from_slice(&buffer[..length]);
                if events.send(NetworkEvent::StreamBytes { stream: id, bytes }).await.is_err() {
                    return Ok(());
                }
            }
        }
    }
}

async fn dial<R: Reactor>(
    target: &StreamTarget,
    network: &Network,
) -> io::Result<Box<dyn ByteStream>> {
    let StreamTarget { host, port, is_secure } = target;
    let stream = proxy::connect::<R>(host, *port, *is_secure, network).await?;
    match is_secure {
        true => stream::secure(stream, host, &network.tls).await,
        false => Ok(stream),
    }
}
