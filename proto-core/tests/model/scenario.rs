//! What happens in one run: how many nodes there are, and what is done to them.
//!
//! A command names what it acts on by a number that stands for something whatever there is at that
//! moment, so that every sequence of commands means something and shrinks to shorter ones.

use std::time::Duration;

use proptest::prelude::*;
use tristero_proto::{ActionKind, RoomConfig};

use crate::common::{RELAY, room};

/// Which of those that there are: this one, or the next after it in a circle. What is picked stays
/// the same when others are not there, so that a run shrinks well.
pub type Pick = u8;

/// More than there are of most things: five nodes in four places.
pub const PICKS: Pick = 20;

/// One run.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub nodes: usize,
    /// Where everything random in the run comes from.
    pub seed: u64,
    /// How much longer than the shortest way anything may take.
    pub jitter_ms: u64,
    /// Whether handshakes are accepted at once, or wait for a command.
    pub is_welcoming: bool,
    /// Whether requests are answered at once, or wait for a command.
    pub is_obliging: bool,
    pub commands: Vec<Command>,
}

/// Something that is done to a node, or that happens around them.
#[derive(Clone, Copy, Debug)]
pub enum Command {
    Join { node: Pick, place: Place, manner: Manner },
    Leave { visit: Pick },
    Register { visit: Pick, action: Pick, kind: Kind, progress: bool },
    Send { visit: Pick, action: Pick, to: Targets, shape: Shape, progress: bool },
    SendStream { visit: Pick, action: Pick, to: Targets, length: Option<u64> },
    Feed { stream: Pick, bytes: usize },
    Finish { stream: Pick },
    Abort { send: Pick },
    Request { visit: Pick, action: Pick, target: Pick, shape: Shape, timeout_ms: Option<u64> },
    AbortRequest { request: Pick },
    Respond { call: Pick, shape: Shape },
    Reject { call: Pick },
    Ping { visit: Pick, target: Pick },
    Greet { handshake: Pick },
    Accept { handshake: Pick },
    Refuse { handshake: Pick },
    StopRelay,
    StartRelay,
    PauseRelays { node: Pick },
    ResumeRelays { node: Pick },
    Isolate { node: Pick },
    Reconnect { node: Pick },
    Sleep { node: Pick },
    Wake { node: Pick, hears_first: bool },
    ShutDown { node: Pick },
    Pass { ms: u64 },
}

/// The rooms that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Open to all.
    Lobby,
    /// With a password; an odd visitor has another.
    Vault,
    /// With a handshake of the application; an odd visitor has none.
    Door,
    /// Another application's room of the same name as the lobby.
    Abroad,
}

/// How a room is joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manner {
    pub is_passive: bool,
    /// Whether an action for each purpose is registered from the beginning.
    pub is_equipped: bool,
    /// Otherwise than most. Where the place says nothing of it: over two relays.
    pub is_odd: bool,
}

/// What an action is registered for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Message,
    Transfer,
    Handled,
    Unhandled,
}

/// To whom something is sent.
#[derive(Clone, Copy, Debug)]
pub enum Targets {
    All,
    /// The nodes whose bits are set, whether they are there or not, and a stranger for the highest.
    Some(u8),
}

/// What a payload looks like.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub form: Form,
    pub size: usize,
    /// Whether nothing is sent along.
    pub is_bare: bool,
}

#[derive(Clone, Copy, Debug)]
pub enum Form {
    Text,
    Json,
    Binary,
}

impl Place {
    pub const COUNT: usize = 4;

    pub fn config(self, manner: Manner) -> RoomConfig {
        let names = match self {
            Place::Lobby => room("app", "lobby"),
            Place::Vault => room("app", "vault"),
            Place::Door => room("app", "door"),
            Place::Abroad => room("abroad", "lobby"),
        };
        let mut config = RoomConfig { passive: manner.is_passive, ..names };
        config.password = self.password(manner).into();
        config.handshake = self.has_handshake(manner);
        if manner.is_odd && matches!(self, Place::Lobby | Place::Abroad) {
            let mut second = config.relays[0].clone();
            let url = format!("{RELAY}second");
            second.url = tristero_proto::signaling::RelayUrl::web_socket(&url).unwrap();
            config.relays.push(second);
        }
        config
    }

    fn index(self) -> usize {
        match self {
            Place::Lobby => 0,
            Place::Vault => 1,
            Place::Door => 2,
            Place::Abroad => 3,
        }
    }

    /// How many of its visitors are passive. Those in the vault often find none that is active, and
    /// are connected by the lobby.
    fn passive_share(self) -> f64 {
        match self {
            Place::Lobby | Place::Door | Place::Abroad => 0.1,
            Place::Vault => 0.5,
        }
    }

    /// The number by which a visit of a node to this place is picked.
    pub fn pick_of(self, node: usize) -> usize {
        node * Place::COUNT + self.index()
    }

    pub fn password(self, manner: Manner) -> &'static str {
        match (self, manner.is_odd) {
            (Place::Vault, false) => "secret",
            (Place::Vault, true) => "other",
            (Place::Lobby | Place::Door | Place::Abroad, _) => "",
        }
    }

    pub fn has_handshake(self, manner: Manner) -> bool {
        self == Place::Door && !manner.is_odd
    }
}

impl Kind {
    pub fn of_action(self) -> ActionKind {
        match self {
            Kind::Message => ActionKind::Message,
            Kind::Transfer => ActionKind::Transfer,
            Kind::Handled => ActionKind::Request { handled: true },
            Kind::Unhandled => ActionKind::Request { handled: false },
        }
    }

    /// Whether an action of the one kind may be registered for the other.
    pub fn is_like(self, other: Kind) -> bool {
        let is_for_requests = |kind| matches!(kind, Kind::Handled | Kind::Unhandled);
        self == other || is_for_requests(self) && is_for_requests(other)
    }
}

/// Runs of up to this many nodes and commands.
pub fn scenario(nodes_max: usize, commands_max: usize) -> impl Strategy<Value = Scenario> {
    let jitter = prop_oneof![Just(0), Just(20), Just(100)];
    let opening =
        (prop::collection::vec(join(8), 2..15), prop::option::weighted(0.7, 20u64..4_000));
    let commands = prop::collection::vec(command(), 1..commands_max);
    let habits = (any::<bool>(), any::<bool>());
    (2..=nodes_max, any::<u64>(), jitter, habits, opening, commands).prop_map(
        |(nodes, seed, jitter_ms, habits, (mut all, pause), commands)| {
            all.extend(pause.map(|ms| Command::Pass { ms }));
            all.extend(commands);
            let (is_welcoming, is_obliging) = habits;
            Scenario { nodes, seed, jitter_ms, is_welcoming, is_obliging, commands: all }
        },
    )
}

fn pick() -> impl Strategy<Value = Pick> {
    0..PICKS
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        16 => pass(),
        12 => coming_and_going(),
        4 => register(),
        20 => sending(),
        16 => asking(),
        4 => greeting(),
        6 => trouble(),
    ]
}

fn pass() -> impl Strategy<Value = Command> {
    let ms = prop_oneof![
        3 => Just(1),
        3 => Just(5),
        3 => 6u64..50,
        4 => 50u64..500,
        4 => 500u64..4_000,
        2 => 4_000u64..15_000,
        1 => 15_000u64..70_000,
        1 => Just(130_000),
    ];
    ms.prop_map(|ms| Command::Pass { ms })
}

/// Joins the lobby more often than other places, by this weight.
fn join(lobby: u32) -> impl Strategy<Value = Command> {
    let place = prop_oneof![
        lobby => Just(Place::Lobby),
        3 => Just(Place::Vault),
        2 => Just(Place::Door),
        1 => Just(Place::Abroad),
    ];
    let chance = prop::bool::weighted;
    let manner = (0.0..1.0, chance(0.8), chance(0.15));
    (pick(), place, manner).prop_map(|(node, place, (passive, is_equipped, is_odd))| {
        let is_passive = passive > 1.0 - place.passive_share();
        let manner = Manner { is_passive, is_equipped, is_odd };
        Command::Join { node, place, manner }
    })
}

fn coming_and_going() -> impl Strategy<Value = Command> {
    prop_oneof![
        14 => join(4),
        9 => pick().prop_map(|visit| Command::Leave { visit }),
        1 => prop::option::weighted(0.2, pick()).prop_map(|node| match node {
            Some(node) => Command::ShutDown { node },
            None => Command::Pass { ms: 0 },
        }),
    ]
}

fn register() -> impl Strategy<Value = Command> {
    let kind = prop_oneof![
        4 => Just(Kind::Message),
        2 => Just(Kind::Transfer),
        3 => Just(Kind::Handled),
        1 => Just(Kind::Unhandled),
    ];
    (pick(), pick(), kind, any::<bool>()).prop_map(|(visit, action, kind, progress)| {
        Command::Register { visit, action, kind, progress }
    })
}

fn sending() -> impl Strategy<Value = Command> {
    let send = (pick(), pick(), targets(), shape(), any::<bool>());
    let length = prop::option::of(0u64..100_000);
    let stream = (pick(), pick(), targets(), length);
    let bytes = prop_oneof![1usize..200, 16_348usize..50_000, Just(16_348)];
    prop_oneof![
        10 => send.prop_map(|(visit, action, to, shape, progress)| {
            Command::Send { visit, action, to, shape, progress }
        }),
        3 => stream.prop_map(|(visit, action, to, length)| {
            Command::SendStream { visit, action, to, length }
        }),
        5 => (pick(), bytes).prop_map(|(stream, bytes)| Command::Feed { stream, bytes }),
        2 => pick().prop_map(|stream| Command::Finish { stream }),
        2 => pick().prop_map(|send| Command::Abort { send }),
    ]
}

fn asking() -> impl Strategy<Value = Command> {
    let timeout = prop::option::of(prop_oneof![Just(1), 10u64..10_000]);
    // Most visitors take requests on the third action.
    let action = prop_oneof![3 => Just(2), 1 => pick()];
    let request = (pick(), action, pick(), shape(), timeout);
    prop_oneof![
        6 => request.prop_map(|(visit, action, target, shape, timeout_ms)| {
            Command::Request { visit, action, target, shape, timeout_ms }
        }),
        5 => (pick(), shape()).prop_map(|(call, shape)| Command::Respond { call, shape }),
        2 => pick().prop_map(|call| Command::Reject { call }),
        1 => pick().prop_map(|request| Command::AbortRequest { request }),
        4 => (pick(), pick()).prop_map(|(visit, target)| {
            Command::Ping { visit, target }
        }),
    ]
}

fn greeting() -> impl Strategy<Value = Command> {
    prop_oneof![
        2 => pick().prop_map(|handshake| Command::Greet { handshake }),
        4 => pick().prop_map(|handshake| Command::Accept { handshake }),
        1 => pick().prop_map(|handshake| Command::Refuse { handshake }),
    ]
}

fn trouble() -> impl Strategy<Value = Command> {
    prop_oneof![
        1 => Just(Command::StopRelay),
        2 => Just(Command::StartRelay),
        1 => pick().prop_map(|node| Command::PauseRelays { node }),
        2 => pick().prop_map(|node| Command::ResumeRelays { node }),
        2 => pick().prop_map(|node| Command::Isolate { node }),
        4 => pick().prop_map(|node| Command::Reconnect { node }),
        2 => pick().prop_map(|node| Command::Sleep { node }),
        4 => (pick(), any::<bool>()).prop_map(|(node, hears_first)| {
            Command::Wake { node, hears_first }
        }),
    ]
}

fn targets() -> impl Strategy<Value = Targets> {
    prop_oneof![2 => Just(Targets::All), 1 => any::<u8>().prop_map(Targets::Some)]
}

fn shape() -> impl Strategy<Value = Shape> {
    let form = prop_oneof![Just(Form::Text), Just(Form::Json), Just(Form::Binary)];
    let size = prop_oneof![
        2 => Just(0usize),
        4 => 1usize..100,
        1 => 16_347usize..16_350,
        1 => 30_000usize..70_000,
        1 => Just(300_000),
    ];
    (form, size, any::<bool>()).prop_map(|(form, size, is_bare)| Shape { form, size, is_bare })
}

pub fn millis(ms: u64) -> Duration {
    Duration::from_millis(ms)
}
