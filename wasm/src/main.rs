//! A node in a WebAssembly module that imports nothing: no clock, no randomness, no function of the
//! host's.
//!
//! It is there for two figures, what the core weighs in a web page and what it asks of its host, and
//! for a proof that it lives on neither. The node speaks every strategy, so nothing of the core is
//! left out of the module; its engine is the one in memory, for in a page WebRTC is the browser's.
//! `measure.mjs` runs it and weighs it.

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tristero_proto::engine::EngineInput;
use tristero_proto::signaling::{LinkFrame, RelayUrl, Strategy};
use tristero_proto::strategies::{Firebase, Ipfs, Mqtt, Nostr, Supabase, Torrent, WsRelay};
use tristero_proto::testing::MemoryEngine;
use tristero_proto::wire::{ActionName, Payload};
use tristero_proto::{
    ActionOptions, Clock, Command, Input, LinkId, Node, NodeConfig, Output, RelayConfig, Reply,
    RoomConfig, RoomKey, Seed, SendOptions, Time,
};

/// Ends well if the node dialled each relay, said something there, and did what it was told.
fn main() -> ExitCode {
    // What the compiler can't foresee: else it might do some of this itself.
    let seed = Seed::from_number(black_box(1));
    let mut page = Page::new(&seed);
    let room = page.join();
    page.run_for(black_box(Duration::from_secs(60)));
    page.talk(room);
    page.run_for(black_box(Duration::from_secs(60)));
    page.tell(Command::ShutDown);
    let Page { links, frames, has_joined, .. } = page;
    if has_joined && links >= STRATEGIES && frames >= links {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// A node, and what came of it. Its relays answer with what makes no sense.
struct Page {
    node: Node<MemoryEngine>,
    now: Time,
    links: usize,
    frames: usize,
    has_joined: bool,
}

impl Page {
    fn new(seed: &Seed) -> Self {
        let engine = MemoryEngine::new(&seed.fork("engine"));
        let now = Time::ZERO;
        let clock = Clock { now, unix: black_box(Duration::from_secs(1_700_000_000)) };
        let node = Node::new(NodeConfig::default(), engine, seed.clone(), clock);
        let mut page = Page { node, now, links: 0, frames: 0, has_joined: false };
        let address = black_box(([192, 0, 2, 1], 4_000)).into();
        page.hear(Input::Engine(EngineInput::AddressAdded(address)));
        page
    }

    fn join(&mut self) -> Option<RoomKey> {
        let config = RoomConfig { relays: relays(), ..RoomConfig::new("app", "room") };
        match self.tell(Command::Join(Box::new(config))) {
            Reply::Joined(room) => {
                self.has_joined = room.is_ok();
                room.ok()
            }
            _ => None,
        }
    }

    fn talk(&mut self, room: Option<RoomKey>) {
        let (Some(room), Ok(action)) = (room, ActionName::new(black_box("word"))) else { return };
        self.tell(Command::Register(room, action.clone(), ActionOptions::default()));
        let payload = Payload::from(black_box("Hello"));
        self.tell(Command::Send(room, action, payload, SendOptions::default()));
        self.tell(Command::Leave(room));
    }

    fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(deadline) = self.node.poll_timeout().filter(|deadline| deadline.at <= end) {
            self.now = self.now.max(deadline.at);
            self.node.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    fn tell(&mut self, command: Command) -> Reply {
        let reply = self.node.handle_command(black_box(command), self.now);
        self.drain();
        reply
    }

    fn hear(&mut self, input: Input<'_>) {
        self.node.handle_input(black_box(input), self.now);
        self.drain();
    }

    /// Takes all that the node says. Links open at once.
    fn drain(&mut self) {
        let mut opened = Vec::new();
        while let Some(output) = self.node.poll_output() {
            match output {
                Output::OpenLink { link, .. } => opened.push(link),
                Output::SendLink { .. } => self.frames += 1,
                output => drop(black_box(output)),
            }
        }
        for link in opened {
            self.links += 1;
            self.open(link);
        }
    }

    fn open(&mut self, link: LinkId) {
        self.hear(Input::LinkOpened(link));
        self.hear(Input::LinkFrame(link, LinkFrame::Text(black_box("{}").to_owned())));
    }
}

/// One of each strategy.
fn relays() -> Vec<RelayConfig> {
    let strategies: [Arc<dyn Strategy>; STRATEGIES] = [
        Arc::new(Firebase::default()),
        Arc::new(Ipfs),
        Arc::new(Mqtt),
        Arc::new(Nostr),
        Arc::new(Supabase::new("key")),
        Arc::new(Torrent),
        Arc::new(WsRelay),
    ];
    let relay = |(number, strategy)| RelayConfig { strategy, url: url(number) };
    strategies.into_iter().enumerate().map(relay).collect()
}

fn url(number: usize) -> RelayUrl {
    let text = black_box(format!("wss://relay-{number}.example/"));
    RelayUrl::web_socket(&text).unwrap_or_else(|_| RelayUrl::custom(&text))
}

/// All there are.
const STRATEGIES: usize = 7;
