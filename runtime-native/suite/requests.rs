//! What can become of a request.

use std::time::Duration;

use super::common::{config, have_met, left, met, peer, run, soon, spawn};
use crate::rooms::{
    Action, Payload, Postcard, Raw, Request, RequestAction, RequestError, RespondError, Responder,
    Room,
};
use serde_json::{Value, json};

type Add = RequestAction<(i32, i32), i32>;
type Echo = RequestAction<String, String>;
type RawEcho = RequestAction<Payload, Payload, Raw>;

/// Answers that `serve` gives to peers, as long as the test runs.
fn serve_divide(room: &Room) {
    let divide: RequestAction<(i32, i32), i32> = room.request_action("divide").unwrap();
    spawn(divide.serve(async |request: Request<(i32, i32)>| {
        let (a, b) = request.value;
        a.checked_div(b).ok_or("that has no answer")
    }));
}

#[test]
fn a_request_is_answered_or_rejected_by_a_closure() {
    run(async {
        let (a, b) = met(&config().await).await;
        serve_divide(&b);
        let divide: RequestAction<(i32, i32), i32> = a.request_action("divide").unwrap();
        assert_eq!(soon(divide.request(b.self_id(), (42, 6))).await, Ok(7));
        let rejected = RequestError::Rejected("that has no answer".to_owned());
        assert_eq!(soon(divide.request(b.self_id(), (1, 0))).await, Err(rejected));
    });
}

#[test]
fn a_request_is_answered_by_hand_with_metadata_and_bytes() {
    run(async {
        let (a, b) = met(&config().await).await;
        let (ask, answer): (RawEcho, RawEcho) =
            (a.request_action("raw").unwrap(), b.request_action("raw").unwrap());
        let mut requests = answer.requests();
        let (told, progress) = std::sync::mpsc::channel();
        let bytes = super::common::bytes(100_000);
        let asking = ask
            .request(b.self_id(), bytes.clone())
            .metadata(json!({ "of": "all" }))
            .on_progress(move |_, fraction| told.send(fraction).unwrap());
        let asking = spawn(asking.into_future());
        let (request, responder) = soon(requests.recv()).await.unwrap().unwrap();
        assert_eq!(request.peer, *a.self_id());
        assert!(request.value == bytes.clone().into());
        assert_eq!(request.metadata, Some(json!({ "of": "all" })));
        soon(responder.respond(bytes.clone())).await.unwrap();
        assert!(soon(asking).await.unwrap().unwrap() == bytes.into());
        let mut last = 0.0;
        while let Ok(fraction) = progress.try_recv() {
            assert!(fraction > last);
            last = fraction;
        }
        assert!((last - 1.0).abs() < f64::EPSILON, "{last}");
    });
}

#[test]
fn a_request_that_nothing_handles_is_an_error_of_its_own() {
    run(async {
        let (a, b) = met(&config().await).await;
        let (ask, _idle): (Add, Add) =
            (a.request_action("add").unwrap(), b.request_action("add").unwrap());
        assert_eq!(soon(ask.request(b.self_id(), (1, 2))).await, Err(RequestError::NoHandler));
    });
}

#[test]
fn a_request_waits_a_moment_for_its_handler() {
    run(async {
        let (a, b) = met(&config().await).await;
        let (ask, answer): (Add, Add) =
            (a.request_action("add").unwrap(), b.request_action("add").unwrap());
        let asking = ask.request(b.self_id(), (1, 2)).into_future();
        let (from_a, mut at_b): (Action<()>, Action<()>) =
            (a.action("sign").unwrap(), b.action("sign").unwrap());
        soon(from_a.send(())).await.unwrap();
        soon(at_b.recv()).await.unwrap().unwrap(); // and so the request has come before
        spawn(answer.serve(async |request| Ok::<_, String>(request.value.0 + request.value.1)));
        assert_eq!(soon(asking).await, Ok(3));
    });
}

#[test]
fn handlers_that_are_gone_reject_what_they_did_not_answer() {
    run(async {
        let (a, b) = met(&config().await).await;
        let (ask, answer): (Echo, Echo) =
            (a.request_action("echo").unwrap(), b.request_action("echo").unwrap());
        let mut requests = answer.requests();
        let first = ask.request(b.self_id(), "first").into_future();
        let second = ask.request(b.self_id(), "second").into_future();
        let (request, responder) = soon(requests.recv()).await.unwrap().unwrap();
        assert_eq!(request.value, "first");
        drop(responder);
        let undefined = "Trystero: request handler returned undefined".to_owned();
        assert_eq!(soon(first).await, Err(RequestError::Rejected(undefined)));
        drop(requests);
        assert_eq!(soon(second).await, Err(RequestError::NoHandler));
    });
}

#[test]
fn an_answer_that_does_not_come_times_out_if_that_is_asked_for() {
    run(async {
        let (a, b) = met(&config().await).await;
        let (ask, answer): (Add, Add) =
            (a.request_action("add").unwrap(), b.request_action("add").unwrap());
        let mut requests = answer.requests();
        let asking = ask.request(b.self_id(), (1, 2)).timeout(Duration::from_millis(50));
        assert_eq!(soon(asking).await, Err(RequestError::TimedOut));
        let (_, responder) = soon(requests.recv()).await.unwrap().unwrap();
        soon(responder.respond(3)).await.unwrap();
    });
}

#[test]
fn a_peer_that_leaves_answers_nothing() {
    run(async {
        let (a, b) = met(&config().await).await;
        let (ask, answer): (Add, Add) =
            (a.request_action("add").unwrap(), b.request_action("add").unwrap());
        let mut requests = answer.requests();
        let asking = ask.request(b.self_id(), (1, 2)).into_future();
        let (_, responder) = soon(requests.recv()).await.unwrap().unwrap();
        soon(b.leave()).await;
        assert_eq!(soon(asking).await, Err(RequestError::Disconnected));
        assert_eq!(soon(responder.respond(3)).await, Err(RespondError::Over));
        let nobody = peer().self_id().clone();
        assert_eq!(soon(ask.request(&nobody, (1, 2))).await, Err(RequestError::Disconnected));
    });
}

#[test]
fn a_caller_that_leaves_is_noticed_and_its_handler_dropped() {
    run(async {
        let (a, b) = met(&config().await).await;
        let (ask, answer): (Echo, Echo) =
            (a.request_action("echo").unwrap(), b.request_action("echo").unwrap());
        let (dropped, was_dropped) = futures_channel::oneshot::channel::<()>();
        let mut dropped = Some(dropped);
        let (begun, has_begun) = futures_channel::oneshot::channel();
        let mut begun = Some(begun);
        spawn(answer.serve(move |_| {
            let (until_dropped, begun) = (dropped.take(), begun.take());
            async move {
                begun.unwrap().send(()).unwrap();
                std::future::pending::<()>().await;
                drop(until_dropped);
                Err::<String, _>("it never gets here")
            }
        }));
        let asking = ask.request(b.self_id(), "wait").into_future();
        soon(has_begun).await.unwrap();
        let mut events = b.events();
        soon(a.leave()).await;
        left(&mut events).await;
        assert!(soon(was_dropped).await.is_err(), "nothing was sent, it was dropped");
        assert_eq!(soon(asking).await, Err(RequestError::RoomLeft));
    });
}

#[test]
fn a_request_that_is_dropped_is_forgotten_and_others_go_on() {
    run(async {
        let (a, b) = met(&config().await).await;
        let (ask, answer): (Echo, Echo) =
            (a.request_action("echo").unwrap(), b.request_action("echo").unwrap());
        let mut requests = answer.requests();
        drop(ask.request(b.self_id(), "x".repeat(1_000_000)).into_future());
        let asking = ask.request(b.self_id(), "kept").into_future();
        let (request, responder) = soon(requests.recv()).await.unwrap().unwrap();
        assert_eq!(request.value, "kept", "what is aborted is not sent to its end");
        soon(responder.respond(request.value)).await.unwrap();
        assert_eq!(soon(asking).await, Ok("kept".to_owned()));
    });
}

#[test]
fn other_types_are_errors_on_both_sides_and_nothing_ends() {
    run(async {
        let (a, b) = met(&config().await).await;
        let wrong: Echo = a.request_action("add").unwrap();
        let right: Add = a.request_action("add").unwrap();
        let answer: Add = b.request_action("add").unwrap();
        let mut requests = answer.requests();
        let asking = wrong.request(b.self_id(), "one and two").into_future();
        let error = soon(requests.recv()).await.unwrap().unwrap_err();
        assert_eq!(error.received.value, Payload::from("one and two"));
        assert!(matches!(soon(asking).await, Err(RequestError::Rejected(_))));
        let asking = right.request(b.self_id(), (1, 2)).into_future();
        let (_, responder): (_, Responder<i32>) = soon(requests.recv()).await.unwrap().unwrap();
        soon(responder.respond(3)).await.unwrap();
        assert_eq!(soon(asking).await, Ok(3));

        let wrong: RequestAction<(i32, i32), String> = a.request_action("add").unwrap();
        let asking = wrong.request(b.self_id(), (1, 2)).into_future();
        let (_, responder) = soon(requests.recv()).await.unwrap().unwrap();
        soon(responder.respond(3)).await.unwrap();
        let Err(RequestError::WrongType(error)) = soon(asking).await else {
            panic!("3 is no string")
        };
        assert_eq!(error.received.value, Payload::from(json!(3)));
    });
}

#[test]
fn postcard_asks_and_answers_in_bytes() {
    run(async {
        let (a, b) = met(&config().await).await;
        let ask: RequestAction<(u8, String), Option<u64>, Postcard> =
            a.request_action("card").unwrap();
        let answer: RequestAction<Value, Value> = b.request_action("card").unwrap();
        let mut json = answer.requests();
        let asking = ask.request(b.self_id(), (1, "one".to_owned())).into_future();
        let error = soon(json.recv()).await.unwrap().unwrap_err();
        assert!(matches!(error.received.value, Payload::Binary(_)));
        assert!(soon(asking).await.is_err());
        drop(json);
        let answer: RequestAction<(u8, String), Option<u64>, Postcard> =
            b.request_action("card").unwrap();
        spawn(answer.serve(async |request| Ok::<_, String>(Some(u64::from(request.value.0)))));
        assert_eq!(soon(ask.request(b.self_id(), (7, "seven".to_owned()))).await, Ok(Some(7)));
    });
}

#[test]
fn many_are_asked_at_once_and_each_has_an_answer_of_its_own() {
    run(async {
        let config = config().await;
        let (a, b) = met(&config).await;
        let c = peer().join(&config, "room").unwrap();
        have_met(&a, &c).await;
        let nobody = peer().self_id().clone();
        serve_divide(&b);
        let slow: RequestAction<(i32, i32), i32> = c.request_action("divide").unwrap();
        let mut requests = slow.requests();
        let divide: RequestAction<(i32, i32), i32> = a.request_action("divide").unwrap();
        let targets = [c.self_id().clone(), nobody.clone(), b.self_id().clone()];

        let mut responses = divide.request_many(targets.clone(), (42, 6)).start();
        let mut first =
            [soon(responses.recv()).await.unwrap(), soon(responses.recv()).await.unwrap()];
        first.sort_by_key(|(_, answer)| answer.is_err());
        assert_eq!(first[0], (b.self_id().clone(), Ok(7)));
        assert_eq!(first[1], (nobody.clone(), Err(RequestError::Disconnected)));
        let (_, responder) = soon(requests.recv()).await.unwrap().unwrap();
        soon(responder.respond(8)).await.unwrap();
        assert_eq!(soon(responses.recv()).await, Some((c.self_id().clone(), Ok(8))));
        assert_eq!(soon(responses.recv()).await, None);

        let all = spawn(divide.request_many(targets, (42, 6)).into_future());
        let (_, responder) = soon(requests.recv()).await.unwrap().unwrap();
        soon(responder.reject("no")).await.unwrap();
        let all = soon(all).await.unwrap();
        let [slow, gone, quick] = &all[..] else { panic!("three were asked") };
        assert_eq!(*slow, (c.self_id().clone(), Err(RequestError::Rejected("no".to_owned()))));
        assert_eq!(*gone, (nobody, Err(RequestError::Disconnected)));
        assert_eq!(*quick, (b.self_id().clone(), Ok(7)));
    });
}

#[test]
fn a_name_is_for_one_kind_of_action() {
    run(async {
        let config = config().await;
        let room = peer().join(&config, "room").unwrap();
        let _add: Add = room.request_action("add").unwrap();
        assert!(room.action::<i32, crate::rooms::Json>("add").is_err());
        assert!(room.transfer_action("add").is_err());
        assert!(room.request_action::<i32, i32, crate::rooms::Json>("add").is_ok());
    });
}
