//! Runs as proptest draws them.

use proptest::prelude::*;

use crate::model::scenario::{
    Command, Form, Kind, Manner, PICKS, Pick, Place, Scenario, Shape, Targets,
};

/// Runs of up to this many nodes and commands.
pub(crate) fn scenario(nodes_max: usize, commands_max: usize) -> impl Strategy<Value = Scenario> {
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
        let is_passive = passive > 1.0 - passive_share(place);
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

/// How many of the visitors of a place are passive. Those in the vault often find none that is
/// active, and are connected by the lobby.
fn passive_share(place: Place) -> f64 {
    match place {
        Place::Lobby | Place::Door | Place::Abroad => 0.1,
        Place::Vault => 0.5,
    }
}
