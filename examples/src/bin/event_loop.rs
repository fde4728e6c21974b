//! A chat in one thread and without async: the plainest loop there is.
//!
//! ```sh
//! cargo run --release -- relay --listen 127.0.0.1:8080
//! cargo run -p tristero-examples --bin event_loop -- --relay ws://127.0.0.1:8080 --loopback
//! ```
//!
//! It sleeps until a socket is ready, something is due, or a line was typed. What happens is printed
//! as JSON, a line each; what is typed is said to everyone. It ends with its input, or after so many
//! messages.

use std::io::{self, BufRead as _};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::thread;

use anyhow::Result;
use clap::Parser;
use mio::{Events, Poll, Token, Waker};
use serde_json::{Value, json};
use tristero_examples::{Epoch, LocalPeer, Place, addresses};
use tristero_proto::signaling::RelayState;
use tristero_proto::wire::{ActionName, Payload};
use tristero_proto::{ActionOptions, Event, PeerId, PeerIds, RoomKey, SendOptions, Time};

/// A chat in one thread and without async
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    place: Place,
    /// Says this to each peer that joins
    #[arg(long, value_name = "TEXT", default_value = "hello")]
    greet: String,
    /// Leaves after so many messages, whatever there is to read
    #[arg(long, value_name = "NUMBER")]
    until_messages: Option<u64>,
}

/// The token of typed lines. Those of the peer begin at 0.
const TYPED: Token = Token(usize::MAX);
/// Lines that wait to be said.
const LINES_MAX: usize = 16;
/// Sockets of which is told after one wait.
const EVENTS_PER_WAIT: usize = 64;

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let epoch = Epoch::begin();
    let mut poll = Poll::new()?;
    let mut ready = Events::with_capacity(EVENTS_PER_WAIT);
    let addresses = addresses(arguments.place.loopback)?;
    let peer = LocalPeer::bind(0, &addresses, poll.registry(), epoch)?;
    let typed = Typed::read(Arc::new(Waker::new(poll.registry(), TYPED)?));
    let mut chat = Chat::join(peer, arguments, epoch.now())?;
    loop {
        // Everything that can be done now is done first,
        chat.peer.turn(epoch.now());
        while let Some(event) = chat.peer.poll_event() {
            if chat.on_event(event, epoch.now())? == Going::Over {
                return Ok(());
            }
        }
        // then the loop sleeps. Doing may have made something due at once, so it is asked last.
        let deadline = chat.peer.deadline().map(|deadline| deadline.at);
        match poll.poll(&mut ready, epoch.pause_until(deadline)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error.into()),
            Ok(()) | Err(_) => {}
        }
        for event in &ready {
            match event.token() {
                TYPED => chat.on_typed(&typed.lines, epoch.now())?,
                token => chat.peer.note_ready(token),
            }
        }
    }
}

/// Lines that are typed. A thread reads them: nothing tells when a terminal, a pipe or a file has one.
struct Typed {
    lines: Receiver<String>,
    /// What a waker said is lost with it, so it lives as long as the loop.
    _waker: Arc<Waker>,
}

impl Typed {
    fn read(waker: Arc<Waker>) -> Self {
        let (sender, lines) = sync_channel(LINES_MAX);
        let waker_of_thread = waker.clone();
        thread::spawn(move || {
            for line in io::stdin().lock().lines().map_while(Result::ok) {
                // Nobody listens once the chat is over.
                if sender.send(line).is_err() || waker_of_thread.wake().is_err() {
                    return;
                }
            }
            drop(sender);
            let _ = waker_of_thread.wake();
        });
        Typed { lines, _waker: waker }
    }
}

/// A room, and what is said there.
struct Chat {
    peer: LocalPeer,
    room: RoomKey,
    action: ActionName,
    arguments: Arguments,
    messages: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Going {
    On,
    Over,
}

impl Chat {
    fn join(mut peer: LocalPeer, arguments: Arguments, now: Time) -> Result<Self> {
        let config = arguments.place.room(&arguments.place.room)?;
        let action = ActionName::new("chat")?;
        let room = peer.act(|node| node.join(config, now))?;
        peer.act(|node| node.register(room, &action, ActionOptions::default(), now))?;
        print(&json!({ "event": "ready", "selfId": peer.self_id().as_str() }));
        Ok(Chat { peer, room, action, arguments, messages: 0 })
    }

    /// Says the lines that were typed, and goodbye after the last.
    fn on_typed(&mut self, lines: &Receiver<String>, now: Time) -> Result<()> {
        loop {
            match lines.try_recv() {
                Ok(line) => self.say(line, None, now)?,
                Err(TryRecvError::Empty) => return Ok(()),
                // Whoever waits for messages has said all there is, and listens.
                Err(TryRecvError::Disconnected) => {
                    if self.arguments.until_messages.is_none() {
                        self.leave(now);
                    }
                    return Ok(());
                }
            }
        }
    }

    fn on_event(&mut self, event: Event, now: Time) -> Result<Going> {
        match event {
            Event::PeerJoined { peer, .. } => {
                print(&json!({ "event": "joined", "peer": peer.as_str() }));
                self.say(self.arguments.greet.clone(), Some(peer), now)?;
            }
            Event::Message { peer, message, .. } => {
                let said = match message.payload {
                    Payload::Text(text) => Value::from(text),
                    Payload::Json(value) => value,
                    Payload::Binary(bytes) => json!({ "bytes": bytes.len() }),
                };
                print(&json!({ "event": "message", "peer": peer.as_str(), "said": said }));
                self.messages += 1;
                if self.arguments.until_messages == Some(self.messages) {
                    self.leave(now);
                }
            }
            Event::PeerLeft { peer, reason, .. } => {
                let (peer, why) = (peer.as_str(), reason.to_string());
                print(&json!({ "event": "left", "peer": peer, "why": why }));
            }
            Event::JoinFailed { peer, failure, .. } => {
                let (peer, why) = (peer.as_str(), failure.to_string());
                print(&json!({ "event": "joinFailed", "peer": peer, "why": why }));
            }
            Event::Relay { status, .. } => {
                let (url, state) = (status.url.to_string(), name_of(&status.state));
                let why = status.last_error;
                print(&json!({ "event": "relay", "url": url, "state": state, "why": why }));
            }
            Event::ShutDown => return Ok(Going::Over),
            // What a chat of texts has no use for.
            _ => {}
        }
        Ok(Going::On)
    }

    /// Says something, to one or to all.
    fn say(&mut self, text: String, to: Option<PeerId>, now: Time) -> Result<()> {
        let options = SendOptions { targets: to.map(PeerIds::from), ..SendOptions::default() };
        let (room, action, payload) = (self.room, &self.action, Payload::Text(text));
        self.peer.act(|node| node.send(room, action, payload, &options, now))?;
        Ok(())
    }

    /// Says goodbye; the loop goes on until it is said.
    fn leave(&mut self, now: Time) {
        self.peer.act(|node| node.shut_down(now));
    }
}

fn name_of(state: &RelayState) -> &'static str {
    match state {
        RelayState::Connecting => "connecting",
        RelayState::Open => "open",
        RelayState::BackingOff { .. } => "waiting",
        RelayState::Paused => "paused",
        RelayState::Retired { .. } => "retired",
        // The list may grow.
        _ => "other",
    }
}

fn print(event: &Value) {
    println!("{event}");
}
