//! What ends in the middle of something: closures that panic, files that are not sent to their end.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::io::AsyncRead;

use super::common::{config, left, met, run, soon, spawn, within};
use crate::rooms::{
    Action, LeaveReason, RequestAction, RequestError, Room, TransferAction, save, send_file,
};

/// That both are still there, and talk.
async fn go_on(a: &Room, b: &Room) {
    let (here, mut there): (Action<u32>, Action<u32>) =
        (a.action("still").unwrap(), b.action("still").unwrap());
    soon(here.send(7_u32)).await.unwrap();
    assert_eq!(soon(there.recv()).await.unwrap().unwrap().value, 7);
    soon(b.ping(a.self_id())).await.unwrap();
}

#[test]
fn a_closure_that_panics_answers_nothing_and_hurts_nobody() {
    run(async {
        let (a, b) = met(&config().await).await;
        let (ask, answer): (RequestAction<u32, u32>, RequestAction<u32, u32>) =
            (a.request_action("n").unwrap(), b.request_action("n").unwrap());
        let serving = spawn(answer.serve(async |request| match request.value {
            0 => panic!("a closure of the test"),
            n => Ok::<_, String>(n),
        }));
        assert_eq!(soon(ask.request(b.self_id(), 1_u32)).await, Ok(1));
        let answer = soon(ask.request(b.self_id(), 0_u32)).await;
        assert!(matches!(answer, Err(RequestError::Rejected(_))), "{answer:?}");
        assert!(soon(serving).await.is_err(), "its task ended");
        go_on(&a, &b).await;
    });
}

#[test]
fn progress_that_panics_aborts_what_it_is_of_and_nothing_else() {
    run(async {
        let (a, b) = met(&config().await).await;
        let (from_a, mut at_b): (Action<String>, Action<String>) =
            (a.action("text").unwrap(), b.action("text").unwrap());
        let sending = from_a.send("x".repeat(1_000_000));
        let sending = sending.on_progress(|_, _| panic!("a closure of the test"));
        assert!(soon(spawn(sending.into_future())).await.is_err());
        soon(from_a.send("next")).await.unwrap();
        assert_eq!(soon(at_b.recv()).await.unwrap().unwrap().value, "next");
        go_on(&a, &b).await;
    });
}

/// A source that panics after its first bytes.
struct Panics(bool);

impl AsyncRead for Panics {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        assert!(!std::mem::replace(&mut self.0, true), "a source of the test");
        Poll::Ready(Ok(buffer.len()))
    }
}

#[test]
fn a_source_that_panics_is_an_error_for_the_receiver() {
    run(async {
        let (a, b) = met(&config().await).await;
        let (from_a, mut at_b) = (files(&a), files(&b));
        let sending = spawn(from_a.send_from(Panics(false)).into_future());
        assert!(soon(sending).await.is_err());
        go_on(&a, &b).await;
        soon(a.leave()).await;
        if let Some(mut incoming) = soon(at_b.recv()).await {
            let ended = async { while let Ok(Some(_)) = incoming.piece().await {} };
            soon(ended).await;
        }
    });
}

fn files(room: &Room) -> TransferAction {
    room.transfer_action("file").unwrap()
}

#[test]
fn files_that_are_given_up_anywhere_leave_the_room_as_it_was() {
    let folder = std::env::temp_dir().join(format!("tristero-ends-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (original, copy) = (folder.join("original"), folder.join("copy"));
    std::fs::write(&original, vec![1; 300_000]).unwrap();
    run(async {
        let (a, b) = met(&config().await).await;
        let (from_a, mut at_b) = (files(&a), files(&b));
        // Files take many polls, and which of them are alike is chance: ever fewer of those are tried.
        let mut polls = 0;
        loop {
            polls += 1 + polls / 4;
            let sent = within(polls, send_file(&from_a, &original)).await;
            // What was begun has come by then.
            go_on(&a, &b).await;
            let Some(incoming) = within(1, at_b.recv()).await else { continue };
            // The rest of what was given up does not come, and that shows after half a minute.
            if sent.is_none() {
                continue;
            }
            let saved = within(polls, save(incoming.unwrap(), &copy)).await;
            go_on(&a, &b).await;
            if matches!(saved, Some(Ok(300_000))) {
                break;
            }
        }
        let mut events = b.events();
        drop((a, from_a));
        assert_eq!(left(&mut events).await, LeaveReason::Left);
    });
    std::fs::remove_dir_all(&folder).unwrap();
}
