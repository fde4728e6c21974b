//! Every async function, dropped after each number of polls that it can take: what it was on is
//! given up or goes on, as its documentation says, and nothing else is lost or hangs.

#![allow(clippy::unwrap_used, reason = "a test that can not go on may panic")]

use std::future::{IntoFuture, poll_fn};
use std::io::Cursor as Bytes;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use futures_util::io::AllowStdIo;
use tristero::{
    Action, Config, LeaveReason, NodeHandle, PeerId, RequestAction, Room, RoomEvent, RoomEvents,
    TransferAction,
};
use tristero_sim::{PeerOptions, SimRuntime, World, WsService};

const SECOND: Duration = Duration::from_secs(1);
/// Several chunks, so that sending them takes several polls.
const LARGE: usize = 300_000;
/// No operation here takes as many.
const POLLS_MAX: usize = 2_000;

/// What a future gives within so many polls; it is dropped after them.
async fn within<F: IntoFuture>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future.into_future());
    let mut left = polls;
    poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// The one who gives up, and whom it is in a room with.
struct Here {
    node: NodeHandle,
    room: Room,
    config: Config,
    events: RoomEvents,
    chat: Action<String>,
    orders: Action<String>,
    other: PeerId,
}

impl Here {
    async fn join(node: NodeHandle, config: Config) -> Self {
        let room = node.join(&config, "room").unwrap();
        let mut events = room.events();
        let other = joined(&mut events).await;
        let (chat, orders) = (room.action("chat").unwrap(), room.action("order").unwrap());
        Here { node, room, config, events, chat, orders, other }
    }

    async fn order(&self, order: &str) {
        self.orders.send(order).await.unwrap();
    }

    /// The next message of the other.
    async fn heard(&mut self) -> String {
        self.chat.recv().await.unwrap().unwrap().value
    }

    fn files(&self) -> TransferAction {
        self.room.transfer_action("file").unwrap()
    }

    fn double(&self) -> RequestAction<u32, u32> {
        self.room.request_action("double").unwrap()
    }

    fn quiz(&self) -> RequestAction<String, String> {
        self.room.request_action("quiz").unwrap()
    }

    /// All that there is goes on.
    async fn goes_on(&mut self) {
        assert_eq!(self.double().request(&self.other, 21_u32).await, Ok(42));
        self.room.ping(&self.other).await.unwrap();
        self.order("say still here").await;
        assert_eq!(self.heard().await, "still here");
        while let Some(event) = self.events.try_recv() {
            let is_of_peers =
                matches!(event, RoomEvent::PeerJoined { .. } | RoomEvent::PeerLeft { .. });
            assert!(!is_of_peers, "nobody came and nobody left: {event:?}");
        }
    }
}

async fn joined(events: &mut RoomEvents) -> PeerId {
    loop {
        if let RoomEvent::PeerJoined { peer } = events.recv().await.unwrap() {
            return peer;
        }
    }
}

/// The other: does what it is told, until whoever tells it has left. It gives what it was sent
/// beside orders, and why the other left.
async fn obey(
    node: NodeHandle,
    runtime: SimRuntime,
    config: Config,
    visits: usize,
) -> (Vec<String>, LeaveReason) {
    let room = node.join(&config, "room").unwrap();
    let mut events = room.events();
    let double: RequestAction<u32, u32> = room.request_action("double").unwrap();
    runtime.spawn(room.serve_handshakes(async |handshake| {
        handshake.send("who is there?").map_err(|_| "it is gone")?;
        handshake.recv().await.map(drop).ok_or("nobody")
    }));
    runtime.spawn(double.serve(async |request| Ok::<_, String>(request.value * 2)));
    let mut orders: Action<String> = room.action("order").unwrap();
    let mut chat: Action<String> = room.action("chat").unwrap();
    let mut files = room.transfer_action("file").unwrap();
    let quiz: RequestAction<String, String> = room.request_action("quiz").unwrap();
    let mut heard = Vec::new();
    let mut visits_left = visits;
    loop {
        let next = poll_fn(|cx| {
            while let Poll::Ready(Some(message)) = pin!(chat.recv()).poll(cx) {
                heard.push(message.unwrap().value);
            }
            while let Poll::Ready(Some(incoming)) = pin!(files.recv()).poll(cx) {
                runtime.spawn(drain(incoming));
            }
            if let Poll::Ready(Some(order)) = pin!(orders.recv()).poll(cx) {
                let order = order.unwrap();
                return Poll::Ready(Ok((order.peer, order.value)));
            }
            while let Poll::Ready(Some(event)) = events.poll_recv(cx) {
                if let RoomEvent::PeerLeft { reason, .. } = event {
                    return Poll::Ready(Err(reason));
                }
            }
            Poll::Pending
        });
        let (peer, order) = match next.await {
            Ok(told) => told,
            Err(reason) => {
                visits_left -= 1;
                if visits_left == 0 {
                    return (heard, reason);
                }
                continue;
            }
        };
        let (order, with) = order.split_once(' ').unwrap_or((&order, ""));
        match order {
            "say" => drop(chat.send(with).to(&peer).await),
            "ask" => {
                let answer = quiz.request(&peer, with).await;
                let answer =
                    answer.map_or_else(|error| error.to_string(), |it| it.len().to_string());
                drop(chat.send(answer).to(&peer).await);
            }
            "file" => drop(files.send_from(AllowStdIo::new(Bytes::new(vec![1; LARGE]))).await),
            other => panic!("what is {other}?"),
        }
    }
}

async fn drain(mut incoming: tristero::Incoming) {
    while let Ok(Some(_)) = incoming.piece().await {}
}

/// Runs an operation with ever more polls until it is done within them. It says whether it was.
/// After each time everything else goes on.
fn at_every_await(operation: impl AsyncFn(usize, &mut Here) -> bool + Copy + 'static) {
    at_every_await_of_a_visit(1, async move |polls, here| {
        let is_done = operation(polls, here).await;
        here.goes_on().await;
        is_done
    });
}

/// The same, of what ends a visit. There are so many.
fn at_every_await_of_a_visit(
    visits: usize,
    operation: impl AsyncFn(usize, &mut Here) -> bool + Copy + 'static,
) {
    at_every_await_of_a_node(
        visits,
        |config| config,
        async move |polls, node, config| {
            operation(polls, &mut Here::join(node, config).await).await
        },
    );
}

/// The same, of a node that is in no room yet.
fn at_every_await_of_a_node(
    visits: usize,
    configure: impl Fn(Config) -> Config,
    operation: impl AsyncFn(usize, NodeHandle, Config) -> bool + Copy + 'static,
) {
    for polls in 0..POLLS_MAX {
        let mut world = World::new(1);
        let (_, relay) = world.add_relay(WsService::new());
        let config = configure(Config::new("app").relays([relay]));
        let mine = config.clone();
        let here = world.add_app(PeerOptions::default().with_id("a"), async move |node, _| {
            operation(polls, node, mine).await
        });
        let there = world.add_app(PeerOptions::default().with_id("b"), move |node, runtime| {
            obey(node, runtime, config, visits)
        });
        let is_over = world.run_until(SECOND * 120, |_| here.is_over() && there.is_over());
        assert!(is_over, "with {polls} polls something hangs: {here:?} {there:?}");
        let (_, reason) = there.take().unwrap();
        assert_eq!(reason, LeaveReason::Left, "with {polls} polls");
        if here.take().unwrap() {
            return;
        }
    }
    panic!("it is never done");
}

#[test]
fn sending() {
    at_every_await(async |polls, here| {
        within(polls, here.chat.send("x".repeat(LARGE))).await.is_some()
    });
}

#[test]
fn receiving() {
    at_every_await(async |polls, here| {
        here.order("say this").await;
        let heard = within(polls, here.chat.recv()).await;
        if heard.is_none() {
            assert_eq!(here.heard().await, "this", "giving up to receive loses nothing");
        }
        heard.is_some()
    });
}

#[test]
fn receiving_what_is_on_its_way() {
    at_every_await(async |polls, here| {
        let mut arriving = here.chat.receiving().unwrap();
        here.order(&format!("say {}", "x".repeat(LARGE))).await;
        let is_done = within(polls, arriving.recv()).await.is_some();
        assert_eq!(here.heard().await.len(), LARGE);
        is_done
    });
}

#[test]
fn pinging() {
    at_every_await(async |polls, here| within(polls, here.room.ping(&here.other)).await.is_some());
}

#[test]
fn asking() {
    at_every_await(async |polls, here| {
        within(polls, here.double().request(&here.other, 1_u32)).await.is_some()
    });
}

#[test]
fn asking_many() {
    at_every_await(async |polls, here| {
        let targets = [here.other.clone()];
        within(polls, here.double().request_many(targets, 1_u32)).await.is_some()
    });
}

#[test]
fn waiting_for_one_of_many_answers() {
    at_every_await(async |polls, here| {
        let mut answers = here.double().request_many([here.other.clone()], 1_u32).start();
        let answer = within(polls, answers.recv()).await;
        if answer.is_none() {
            assert_eq!(answers.recv().await.unwrap().1, Ok(2), "an answer is not lost");
        }
        answer.is_some()
    });
}

#[test]
fn waiting_for_questions() {
    at_every_await(async |polls, here| {
        let mut questions = here.quiz().requests();
        here.order("ask me").await;
        let asked = within(polls, questions.recv()).await;
        let is_done = asked.is_some();
        let asked = match asked {
            Some(asked) => asked,
            None => questions.recv().await,
        };
        asked.unwrap().unwrap().1.respond("you").await.unwrap();
        assert_eq!(here.heard().await, "3");
        is_done
    });
}

#[test]
fn answering() {
    at_every_await(async |polls, here| {
        let mut questions = here.quiz().requests();
        here.order("ask me").await;
        let (_, responder) = questions.recv().await.unwrap().unwrap();
        let is_done = within(polls, responder.respond("x".repeat(LARGE))).await.is_some();
        // Whoever asks has an answer or an error, and waits no longer.
        here.heard().await;
        is_done
    });
}

#[test]
fn waiting_for_a_question_to_be_abandoned() {
    at_every_await(async |_, here| {
        let mut questions = here.quiz().requests();
        here.order("ask me").await;
        let (_, responder) = questions.recv().await.unwrap().unwrap();
        // It is not, so nothing wakes this for a second poll.
        assert!(within(1, responder.abandoned()).await.is_none());
        responder.respond("you").await.unwrap();
        assert_eq!(here.heard().await, "3");
        true
    });
}

#[test]
fn renewing_credentials() {
    at_every_await(async |_, here| {
        let renewing = here.room.serve_ice_credentials(async |_| None);
        assert!(within(1, renewing).await.is_none());
        let renewing = here.room.serve_ice_credentials(async |_| None);
        assert!(within(1, renewing).await.is_none(), "there may be another");
        true
    });
}

#[test]
fn rejecting() {
    at_every_await(async |polls, here| {
        let mut questions = here.quiz().requests();
        here.order("ask me").await;
        let (_, responder) = questions.recv().await.unwrap().unwrap();
        let is_done = within(polls, responder.reject("no")).await.is_some();
        here.heard().await;
        is_done
    });
}

#[test]
fn serving() {
    at_every_await(async |polls, here| {
        let mut answered = false;
        let serving = here.quiz().serve(async |_| Ok::<_, String>("x".repeat(LARGE)));
        here.order("ask me").await;
        {
            let mut serving = pin!(within(polls, serving));
            // It ends when it is dropped; what was heard until then was answered.
            let mut heard = pin!(here.chat.recv());
            poll_fn(|cx| {
                if heard.as_mut().poll(cx).is_ready() {
                    answered = true;
                    return Poll::Ready(());
                }
                serving.as_mut().poll(cx).map(drop)
            })
            .await;
        }
        if !answered {
            here.heard().await;
        }
        answered
    });
}

#[test]
fn transferring() {
    at_every_await(async |polls, here| {
        let bytes = AllowStdIo::new(Bytes::new(vec![1; LARGE]));
        within(polls, here.files().send_from(bytes)).await.is_some()
    });
}

#[test]
fn waiting_for_a_transfer_and_its_pieces() {
    at_every_await(async |polls, here| {
        let mut files = here.files();
        here.order("file").await;
        let incoming = within(polls, files.recv()).await;
        let mut is_done = incoming.is_some();
        let mut incoming = match incoming {
            Some(incoming) => incoming.unwrap(),
            None => files.recv().await.unwrap(),
        };
        let mut length = 0;
        loop {
            let piece = match within(polls, incoming.piece()).await {
                Some(piece) => piece,
                None => {
                    is_done = false;
                    incoming.piece().await
                }
            };
            let Some(piece) = piece.unwrap() else { break };
            length += piece.len();
        }
        assert_eq!(length, LARGE, "no piece is lost, and none comes twice");
        is_done
    });
}

#[test]
fn leaving() {
    at_every_await_of_a_visit(2, async |polls, here| {
        let is_done = within(polls, here.room.clone().leave()).await.is_some();
        if polls == 0 {
            // What was never polled does nothing but let its handle go.
            here.room.clone().leave().await;
        }
        *here = Here::join(here.node.clone(), here.config.clone()).await;
        here.goes_on().await;
        is_done
    });
}

#[test]
fn shutting_down() {
    at_every_await_of_a_visit(1, async |polls, here| {
        let is_done = within(polls, here.node.shut_down()).await.is_some();
        if polls == 0 {
            here.node.shut_down().await;
        }
        here.node.ended().await;
        is_done
    });
}

#[test]
fn waiting_for_events() {
    at_every_await_of_a_visit(2, async |polls, here| {
        let node = here.node.clone();
        here.room.clone().leave().await;
        let room = node.join(&here.config, "room").unwrap();
        let mut events = room.events();
        let mut is_done = true;
        loop {
            let event = match within(polls, events.recv()).await {
                Some(event) => event,
                None => {
                    is_done = false;
                    events.recv().await
                }
            };
            if matches!(event.unwrap(), RoomEvent::PeerJoined { .. }) {
                break;
            }
        }
        is_done
    });
}

#[test]
fn waiting_for_the_end_of_a_node() {
    at_every_await_of_a_visit(1, async |polls, here| {
        let is_done = within(polls, here.node.ended()).await.is_some();
        here.node.shut_down().await;
        // It ends with its node and not before, so only a poll after that is the last.
        is_done || within(polls, here.node.ended()).await.is_some()
    });
}

#[test]
fn shaking_hands() {
    let configure = |config: Config| config.handshake();
    at_every_await_of_a_node(1, configure, async |polls, node, config| {
        let room = node.join(&config, "room").unwrap();
        let (mut events, mut handshakes) = (room.events(), room.handshakes());
        let begun = within(polls, handshakes.recv()).await;
        let mut is_done = begun.is_some();
        let handshake = match begun {
            Some(begun) => begun,
            None => handshakes.recv().await,
        }
        .unwrap();
        let said = within(polls, handshake.recv()).await;
        is_done &= said.is_some();
        let said = match said {
            Some(said) => said,
            None => handshake.recv().await,
        };
        assert_eq!(said.unwrap().payload, "who is there?".into());
        handshake.send("me").unwrap();
        handshake.accept().unwrap();
        joined(&mut events).await;
        is_done
    });
}

#[test]
fn deciding_by_a_closure() {
    let configure = |config: Config| config.handshake();
    at_every_await_of_a_node(1, configure, async |polls, node, config| {
        let room = node.join(&config, "room").unwrap();
        let mut events = room.events();
        let decide = || {
            room.serve_handshakes(async |handshake| {
                handshake.recv().await.ok_or("it is gone")?;
                handshake.send("me").map_err(|_| "it is gone")
            })
        };
        let mut joining = pin!(joined(&mut events));
        {
            let mut deciding = pin!(within(polls, decide()));
            let is_done = poll_fn(|cx| {
                if joining.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(true);
                }
                deciding.as_mut().poll(cx).map(|_| false)
            });
            if is_done.await {
                return true;
            }
        }
        // Who was in the midst of it is refused, and met when it comes again.
        let mut deciding = pin!(decide());
        poll_fn(|cx| {
            assert!(deciding.as_mut().poll(cx).is_pending(), "it goes on as long as the room");
            joining.as_mut().poll(cx).map(drop)
        })
        .await;
        false
    });
}
