//! Bounds that need no sockets.

#![allow(clippy::unwrap_used, reason = "a test that can not go on may panic")]

mod world;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use futures_io::AsyncRead;
use serde_json::json;
use tristero::{
    Action, Handshake, Handshakes, Incoming, IncomingError, NodeHandle, RequestAction,
    RequestError, Requesting, RequestingMany, Requests, Responder, Responses, Room, RoomEvents,
    Sending, TransferAction, Transferring, Unread,
};
use world::{World, now, poll};

const MIB: usize = 1024 * 1024;

/// A source without end, which counts what was read of it.
#[derive(Clone, Default)]
struct Endless(Arc<AtomicUsize>);

impl AsyncRead for Endless {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.0.fetch_add(buffer.len(), Ordering::Relaxed);
        Poll::Ready(Ok(buffer.len()))
    }
}

/// All that an application holds may be shared between its threads, or move there.
#[test]
fn handles_and_futures_are_for_any_thread() {
    fn shared<T: Send + Sync>() {}
    fn moved<T: Send>() {}
    shared::<(NodeHandle, Room, Action<String>, RequestAction<u8, u8>, TransferAction)>();
    shared::<(RoomEvents, Requests<u8, u8>, Responder<u8>, Handshakes, Handshake, Incoming)>();
    moved::<(Sending, Requesting<u8>, RequestingMany<u8>, Responses<u8>, Transferring<Endless>)>();
}

fn files(room: &Room) -> TransferAction {
    room.transfer_action("file").unwrap()
}

/// What waits of a transfer, and how it ended.
fn read(mut incoming: Incoming) -> (usize, IncomingError) {
    let mut length = 0;
    loop {
        match now(incoming.piece()) {
            Ok(piece) => length += piece.expect("it is not complete").len(),
            Err(error) => return (length, error),
        }
    }
}

#[test]
fn a_source_is_read_only_as_fast_as_the_other_side_takes_it() {
    let world = World::default();
    let (mut a, mut b) = (world.add(1, Unread::default()), world.add(2, Unread::default()));
    let (in_a, in_b) = world.meet(&mut a, &mut b);
    let (from_a, mut at_b) = (files(&in_a), files(&in_b));
    let source = Endless::default();
    let mut sending = from_a.send_from(source.clone()).into_future();
    let read = || source.0.load(Ordering::Relaxed);
    for _ in 0..100 {
        assert!(poll(&mut sending).is_pending());
        world.run(&mut [&mut a]);
    }
    let before = read();
    assert!(before > 0 && before <= 2 * MIB, "{before} bytes were read for one who takes nothing");
    while read() < 8 * MIB {
        let last = read();
        for _ in 0..100 {
            world.run(&mut [&mut a, &mut b]);
            assert!(poll(&mut sending).is_pending());
        }
        assert!(read() > last, "it goes on when they are taken");
    }
    assert!(now(at_b.recv()).is_some());
}

#[test]
fn transfers_that_nobody_reads_are_bounded_together() {
    let world = World::default();
    let mut unread = Unread::default();
    unread.transfer_bytes = 3 * MIB;
    unread.all_transfer_bytes = 4 * MIB;
    let (mut a, mut b) = (world.add(1, Unread::default()), world.add(2, unread));
    let (in_a, in_b) = world.meet(&mut a, &mut b);
    let (one, other) =
        (in_a.transfer_action("one").unwrap(), in_a.transfer_action("other").unwrap());
    let (mut at_one, mut at_other) =
        (in_b.transfer_action("one").unwrap(), in_b.transfer_action("other").unwrap());
    let mut first = one.send_from(Endless::default()).into_future();
    let mut second = other.send_from(Endless::default()).into_future();
    for _ in 0..20 {
        assert!(poll(&mut first).is_pending() && poll(&mut second).is_pending());
        world.run(&mut [&mut a, &mut b]);
    }
    let (first, why) = read(now(at_one.recv()).unwrap());
    assert_eq!(why, IncomingError::TooSlow);
    let (second, why) = read(now(at_other.recv()).unwrap());
    assert_eq!(why, IncomingError::TooSlow);
    assert!(first <= 3 * MIB && second <= 3 * MIB, "{first} and {second}");
    assert!(first + second <= 4 * MIB && first + second > 3 * MIB, "{first} and {second}");
}

#[test]
fn requests_beyond_what_may_wait_are_rejected() {
    let world = World::default();
    let mut unread = Unread::default();
    unread.messages = 2;
    let (mut a, mut b) = (world.add(1, Unread::default()), world.add(2, unread));
    let (in_a, in_b) = world.meet(&mut a, &mut b);
    let ask: RequestAction<i32, i32> = in_a.request_action("n").unwrap();
    let answer: RequestAction<i32, i32> = in_b.request_action("n").unwrap();
    let mut requests = answer.requests();
    let mut asking: Vec<_> = (0..3).map(|n| ask.request(in_b.self_id(), n).into_future()).collect();
    world.run(&mut [&mut a, &mut b]);
    let Poll::Ready(Err(RequestError::Rejected(why))) = poll(&mut asking[2]) else {
        panic!("the last one is too many");
    };
    assert_eq!(why, "too much waits already");
    let (request, responder) = now(requests.recv()).unwrap().unwrap();
    assert_eq!(request.value, 0);
    now(responder.respond(7)).unwrap();
    world.run(&mut [&mut a, &mut b]);
    assert_eq!(poll(&mut asking[0]), Poll::Ready(Ok(7)));
    assert!(poll(&mut asking[1]).is_pending());
}

#[test]
fn what_was_dropped_is_aborted_and_nothing_of_it_is_kept() {
    let world = World::default();
    let (mut a, mut b) = (world.add(1, Unread::default()), world.add(2, Unread::default()));
    let (in_a, in_b) = world.meet(&mut a, &mut b);
    let (from_a, mut at_b) = (files(&in_a), files(&in_b));
    let source = Endless::default();
    let mut sending = from_a.send_from(source.clone()).into_future();
    for _ in 0..10 {
        assert!(poll(&mut sending).is_pending());
        world.run(&mut [&mut a, &mut b]);
    }
    drop(sending);
    let read = source.0.load(Ordering::Relaxed);
    let mut next = from_a.send_from(&b"next"[..]).metadata(json!(2)).into_future();
    while poll(&mut next).is_pending() {
        world.run(&mut [&mut a, &mut b]);
    }
    world.run(&mut [&mut a, &mut b]);
    assert_eq!(source.0.load(Ordering::Relaxed), read, "nobody reads it any more");
    let first = now(at_b.recv()).unwrap();
    let mut second = now(at_b.recv()).unwrap();
    assert_eq!((first.metadata, second.metadata.take()), (None, Some(json!(2))));
    assert_eq!(now(second.piece()).unwrap().unwrap(), &b"next"[..]);
    assert_eq!(now(second.piece()), Ok(None));
}
