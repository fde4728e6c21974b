//! A room on a terminal: what is said in it, and what is said to it.
//!
//! What goes on in the room is here; what is done about lines of input is in [`lines`].

mod lines;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use tokio::task::JoinSet;
use tristero_tokio::{
    Action, IceServerKind, IceUrl, PeerId, PingError, Received, Room, RoomEvent, RoomEvents,
    SendError, Sent, WrongType,
};

use super::NODE_ENDED;
use super::files::{FileEvent, Files};
use super::introductions::Introductions;
use super::people::People;
use super::relays::LostRelays;
use super::terminal::Terminal;
use super::text::{describe, shown};
use super::told;
use crate::exit::Failure;
use crate::lines::StdinLines;

/// The action that lines are sent on: what the demo's page has, too.
const CHAT_ACTION: &str = "chat";
/// The action that names are told on, each to those who join. A page that does not know it keeps
/// the few bytes unread.
const NAME_ACTION: &str = "name";

/// What the end of stdin means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnEnd {
    /// There is nothing more to say: leave, once no file is under way any more.
    Leave,
    /// Go on listening.
    Stay,
}

/// See the [module](self).
pub(crate) struct Conversation {
    room: Room,
    chat: Action<String>,
    naming: Action<String>,
    files: Files,
    on_end: OnEnd,
    greeting: Option<String>,
    people: People,
    introductions: Introductions<Heard>,
    lost_relays: LostRelays,
    /// TURN servers that were told of as being of no help.
    lost_servers: BTreeSet<IceUrl>,
    /// What is on its way. It is bounded by what the room takes for a peer.
    sending: JoinSet<Result<Sent, SendError>>,
    pinging: JoinSet<(PeerId, Result<Duration, PingError>)>,
    terminal: Terminal,
}

/// What is heard of somebody, and told once they were introduced.
#[derive(Debug)]
enum Heard {
    /// They said this, which is safe to be shown.
    Words(String),
    /// They want to be called so.
    Name(String),
    /// They offer this file.
    Offer { number: u64, name: String, size: u64 },
}

/// Whether to go on after something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    GoOn,
    Leave,
}

impl Conversation {
    /// Files that are accepted are saved in this folder.
    pub(crate) fn new(room: &Room, on_end: OnEnd, folder: PathBuf) -> Result<Self, Failure> {
        let terminal = Terminal::default();
        Ok(Conversation {
            room: room.clone(),
            chat: room.action(CHAT_ACTION).map_err(Failure::running)?,
            naming: room.action(NAME_ACTION).map_err(Failure::running)?,
            files: Files::new(room, folder, terminal.clone()).map_err(Failure::running)?,
            on_end,
            greeting: None,
            people: People::new(None),
            introductions: Introductions::new(),
            lost_relays: LostRelays::default(),
            lost_servers: BTreeSet::new(),
            sending: JoinSet::new(),
            pinging: JoinSet::new(),
            terminal,
        })
    }

    /// Says this to everyone who joins.
    pub(crate) fn greet_with(mut self, greeting: impl Into<String>) -> Self {
        self.greeting = Some(greeting.into());
        self
    }

    /// Tells everyone who joins to call us so.
    pub(crate) fn called(mut self, name: String) -> Self {
        self.people = People::new(Some(name));
        self
    }

    /// Talks until stdin has ended, or for ever. `events` are those of the room.
    pub(crate) async fn run(mut self, events: &mut RoomEvents) -> Result<(), Failure> {
        let mut lines = StdinLines::read();
        let mut has_lines = true;
        let mut next = Next::GoOn;
        while next == Next::GoOn && (has_lines || self.is_needed()) {
            tokio::select! {
                event = events.recv() => {
                    self.on_event(event.ok_or_else(ended)?).await?;
                }
                message = self.chat.recv() => {
                    self.hear_names()?;
                    self.hear_words(message.ok_or_else(ended)?)?;
                }
                name = self.naming.recv() => self.hear_name(name.ok_or_else(ended)?)?,
                event = self.files.next() => {
                    self.hear_names()?;
                    self.hear_of_file(event.ok_or_else(ended)?)?;
                }
                Some(sent) = self.sending.join_next() => self.report(sent),
                Some(Ok((peer, pong))) = self.pinging.join_next() => self.on_pong(&peer, pong)?,
                line = lines.next(), if has_lines => match line {
                    Some(line) => next = self.on_line(&line).await?,
                    None => has_lines = false,
                },
            }
        }
        self.finish().await;
        Ok(())
    }

    /// Whether there is something left to do after the end of stdin.
    fn is_needed(&self) -> bool {
        self.on_end == OnEnd::Stay || self.files.is_moving()
    }

    async fn on_event(&mut self, event: RoomEvent) -> Result<(), Failure> {
        match event {
            RoomEvent::PeerJoined { peer } => self.on_joined(&peer)?,
            RoomEvent::PeerLeft { peer, .. } => self.on_left(&peer).await?,
            RoomEvent::JoinFailed { peer, failure } => {
                self.terminal.note(&told::join_failure(&peer, &failure));
            }
            RoomEvent::Relay(relay) => {
                if let Some(note) = self.lost_relays.note(&relay) {
                    self.terminal.note(&note);
                }
            }
            // Those of STUN are many by default, and of no use on one network.
            RoomEvent::IceServerFailed { url, failure }
                if url.kind != IceServerKind::Stun && self.lost_servers.insert(url.clone()) =>
            {
                self.terminal.note(&told::ice_server(&url, &failure));
            }
            RoomEvent::RelayNotice { url, text } => {
                self.terminal.note(&told::relay_notice(&url, &text));
            }
            _ => {}
        }
        Ok(())
    }

    fn on_joined(&mut self, peer: &PeerId) -> Result<(), Failure> {
        self.people.join(peer);
        self.terminal.show(&format!("* {} joined", self.people.title(peer)))?;
        for heard in self.introductions.join(peer) {
            self.tell(peer, heard)?;
        }
        if let Some(name) = self.people.own_name() {
            let send = self.naming.send(name).to(peer);
            self.hand_over(send);
        }
        if let Some(greeting) = &self.greeting {
            let send = self.chat.send(greeting.as_str()).to(peer);
            self.hand_over(send);
        }
        Ok(())
    }

    async fn on_left(&mut self, peer: &PeerId) -> Result<(), Failure> {
        // What came before is there by now.
        self.hear_names()?;
        while let Some(message) = self.chat.try_recv() {
            self.hear_words(message)?;
        }
        self.files.leave(peer).await;
        self.terminal.show(&format!("* {} left", self.people.title(peer)))?;
        self.introductions.leave(peer);
        self.people.leave(peer);
        Ok(())
    }

    fn hear_words(&mut self, message: Result<Received<String>, WrongType>) -> Result<(), Failure> {
        let (peer, words) = match message {
            Ok(Received { peer, value, .. }) => (peer, shown(&value)),
            // A page may say anything.
            Err(WrongType { received, .. }) => {
                let words = describe(&received.value);
                (received.peer, words)
            }
        };
        self.hear(&peer, Heard::Words(words))
    }

    /// Names that were told by now: who says something has said what to be called before.
    fn hear_names(&mut self) -> Result<(), Failure> {
        while let Some(name) = self.naming.try_recv() {
            self.hear_name(name)?;
        }
        Ok(())
    }

    fn hear_name(&mut self, name: Result<Received<String>, WrongType>) -> Result<(), Failure> {
        match name {
            Ok(Received { peer, value, .. }) => self.hear(&peer, Heard::Name(value)),
            Err(_) => Ok(()), // it is no name
        }
    }

    fn hear_of_file(&mut self, event: FileEvent) -> Result<(), Failure> {
        match event {
            FileEvent::Offered { peer, number, name, size } => {
                self.hear(&peer, Heard::Offer { number, name, size })
            }
            FileEvent::News(news) => match told::news(&news) {
                Ok(line) => self.terminal.show(&line),
                Err(note) => {
                    self.terminal.note(&note);
                    Ok(())
                }
            },
        }
    }

    fn hear(&mut self, peer: &PeerId, heard: Heard) -> Result<(), Failure> {
        match self.introductions.hear(peer, heard) {
            Some(heard) => self.tell(peer, heard),
            None => Ok(()),
        }
    }

    fn tell(&mut self, peer: &PeerId, heard: Heard) -> Result<(), Failure> {
        let title = self.people.title(peer);
        match heard {
            Heard::Words(words) => self.terminal.show(&format!("{title}: {words}")),
            Heard::Name(name) if self.people.rename(peer, &name) => {
                let now = self.people.title(peer);
                self.terminal.show(&format!("* {title} is called {now}"))
            }
            Heard::Name(_) => Ok(()),
            Heard::Offer { number, name, size } => {
                self.terminal.show(&told::offer(&title, number, &name, size))
            }
        }
    }
}

fn ended() -> Failure {
    Failure::running(NODE_ENDED)
}
