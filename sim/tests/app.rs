//! Applications that are written against the async API run in a world.

#![allow(clippy::unwrap_used, reason = "a test that can not go on may panic")]

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use tristero::{Action, Config, LeaveReason, NodeHandle, Room, RoomEvent};
use tristero_proto::{RelayConfig, Time};
use tristero_sim::{Conditions, Elapsed, PeerOptions, SimRuntime, World, WsService};

const SECOND: Duration = Duration::from_secs(1);

fn world(seed: u64) -> (World, Config) {
    let mut world = World::new(seed);
    let (_, relay) = world.add_relay(WsService::new());
    (world, config([relay]))
}

fn config(relays: impl IntoIterator<Item = RelayConfig>) -> Config {
    Config::new("app").relays(relays)
}

fn options(id: &str) -> PeerOptions {
    PeerOptions::default().with_id(id)
}

/// Waits until somebody is there.
async fn meet(room: &Room) {
    let mut events = room.events();
    while !matches!(events.recv().await.unwrap(), RoomEvent::PeerJoined { .. }) {}
}

/// Waits until somebody is gone, and says why.
async fn part(room: &Room) -> LeaveReason {
    let mut events = room.events();
    loop {
        if let RoomEvent::PeerLeft { reason, .. } = events.recv().await.unwrap() {
            return reason;
        }
    }
}

/// Sends a number for each tenth of a second, and gives all that it was sent until the other left.
async fn count(node: NodeHandle, runtime: SimRuntime, config: Config, up_to: u32) -> Vec<u32> {
    let room = node.join(&config, "room").unwrap();
    let mut numbers: Action<u32> = room.action("number").unwrap();
    let mut received = Vec::new();
    meet(&room).await;
    for number in 0..up_to {
        numbers.send(number).await.unwrap();
        runtime.sleep(SECOND / 10).await;
        while let Some(number) = numbers.try_recv() {
            received.push(number.unwrap().value);
        }
    }
    while let Ok(Some(number)) = runtime.timeout(SECOND * 20, numbers.recv()).await {
        received.push(number.unwrap().value);
    }
    received
}

#[test]
fn applications_meet_and_hear_each_other_where_one_in_five_datagrams_is_lost() {
    let (mut world, config) = world(1);
    world.network().set_conditions(Conditions::default().with_random_loss(20.0));
    let other = config.clone();
    let a = world.add_app(options("a"), |node, runtime| count(node, runtime, config, 50));
    let b = world.add_app(options("b"), |node, runtime| count(node, runtime, other, 50));
    assert!(world.run_until(SECOND * 120, |_| a.is_over() && b.is_over()), "{a:?} {b:?}");
    let all: Vec<u32> = (0..50).collect();
    assert_eq!((a.take(), b.take()), (Some(all.clone()), Some(all)));
    assert_eq!(world.id(a.who()).as_str(), "a");
}

#[test]
fn equal_seeds_give_equal_runs_of_applications_too() {
    let digest = |seed| {
        let (mut world, config) = world(seed);
        let bad = Conditions::default().with_random_loss(20.0).with_jitter(SECOND / 100);
        world.network().set_conditions(bad);
        for _ in 0..3 {
            let config = config.clone();
            world.add_app(PeerOptions::default(), |node, runtime| count(node, runtime, config, 20));
        }
        world.run_for(SECOND * 30);
        world.digest()
    };
    assert_eq!(digest(7), digest(7));
    assert_ne!(digest(7), digest(8));
}

#[test]
fn an_application_meets_a_bare_node() {
    let mut world = World::new(2);
    let (_, relay) = world.add_relay(WsService::new());
    let bare = world.add_peer(options("bare"));
    let room = tristero_proto::RoomConfig {
        relays: vec![relay.clone()],
        ..tristero_proto::RoomConfig::new("app", "room")
    };
    let room = world.join(bare, room).unwrap();
    let app = world.add_app(options("app"), async move |node, runtime: SimRuntime| {
        let room = node.join(&config([relay]), "room").unwrap();
        meet(&room).await;
        runtime.sleep(SECOND).await;
        room.peers().into_keys().map(|peer| peer.to_string()).collect::<Vec<_>>()
    });
    let has_met = world.run_until(SECOND * 2, |world| !world.members(bare, room).is_empty());
    assert!(has_met);
    assert!(world.run_until(SECOND * 2, |_| app.is_over()));
    assert_eq!(app.take().unwrap(), ["bare"]);
    assert!(
        world.run_until(SECOND, |world| world.members(bare, room).is_empty()),
        "what it let go says goodbye"
    );
}

#[test]
fn time_moves_only_when_nobody_has_anything_to_do() {
    let mut world = World::new(3);
    let log = Rc::new(RefCell::new(Vec::new()));
    let seen = log.clone();
    let app = world.add_app(PeerOptions::default(), async move |_node, runtime: SimRuntime| {
        let note = |what| seen.borrow_mut().push((runtime.now().since_epoch().as_millis(), what));
        note("begins");
        let never = std::future::pending::<()>();
        assert_eq!(runtime.timeout(SECOND * 3, never).await, Err(Elapsed));
        note("gave up");
        assert_eq!(runtime.timeout(SECOND, async { 7 }).await, Ok(7));
        runtime.sleep(Duration::ZERO).await;
        note("slept for as short as can be");
        runtime.sleep_until(Time::ZERO).await;
        note("is not late");
    });
    world.run_for(SECOND * 10);
    assert!(app.is_over());
    assert_eq!(
        *log.borrow(),
        [
            (0, "begins"),
            (3_000, "gave up"),
            (3_001, "slept for as short as can be"),
            (3_001, "is not late")
        ]
    );
    assert_eq!(world.now(), Time::from_millis(10_000));
}

#[test]
fn spawned_tasks_run_in_the_order_of_their_birth_and_outlive_their_application() {
    let mut world = World::new(4);
    let log = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = log.clone();
    let app = world.add_app(PeerOptions::default(), async move |_node, runtime: SimRuntime| {
        for number in 0..3 {
            let (seen, clock) = (seen.clone(), runtime.clone());
            runtime.spawn(async move {
                seen.lock().unwrap().push(number);
                clock.sleep(SECOND).await;
                seen.lock().unwrap().push(10 + number);
            });
        }
    });
    assert!(app.is_over());
    world.run_for(SECOND * 2);
    assert_eq!(*log.lock().unwrap(), [0, 1, 2, 10, 11, 12]);
}

/// Stays for ever.
async fn stay(node: NodeHandle, _: SimRuntime, config: Config) {
    let room = node.join(&config, "room").unwrap();
    while room.events().recv().await.is_some() {
        std::future::pending::<()>().await;
    }
}

/// Meets somebody, and says why they left and when.
async fn see_off(node: NodeHandle, runtime: SimRuntime, config: Config) -> (LeaveReason, Time) {
    let room = node.join(&config, "room").unwrap();
    let reason = part(&room).await;
    (reason, runtime.now())
}

#[test]
fn an_application_that_crashes_drops_everything_and_says_no_goodbye() {
    let (mut world, config) = world(5);
    let other = config.clone();
    let alive = Rc::new(());
    let held = alive.clone();
    let a = world.add_app(options("a"), async move |node, runtime| {
        let _held = held;
        stay(node, runtime, config).await;
    });
    let b = world.add_app(options("b"), |node, runtime| see_off(node, runtime, other));
    world.run_for(SECOND * 5);
    assert_eq!(Rc::strong_count(&alive), 2);
    world.crash(a.who());
    assert_eq!(Rc::strong_count(&alive), 1, "its future is gone");
    world.run_for(SECOND * 2);
    assert!(!b.is_over(), "nobody told it");
    assert!(world.run_until(SECOND * 120, |_| b.is_over()));
    assert_ne!(b.take().unwrap().0, LeaveReason::Left);
    assert!(!a.is_over());
}

#[test]
fn an_application_sleeps_with_its_machine_and_sees_how_long_that_was() {
    let mut world = World::new(6);
    let app = world.add_app(PeerOptions::default(), async move |_node, runtime: SimRuntime| {
        runtime.sleep(SECOND).await;
        runtime.now()
    });
    world.sleep(app.who());
    world.run_for(SECOND * 3_600);
    assert!(!app.is_over());
    world.wake(app.who());
    world.run_for(SECOND);
    assert_eq!(app.take(), Some(Time::from_millis(3_600_000)));
}

#[test]
fn applications_that_roam_stay_in_touch() {
    let (mut world, config) = world(7);
    let other = config.clone();
    let a = world.add_app(options("a"), |node, runtime| stay(node, runtime, config));
    let b = world.add_app(options("b"), async move |node: NodeHandle, _| {
        let room = node.join(&other, "room").unwrap();
        meet(&room).await;
        room
    });
    world.run_for(SECOND * 3);
    let room = b.take().expect("they have met");
    world.roam(a.who());
    assert!(world.run_until(SECOND * 120, |_| room.peers().len() == 1
        && room.peers().into_values().all(|info| info.rtt.is_some())),);
}

#[test]
fn a_handle_that_left_its_application_still_works() {
    let (mut world, config) = world(8);
    let other = config.clone();
    let a = world.add_app(options("a"), async move |node: NodeHandle, _| {
        let room = node.join(&config, "room").unwrap();
        meet(&room).await;
        room
    });
    let b = world.add_app(options("b"), async move |node: NodeHandle, _| {
        let room = node.join(&other, "room").unwrap();
        let mut texts: Action<String> = room.action("text").unwrap();
        texts.recv().await.unwrap().unwrap().value
    });
    assert!(world.run_until(SECOND * 5, |_| a.is_over()));
    let room = a.take().unwrap();
    let texts: Action<String> = room.action("text").unwrap();
    texts.send("from outside").detach().unwrap();
    assert!(world.run_until(SECOND, |_| b.is_over()));
    assert_eq!(b.take().unwrap(), "from outside");
}

#[test]
#[should_panic(expected = "so much to do that time stands")]
fn an_application_that_spins_is_found_out() {
    let mut world = World::new(9);
    world.add_app(PeerOptions::default(), async |_node, _runtime| {
        std::future::poll_fn::<(), _>(|cx| {
            cx.waker().wake_by_ref();
            std::task::Poll::Pending
        })
        .await;
    });
}

#[test]
#[should_panic(expected = "the application's own")]
fn the_node_of_an_application_is_not_for_others() {
    let mut world = World::new(10);
    let app = world.add_app(PeerOptions::default(), async |_node, _runtime| ());
    world.with(app.who(), |_, _| ());
}
