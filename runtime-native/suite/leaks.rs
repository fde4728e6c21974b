//! What is left when everything was dropped: a process of its own, since what is counted is its own.

#![cfg(target_os = "linux")]

use std::fs;
use std::future::poll_fn;
use std::time::{Duration, Instant};

use tristero_native::Timer as _;

use crate::common::{Endless, config, met, run, soon, spawn};
use crate::rooms::{Action, Config, IceConfig, RequestAction, Room, TransferAction};
use crate::runtime::Timer;

/// Files and sockets that are open, and threads.
fn open() -> (usize, usize) {
    let count = |folder| fs::read_dir(folder).unwrap().count();
    (count("/proc/self/fd"), count("/proc/self/task"))
}

/// Two who meet, and are dropped in the midst of all that there is.
async fn visit(config: &Config) {
    let (a, b) = met(config).await;
    let chat = |room: &Room| -> Action<String> { room.action("chat").unwrap() };
    let files = |room: &Room| -> TransferAction { room.transfer_action("file").unwrap() };
    let quiz = |room: &Room| -> RequestAction<u8, u8> { room.request_action("quiz").unwrap() };
    let (from_a, mut at_b, ask, answer) = (chat(&a), chat(&b), quiz(&a), quiz(&b));
    let mut requests = answer.requests();
    soon(from_a.send("hello")).await.unwrap();
    soon(at_b.recv()).await.unwrap().unwrap();
    let asking = spawn(ask.request(b.self_id(), 1_u8).into_future());
    let asked = soon(requests.recv()).await.unwrap().unwrap();
    let sending = spawn(files(&a).send_from(Endless).into_future());
    let incoming = soon(files(&b).recv()).await.unwrap();
    // All that holds them is gone with these but for what was spawned, which ends by itself.
    drop((a.node().clone(), a, from_a, ask, incoming));
    drop((b, at_b, answer, requests, asked));
    soon(asking).await.unwrap().unwrap_err();
    assert!(!soon(sending).await.unwrap().is_ok_and(|sent| sent.failed.is_empty()));
}

async fn pause() {
    let mut timer = Timer::at(Instant::now() + Duration::from_millis(10));
    poll_fn(|cx| timer.poll_expired(cx)).await;
}

/// What is open once that does not change any more: links close after their last words.
async fn settled() -> (usize, usize) {
    let (mut last, mut seen) = (open(), 0);
    while seen < 20 {
        pause().await;
        let now = open();
        seen = if now == last { seen + 1 } else { 0 };
        last = now;
    }
    last
}

#[test]
fn nothing_is_left_of_a_node_that_was_dropped() {
    // Names are looked up in threads, which wait for a name server.
    let config = run(config()).ice(IceConfig::none());
    let visits = |count: usize| {
        run(async {
            for _ in 0..count {
                visit(&config).await;
            }
        });
    };
    // The first one starts what stays: threads, and what they wait by.
    visits(1);
    let (files, threads) = run(settled());
    visits(10);
    let is_left = || {
        let now = open();
        now.0 > files || now.1 > threads
    };
    run(soon(async {
        while is_left() {
            pause().await;
        }
    }));
}
