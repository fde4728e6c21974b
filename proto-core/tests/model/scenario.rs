//! What happens in one run: how many nodes there are, and what is done to them.
//!
//! A command names what it acts on by a number that stands for something whatever there is at that
//! moment, so that every sequence of commands means something and shrinks to shorter ones.

use std::time::Duration;

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

pub fn millis(ms: u64) -> Duration {
    Duration::from_millis(ms)
}
