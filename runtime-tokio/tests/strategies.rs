//! Strategies and media of an application's own. The examples are what is tested here.

#![allow(clippy::unwrap_used, reason = "a test that can not go on may panic")]

#[path = "../../runtime-native/suite/common.rs"]
mod common;
#[allow(dead_code, reason = "what an example does with its strategy is not tested")]
#[path = "../examples/over_redis/main.rs"]
mod over_redis;
#[allow(dead_code, reason = "what an example does with its strategy is not tested")]
#[path = "../examples/own_strategy/main.rs"]
mod own_strategy;

use tristero_tokio as rooms;

mod runtime;

use std::future::pending;
use std::net::TcpListener;
use std::process::Stdio;

use common::{have_met, peer, peer_with, relay, soon, until};
use over_redis::{Redis, dialer::RedisDialer};
use own_strategy::Lists;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;
use tristero_tokio::signaling::RelayUrl;
use tristero_tokio::{
    Config, Dialer, Dialers, Dialling, NodeHandle, Options, Proxies, RelayState, RoomEvent,
};

/// A node that dials `redis:` relays so.
fn peer_dialling(dialer: impl Dialer + 'static) -> NodeHandle {
    let dialers = Dialers::default().with("redis", dialer);
    peer_with(Options { dialers, proxies: Proxies::none(), ..Options::default() })
}

/// A Redis server of this machine, for tests with it in their names, which ends with the test.
async fn redis() -> (Child, String) {
    loop {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        // Somebody else may take the port before the server does, which ends then.
        if let Some(server) = redis_at(port).await {
            return (server, format!("redis://127.0.0.1:{port}"));
        }
    }
}

async fn redis_at(port: u16) -> Option<Child> {
    let mut server = Command::new("redis-server")
        .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
        .args(["--save", "", "--appendonly", "no"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("redis-server is not there: `cargo xtask setup` installs it");
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let is_ready = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.contains("Ready to accept connections") {
                return true;
            }
            assert!(!line.contains("FATAL"), "{line}");
        }
        false
    };
    let is_ready = soon(is_ready).await;
    // It ends if nobody takes what it prints.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    is_ready.then_some(server)
}

#[tokio::test]
async fn two_meet_by_a_strategy_of_their_own() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    tokio::spawn(own_strategy::service::serve(listener));
    let config = Config::new("app").strategy_at(Lists, [url]);
    let (a, b) = (peer().join(&config, "room").unwrap(), peer().join(&config, "room").unwrap());
    have_met(&a, &b).await;
    let status = &a.relays()[0];
    assert_eq!((&*status.strategy, status.malformed), ("lists", 0));
}

#[tokio::test]
async fn two_meet_over_redis() {
    let (_server, url) = redis().await;
    let config = Config::new("app").strategy_at(Redis, [url]);
    let join = || peer_dialling(RedisDialer).join(&config, "room").unwrap();
    let (a, b) = (join(), join());
    have_met(&a, &b).await;
    let status = &a.relays()[0];
    assert_eq!((&*status.strategy, status.malformed), ("redis", 0));
}

#[tokio::test]
async fn redis_that_ends_is_dialled_again() {
    let (mut server, url) = redis().await;
    let config = Config::new("app").strategy_at(Redis, [url]);
    let room = peer_dialling(RedisDialer).join(&config, "room").unwrap();
    let mut events = room.events();
    let mut is = async |wanted: fn(&RelayState) -> bool| {
        until(&mut events, |event| match event {
            RoomEvent::Relay(status) => wanted(&status.state).then_some(()),
            _ => None,
        })
        .await;
    };
    is(|state| *state == RelayState::Open).await;
    soon(server.kill()).await.unwrap();
    is(|state| matches!(state, RelayState::BackingOff { .. })).await;
}

#[tokio::test]
async fn a_medium_that_nothing_dials_is_an_error_that_says_so() {
    let config = Config::new("app").strategy_at(Redis, ["nats://127.0.0.1"]);
    let room = peer_dialling(RedisDialer).join(&config, "room").unwrap();
    let why = until(&mut room.events(), |event| match event {
        RoomEvent::Relay(status) => status.last_error,
        _ => None,
    })
    .await;
    assert!(why.contains("Options::dialers"), "{why}");
}

/// Never gets there, and tells by its end that it was given up.
struct Hanging(std::sync::Mutex<Option<oneshot::Sender<()>>>);

impl Dialer for Hanging {
    fn dial(&self, _url: &RelayUrl) -> Dialling {
        let given_up = self.0.lock().unwrap().take();
        Box::pin(async move {
            let _given_up = given_up;
            pending().await
        })
    }
}

#[tokio::test]
async fn a_dialer_that_hangs_holds_nothing_up_and_is_dropped_with_its_link() {
    let (sender, given_up) = oneshot::channel();
    let a = peer_dialling(Hanging(Some(sender).into()));
    let config = Config::new("app").relay(relay().await);
    let both = config.clone().strategy_at(Redis, ["redis://127.0.0.1"]);
    let a = a.join(&both, "room").unwrap();
    let b = peer().join(&config, "room").unwrap();
    have_met(&a, &b).await;
    soon(a.leave()).await;
    assert!(soon(given_up).await.is_err(), "what it held is dropped");
}

struct Panicking;

impl Dialer for Panicking {
    fn dial(&self, _url: &RelayUrl) -> Dialling {
        panic!("a dialer of the test")
    }
}

#[tokio::test]
async fn a_dialer_that_panics_is_a_relay_that_can_not_be_reached() {
    let config = Config::new("app").relay(relay().await);
    let both = config.clone().strategy_at(Redis, ["redis://127.0.0.1"]);
    let a = peer_dialling(Panicking).join(&both, "room").unwrap();
    let mut events = a.events();
    let why = until(&mut events, |event| match event {
        RoomEvent::Relay(status) => status.last_error,
        _ => None,
    });
    assert_eq!(why.await, "what dials this relay panicked");
    let b = peer().join(&config, "room").unwrap();
    have_met(&a, &b).await;
}
