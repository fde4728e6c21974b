//! Runs in which a promise was not kept once, as short as they get.

use crate::model::play::play;
use crate::model::scenario::{Command, Form, Manner, Place, Scenario, Shape, Targets};

const EMPTY: Shape = Shape { form: Form::Text, size: 0, is_bare: false };

const USUAL: Manner = Manner { is_passive: false, is_equipped: false, is_odd: false };
const ODD: Manner = Manner { is_odd: true, ..USUAL };

fn join(node: u8, place: Place, manner: Manner) -> Command {
    Command::Join { node, place, manner }
}

/// Plays it without jitter and with handshakes that wait for commands.
fn keeps_its_promises(nodes: usize, commands: &[Command]) {
    let commands = commands.to_vec();
    let (is_welcoming, is_obliging) = (false, false);
    let scenario = Scenario { nodes, seed: 0, jitter_ms: 0, is_welcoming, is_obliging, commands };
    play(&scenario).unwrap_or_else(|violation| panic!("{violation}"));
}

/// Likewise, with the jitter of this seed.
fn keeps_its_promises_in(seed: u64, nodes: usize, commands: &[Command]) {
    let commands = commands.to_vec();
    let (is_welcoming, is_obliging) = (false, false);
    let scenario = Scenario { nodes, seed, jitter_ms: 100, is_welcoming, is_obliging, commands };
    play(&scenario).unwrap_or_else(|violation| panic!("{violation}"));
}

#[test]
fn who_was_refused_once_may_be_let_in_later() {
    keeps_its_promises(
        2,
        &[
            join(0, Place::Door, ODD),
            join(1, Place::Door, USUAL),
            Command::Pass { ms: 50 },
            Command::Refuse { handshake: 0 },
        ],
    );
}

#[test]
fn who_comes_back_at_once_meets_again() {
    keeps_its_promises_in(
        159_802_174_678_369_608,
        2,
        &[
            join(0, Place::Lobby, USUAL),
            join(1, Place::Vault, USUAL),
            join(0, Place::Vault, USUAL),
            Command::Pass { ms: 583 },
            Command::Leave { visit: 1 },
            join(0, Place::Vault, USUAL),
        ],
    );
}

#[test]
fn who_is_gone_is_no_member() {
    keeps_its_promises(
        2,
        &[
            join(1, Place::Door, USUAL),
            join(0, Place::Lobby, USUAL),
            join(1, Place::Lobby, USUAL),
            Command::Pass { ms: 52 },
            Command::Leave { visit: 0 },
            Command::Leave { visit: 4 },
            join(1, Place::Lobby, USUAL),
            Command::Pass { ms: 35_000 },
            join(0, Place::Lobby, USUAL),
            Command::Leave { visit: 4 },
            Command::Pass { ms: 130_000 },
        ],
    );
}

#[test]
fn what_is_sent_right_after_coming_back_arrives() {
    keeps_its_promises(
        2,
        &[
            join(1, Place::Lobby, USUAL),
            join(0, Place::Vault, USUAL),
            join(0, Place::Lobby, USUAL),
            join(1, Place::Door, USUAL),
            join(0, Place::Door, USUAL),
            Command::Leave { visit: 0 },
            Command::Pass { ms: 50 },
            Command::Leave { visit: 4 },
            join(0, Place::Lobby, USUAL),
            Command::Pass { ms: 5 },
            join(1, Place::Lobby, USUAL),
            Command::Pass { ms: 5 },
            Command::Send { visit: 0, action: 0, to: Targets::All, shape: EMPTY, progress: false },
        ],
    );
}

#[test]
fn a_room_that_is_left_takes_no_connection_along() {
    let passive = Manner { is_passive: true, ..USUAL };
    keeps_its_promises_in(
        13_953_390_480_996_388_982,
        3,
        &[
            join(2, Place::Lobby, USUAL),
            join(1, Place::Lobby, USUAL),
            join(0, Place::Abroad, ODD),
            join(2, Place::Door, USUAL),
            join(1, Place::Vault, passive),
            join(2, Place::Vault, USUAL),
            Command::Pass { ms: 408 },
            Command::Leave { visit: 8 },
        ],
    );
}

#[test]
fn a_passive_room_that_sleeps_is_not_there() {
    let passive = Manner { is_passive: true, ..USUAL };
    keeps_its_promises_in(
        1,
        2,
        &[
            join(0, Place::Vault, USUAL),
            join(1, Place::Vault, USUAL),
            join(0, Place::Lobby, USUAL),
            Command::Pass { ms: 2_000 },
            Command::Leave { visit: 0 },
            join(0, Place::Lobby, passive),
            Command::StopRelay,
            join(1, Place::Lobby, USUAL),
            Command::Pass { ms: 15_000 },
        ],
    );
}
