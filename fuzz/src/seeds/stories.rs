//! What happens to nodes and rooms every day, and what should never happen.

use bytes::Bytes;

use crate::chunks;
use crate::nodes::{Deed, Step};
use crate::world::Who;

const A: Who = Who(0);
const B: Who = Who(1);

fn step(who: Who, deed: Deed, picks: [u8; 3]) -> Step {
    Step { picks, ..Step::new(deed, who) }
}

fn with(who: Who, deed: Deed, picks: [u8; 3], bytes: &[u8]) -> Step {
    Step { bytes: bytes.to_vec(), ..step(who, deed, picks) }
}

fn wait(quarters: u8) -> Step {
    step(A, Deed::Wait, [quarters, 0, 0])
}

/// How each begins, and what happens then.
pub(super) fn of_nodes() -> Vec<(u8, Vec<Step>)> {
    let mut stories =
        vec![talk(), stream(), trouble(), visits(), forged_signals(), junk(), refused(), media()];
    // All of them, in each of the rooms.
    let elsewhere = |place: u8| {
        let stories = [talk(), stream()].into_iter();
        stories.map(move |(_, steps)| {
            let accept = [A, B].map(|who| step(who, Deed::Accept, [0; 3]));
            let opening = accept.into_iter().chain([wait(50)]);
            (1 + 4 * place, opening.chain(steps).collect())
        })
    };
    stories.extend((1..4).flat_map(elsewhere));
    // And over a tracker.
    let tracked = [talk(), trouble(), junk()].into_iter();
    stories.extend(tracked.map(|(_, steps)| (1 + 16 * 8, steps)));
    stories
}

fn talk() -> (u8, Vec<Step>) {
    let mut steps = Vec::new();
    for shape in [0, 1, 2, 4 + 16, 5 + 32, 6 + 16 + 32, 64, 128, 192] {
        steps.push(with(A, Deed::Send, [0, 0, shape], b"hello"));
        steps.push(with(B, Deed::Send, [0, 1, shape], &[b'.'; 100]));
        steps.push(with(B, Deed::Request, [0, 2, shape], b"what?"));
        steps.push(wait(10));
        steps.push(with(A, Deed::Respond, [0, shape, 0], b"this"));
    }
    steps.push(step(A, Deed::Ping, [0, 1, 0]));
    steps.push(with(A, Deed::Request, [0, 2, 64], b"who?"));
    steps.push(wait(10));
    steps.push(step(B, Deed::Reject, [0; 3]));
    steps.push(with(B, Deed::Request, [0, 2, 64], b"when?"));
    steps.push(wait(10));
    steps.push(step(B, Deed::Leave, [0; 3]));
    steps.push(wait(10));
    (1, steps)
}

fn stream() -> (u8, Vec<Step>) {
    let steps = vec![
        step(A, Deed::SendStream, [0, 1, 16]),
        with(A, Deed::Feed, [0, 200, 0], &[7; 100]),
        wait(20),
        with(A, Deed::Feed, [0, 3, 0], b"more"),
        step(A, Deed::Finish, [0; 3]),
        step(B, Deed::SendStream, [0, 0, 32]),
        with(B, Deed::Feed, [0, 255, 0], &[1; 200]),
        step(B, Deed::Abort, [0; 3]),
        with(B, Deed::Send, [0, 0, 6], &[2; 120]),
        wait(100),
    ];
    (1, steps)
}

fn media() -> (u8, Vec<Step>) {
    let mut steps = Vec::new();
    for who in [A, B] {
        steps.push(step(who, Deed::AddStream, [0, 5, 4]));
        steps.push(step(who, Deed::Share, [0, 0, 3]));
    }
    steps.push(wait(100));
    for shape in [0x04, 0x44, 0x45, 0x84, 0x0c] {
        for pick in 0..4 {
            steps.push(step(A, Deed::Write, [pick, shape, 0]));
        }
        steps.push(step(B, Deed::Watch, [shape, 0, shape]));
        steps.push(wait(20));
    }
    for shape in [5, 1, 0] {
        steps.push(step(A, Deed::Unshare, [0, 0, shape]));
        steps.push(step(B, Deed::AddStream, [0, 1, 8]));
        steps.push(wait(20));
    }
    steps.push(step(A, Deed::Leave, [0; 3]));
    steps.push(wait(20));
    (1, steps)
}

fn trouble() -> (u8, Vec<Step>) {
    let steps = vec![
        with(A, Deed::Send, [0, 0, 6], &[3; 120]),
        step(A, Deed::Cut, [0; 3]),
        with(B, Deed::Request, [0, 2, 0], b"there?"),
        step(A, Deed::Linger, [30, 0, 0]),
        step(A, Deed::Cut, [1, 0, 0]),
        step(A, Deed::StopRelay, [0; 3]),
        step(A, Deed::LinkClosed, [0; 3]),
        step(A, Deed::Linger, [20, 0, 0]),
        step(A, Deed::StopRelay, [1, 0, 0]),
        step(B, Deed::Address, [0; 3]),
        step(B, Deed::Address, [1, 0, 0]),
        step(A, Deed::Linger, [60, 0, 0]),
        step(A, Deed::Jump, [40, 0, 0]),
        step(A, Deed::Pause, [0; 3]),
        step(A, Deed::Resume, [0; 3]),
        wait(200),
    ];
    (1, steps)
}

fn visits() -> (u8, Vec<Step>) {
    let mut steps = Vec::new();
    for place in 0..4 {
        steps.push(step(A, Deed::Join, [place, 0, 0]));
        steps.push(step(B, Deed::Join, [place, place / 3, 0]));
        steps.push(step(A, Deed::Linger, [2, 0, 0]));
        steps.push(with(A, Deed::Greet, [0, 1, 0], b"it's me"));
        steps.push(wait(10));
        steps.push(step(A, Deed::Accept, [0; 3]));
        steps.push(step(B, Deed::Accept, [0; 3]));
        steps.push(with(B, Deed::Send, [0, 3, 0], b"early"));
        steps.push(step(A, Deed::Linger, [2, 0, 0]));
        steps.push(step(A, Deed::Register, [0, 3, 0]));
        steps.push(step(B, Deed::Leave, [0; 3]));
    }
    steps.push(step(A, Deed::ShutDown, [0; 3]));
    (0, steps)
}

/// One does not let the other in.
fn refused() -> (u8, Vec<Step>) {
    let door = 1 + 4 * 2;
    (door, vec![step(A, Deed::Refuse, [0; 3]), wait(100), step(B, Deed::Accept, [0; 3])])
}

fn forged_signals() -> (u8, Vec<Step>) {
    let mut steps = Vec::new();
    for name in 0..4 {
        steps.push(with(A, Deed::Signal, [0, 0, name], b""));
        steps.push(with(A, Deed::Signal, [0, 1, name], b"memory 7 10.0.0.1:1002"));
        steps.push(with(A, Deed::Signal, [0, 0x11, name], b"memory 8 10.0.0.1:1001"));
        steps.push(with(A, Deed::Signal, [0, 0x12, name], b"memory 9 10.0.0.1:1002"));
        steps.push(with(A, Deed::Signal, [0, 3, name], br#"{"candidate":"10.0.0.1:1003"}"#));
        steps.push(with(A, Deed::Signal, [0, 0x81, name], b"memory 10 10.0.0.1:1002"));
        steps.push(step(A, Deed::Linger, [3, 0, 0]));
    }
    (1, steps)
}

fn junk() -> (u8, Vec<Step>) {
    let steps = vec![
        with(A, Deed::LinkText, [0; 3], br#"{"topic":"t","payload":"{}"}"#),
        with(A, Deed::LinkBytes, [0; 3], &[0xff; 20]),
        with(A, Deed::Publish, [0, 0, 0], br#"{"peerId":"zz"}"#),
        with(B, Deed::Publish, [0, 2, 0], br#"{"peerId":"a","offer":"1$A=="}"#),
        with(B, Deed::Datagram, [0; 3], b"12345678M\x01"),
        with(B, Deed::Forge, [0, 0, 0], &[1, 0, 64]),
        with(B, Deed::Chunk, [0, 0, 200], &[0, 0x80, 1, 2, 3]),
        with(A, Deed::Chunk, [0, 0, 1], &[5, 1, 255]),
        step(A, Deed::LinkOpened, [250, 0, 0]),
        step(A, Deed::Linger, [100, 0, 0]),
    ];
    (1, steps)
}

/// A peer sends what others sent once.
pub(super) fn of_forgery(messages: &[Bytes]) -> (u8, Vec<Step>) {
    let forge = |message: &Bytes| with(A, Deed::Forge, [0; 3], message);
    (1, messages.iter().map(forge).collect())
}

/// What a peer may do too much of.
pub(super) fn of_chunks() -> Vec<Vec<chunks::Step>> {
    let flood = |action: u8, tag: u8, times: u8, payload: &[u8]| {
        chunks::Step::Flood(times, [&[action, tag, 128], payload].concat())
    };
    // Transmissions that never end, of each action; whole messages; and all in one transmission.
    let unfinished = (0..12).map(|action| flood(action, 0x80, 20, &[b' '; 1_100])).collect();
    let whole = (0..12).map(|action| flood(action, 0x81, 20, br#"{"r":"1"}"#)).collect();
    let endless = (0..12).map(|action| flood(action, 0, 20, &[b'1'; 1_100])).collect();
    let metadata = (0..12).map(|action| flood(action, 0x83, 20, br#"{"r":"1","m":[2]}"#)).collect();
    let busy = vec![
        chunks::Step::Request(2),
        chunks::Step::Ping,
        flood(9, 1, 0, b""),
        flood(2, 0x83, 1, br#"{"r":"1"}"#),
        chunks::Step::Respond(0),
        chunks::Step::Register(3, 0),
        chunks::Step::Wait(100),
        chunks::Step::Frame(vec![2, 0, 0, 1, b't']),
    ];
    vec![unfinished, whole, endless, metadata, busy]
}
