//! Who enters a room: passwords, the application's handshake, passive peers.

use std::pin::pin;
use std::time::Duration;

use super::common::{config, have_met, joined, met, peer, run, soon, spawn, until};
use crate::rooms::{
    Action, Config, HandshakeError, JoinFailure, Payload, Room, RoomEvent, RoomEvents,
};
use futures_util::future::select;
use serde_json::json;

async fn failed(events: &mut RoomEvents) -> JoinFailure {
    until(events, |event| match event {
        RoomEvent::JoinFailed { failure, .. } => Some(failure),
        _ => None,
    })
    .await
}

/// Two rooms of two nodes whose applications shake hands.
async fn meeting() -> (Room, Room) {
    let config = config().await.handshake();
    (peer().join(&config, "room").unwrap(), peer().join(&config, "room").unwrap())
}

#[test]
fn a_peer_enters_when_both_sides_accept_it() {
    run(async {
        let (a, b) = meeting().await;
        let (mut at_a, mut at_b) = (a.handshakes(), b.handshakes());
        let (at_a, at_b) = (soon(at_a.recv()).await.unwrap(), soon(at_b.recv()).await.unwrap());
        assert_eq!((&at_a.peer, &at_b.peer), (b.self_id(), a.self_id()));
        assert_ne!(at_a.is_initiator, at_b.is_initiator);
        at_a.send_with("who are you?", json!({ "n": 1 })).unwrap();
        let said = soon(at_b.recv()).await.unwrap();
        assert_eq!(said.payload, Payload::from("who are you?"));
        assert_eq!(said.metadata, Some(json!({ "n": 1 })));
        at_b.send(json!(["b"])).unwrap();
        assert_eq!(soon(at_a.recv()).await.unwrap().payload, Payload::from(json!(["b"])));
        at_a.accept().unwrap();
        assert!(a.peers().is_empty() && b.peers().is_empty(), "one side is not enough");
        at_b.accept().unwrap();
        have_met(&a, &b).await;
        assert_eq!(at_a.accept(), Err(HandshakeError::Over));
        assert_eq!(soon(at_a.recv()).await, None);
    });
}

#[test]
fn a_peer_that_is_refused_does_not_enter_and_the_reason_is_told_here() {
    run(async {
        let (a, b) = meeting().await;
        let mut events = a.events();
        let (mut at_a, mut at_b) = (a.handshakes(), b.handshakes());
        let at_b = soon(at_b.recv()).await.unwrap();
        at_b.accept().unwrap();
        soon(at_a.recv()).await.unwrap().refuse("we are full").unwrap();
        let failure = failed(&mut events).await;
        assert_eq!(failure, JoinFailure::HandshakeRefused { reason: "we are full".to_owned() });
        assert!(a.peers().is_empty());
    });
}

#[test]
fn a_handshake_that_is_dropped_refuses() {
    run(async {
        let (a, b) = meeting().await;
        let mut events = a.events();
        let _at_b = b.handshakes();
        drop(soon(a.handshakes().recv()).await.unwrap());
        let reason = "handshake was dropped".to_owned();
        assert_eq!(failed(&mut events).await, JoinFailure::HandshakeRefused { reason });
    });
}

#[test]
fn closures_decide_who_enters() {
    run(async {
        let (a, b) = meeting().await;
        spawn(a.serve_handshakes(async |handshake| {
            let said = handshake.recv().await.ok_or("it is gone")?;
            if said.payload == Payload::from("swordfish") { Ok(()) } else { Err("not the word") }
        }));
        spawn(b.serve_handshakes(async |handshake| handshake.send("swordfish")));
        have_met(&a, &b).await;
    });
}

#[test]
fn who_does_not_know_the_word_is_refused_by_a_closure() {
    run(async {
        let (a, b) = meeting().await;
        let mut events = a.events();
        spawn(a.serve_handshakes(async |handshake| {
            handshake.recv().await.ok_or("it is gone")?;
            Err::<(), _>("not the word")
        }));
        spawn(b.serve_handshakes(async |handshake| handshake.send("guess")));
        let reason = "not the word".to_owned();
        assert_eq!(failed(&mut events).await, JoinFailure::HandshakeRefused { reason });
    });
}

#[test]
fn who_is_not_decided_on_in_time_does_not_enter() {
    run(async {
        let config = config().await.handshake().handshake_timeout(Duration::from_millis(1_000));
        let a = peer().join(&config, "room").unwrap();
        let b = peer().join(&config, "room").unwrap();
        let mut events = a.events();
        let waiting = soon(a.handshakes().recv()).await.unwrap();
        let after = Duration::from_millis(1_000);
        assert_eq!(failed(&mut events).await, JoinFailure::HandshakeTimedOut { after });
        assert_eq!(soon(waiting.recv()).await, None);
        assert_eq!(waiting.accept(), Err(HandshakeError::Over));
        drop(b);
    });
}

#[test]
fn a_message_before_the_end_of_the_handshake_is_not_heard() {
    run(async {
        let (a, b) = meeting().await;
        let (from_a, mut at_b): (Action<String>, Action<String>) =
            (a.action("chat").unwrap(), b.action("chat").unwrap());
        let (mut at_a, mut met_b) = (a.handshakes(), b.handshakes());
        let (at_a, met_b) = (soon(at_a.recv()).await.unwrap(), soon(met_b.recv()).await.unwrap());
        assert!(soon(from_a.send("too soon")).await.unwrap().delivered.is_empty());
        at_a.accept().unwrap();
        met_b.accept().unwrap();
        have_met(&a, &b).await;
        soon(from_a.send("in time")).await.unwrap();
        assert_eq!(soon(at_b.recv()).await.unwrap().unwrap().value, "in time");
    });
}

#[test]
fn who_has_another_password_does_not_enter() {
    run(async {
        let config = config().await;
        let a = peer().join(&config.clone().password("right"), "room").unwrap();
        let b = peer().join(&config.clone().password("wrong"), "room").unwrap();
        let (mut at_a, mut at_b) = (a.events(), b.events());
        let failure = soon(async {
            let (at_a, at_b) = (pin!(failed(&mut at_a)), pin!(failed(&mut at_b)));
            select(at_a, at_b).await.factor_first().0
        });
        assert_eq!(failure.await, JoinFailure::OfferPassword);
    });
}

#[test]
fn a_password_is_proved_where_a_connection_is_shared() {
    run(async {
        let config = config().await;
        let (a, b) = met(&config).await;
        let locked = |room: &Room, password: &str| {
            room.node().join(&config.clone().password(password), "locked").unwrap()
        };
        let (in_a, in_b) = (locked(&a, "same"), locked(&b, "same"));
        have_met(&in_a, &in_b).await;
        let other = |room: &Room, password: &str| {
            room.node().join(&config.clone().password(password), "other").unwrap()
        };
        let (in_a, in_b) = (other(&a, "one"), other(&b, "another"));
        let (mut at_a, mut at_b) = (in_a.events(), in_b.events());
        let failure = soon(async {
            let (at_a, at_b) = (pin!(failed(&mut at_a)), pin!(failed(&mut at_b)));
            select(at_a, at_b).await.factor_first().0
        });
        assert_eq!(failure.await, JoinFailure::PasswordProof);
        assert!(in_a.peers().is_empty() && in_b.peers().is_empty());
    });
}

#[test]
fn a_passive_peer_is_met_by_an_active_one_and_not_by_its_like() {
    run(async {
        let config = config().await;
        let passive: Config = config.clone().passive(true);
        let first = peer().join(&passive, "room").unwrap();
        let second = peer().join(&passive, "room").unwrap();
        let active = peer().join(&config, "room").unwrap();
        assert!(first.is_passive() && !active.is_passive());
        let mut events = active.events();
        joined(&mut events, &first).await;
        let mut events = active.events();
        joined(&mut events, &second).await;
        assert!(!first.peers().contains_key(second.self_id()));
        assert!(!second.peers().contains_key(first.self_id()));
    });
}

#[test]
fn a_room_without_a_handshake_asks_nobody_and_says_so_at_once() {
    run(async {
        let room = peer().join(&config().await, "open").unwrap();
        assert!(soon(room.handshakes().recv()).await.is_none());
        soon(room.serve_handshakes(async |_| Err("nobody may enter"))).await;
    });
}
