//! Without async: what is awaited elsewhere is waited for.

use std::thread;
use std::time::Duration;

use super::common::{config, peer, run};
use super::media::frame;
use crate::rooms::blocking::{Wait as _, iter};
use crate::rooms::{
    Action, Codec, LocalStream, LocalTrack, MediaKind, RequestAction, Room, RoomEvent,
};
use crate::runtime::entered;

fn join_two() -> (Room, Room) {
    let config = run(config());
    let _entered = entered();
    (peer().join(&config, "room").unwrap(), peer().join(&config, "room").unwrap())
}

/// Waits until somebody has joined.
fn met(room: &Room) {
    let is_met = |event| matches!(event, RoomEvent::PeerJoined { .. });
    assert!(iter(room.events()).any(is_met));
}

#[test]
fn threads_exchange_messages_and_requests() {
    let (a, b) = join_two();
    met(&a);
    met(&b);
    let (chat, at_b): (Action<u32>, Action<u32>) =
        (a.action("chat").unwrap(), b.action("chat").unwrap());
    for n in 0..10_u32 {
        chat.send(n).wait().unwrap();
    }
    let received = iter(at_b).take(10).map(|message| message.unwrap().value);
    assert!(received.eq(0..10));

    let double: RequestAction<u32, u32> = b.request_action("double").unwrap();
    let serving = double.serve(async |request| Ok::<_, String>(request.value * 2));
    let serving = thread::spawn(|| serving.wait());
    let double: RequestAction<u32, u32> = a.request_action("double").unwrap();
    assert_eq!(double.request(b.self_id(), 21_u32).wait(), Ok(42));
    let events = a.events();
    b.leave().wait();
    serving.join().unwrap();
    let is_left = |event| matches!(event, RoomEvent::PeerLeft { .. });
    assert!(iter(events).any(is_left));
}

#[test]
fn threads_exchange_audio() {
    let (a, b) = join_two();
    met(&a);
    met(&b);
    let mut streams = iter(b.peer_streams());
    let audio = LocalTrack::of(Codec::Opus);
    let added = a.add_stream(&LocalStream::new([audio.clone()])).wait().unwrap();
    assert_eq!(added.taken, [b.self_id().clone()]);
    let track = streams.next().unwrap().stream.take(MediaKind::Audio).unwrap();
    for number in 0..3 {
        assert_eq!(audio.write(&frame(Codec::Opus, number)).unwrap().taken, 1);
    }
    assert_eq!(iter(track).take(3).count(), 3);
}

#[test]
fn a_message_that_does_not_come_in_time_is_received_later() {
    let (a, b) = join_two();
    met(&a);
    let (chat, mut at_b): (Action<String>, Action<String>) =
        (a.action("chat").unwrap(), b.action("chat").unwrap());
    assert!(at_b.recv().wait_for(Duration::from_millis(1)).is_none());
    chat.send("late").wait().unwrap();
    assert_eq!(at_b.recv().wait().unwrap().unwrap().value, "late");
}
