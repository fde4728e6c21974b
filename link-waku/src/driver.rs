//! The task of a link: it drives the swarm, makes requests, and reads what the node pushes.
//!
//! Each stream has a task of its own, which may wait for room among the frames to be read, while
//! the swarm goes on. All of them end with the driver.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::panic;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use libp2p::StreamProtocol;
use libp2p::swarm::{Stream, SwarmEvent};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinError, JoinSet};
use tokio::time::timeout;
use tracing::debug;
use tristero_proto::signaling::LinkFrame;

use crate::link::frame;
use crate::message;
use crate::protocol::{DEFAULT_METADATA, FILTER_PUSH, FILTER_PUSH_BYTE, METADATA, RequestProtocol};
use crate::streams::{Event, StreamId};
use crate::swarm::{self, BehaviourEvent, Connection};

/// Requests that are made at once, or wait for an earlier one of their kind.
const REQUESTS_MAX: usize = 32;
/// Streams of the node that are read at once. A node may keep one open to push on, or open one for
/// each message; the oldest is given up for a new one.
const ACCEPTED_MAX: usize = 64;
/// A request that is not answered for this long, once its stream stands, has failed.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);
/// A link that closes may take this long for the requests that it still has.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// A message that asks for a response.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) protocol: RequestProtocol,
    pub(crate) message: Bytes,
}

/// What a task reports when it ends.
#[derive(Debug)]
enum Finished {
    Request(RequestProtocol),
    Accepted,
}

/// Runs a link to its end.
pub(crate) struct Driver {
    connection: Connection,
    inbox: mpsc::Sender<io::Result<LinkFrame>>,
    /// Requests whose streams are being opened.
    opening: HashMap<StreamId, Request>,
    /// Filter requests that wait for the one before.
    subscriptions: VecDeque<Request>,
    is_subscribing: bool,
    /// Requests without an answer, wherever they are.
    unanswered: usize,
    /// What we say of ourselves.
    metadata: Bytes,
    accepted: VecDeque<AbortHandle>,
    tasks: JoinSet<Finished>,
}

impl Driver {
    pub(crate) fn new(connection: Connection, inbox: mpsc::Sender<io::Result<LinkFrame>>) -> Self {
        Driver {
            connection,
            inbox,
            opening: HashMap::new(),
            subscriptions: VecDeque::new(),
            is_subscribing: false,
            unanswered: 0,
            metadata: Bytes::from_static(DEFAULT_METADATA),
            accepted: VecDeque::new(),
            tasks: JoinSet::new(),
        }
    }

    /// Runs until the connection is lost, or the link was closed and its requests are made.
    pub(crate) async fn run(mut self, mut outbox: mpsc::Receiver<Request>) {
        let inbox = self.inbox.clone();
        let ended = tokio::select! {
            ended = self.exchange(&mut outbox) => ended,
            () = inbox.closed() => Ended::Closed,
        };
        match ended {
            Ended::Closed => {
                outbox.close();
                // What is not done by then is given up.
                let _ = timeout(CLOSE_TIMEOUT, self.finish(outbox)).await;
            }
            Ended::Lost(why) => {
                self.tasks.shutdown().await;
                let lost = io::Error::new(io::ErrorKind::ConnectionReset, why);
                // Fails when nobody reads any more, who need not be told.
                let _ = inbox.send(Err(lost)).await;
            }
        }
    }

    /// Makes requests and hands out what comes, until there are no more requests.
    async fn exchange(&mut self, outbox: &mut mpsc::Receiver<Request>) -> Ended {
        loop {
            tokio::select! {
                event = self.connection.swarm.select_next_some() => {
                    if let Some(why) = swarm::loss(&event) {
                        return Ended::Lost(why);
                    }
                    self.on_event(event);
                }
                Some(finished) = self.tasks.join_next() => self.on_finished(finished),
                request = outbox.recv(), if self.unanswered < REQUESTS_MAX => match request {
                    Some(request) => self.on_request(request),
                    None => return Ended::Closed,
                },
            }
        }
    }

    /// Makes what was still taken, and waits for the answers.
    async fn finish(&mut self, mut outbox: mpsc::Receiver<Request>) {
        let Ended::Closed = self.exchange(&mut outbox).await else { return };
        while self.unanswered > 0 {
            tokio::select! {
                event = self.connection.swarm.select_next_some() => {
                    if swarm::loss(&event).is_some() {
                        return;
                    }
                    self.on_event(event);
                }
                Some(finished) = self.tasks.join_next() => self.on_finished(finished),
            }
        }
    }

    fn on_request(&mut self, request: Request) {
        self.unanswered += 1;
        match request.protocol {
            RequestProtocol::FilterSubscribe if self.is_subscribing => {
                self.subscriptions.push_back(request);
                return;
            }
            RequestProtocol::FilterSubscribe => self.is_subscribing = true,
            RequestProtocol::Metadata => self.metadata = request.message.clone(),
            RequestProtocol::Lightpush => {}
        }
        self.open(request);
    }

    fn open(&mut self, request: Request) {
        let Connection { swarm, node } = &mut self.connection;
        let id = swarm.behaviour_mut().streams.open(*node, request.protocol.name());
        self.opening.insert(id, request);
    }

    fn on_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(BehaviourEvent::Streams(Event::Opened { id, stream })) => {
                self.answer(id, Ok(stream));
            }
            SwarmEvent::Behaviour(BehaviourEvent::Streams(Event::Failed { id, why })) => {
                self.answer(id, Err(why));
            }
            SwarmEvent::Behaviour(BehaviourEvent::Streams(Event::Accepted {
                peer,
                protocol,
                stream,
            })) => {
                assert_eq!(peer, self.connection.node, "we listen to nobody else");
                self.accept(&protocol, stream);
            }
            // What identify finds out, and what is told of addresses, is of no use here.
            _ => {}
        }
    }

    /// Hands out the answer to a request, whatever it is.
    fn answer(&mut self, id: StreamId, stream: Result<Stream, String>) {
        let Some(Request { protocol, message }) = self.opening.remove(&id) else { return };
        let inbox = self.inbox.clone();
        self.tasks.spawn(async move {
            let response = match stream {
                Ok(stream) => respond(stream, &message).await,
                Err(why) => Err(why),
            };
            let response = response.unwrap_or_else(|why| {
                debug!(protocol = %protocol.name(), why, "a request to a Waku node failed");
                Bytes::new()
            });
            // Fails when nobody reads any more.
            let _ = inbox.send(Ok(frame(protocol.byte(), &response))).await;
            Finished::Request(protocol)
        });
    }

    /// Serves a stream that the node opened.
    fn accept(&mut self, protocol: &StreamProtocol, stream: Stream) {
        self.accepted.retain(|task| !task.is_finished());
        if self.accepted.len() == ACCEPTED_MAX
            && let Some(oldest) = self.accepted.pop_front()
        {
            oldest.abort();
        }
        let task = if *protocol == FILTER_PUSH {
            let inbox = self.inbox.clone();
            self.tasks.spawn(async move {
                read_pushes(stream, &inbox).await;
                Finished::Accepted
            })
        } else {
            debug_assert_eq!(*protocol, METADATA, "the swarm accepts nothing else");
            let metadata = self.metadata.clone();
            self.tasks.spawn(async move {
                let _ = timeout(RESPONSE_TIMEOUT, tell_metadata(stream, &metadata)).await;
                Finished::Accepted
            })
        };
        self.accepted.push_back(task);
    }

    fn on_finished(&mut self, finished: Result<Finished, JoinError>) {
        let finished = match finished {
            Ok(finished) => finished,
            // Only streams of the node are ever given up before their end.
            Err(error) if error.is_cancelled() => Finished::Accepted,
            Err(error) => panic::resume_unwind(error.into_panic()),
        };
        let Finished::Request(protocol) = finished else { return };
        self.unanswered -= 1;
        if protocol == RequestProtocol::FilterSubscribe {
            match self.subscriptions.pop_front() {
                Some(next) => self.open(next),
                None => self.is_subscribing = false,
            }
        }
    }
}

/// Why a driver ends.
enum Ended {
    /// Whoever holds the link closed it.
    Closed,
    /// The connection is gone, and why.
    Lost(String),
}

/// Writes a request and reads its response.
async fn respond(mut stream: Stream, request: &[u8]) -> Result<Bytes, String> {
    let exchange = async {
        message::write_last(&mut stream, request).await?;
        message::read(&mut stream).await
    };
    match timeout(RESPONSE_TIMEOUT, exchange).await {
        Ok(response) => response.map_err(|error| error.to_string()),
        Err(_) => Err("the node does not answer".to_owned()),
    }
}

/// Reads what the node pushes on one stream, for as long as it does.
async fn read_pushes(mut stream: Stream, inbox: &mpsc::Sender<io::Result<LinkFrame>>) {
    while let Ok(message) = message::read(&mut stream).await {
        if !message.is_empty() && inbox.send(Ok(frame(FILTER_PUSH_BYTE, &message))).await.is_err() {
            return;
        }
    }
}

/// Answers the node's question for our metadata. What it says of its own is nothing that we act on.
async fn tell_metadata(mut stream: Stream, metadata: &[u8]) -> io::Result<()> {
    message::read(&mut stream).await?;
    message::write_last(&mut stream, metadata).await
}
