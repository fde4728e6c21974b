//! A service node of Waku for tests: filter, lightpush and metadata for light clients, without a
//! network behind it. What is pushed to it goes to its own subscribers.
//!
//! It is strict where public nodes may be lenient, and can be told to misbehave.

#![allow(dead_code, unreachable_pub, missing_docs, reason = "each program uses a part of it")]
#![allow(clippy::unwrap_used, reason = "what fails here fails a test")]

mod message;
#[path = "../../src/streams.rs"]
mod streams;
pub mod waku;

use std::collections::HashMap;
use std::mem;

use bytes::Bytes;
use futures_util::StreamExt as _;
use libp2p::identity::Keypair;
use libp2p::swarm::{NetworkBehaviour, Stream, SwarmEvent};
use libp2p::{
    Multiaddr, PeerId, StreamProtocol, Swarm, SwarmBuilder, identify, noise, ping, tcp, yamux,
};
use prost::Message as _;
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};

use streams::{Event, StreamId};
use waku::{FilterRequest, LightpushRequest, Subscriptions};

const FILTER_SUBSCRIBE: StreamProtocol =
    StreamProtocol::new("/vac/waku/filter-subscribe/2.0.0-beta1");
const FILTER_PUSH: StreamProtocol = StreamProtocol::new("/vac/waku/filter-push/2.0.0-beta1");
const LIGHTPUSH: StreamProtocol = StreamProtocol::new("/vac/waku/lightpush/3.0.0");
const METADATA: StreamProtocol = StreamProtocol::new("/vac/waku/metadata/1.0.0");
/// Announced and not served: Waku's JavaScript client waits for a node that has it.
const STORE: StreamProtocol = StreamProtocol::new("/vac/waku/store-query/3.0.0");

/// How a node behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conduct {
    Honest,
    /// It takes requests and does not answer.
    NeverAnswers,
    /// Its responses and pushes are longer than any message may be.
    SaysTooMuch,
    /// It does not speak lightpush.
    RefusesLightpush,
    /// It pushes each message twice, on one stream.
    PushesTwice,
}

/// Which multiplexers a node knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Muxers {
    Both,
    Mplex,
}

/// The type of what multiplexes is different for each choice.
macro_rules! swarm_with {
    ($key:expr, $muxers:expr, $protocols:expr) => {
        SwarmBuilder::with_existing_identity($key)
            .with_tokio()
            .with_tcp(tcp::Config::default(), noise::Config::new, $muxers)
            .unwrap()
            .with_dns()
            .unwrap()
            .with_websocket(noise::Config::new, $muxers)
            .await
            .unwrap()
            .with_behaviour(|key| Behaviour {
                streams: streams::Behaviour::new($protocols),
                identify: identify::Behaviour::new(identify::Config::new(
                    "ipfs/0.1.0".to_owned(),
                    key.public(),
                )),
                ping: ping::Behaviour::default(),
            })
            .unwrap()
            .build()
    };
}

/// A node that runs until it is stopped or dropped.
pub struct ServiceNode {
    /// Where it listens, with its id.
    pub address: Multiaddr,
    /// How many connections it has.
    pub connections: watch::Receiver<u32>,
    /// How many clients are subscribed to something.
    pub subscribers: watch::Receiver<usize>,
    /// What clients said when they were asked for their metadata.
    pub metadata: mpsc::UnboundedReceiver<Bytes>,
    task: AbortHandle,
}

impl ServiceNode {
    /// Starts one, on a port and with a key of its own.
    pub async fn start(conduct: Conduct, muxers: Muxers) -> Self {
        Self::start_at(0, Keypair::generate_ed25519(), conduct, muxers).await
    }

    /// Starts one on `port`, or any if that is 0, as whoever holds `key`.
    pub async fn start_at(port: u16, key: Keypair, conduct: Conduct, muxers: Muxers) -> Self {
        let protocols = [FILTER_SUBSCRIBE, METADATA, STORE, LIGHTPUSH]
            .into_iter()
            .filter(|protocol| *protocol != LIGHTPUSH || conduct != Conduct::RefusesLightpush);
        let (yamux, mplex) = (yamux::Config::default, libp2p_mplex::Config::default);
        let mut swarm = match muxers {
            Muxers::Both => swarm_with!(key, (yamux, mplex), protocols),
            Muxers::Mplex => swarm_with!(key, mplex, protocols),
        };
        swarm.listen_on(format!("/ip4/127.0.0.1/tcp/{port}/ws").parse().unwrap()).unwrap();
        let address = loop {
            if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
                break address;
            }
        };
        let address = address.with_p2p(*swarm.local_peer_id()).unwrap();
        let (connected, connections) = watch::channel(0);
        let (subscribed, subscribers) = watch::channel(0);
        let (told, metadata) = mpsc::unbounded_channel();
        let service = Service {
            swarm,
            conduct,
            subscriptions: Subscriptions::default(),
            opening: HashMap::new(),
            tasks: JoinSet::new(),
            connected,
            subscribed,
            told,
        };
        let task = tokio::spawn(service.run()).abort_handle();
        ServiceNode { address, connections, subscribers, metadata, task }
    }

    /// Ends it, and its connections.
    pub fn stop(&self) {
        self.task.abort();
    }
}

impl Drop for ServiceNode {
    fn drop(&mut self) {
        self.stop();
    }
}

#[derive(NetworkBehaviour)]
struct Behaviour {
    streams: streams::Behaviour,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
}

/// What a task reports when it ends.
enum Finished {
    /// A client's request was read.
    Request(PeerId, StreamProtocol, Box<Stream>, Bytes),
    /// The client said this of itself.
    Metadata(Bytes),
    /// Something was written, or a stream was lost.
    Nothing,
}

/// What a stream is opened for.
enum Purpose {
    Push(Bytes),
    AskMetadata,
}

struct Service {
    swarm: Swarm<Behaviour>,
    conduct: Conduct,
    subscriptions: Subscriptions,
    opening: HashMap<StreamId, Purpose>,
    tasks: JoinSet<Finished>,
    connected: watch::Sender<u32>,
    subscribed: watch::Sender<usize>,
    told: mpsc::UnboundedSender<Bytes>,
}

impl Service {
    async fn run(mut self) {
        loop {
            tokio::select! {
                event = self.swarm.select_next_some() => self.on_event(event),
                Some(finished) = self.tasks.join_next() => self.on_finished(finished.unwrap()),
            }
            let now = self.subscriptions.subscribers();
            self.subscribed.send_if_modified(|count| mem::replace(count, now) != now);
        }
    }

    fn on_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::ConnectionEstablished { .. } => {
                self.connected.send_modify(|connections| *connections += 1);
            }
            SwarmEvent::ConnectionClosed { peer_id, num_established, .. } => {
                if num_established == 0 {
                    self.subscriptions.forget(peer_id);
                }
                self.connected.send_modify(|connections| *connections -= 1);
            }
            SwarmEvent::Behaviour(BehaviourEvent::Streams(event)) => self.on_stream(event),
            _ => {}
        }
    }

    fn on_stream(&mut self, event: Event) {
        match event {
            Event::Accepted { peer, protocol, mut stream } => {
                self.tasks.spawn(async move {
                    match message::read(&mut stream).await {
                        Ok(request) => Finished::Request(peer, protocol, Box::new(stream), request),
                        Err(_) => Finished::Nothing,
                    }
                });
            }
            Event::Opened { id, mut stream } => match self.opening.remove(&id).unwrap() {
                Purpose::Push(message) => self.push(stream, message),
                Purpose::AskMetadata => {
                    self.tasks.spawn(async move {
                        let question = waku::metadata().encode_to_vec();
                        message::write_last(&mut stream, &question).await.unwrap();
                        message::read(&mut stream)
                            .await
                            .map_or(Finished::Nothing, Finished::Metadata)
                    });
                }
            },
            Event::Failed { id, .. } => {
                self.opening.remove(&id);
            }
        }
    }

    fn on_finished(&mut self, finished: Finished) {
        match finished {
            Finished::Request(peer, protocol, stream, request) => {
                self.on_request(peer, &protocol, *stream, &request);
            }
            // The test may not listen.
            Finished::Metadata(metadata) => _ = self.told.send(metadata),
            Finished::Nothing => {}
        }
    }

    /// A request that can't be read gets the stream closed.
    fn on_request(
        &mut self,
        peer: PeerId,
        protocol: &StreamProtocol,
        stream: Stream,
        request: &[u8],
    ) {
        if self.conduct == Conduct::NeverAnswers {
            self.tasks.spawn(async move {
                let _held = stream;
                std::future::pending().await
            });
        } else if *protocol == FILTER_SUBSCRIBE {
            let Ok(request) = FilterRequest::decode(request) else { return };
            let response = self.subscriptions.on_filter(peer, &request);
            self.answer(stream, response.encode_to_vec());
        } else if *protocol == LIGHTPUSH {
            let Ok(request) = LightpushRequest::decode(request) else { return };
            let (response, subscribers, push) = self.subscriptions.on_lightpush(request);
            self.answer(stream, response.encode_to_vec());
            let push = Bytes::from(push.encode_to_vec());
            for subscriber in subscribers {
                self.open(subscriber, FILTER_PUSH, Purpose::Push(push.clone()));
            }
        } else if *protocol == METADATA {
            self.answer(stream, waku::metadata().encode_to_vec());
            self.open(peer, METADATA, Purpose::AskMetadata);
        }
    }

    fn open(&mut self, peer: PeerId, protocol: StreamProtocol, purpose: Purpose) {
        let id = self.swarm.behaviour_mut().streams.open(peer, protocol);
        self.opening.insert(id, purpose);
    }

    fn answer(&mut self, mut stream: Stream, response: Vec<u8>) {
        let conduct = self.conduct;
        self.tasks.spawn(async move {
            let _ = match conduct {
                Conduct::SaysTooMuch => message::write_too_much(&mut stream).await,
                _ => message::write_last(&mut stream, &response).await,
            };
            Finished::Nothing
        });
    }

    fn push(&mut self, mut stream: Stream, push: Bytes) {
        let conduct = self.conduct;
        self.tasks.spawn(async move {
            let _ = match conduct {
                Conduct::SaysTooMuch => message::write_too_much(&mut stream).await,
                Conduct::PushesTwice => message::write_twice(&mut stream, &push).await,
                _ => message::write_last(&mut stream, &push).await,
            };
            Finished::Nothing
        });
    }
}
