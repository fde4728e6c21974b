//! Two nodes with real sockets, over a real relay, on this machine.

use super::common::{config, left, met, peer, run, soon, spawn};
use crate::rooms::{
    Config, JoinError, LeaveReason, Payload, Raw, RawAction, Room, RoomEvent, SendError,
};
use serde_json::json;

fn raw(room: &Room, name: &str) -> RawAction {
    room.action(name).unwrap()
}

async fn recv(action: &mut RawAction) -> Payload {
    soon(action.recv()).await.expect("the room is not left").unwrap().value
}

#[test]
fn peers_meet_exchange_messages_and_see_each_other_leave() {
    run(async {
        let config = config().await;
        let (a, b) = met(&config).await;
        let (from_a, mut at_b) = (raw(&a, "chat"), raw(&b, "chat"));
        soon(from_a.send("hello — 世界").metadata(json!({ "n": 1 }))).await.unwrap();
        let received = soon(at_b.recv()).await.unwrap().unwrap();
        assert_eq!(received.peer, *a.self_id());
        assert_eq!(received.value, Payload::from("hello — 世界"));
        assert_eq!(received.metadata, Some(json!({ "n": 1 })));
        soon(from_a.send(json!({ "answer": 42 })).to(b.self_id())).await.unwrap();
        assert_eq!(recv(&mut at_b).await, Payload::from(json!({ "answer": 42 })));
        let mut events = b.events();
        soon(a.leave()).await;
        assert_eq!(left(&mut events).await, LeaveReason::Left);
        assert!(b.peers().is_empty());
    });
}

#[test]
fn what_is_sent_to_an_empty_list_is_sent_to_nobody() {
    run(async {
        let config = config().await;
        let (a, b) = met(&config).await;
        let (from_a, mut at_b) = (raw(&a, "chat"), raw(&b, "chat"));
        let sent = soon(from_a.send("a secret").to_all([])).await.unwrap();
        assert!(sent.delivered.is_empty());
        soon(from_a.send("next").to_all(a.peers().keys())).await.unwrap();
        assert_eq!(recv(&mut at_b).await, Payload::from("next"));
    });
}

#[test]
fn a_large_payload_arrives_whole_and_its_progress_is_told() {
    run(async {
        let config = config().await.password("secret");
        let (a, b) = met(&config).await;
        let (from_a, mut at_b) = (raw(&a, "file"), raw(&b, "file"));
        let mut receiving = at_b.receiving().unwrap();
        let file: Vec<u8> = (0..2_000_000u32).map(|n| n.to_le_bytes()[(n % 3) as usize]).collect();
        let (told, progress) = std::sync::mpsc::channel();
        let send = from_a.send(file.clone()).on_progress(move |_, fraction| {
            told.send(fraction).unwrap();
        });
        let sending = spawn(send.into_future());
        let Payload::Binary(bytes) = recv(&mut at_b).await else { panic!("bytes were sent") };
        assert!(bytes == file);
        let sent = soon(sending).await.unwrap().unwrap();
        assert_eq!((sent.delivered, sent.failed), (b.self_id().clone().into(), vec![]));
        assert!(soon(receiving.recv()).await.unwrap().fraction < 0.1);
        let mut last = 0.0;
        while let Ok(fraction) = progress.try_recv() {
            assert!(fraction > last && fraction <= 1.0);
            last = fraction;
        }
        assert!((last - 1.0).abs() < f64::EPSILON, "{last}");
    });
}

#[test]
fn sending_to_someone_who_is_not_here_is_an_error_that_says_so() {
    run(async {
        let config = config().await;
        let room = peer().join(&config, "room").unwrap();
        let nobody = peer().self_id().clone();
        let chat = raw(&room, "chat");
        assert_eq!(soon(chat.send("alone")).await, Ok(Default::default()));
        let sent = soon(chat.send("hi").to(&nobody)).await;
        assert!(matches!(sent, Err(SendError::Undelivered(failed)) if failed[0].0 == nobody));
    });
}

#[test]
fn a_room_ends_for_all_its_handles_when_it_is_left() {
    run(async {
        let config = config().await;
        let room = peer().join(&config, "room").unwrap();
        let (mut events, mut chat) = (room.events(), raw(&room, "chat"));
        soon(room.clone().leave()).await;
        soon(async { while events.recv().await.is_some() {} }).await;
        assert_eq!(soon(chat.recv()).await, None);
        assert!(matches!(soon(chat.send("late")).await, Err(SendError::Invalid(_))));
        assert!(room.action::<Payload, Raw>("more").is_err());
    });
}

#[test]
fn what_is_being_sent_ends_when_the_room_is_left() {
    run(async {
        let config = config().await;
        let (a, b) = met(&config).await;
        let files = raw(&a, "file");
        let sending = spawn(files.send(vec![0; 300_000_000]).into_future());
        soon(a.leave()).await;
        let sent = soon(sending).await.unwrap();
        assert!(matches!(sent, Err(SendError::RoomLeft | SendError::Invalid(_))), "{sent:?}");
        drop(b);
    });
}

#[test]
fn a_room_that_was_joined_twice_is_left_with_the_last_handle() {
    run(async {
        let config = config().await;
        let node = peer();
        let (first, second) =
            (node.join(&config, "room").unwrap(), node.join(&config, "room").unwrap());
        drop(second);
        assert!(first.action::<Payload, Raw>("chat").is_ok());
        soon(first.clone().leave()).await;
        assert!(first.action::<Payload, Raw>("chat").is_err());
        let again = node.join(&config, "room").unwrap();
        drop(first);
        assert!(
            again.action::<Payload, Raw>("chat").is_ok(),
            "an old handle means nothing to a new visit"
        );
    });
}

#[test]
fn a_room_that_was_joined_in_another_way_is_an_error_that_says_what_differs() {
    run(async {
        let config = config().await;
        let node = peer();
        let _room = node.join(&config, "room").unwrap();
        let join = |config: Config| node.join(&config, "room").unwrap_err().to_string();
        let differs =
            |what| format!("this room was joined already, with another {what}; leave it first");
        assert_eq!(join(config.clone().password("other")), differs("password"));
        assert_eq!(join(config.clone().relay("ws://127.0.0.1:9")), differs("list of relays"));
        assert_eq!(join(config.clone().passive(true)), differs("choice of being passive"));
        assert_eq!(join(config.handshake()), differs("choice of a handshake"));
    });
}

#[test]
fn a_node_ends_with_its_last_handle() {
    run(async {
        let config = config().await;
        let (a, b) = met(&config).await;
        let mut events = b.events();
        drop(a);
        assert_eq!(left(&mut events).await, LeaveReason::Left);
    });
}

#[test]
fn shutting_down_resolves_when_everything_is_closed() {
    run(async {
        let config = config().await;
        let (a, b) = met(&config).await;
        let mut events = b.events();
        let chat = raw(&a, "chat");
        soon(a.node().shut_down()).await;
        soon(a.node().shut_down()).await;
        assert_eq!(left(&mut events).await, LeaveReason::Left);
        assert!(soon(chat.send("late")).await.is_err());
    });
}

#[test]
fn joining_is_local_and_an_unreachable_relay_is_told_of() {
    run(async {
        // A port that was free a moment ago, and is nobody's.
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let room = peer().join(&Config::new("app").relay(format!("ws://{free}")), "room").unwrap();
        let mut events = room.events();
        let why = soon(async {
            loop {
                let Some(RoomEvent::Relay(status)) = events.recv().await else { continue };
                if let Some(why) = status.last_error {
                    return why;
                }
            }
        })
        .await;
        assert!(why.contains("refused"), "{why}");
    });
}

#[test]
fn what_can_not_be_joined_is_an_error_in_one_sentence() {
    run(async {
        let join = |config: Config, room: &str| peer().join(&config, room).unwrap_err().to_string();
        assert_eq!(join(Config::new("").relay("ws://localhost"), "room"), "the appId is empty");
        assert_eq!(join(Config::new("app").relay("ws://localhost"), ""), "the roomId is empty");
        assert_eq!(join(Config::new("app"), "room"), "a room needs at least one relay");
        let error = peer().join(&Config::new("app").relay("http://localhost"), "room").unwrap_err();
        assert!(matches!(error, JoinError::RelayUrl(_)));
        assert_eq!(
            error.to_string(),
            "\"http://localhost\" is not a relay's URL: it has to begin with ws:// or wss://"
        );
    });
}
