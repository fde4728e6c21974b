//! A node with its sockets and links: the whole of what a runtime does.
//!
//! One round of a loop is [`turn`](LocalPeer::turn): what arrived is fed to the node, then what is
//! due is done, and after either what the node wants is performed. Nothing here decides anything.

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;

use mio::{Registry, Token};
use tracing::debug;
use tristero_proto::engine::{EngineInput, NetworkEvent};
use tristero_proto::{Deadline, Event, Input, Node, NodeConfig, Output, PeerId, Time};
use tristero_str0m::Str0mEngine;

use crate::epoch::{Epoch, random_seed};
use crate::link::LinkEvent;
use crate::links::Links;
use crate::network;
use crate::sockets::Sockets;

/// Datagrams and messages of relays that are read in one turn, before timers and others have theirs.
/// What is left over is read in the next.
const READS_PER_TURN: usize = 64;

/// A node with its sockets and links.
#[derive(Debug)]
pub struct LocalPeer {
    node: Node<Str0mEngine>,
    sockets: Sockets,
    links: Links,
    /// What came of the engine's wishes.
    answers: VecDeque<NetworkEvent>,
    /// What the application has not read.
    events: VecDeque<Event>,
    traffic: Traffic,
}

/// What a peer has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Datagrams that were sent.
    pub datagrams_sent: u64,
    /// Datagrams that came.
    pub datagrams_received: u64,
    /// Messages that relays sent.
    pub frames_received: u64,
    /// How often something was due.
    pub timeouts: u64,
}

impl LocalPeer {
    /// Tokens that each peer has.
    pub const TOKENS: usize = 64;
    /// Those of them that are for sockets; the others are for links.
    const SOCKET_TOKENS: usize = 16;

    /// A peer with a socket at each of these addresses. Its tokens are
    /// `number * TOKENS .. (number + 1) * TOKENS`.
    ///
    /// # Errors
    ///
    /// Fails if a socket can't be bound or registered, or there are too many addresses.
    pub fn bind(
        number: usize,
        addresses: &[IpAddr],
        registry: &Registry,
        epoch: Epoch,
    ) -> io::Result<Self> {
        if addresses.len() > Self::SOCKET_TOKENS {
            return Err(io::Error::other("this machine has too many addresses"));
        }
        let first = number * Self::TOKENS;
        let sockets = Sockets::bind(addresses, Token(first), registry)?;
        let of_links = first + Self::SOCKET_TOKENS..first + Self::TOKENS;
        let links = Links::new(registry.try_clone()?, of_links);
        let seed = random_seed()?;
        let engine = Str0mEngine::new(&seed.fork("engine"), epoch.instant());
        let clock = epoch.clock();
        let node = Node::new(NodeConfig::default(), engine, seed, clock);
        let (answers, events, traffic) = (VecDeque::new(), VecDeque::new(), Traffic::default());
        let mut peer = LocalPeer { node, sockets, links, answers, events, traffic };
        let bound: Vec<_> = peer.sockets.addresses().collect();
        for address in bound {
            peer.feed(Input::Engine(EngineInput::AddressAdded(address)), clock.now);
        }
        Ok(peer)
    }

    /// Does something with the node, and then what the node wants because of that.
    pub fn act<R>(&mut self, act: impl FnOnce(&mut Node<Str0mEngine>) -> R) -> R {
        let result = act(&mut self.node);
        self.perform();
        result
    }

    /// Notes that something happened at a token.
    pub fn note_ready(&mut self, token: Token) {
        let is_known = self.sockets.note_ready(token) || self.links.note_ready(token);
        if !is_known {
            debug!(?token, "something happened to a link that is closed");
        }
    }

    /// Reads what is there, and does what is due.
    pub fn turn(&mut self, now: Time) {
        while let Some(event) = self.answers.pop_front() {
            self.feed(Input::Engine(EngineInput::Network(&event)), now);
        }
        for _ in 0..READS_PER_TURN {
            let Some((link, event)) = self.links.poll_event() else { break };
            match event {
                LinkEvent::Opened => self.feed(Input::LinkOpened(link), now),
                LinkEvent::Frame(frame) => {
                    self.traffic.frames_received += 1;
                    self.feed(Input::LinkFrame(link, frame), now);
                }
                LinkEvent::Silent => {}
                LinkEvent::Closed(why) => self.feed(Input::LinkClosed(link, &why), now),
            }
        }
        for _ in 0..READS_PER_TURN {
            let Some(datagram) = self.sockets.receive() else { break };
            self.traffic.datagrams_received += 1;
            self.node.handle_input(Input::Engine(EngineInput::Datagram(datagram)), now);
            self.perform();
        }
        if self.node.poll_timeout().is_some_and(|deadline| deadline.at <= now) {
            self.traffic.timeouts += 1;
            self.node.handle_timeout(now);
            self.perform();
        }
    }

    /// What happened, for the application.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When the next [`turn`](Self::turn) is, if nothing happens before.
    pub fn deadline(&self) -> Option<Deadline> {
        if self.sockets.is_ready() || self.links.is_ready() || !self.answers.is_empty() {
            return Some(Deadline::new(Time::ZERO, "there is more to read"));
        }
        self.node.poll_timeout()
    }

    /// The node, to ask it something.
    pub fn node(&self) -> &Node<Str0mEngine> {
        &self.node
    }

    /// The node's own id.
    pub fn self_id(&self) -> &PeerId {
        self.node.self_id()
    }

    /// What it has done so far.
    pub fn traffic(&self) -> Traffic {
        self.traffic
    }

    fn feed(&mut self, input: Input<'_>, now: Time) {
        self.node.handle_input(input, now);
        self.perform();
    }

    /// Performs what the node wants.
    fn perform(&mut self) {
        while let Some(output) = self.node.poll_output() {
            match output {
                Output::OpenLink { link, target } => self.links.open(link, &target),
                Output::SendLink { link, frame } => self.links.send(link, frame),
                Output::CloseLink { link } => self.links.close(link),
                Output::Transmit(transmit) => {
                    self.traffic.datagrams_sent += 1;
                    self.sockets.transmit(&transmit);
                }
                Output::Network(request) => self.answers.extend(network::answer(request)),
                Output::Event(event) => self.events.push_back(event),
                other => debug!(?other, "this loop does not know what to do"),
            }
        }
    }
}
