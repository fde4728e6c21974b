//! A room on a terminal: what is said in it, and what is said to it.

use std::collections::BTreeSet;
use std::future::IntoFuture;
use std::io::{self, Write};
use std::time::Duration;

use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;
use tristero_tokio::{
    JoinFailure, Payload, PeerId, RawAction, Received, RelayState, RelayStatus, Room, RoomEvent,
    RoomEvents, SendBuilder, SendError, Sent,
};

use super::introductions::Introductions;
use super::text::{describe, printable, without_passwords};
use super::{CHAT_ACTION, NODE_ENDED};
use crate::exit::Failure;
use crate::lines::StdinLines;

/// What the last lines get to be handed over after the end of stdin. A peer that takes longer is
/// as good as gone.
const LAST_LINES: Duration = Duration::from_secs(2);

/// What the end of stdin means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnEnd {
    /// There is nothing more to say: leave.
    Leave,
    /// Go on listening.
    Stay,
}

/// See the [module](self).
pub(crate) struct Conversation {
    room: Room,
    action: RawAction,
    on_end: OnEnd,
    greeting: Option<String>,
    introductions: Introductions,
    /// The relays that are out of reach, so that each is complained about once.
    lost_relays: BTreeSet<String>,
    /// What is on its way. It is bounded by what the room takes for a peer.
    sending: JoinSet<Result<Sent, SendError>>,
}

impl Conversation {
    pub(crate) fn new(room: &Room, on_end: OnEnd) -> Result<Self, Failure> {
        Ok(Conversation {
            room: room.clone(),
            action: room.action(CHAT_ACTION).map_err(Failure::running)?,
            on_end,
            greeting: None,
            introductions: Introductions::default(),
            lost_relays: BTreeSet::new(),
            sending: JoinSet::new(),
        })
    }

    /// Says this to everyone who joins.
    pub(crate) fn greet_with(mut self, greeting: impl Into<String>) -> Self {
        self.greeting = Some(greeting.into());
        self
    }

    /// Talks until stdin has ended, or for ever. `events` are those of the room.
    pub(crate) async fn run(mut self, events: &mut RoomEvents) -> Result<(), Failure> {
        let mut lines = StdinLines::read();
        let mut has_lines = true;
        loop {
            tokio::select! {
                event = events.recv() => {
                    let event = event.ok_or_else(|| Failure::running(NODE_ENDED))?;
                    self.on_event(event)?;
                }
                message = self.action.recv() => {
                    let message = message.ok_or_else(|| Failure::running(NODE_ENDED))?;
                    if let Ok(message) = message {
                        self.hear(message)?;
                    }
                }
                Some(sent) = self.sending.join_next() => report(sent),
                line = lines.next(), if has_lines => match (line, self.on_end) {
                    (Some(line), _) => self.say(&line),
                    (None, OnEnd::Stay) => has_lines = false,
                    (None, OnEnd::Leave) => {
                        self.finish().await;
                        return Ok(());
                    }
                },
            }
        }
    }

    fn on_event(&mut self, event: RoomEvent) -> Result<(), Failure> {
        match event {
            RoomEvent::PeerJoined { peer } => {
                print_line(&format!("* {} joined", printable(peer.as_str())))?;
                for line in self.introductions.join(&peer) {
                    print_line(&line)?;
                }
                self.greet(&peer);
            }
            RoomEvent::PeerLeft { peer, .. } => {
                // What was said before is there by now.
                while let Some(Ok(message)) = self.action.try_recv() {
                    self.hear(message)?;
                }
                self.introductions.leave(&peer);
                print_line(&format!("* {} left", printable(peer.as_str())))?;
            }
            RoomEvent::JoinFailed { peer, failure } => {
                eprintln!("{}", describe_failure(&peer, &failure));
            }
            RoomEvent::Relay(relay) => self.on_relay(&relay),
            _ => {}
        }
        Ok(())
    }

    fn hear(&mut self, message: Received<Payload>) -> Result<(), Failure> {
        let Received { peer, value: payload, .. } = message;
        let line = format!("{}: {}", printable(peer.as_str()), describe(&payload));
        self.introductions.say(peer, line).map_or(Ok(()), |line| print_line(&line))
    }

    fn on_relay(&mut self, relay: &RelayStatus) {
        let url = relay.url.as_str();
        let shown = without_passwords(url);
        match relay.state {
            RelayState::Open if self.lost_relays.remove(url) => {
                eprintln!("connected to the relay {shown} again");
            }
            RelayState::BackingOff { .. } if self.lost_relays.insert(url.to_owned()) => {
                let why = relay.last_error.as_deref().unwrap_or("it hung up");
                let why = without_passwords(why);
                eprintln!("the relay {shown} is out of reach: {}", printable(&why));
            }
            _ => {}
        }
    }

    fn greet(&mut self, peer: &PeerId) {
        if let Some(greeting) = &self.greeting {
            let send = self.action.send(greeting.as_str()).to(peer);
            self.hand_over(send);
        }
    }

    fn say(&mut self, line: &[u8]) {
        if line.is_empty() {
            return;
        }
        if self.room.peers().is_empty() {
            eprintln!("nobody is here to hear that");
            return;
        }
        let send = self.action.send(String::from_utf8_lossy(line).into_owned());
        self.hand_over(send);
    }

    /// Sends now, so that lines keep their order, and waits elsewhere.
    fn hand_over(&mut self, send: SendBuilder) {
        self.sending.spawn(send.into_future());
    }

    async fn finish(&mut self) {
        let handed_over = async {
            while let Some(sent) = self.sending.join_next().await {
                report(sent);
            }
        };
        if timeout(LAST_LINES, handed_over).await.is_err() {
            eprintln!("not everybody got the last lines");
        }
    }
}

/// A wrong password in the words of people; it shows in three ways on the wire.
fn describe_failure(peer: &PeerId, failure: &JoinFailure) -> String {
    let peer = printable(peer.as_str());
    match failure {
        JoinFailure::OfferPassword | JoinFailure::AnswerPassword | JoinFailure::PasswordProof => {
            format!("{peer} and you have different passwords, so you don't meet")
        }
        failure => format!("{peer} could not join: {}", printable(&failure.to_string())),
    }
}

fn report(sent: Result<Result<Sent, SendError>, JoinError>) {
    match sent {
        Ok(Ok(sent)) => {
            for (peer, failure) in &sent.failed {
                eprintln!("not sent to {}: {failure}", printable(peer.as_str()));
            }
        }
        Ok(Err(error)) => eprintln!("not sent: {}", printable(&error.to_string())),
        Err(error) => eprintln!("not sent: {error}"),
    }
}

/// A whole line at once, and at once: someone may be reading from a pipe.
fn print_line(line: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    let written = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
    written.map_err(Failure::unwritten)
}
