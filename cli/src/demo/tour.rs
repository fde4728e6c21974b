//! Two peers meet and show what they can do.

use std::convert::Infallible;
use std::future::pending;
use std::time::Instant;

use bytes::Bytes;
use indicatif::ProgressBar;
use serde_json::json;
use tristero_tokio::{
    Config, NodeHandle, Options, Payload, PeerId, RawAction, Received, ReceivingStream,
    RequestAction, Room, RoomEvent, RoomEvents, SendBuilder,
};

use super::screen::Screen;
use super::{APP_ID, start_relay};
use crate::exit::Failure;
use crate::node;
use crate::words::milliseconds;

const ROOM_ID: &str = "tour";
/// The size of the file: about a second at the worst.
const FILE_MIB: usize = 16;
const FILE_BYTES: usize = FILE_MIB * 1024 * 1024;

/// A question with two numbers, and its answer.
type Multiply = RequestAction<(i32, i32), i32>;

/// A peer in the room.
struct Guest {
    name: &'static str,
    node: NodeHandle,
    room: Room,
    events: RoomEvents,
}

/// Goes through all steps, and shows each.
pub(crate) async fn run() -> Result<(), Failure> {
    let mut screen =
        Screen::new("Two peers, one relay, one process: real sockets, and nothing leaves here.")?;
    let (relay, url) = screen
        .step("relay", async {
            let (relay, url) = start_relay().await?;
            let told = format!("a relay listens on {url}");
            Ok(((relay, url), told))
        })
        .await?;
    let (mut alice, mut bob) = screen
        .step("join", async {
            let (alice, bob) = (Guest::join("Alice", &url)?, Guest::join("Bob", &url)?);
            let told = format!("Alice is {}, Bob is {}", alice.room.self_id(), bob.room.self_id());
            Ok(((alice, bob), told))
        })
        .await?;
    screen.step("meet", meet(&mut alice, &mut bob)).await?;
    screen.step("greet", greet(&alice, &bob)).await?;
    screen.step("json", send_json(&alice, &bob)).await?;
    screen.step("ask", ask(&alice, &bob)).await?;
    screen.step("ping", ping(&alice, &bob)).await?;
    let file = Payload::Binary(sample_file());
    let bar = screen.bar(FILE_BYTES as u64);
    screen.step("file", send_file(&alice, &bob, file, &bar)).await?;
    screen.step("leave", part(alice, bob)).await?;
    screen
        .step("stop", async {
            relay.shutdown();
            relay.stopped().await;
            Ok(((), format!("the relay carried {} signals", relay.stats().counters.published)))
        })
        .await?;
    screen.finish("they met through the relay, and talked without it.")?;
    screen.say("\nNext: tristero demo --web, or tristero chat --help")
}

impl Guest {
    fn join(name: &'static str, relay: &str) -> Result<Self, Failure> {
        let node = node::start(Options { loopback: true, ..Options::default() })?;
        let config = Config::new(APP_ID).relay(relay).password("open sesame");
        let room = node.join(&config, ROOM_ID).map_err(Failure::running)?;
        let events = room.events();
        Ok(Guest { name, node, room, events })
    }

    fn action(&self, name: &str) -> Result<RawAction, Failure> {
        self.room.action(name).map_err(Failure::running)
    }

    /// Waits until another has come.
    async fn welcome(&mut self) -> Result<PeerId, Failure> {
        loop {
            match self.events.recv().await {
                Some(RoomEvent::PeerJoined { peer }) => return Ok(peer),
                Some(RoomEvent::JoinFailed { failure, .. }) => {
                    return Err(Failure::running(format!("{} met nobody: {failure}", self.name)));
                }
                Some(_) => {}
                None => return Err(self.alone()),
            }
        }
    }

    /// Waits until the other has gone, and says why.
    async fn farewell(&mut self) -> Result<String, Failure> {
        loop {
            match self.events.recv().await {
                Some(RoomEvent::PeerLeft { reason, .. }) => return Ok(reason.to_string()),
                Some(_) => {}
                None => return Err(self.alone()),
            }
        }
    }

    fn alone(&self) -> Failure {
        Failure::running(format!("{}'s peer has ended by itself, which is a bug", self.name))
    }
}

async fn meet(alice: &mut Guest, bob: &mut Guest) -> Result<((), String), Failure> {
    let (seen_by_alice, seen_by_bob) = tokio::try_join!(alice.welcome(), bob.welcome())?;
    let is_the_other = seen_by_alice == *bob.room.self_id() && seen_by_bob == *alice.room.self_id();
    if !is_the_other {
        return Err(Failure::running("Alice and Bob met someone else"));
    }
    let path = alice.room.connection_info(&seen_by_alice).and_then(|info| info.path);
    let told = match path {
        Some(path) => format!("connected by WebRTC, UDP {} to {}", path.local, path.remote),
        None => "connected by WebRTC".to_owned(),
    };
    Ok(((), told))
}

async fn greet(alice: &Guest, bob: &Guest) -> Result<((), String), Failure> {
    let (mut at_alice, mut at_bob) = (alice.action("greeting")?, bob.action("greeting")?);
    let (hello, answer) = ("Hello, Bob!", "Hello, Alice!");
    transfer(at_alice.send(hello), &mut at_bob, &hello.into()).await?;
    transfer(at_bob.send(answer), &mut at_alice, &answer.into()).await?;
    Ok(((), format!("{}: {hello} {}: {answer}", alice.name, bob.name)))
}

async fn send_json(alice: &Guest, bob: &Guest) -> Result<((), String), Failure> {
    let (at_alice, mut at_bob) = (alice.action("move")?, bob.action("move")?);
    let chess = json!({"piece": "♘", "from": "g1", "to": "f3", "clock": [598.2, 600]});
    transfer(at_alice.send(chess.clone()), &mut at_bob, &chess.clone().into()).await?;
    Ok(((), format!("Bob got {chess}, as it was sent")))
}

async fn ask(alice: &Guest, bob: &Guest) -> Result<((), String), Failure> {
    let at_alice: Multiply = alice.room.request_action("multiply").map_err(Failure::running)?;
    let at_bob: Multiply = bob.room.request_action("multiply").map_err(Failure::running)?;
    let bob_answers = at_bob.serve(async |request| {
        let (a, b) = request.value;
        Ok::<_, Infallible>(a * b)
    });
    tokio::select! {
        answer = at_alice.request(bob.room.self_id(), (6, 7)) => match answer {
            Ok(42) => Ok(((), "Alice asked for 6 × 7, and Bob answered 42".to_owned())),
            Ok(other) => Err(Failure::running(format!("Bob answered {other}"))),
            Err(error) => Err(Failure::running(error)),
        },
        () = bob_answers => Err(bob.alone()),
    }
}

async fn ping(alice: &Guest, bob: &Guest) -> Result<((), String), Failure> {
    let rtt = alice.room.ping(bob.room.self_id()).await.map_err(Failure::running)?;
    Ok(((), format!("there and back between the two takes {}", milliseconds(rtt))))
}

async fn send_file(
    alice: &Guest,
    bob: &Guest,
    file: Payload,
    bar: &ProgressBar,
) -> Result<((), String), Failure> {
    let (at_alice, mut at_bob) = (alice.action("file")?, bob.action("file")?);
    let arriving = at_bob.receiving().map_err(Failure::running)?;
    let about = json!({"name": "sample.bin", "size": FILE_BYTES});

    let began = Instant::now();
    let send = at_alice.send(file.clone()).metadata(about);
    let received = tokio::select! {
        received = transfer(send, &mut at_bob, &file) => received?,
        never = show_arriving(arriving, bar) => match never {},
    };
    let seconds = began.elapsed().as_secs_f64();
    bar.finish_and_clear();

    let name = received.metadata.as_ref().and_then(|about| about["name"].as_str());
    let name = name.ok_or_else(|| Failure::running("the file came without its name"))?;
    let rate = FILE_MIB as f64 / seconds;
    Ok(((), format!("Bob got {name}, {FILE_MIB} MiB, as it was sent: {rate:.1} MiB/s")))
}

async fn part(alice: Guest, mut bob: Guest) -> Result<((), String), Failure> {
    alice.room.leave().await;
    let reason = bob.farewell().await?;
    bob.room.leave().await;
    tokio::join!(alice.node.shut_down(), bob.node.shut_down());
    Ok(((), format!("Bob saw that Alice left ({reason}), and left too")))
}

/// Sends, and waits until it has come as it was sent.
async fn transfer(
    send: SendBuilder,
    to: &mut RawAction,
    payload: &Payload,
) -> Result<Received<Payload>, Failure> {
    let sent = async {
        let sent = send.await.map_err(Failure::running)?;
        match sent.failed.first() {
            None => Ok(()),
            Some((_, failure)) => Err(Failure::running(format!("Bob got nothing: {failure}"))),
        }
    };
    let received = async {
        let received = to.recv().await;
        let received = received.ok_or_else(|| Failure::running("the room was lost"))?;
        received.map_err(Failure::running)
    };
    let ((), received) = tokio::try_join!(sent, received)?;
    if received.value != *payload {
        return Err(Failure::running("something else came than was sent"));
    }
    Ok(received)
}

/// Moves the bar for ever.
async fn show_arriving(mut arriving: ReceivingStream, bar: &ProgressBar) -> Infallible {
    while let Some(step) = arriving.recv().await {
        let bytes = step.fraction * FILE_BYTES as f64;
        #[expect(clippy::cast_possible_truncation, reason = "a fraction of the file's size")]
        #[expect(clippy::cast_sign_loss, reason = "a fraction is not negative")]
        bar.set_position(bytes as u64);
    }
    pending().await
}

/// Bytes in which no part repeats, so that a part that went astray would be noticed.
fn sample_file() -> Bytes {
    let words = (0_u32..).map(|n| n.wrapping_mul(0x9e37_79b1).to_le_bytes());
    words.flatten().take(FILE_BYTES).collect()
}
