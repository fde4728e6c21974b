//! Runtimes that end before what they drive.

#![allow(clippy::unwrap_used, reason = "a test that can not go on may panic")]

use tristero_tokio as rooms;

#[path = "../../runtime-native/suite/common.rs"]
mod common;
mod runtime;

use common::{Endless, config, have_met, left, peer, soon};
use tokio::runtime::Runtime;
use tristero_tokio::{
    Config, IncomingError, LeaveReason, Payload, Raw, Room, TransferAction, TransferFailure,
};

#[test]
fn handles_outlive_the_runtime_that_drove_them() {
    let runtime = || tokio::runtime::Runtime::new().unwrap();
    let config = Config::new("app").relay("ws://127.0.0.1:9");
    let (room, chat, mut events) = runtime().block_on(async {
        let room = peer().join(&config, "room").unwrap();
        let chat = room.action::<Payload, Raw>("chat").unwrap();
        let events = room.events();
        (room, chat, events)
    });
    runtime().block_on(async {
        assert!(soon(chat.send("late")).await.is_err());
        soon(async { while events.recv().await.is_some() {} }).await;
        assert!(room.node().join(&config, "other").is_err());
        soon(room.node().shut_down()).await;
        soon(room.leave()).await;
    });
}

fn files(room: &Room) -> TransferAction {
    room.transfer_action("file").unwrap()
}

#[test]
fn peers_are_told_when_a_runtime_ends() {
    let (ending, living) = (Runtime::new().unwrap(), Runtime::new().unwrap());
    let config = living.block_on(config());
    let a = ending.block_on(async { peer().join(&config, "room").unwrap() });
    let reason = living.block_on(async {
        let b = peer().join(&config, "room").unwrap();
        have_met(&a, &b).await;
        let mut events = b.events();
        ending.shutdown_background();
        left(&mut events).await
    });
    assert_eq!(reason, LeaveReason::Left);
}

#[test]
fn a_runtime_that_ends_in_the_midst_of_a_transfer_ends_it_for_both() {
    let (ending, living) = (Runtime::new().unwrap(), Runtime::new().unwrap());
    let config = living.block_on(config());
    let a = ending.block_on(async { peer().join(&config, "room").unwrap() });
    let sending = files(&a);
    living.block_on(async {
        let b = peer().join(&config, "room").unwrap();
        // Both, for what is sent goes to those who are in the room by then.
        have_met(&a, &b).await;
        let (mut at_b, mut events) = (files(&b), b.events());
        let outcome = ending.spawn(sending.send_from(Endless).into_future());
        let mut incoming = soon(at_b.recv()).await.unwrap();
        soon(incoming.piece()).await.unwrap();
        ending.shutdown_background();
        assert!(soon(outcome).await.is_err(), "its task is gone");
        // What it had to send was more than it could, so no goodbye was among it.
        left(&mut events).await;
        let ended = async {
            loop {
                if let Err(error) = incoming.piece().await {
                    return error;
                }
            }
        };
        let error = soon(ended).await;
        assert!(matches!(error, IncomingError::Failed(TransferFailure::Left)), "{error:?}");
        // What is left of the other ends with an error and does not wait.
        assert!(soon(sending.send_from(Endless)).await.is_err());
        soon(a.leave()).await;
    });
}

#[test]
fn nothing_runs_once_the_last_handles_are_gone() {
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        let config = config().await;
        let (a, b) = common::met(&config).await;
        let nodes = [a.node().clone(), b.node().clone()];
        drop((a, b));
        for node in &nodes {
            node.shut_down().await;
        }
        let tasks = runtime.metrics();
        soon(async {
            // Links are still being closed.
            while tasks.num_alive_tasks() > 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    });
}
