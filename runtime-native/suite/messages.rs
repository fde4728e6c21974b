//! What can become of a message.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};

use super::common::{config, have_met, met, peer, peer_with, run, soon};
use crate::rooms::{Action, Options, Payload, Postcard, RawAction, Room, SendError, SendFailure};
use serde::{Deserialize, Serialize};
use serde_json::json;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Move {
    from: String,
    to: (u8, u8),
}

fn raw(room: &Room, name: &str) -> RawAction {
    room.action(name).unwrap()
}

fn texts(room: &Room) -> Action<String> {
    room.action("text").unwrap()
}

#[test]
fn typed_values_travel_as_json_and_what_is_of_another_type_is_an_error_item() {
    run(async {
        let (a, b) = met(&config().await).await;
        let (moves, mut at_b): (Action<Move>, Action<Move>) =
            (a.action("move").unwrap(), b.action("move").unwrap());
        let (any, mut payloads) = (raw(&a, "move"), raw(&b, "move"));
        let played = Move { from: "g1".to_owned(), to: (5, 2) };
        soon(moves.send(played.clone())).await.unwrap();
        soon(any.send("resign").metadata(json!(1))).await.unwrap();
        soon(any.send(json!({ "from": "e2", "to": [4, 3] }))).await.unwrap();
        assert_eq!(soon(at_b.recv()).await.unwrap().unwrap().value, played);
        let wrong = soon(at_b.recv()).await.unwrap().unwrap_err();
        assert_eq!(wrong.received.peer, *a.self_id());
        assert_eq!(wrong.received.value, Payload::from("resign"));
        assert_eq!(wrong.received.metadata, Some(json!(1)));
        assert_eq!(soon(at_b.recv()).await.unwrap().unwrap().value.from, "e2");
        let json = soon(payloads.recv()).await.unwrap().unwrap();
        assert_eq!(
            json.value,
            json!({ "from": "g1", "to": [5, 2] }).into(),
            "as a browser sees it"
        );
    });
}

#[test]
fn postcard_travels_as_bytes() {
    run(async {
        let (a, b) = met(&config().await).await;
        let moves: Action<Move, Postcard> = a.action("move").unwrap();
        let (mut at_b, mut payloads): (Action<Move, Postcard>, _) =
            (b.action("move").unwrap(), raw(&b, "move"));
        let played = Move { from: "g1".to_owned(), to: (5, 2) };
        soon(moves.send(played.clone())).await.unwrap();
        assert_eq!(soon(at_b.recv()).await.unwrap().unwrap().value, played);
        let bytes = soon(payloads.recv()).await.unwrap().unwrap().value;
        assert_eq!(bytes, vec![2, b'g', b'1', 5, 2].into());
    });
}

#[test]
fn a_value_that_json_can_not_say_is_an_error_of_the_sender() {
    run(async {
        let config = config().await;
        let room = peer().join(&config, "room").unwrap();
        let action: Action<std::collections::BTreeMap<(u8, u8), u8>> = room.action("map").unwrap();
        let sent = soon(action.send([((1, 2), 3)])).await;
        assert!(matches!(sent, Err(SendError::Format(_))), "{sent:?}");
    });
}

#[test]
fn what_is_dropped_while_it_is_sent_is_aborted_and_the_next_message_arrives() {
    run(async {
        let (a, b) = met(&config().await).await;
        let (large, mut at_b) = (raw(&a, "large"), raw(&b, "large"));
        let mut arriving = at_b.receiving().unwrap();
        let sending = large.send(vec![1; 300_000_000]).into_future();
        soon(arriving.recv()).await.unwrap();
        drop(sending);
        soon(large.send("next")).await.unwrap();
        assert_eq!(soon(at_b.recv()).await.unwrap().unwrap().value, "next".into());
    });
}

#[test]
fn what_is_detached_is_sent_though_nobody_waits() {
    run(async {
        let (a, b) = met(&config().await).await;
        let (from_a, mut at_b) = (texts(&a), texts(&b));
        from_a.send("no need to wait").detach().unwrap();
        assert_eq!(soon(at_b.recv()).await.unwrap().unwrap().value, "no need to wait");
        soon(a.leave()).await;
        assert!(matches!(from_a.send("too late").detach(), Err(SendError::Invalid(_))));
    });
}

#[test]
fn who_got_it_and_who_did_not_is_told_by_name() {
    run(async {
        let config = config().await;
        let (a, b) = met(&config).await;
        let c = peer().join(&config, "room").unwrap();
        have_met(&a, &c).await;
        let mut both = [b.self_id().clone(), c.self_id().clone()];
        both.sort();
        let mut delivered = soon(texts(&a).send("hi")).await.unwrap().delivered;
        delivered.sort();
        assert_eq!(delivered, both);
        let nobody = peer().self_id().clone();
        let sent = soon(texts(&a).send("hi").to(b.self_id()).to(&nobody)).await;
        assert_eq!(sent, Err(SendError::Undelivered(vec![(nobody, SendFailure::NotInRoom)])));
    });
}

#[test]
fn a_thousand_messages_arrive_in_order() {
    run(async {
        let (a, b) = met(&config().await).await;
        let (numbers, mut at_b): (Action<u32>, Action<u32>) =
            (a.action("n").unwrap(), b.action("n").unwrap());
        let sending: Vec<_> = (0..1_000u32).map(|n| numbers.send(n).into_future()).collect();
        for n in 0..1_000 {
            assert_eq!(soon(at_b.recv()).await.unwrap().unwrap().value, n);
        }
        for sent in sending {
            soon(sent).await.unwrap();
        }
    });
}

#[test]
fn giving_up_to_receive_loses_nothing() {
    run(async {
        let (a, b) = met(&config().await).await;
        let (from_a, mut at_b) = (texts(&a), texts(&b));
        {
            let given_up = pin!(at_b.recv());
            assert!(given_up.poll(&mut Context::from_waker(Waker::noop())).is_pending());
            soon(from_a.send("kept")).await.unwrap();
            let mut second = texts(&b);
            soon(from_a.send("and so on")).await.unwrap();
            soon(second.recv()).await.unwrap().unwrap(); // so both have come
        }
        assert_eq!(soon(at_b.recv()).await.unwrap().unwrap().value, "kept");
        assert_eq!(soon(at_b.recv()).await.unwrap().unwrap().value, "and so on");
    });
}

#[test]
fn the_oldest_messages_are_dropped_and_counted_when_nobody_reads() {
    run(async {
        let config = config().await;
        let mut options = Options::default();
        options.unread.messages = 10;
        let a = peer().join(&config, "room").unwrap();
        let b = peer_with(options).join(&config, "room").unwrap();
        have_met(&a, &b).await;
        let (from_a, mut slow) = (texts(&a), texts(&b));
        for n in 0..30 {
            soon(from_a.send(n.to_string())).await.unwrap();
        }
        let (last, mut at_b): (Action<()>, Action<()>) =
            (a.action("last").unwrap(), b.action("last").unwrap());
        soon(last.send(())).await.unwrap();
        soon(at_b.recv()).await.unwrap().unwrap(); // so all have come
        assert_eq!(soon(slow.recv()).await.unwrap().unwrap().value, "20");
        assert_eq!(slow.dropped(), 20);
    });
}
