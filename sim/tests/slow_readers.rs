//! Applications that read slowly: what waits for them is bounded, and they are told what they miss.

#![allow(clippy::unwrap_used, reason = "a test that can not go on may panic")]

use std::time::Duration;

use tristero::{Action, Config, IncomingError, NodeHandle, Room, RoomEvent};
use tristero_sim::{PeerOptions, SimRuntime, World, WsService};

const SECOND: Duration = Duration::from_secs(1);
const MESSAGES: u32 = 100;
const UNREAD_MAX: usize = 10;
/// Of which a quarter is more than is ever in flight, and may arrive in one moment.
const FILE_BYTES: usize = 8_000_000;

fn world(seed: u64) -> (World, Config) {
    let mut world = World::new(seed);
    let (_, relay) = world.add_relay(WsService::new());
    (world, Config::new("app").relays([relay]))
}

/// A peer of which so little may wait.
fn slow_reader() -> PeerOptions {
    let mut options = PeerOptions::default();
    options.unread.messages = UNREAD_MAX;
    options.unread.transfer_bytes = FILE_BYTES / 4;
    options
}

async fn meet(node: &NodeHandle, config: &Config) -> Room {
    let room = node.join(config, "room").unwrap();
    let mut events = room.events();
    while !matches!(events.recv().await.unwrap(), RoomEvent::PeerJoined { .. }) {}
    room
}

#[test]
fn whoever_reads_slowly_gets_the_newest_messages_and_the_count_of_the_others() {
    let (mut world, config) = world(1);
    let other = config.clone();
    let reader =
        world.add_app(slow_reader(), async move |node: NodeHandle, runtime: SimRuntime| {
            let room = meet(&node, &config).await;
            let mut numbers: Action<u32> = room.action("number").unwrap();
            let mut received = Vec::new();
            for _ in 0..5 {
                runtime.sleep(SECOND * 3).await;
                while let Some(number) = numbers.try_recv() {
                    received.push(number.unwrap().value);
                }
            }
            (received, numbers.dropped())
        });
    let writer = world.add_app(PeerOptions::default(), async move |node: NodeHandle, runtime| {
        let runtime: SimRuntime = runtime;
        let room = meet(&node, &other).await;
        let numbers: Action<u32> = room.action("number").unwrap();
        for number in 0..MESSAGES {
            numbers.send(number).await.unwrap();
            runtime.sleep(SECOND / 10).await;
        }
        runtime.sleep(SECOND * 20).await;
    });
    assert!(world.run_until(SECOND * 60, |_| reader.is_over() && writer.is_over()));
    let (received, dropped) = reader.take().unwrap();
    assert!(dropped > 0);
    assert_eq!(received.len() as u64 + dropped, u64::from(MESSAGES), "each is counted once");
    assert!(received.is_sorted(), "{received:?}");
    assert_eq!(received.last(), Some(&(MESSAGES - 1)), "the newest are kept");
}

#[test]
fn a_transfer_that_nobody_reads_ends_with_an_error_and_the_next_is_read() {
    let (mut world, config) = world(2);
    let other = config.clone();
    let reader =
        world.add_app(slow_reader(), async move |node: NodeHandle, runtime: SimRuntime| {
            let room = meet(&node, &config).await;
            let mut files = room.transfer_action("file").unwrap();
            let mut ends = Vec::new();
            for pause in [SECOND * 30, Duration::ZERO] {
                let mut file = files.recv().await.unwrap();
                runtime.sleep(pause).await;
                let mut length = 0;
                let end = loop {
                    match file.piece().await {
                        Ok(Some(piece)) => length += piece.len(),
                        Ok(None) => break Ok(length),
                        Err(error) => break Err(error),
                    }
                };
                ends.push(end);
            }
            ends
        });
    let writer = world.add_app(PeerOptions::default(), async move |node: NodeHandle, runtime| {
        let runtime: SimRuntime = runtime;
        let room = meet(&node, &other).await;
        let files = room.transfer_action("file").unwrap();
        for _ in 0..2 {
            let file = vec![7; FILE_BYTES];
            files.send_from(&file[..]).await.unwrap();
            runtime.sleep(SECOND * 60).await;
        }
    });
    assert!(world.run_until(SECOND * 180, |_| reader.is_over() && writer.is_over()));
    let ends = reader.take().unwrap();
    assert!(matches!(ends[0], Err(IncomingError::TooSlow)), "{ends:?}");
    assert!(matches!(ends[1], Ok(FILE_BYTES)), "{ends:?}");
}
