//! Histories of two nodes in the reference model of the core's own tests: what applications do, and
//! what networks do to them, but no attacks.

use arbitrary::{Arbitrary, Result, Unstructured};

use crate::model::play::play;
use crate::model::scenario::{
    Command, Form, Kind, Manner, PICKS, Pick, Place, Scenario, Shape, Targets,
};
use crate::script;

/// The most that happens in one run.
const COMMANDS_MAX: usize = 48;

/// Lets the history happen that the bytes stand for. Every promise is kept, and in the end all meet
/// and everything has arrived. The first bytes say how things are, the others what happens.
pub fn run(bytes: &[u8]) {
    let Some(([seed, jitter, habits], bytes)) = bytes.split_first_chunk() else { return };
    let join = |node| {
        let manner = Manner { is_passive: false, is_equipped: true, is_odd: false };
        Command::Join { node, place: Place::Lobby, manner }
    };
    // Both are there, unless they are told to come.
    let mut commands = if habits & 4 == 0 { vec![join(0), join(4)] } else { Vec::new() };
    commands.extend((habits & 8 == 0).then_some(Command::Pass { ms: 1_000 }));
    commands.extend(script::steps(bytes, COMMANDS_MAX).into_iter().map(|Happening(what)| what));
    let history = Scenario {
        nodes: 2,
        seed: (*seed).into(),
        jitter_ms: [0, 20, 100][usize::from(*jitter) % 3],
        is_welcoming: habits & 1 > 0,
        is_obliging: habits & 2 > 0,
        commands,
    };
    play(&history).unwrap_or_else(|violation| panic!("{violation}\n{history:?}"));
}

/// A command that is read from bytes.
struct Happening(Command);

impl<'a> Arbitrary<'a> for Happening {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        let kind = bytes.arbitrary::<u8>()? % 26;
        let [first, second, third, fourth] = bytes.arbitrary::<[u8; 4]>()?;
        Ok(Happening(match kind {
            0..=8 => of_rooms(kind, [first, second, third, fourth]),
            9..=15 => of_talk(kind, [first, second, third, fourth]),
            _ => of_trouble(kind, [first, second, third, fourth]),
        }))
    }
}

fn of_rooms(kind: u8, [first, second, third, fourth]: [u8; 4]) -> Command {
    let (visit, action, progress) = (pick(first), pick(second), fourth & 1 > 0);
    match kind {
        0 => Command::Join { node: pick(first), place: place(second), manner: manner(third) },
        1 => Command::Leave { visit },
        2 => Command::Register { visit, action, kind: purpose(third), progress },
        3 => Command::Send { visit, action, to: targets(third), shape: shape(fourth), progress },
        4 => {
            let length = (fourth > 0).then(|| u64::from(fourth) * 400);
            Command::SendStream { visit, action, to: targets(third), length }
        }
        5 => Command::Feed { stream: pick(first), bytes: 1 + usize::from(second) * 200 },
        6 => Command::Finish { stream: pick(first) },
        7 => Command::Abort { send: pick(first) },
        _ => {
            let timeout_ms = (fourth & 0x80 > 0).then(|| 1 + u64::from(fourth & 0x7f) * 80);
            let (target, shape) = (pick(third), shape(fourth));
            Command::Request { visit, action, target, shape, timeout_ms }
        }
    }
}

fn of_talk(kind: u8, [first, second, _, _]: [u8; 4]) -> Command {
    match kind {
        9 => Command::AbortRequest { request: pick(first) },
        10 => Command::Respond { call: pick(first), shape: shape(second) },
        11 => Command::Reject { call: pick(first) },
        12 => Command::Ping { visit: pick(first), target: pick(second) },
        13 => Command::Greet { handshake: pick(first) },
        14 => Command::Accept { handshake: pick(first) },
        _ => Command::Refuse { handshake: pick(first) },
    }
}

fn of_trouble(kind: u8, [first, second, _, _]: [u8; 4]) -> Command {
    let node = pick(first);
    match kind {
        16 => Command::StopRelay,
        17 => Command::StartRelay,
        18 => Command::PauseRelays { node },
        19 => Command::ResumeRelays { node },
        20 => Command::Isolate { node },
        21 => Command::Reconnect { node },
        22 => Command::Sleep { node },
        23 => Command::Wake { node, hears_first: second & 1 > 0 },
        // A node that is shut down ends most of a history.
        24 if second == u8::MAX => Command::ShutDown { node },
        24 => Command::Pass { ms: u64::from(first) * 500 },
        _ => Command::Pass { ms: u64::from(first) * 4 + 1 },
    }
}

fn pick(byte: u8) -> Pick {
    byte % PICKS
}

fn place(byte: u8) -> Place {
    [Place::Lobby, Place::Vault, Place::Door, Place::Abroad][usize::from(byte) % Place::COUNT]
}

fn manner(byte: u8) -> Manner {
    let has = |bit| byte & bit > 0;
    Manner { is_passive: has(1), is_equipped: !has(2), is_odd: has(4) }
}

fn purpose(byte: u8) -> Kind {
    [Kind::Message, Kind::Transfer, Kind::Handled, Kind::Unhandled][usize::from(byte) % 4]
}

fn targets(byte: u8) -> Targets {
    if byte & 0x40 == 0 { Targets::All } else { Targets::Some(byte & 0x83) }
}

/// Sizes are those around which something changes.
fn shape(byte: u8) -> Shape {
    let form = [Form::Text, Form::Json, Form::Binary][usize::from(byte & 3) % 3];
    let sizes = [0, 1, 20, 100, 16_347, 16_348, 16_349, 40_000];
    Shape { form, size: sizes[usize::from(byte >> 2) % 8], is_bare: byte & 0x20 > 0 }
}
