//! One node that many others are connected to, in virtual time.
//!
//! The others are passive, so they have no connections to each other. Each comes alone and stops once it
//! has met the one in the middle, so that a thousand are there within a second.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tristero_proto::engine::{Datagram, EngineInput, Path, Transmit};
use tristero_proto::signaling::LinkFrame;
use tristero_proto::strategies::WsRelay;
use tristero_proto::wire::{ActionName, Payload};
use tristero_proto::{
    ActionOptions, Clock, Event, Input, LinkId, Node, NodeConfig, Output, PeerId, RelayConfig,
    RoomConfig, RoomKey, Seed, SendOptions, Time,
};

use crate::relays::url;
use crate::wires::{Wires, node_at};

/// The node in the middle, and one that speaks to it.
pub(crate) struct Star {
    pub(crate) now: Time,
    pub(crate) hub: Node<Wires>,
    pub(crate) room: RoomKey,
    /// The last that came.
    pub(crate) peer: PeerId,
    /// A message of that one, as it arrives.
    pub(crate) message: Transmit,
}

/// The two nodes that talk, and the relay between them.
struct Meeting<'a> {
    now: Time,
    nodes: [&'a mut Node<Wires>; 2],
    arrivals: VecDeque<(usize, Arrival)>,
    /// The topics of each, and the link that they were asked for on.
    topics: [&'a mut Vec<(String, LinkId)>; 2],
    /// Which of both were told that the other joined.
    have_joined: [bool; 2],
}

enum Arrival {
    Opened(LinkId),
    Frame(LinkId, String),
    Datagram(Transmit),
}

impl Star {
    /// A node with so many peers, of which one has sent a message of 100 bytes.
    pub(crate) fn of(peers: usize) -> Self {
        let mut now = Time::from_millis(1_000);
        let (mut hub, room) = node(0, now);
        let mut hub_topics = Vec::new();
        let mut last = None;
        for number in 1..=peers {
            let (mut leaf, leaf_room) = node(number, now);
            let mut topics = Vec::new();
            let mut meeting = Meeting {
                now,
                nodes: [&mut hub, &mut leaf],
                arrivals: VecDeque::new(),
                topics: [&mut hub_topics, &mut topics],
                have_joined: [false; 2],
            };
            meeting.run();
            now = meeting.now;
            last = Some((leaf, leaf_room));
        }
        assert_eq!(hub.peers(room).count(), peers);
        let (mut leaf, leaf_room) = last.expect("there is a peer");
        let message = message(&mut leaf, leaf_room, now);
        Star { now, hub, room, peer: leaf.self_id().clone(), message }
    }

    /// Lets the message arrive, and gives how much came of that.
    pub(crate) fn hear(&mut self) -> usize {
        let bytes = &self.message.bytes;
        self.hub.handle_input(arrival(&self.message, bytes), self.now);
        self.drain()
    }

    /// Sends a message of 100 bytes to the last peer.
    pub(crate) fn tell(&mut self, options: &SendOptions) -> usize {
        let text = Payload::Text("x".repeat(TEXT_BYTES));
        self.hub.send(self.room, &action(), text, options, self.now).expect("it may");
        // It waits for others that are sent in the same go.
        self.hub.handle_timeout(self.now);
        self.drain()
    }

    fn drain(&mut self) -> usize {
        let mut count = 0;
        while let Some(output) = self.hub.poll_output() {
            std::hint::black_box(output);
            count += 1;
        }
        count
    }
}

impl Meeting<'_> {
    /// Goes on until both have told that the other joined.
    fn run(&mut self) {
        let end = self.now + MEETING_MAX;
        self.drain();
        while self.have_joined != [true; 2] {
            if let Some((to, arrival)) = self.arrivals.pop_front() {
                self.arrive(to, &arrival);
            } else {
                self.wait(end);
            }
            self.drain();
        }
        // What is still to be said to each other.
        while let Some((to, arrival)) = self.arrivals.pop_front() {
            self.arrive(to, &arrival);
            self.drain();
        }
    }

    fn wait(&mut self, end: Time) {
        let due = self.nodes.iter().filter_map(|node| node.poll_timeout()).min_by_key(|due| due.at);
        self.now = self.now.max(due.expect("they are in a room").at);
        assert!(self.now < end, "they did not meet");
        for node in &mut self.nodes {
            node.handle_timeout(self.now);
        }
    }

    fn arrive(&mut self, to: usize, arrived: &Arrival) {
        let input = match arrived {
            Arrival::Opened(link) => Input::LinkOpened(*link),
            Arrival::Frame(link, text) => Input::LinkFrame(*link, LinkFrame::Text(text.clone())),
            Arrival::Datagram(transmit) => arrival(transmit, &transmit.bytes),
        };
        self.nodes[to].handle_input(input, self.now);
    }

    fn drain(&mut self) {
        for from in 0..2 {
            while let Some(output) = self.nodes[from].poll_output() {
                self.on_output(from, output);
            }
        }
    }

    fn on_output(&mut self, from: usize, output: Output) {
        match output {
            Output::OpenLink { link, .. } => self.arrivals.push_back((from, Arrival::Opened(link))),
            Output::SendLink { link, frame: LinkFrame::Text(text) } => {
                self.on_frame(from, link, &text);
            }
            Output::Transmit(transmit) => {
                // To a peer that came earlier, which has stopped.
                let is_for_hub = node_at(transmit.path.remote) == 0;
                self.arrivals.push_back((usize::from(!is_for_hub), Arrival::Datagram(transmit)));
            }
            Output::Event(Event::PeerJoined { .. }) => self.have_joined[from] = true,
            _ => {}
        }
    }

    /// Does what a relay does.
    fn on_frame(&mut self, from: usize, link: LinkId, text: &str) {
        let frame: Value = serde_json::from_str(text).expect("a node sends JSON");
        let topic = frame["topic"].as_str().expect("each frame has one").to_owned();
        match frame["type"].as_str() {
            Some("subscribe") => self.topics[from].push((topic, link)),
            Some("publish") => {
                let text = json!({ "topic": topic, "payload": frame["payload"] }).to_string();
                for (to, topics) in self.topics.iter().enumerate() {
                    let links = topics.iter().filter(|(known, _)| *known == topic);
                    let arrivals = links.map(|(_, link)| (to, Arrival::Frame(*link, text.clone())));
                    self.arrivals.extend(arrivals);
                }
            }
            _ => {}
        }
    }
}

/// A node in the room; all but the first are passive.
fn node(number: usize, now: Time) -> (Node<Wires>, RoomKey) {
    let clock = Clock { now, unix: Duration::from_secs(1_700_000_000) };
    let seed = Seed::from_number(number as u64);
    let mut node = Node::new(NodeConfig::default(), Wires::new(number), seed, clock);
    let relays = vec![RelayConfig { strategy: Arc::new(WsRelay), url: url(0) }];
    let passive = number > 0;
    let config = RoomConfig { relays, passive, ..RoomConfig::new("app", "room") };
    let room = node.join(config, now).expect("it may");
    node.register(room, &action(), ActionOptions::default(), now).expect("it may");
    (node, room)
}

/// What a peer's message is on the way.
fn message(leaf: &mut Node<Wires>, room: RoomKey, now: Time) -> Transmit {
    let text = Payload::Text("x".repeat(TEXT_BYTES));
    leaf.send(room, &action(), text, &SendOptions::default(), now).expect("it may");
    leaf.handle_timeout(now);
    let transmit = std::iter::from_fn(|| leaf.poll_output()).find_map(|output| match output {
        Output::Transmit(transmit) => Some(transmit),
        _ => None,
    });
    transmit.expect("nothing follows, so it is sent")
}

fn arrival<'a>(transmit: &Transmit, bytes: &'a [u8]) -> Input<'a> {
    let path = Path { local: transmit.path.remote, remote: transmit.path.local };
    Input::Engine(EngineInput::Datagram(Datagram { path, ecn: None, bytes }))
}

fn action() -> ActionName {
    ActionName::new("bench").expect("it is short")
}

const TEXT_BYTES: usize = 100;

/// The one in the middle announces itself once a minute.
const MEETING_MAX: Duration = Duration::from_secs(130);
