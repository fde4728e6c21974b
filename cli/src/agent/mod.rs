//! `tristero agent`: a peer driven by JSON lines, as docs/agent.md describes it.
//!
//! One task takes the commands in the order in which they are written and begins each before it
//! takes the next, so that their effects have that order. What a command then waits for, it waits
//! for in a task of its own, unless the command says that the next has to wait too.
//!
//! - [`command`]: what a line says; [`payload`]: what is sent; [`reply`]: what becomes of it
//! - [`room`]: a room and what happens there; [`handshake`]: who is let in; [`facts`]: what is
//!   known of connections; [`relays`]: what is known of relays
//! - [`messages`], [`requests`]: what comes under a name; [`account`]: how it is told of
//! - [`sending`], [`asking`]: what goes to peers; [`media`]: audio and video, both ways
//! - [`events`]: what is told on stdout

mod account;
mod asking;
mod command;
mod events;
mod facts;
mod handshake;
mod media;
mod messages;
mod payload;
mod relays;
mod reply;
mod requests;
mod room;
mod sending;
mod usage;

use std::collections::BTreeMap;

use tokio::task::JoinSet;
use tokio::time::sleep;
use tristero_tokio::{NodeHandle, Options};

use self::command::{Command, InRoom, JoinOrder, Order};
use self::events::{Events, Fields};
use self::relays::describe_left;
use self::reply::{Begun, Outcome, Refusal, answer};
use self::room::AgentRoom;
use crate::args::AgentArguments;
use crate::exit::Failure;
use crate::lines::StdinLines;
use crate::node;
use crate::signals::StopSignals;

/// Commands that are under way at once. One more is refused: a script that lets so many pile up
/// has lost sight of them.
const RUNNING_MAX: usize = 4096;

/// Runs commands until the end of stdin, `exit`, a signal, or until nobody reads the events.
pub(crate) async fn run(arguments: AgentArguments) -> Result<(), Failure> {
    let mut signals = StopSignals::listen()?;
    let self_id = arguments.self_id.clone();
    let (loopback, manual_reconnection) = (arguments.loopback, arguments.manual_reconnection);
    let options = Options { self_id, loopback, manual_reconnection, ..Options::default() };
    let node = node::start(options)?;
    let (events, writer) = Events::to_stdout();
    let version = format!("tristero {}", env!("CARGO_PKG_VERSION"));
    let ready = Fields::new().with("selfId", node.self_id().as_str()).with("version", version);
    events.tell("ready", ready).await;

    let mut agent = Agent::new(node, manual_reconnection, events.clone());
    tokio::select! {
        () = agent.follow(&arguments) => {}
        () = signals.next() => {}
        () = events.unread() => {}
    }
    agent.end().await;
    events.finish(writer).await.map_err(Failure::unwritten)
}

/// Whether there is anything left to do after a command.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    GoOn,
    Exit,
}

struct Agent {
    node: NodeHandle,
    /// Whether relays are dialled again on being told only. It is so for all rooms of a node.
    manual_reconnection: bool,
    events: Events,
    rooms: BTreeMap<String, AgentRoom>,
    last_joined: Option<String>,
    /// Every relay that a room had, also one that was left, with its strategy: whoever asks is to
    /// find it.
    relays: BTreeMap<String, String>,
    running: JoinSet<()>,
}

impl Agent {
    fn new(node: NodeHandle, manual_reconnection: bool, events: Events) -> Self {
        Agent {
            node,
            manual_reconnection,
            events,
            rooms: BTreeMap::new(),
            last_joined: None,
            relays: BTreeMap::new(),
            running: JoinSet::new(),
        }
    }

    /// Runs the commands of the arguments, then those of stdin, then lingers.
    async fn follow(&mut self, arguments: &AgentArguments) {
        for line in &arguments.commands {
            if self.take(line.as_bytes()).await == Next::Exit {
                return;
            }
        }
        let mut lines = StdinLines::read();
        while let Some(line) = lines.next().await {
            if self.take(&line).await == Next::Exit {
                return;
            }
        }
        sleep(arguments.linger).await;
    }

    /// Leaves all rooms, and gives up on what is under way.
    async fn end(mut self) {
        self.leave_all().await;
        self.running.shutdown().await;
        self.node.shut_down().await;
    }

    /// Takes one line.
    async fn take(&mut self, line: &[u8]) -> Next {
        if line.trim_ascii().is_empty() {
            return Next::GoOn;
        }
        let Command { caller, wait, order } = Command::parse(line);
        let is_exit = matches!(order, Ok(Order::Exit));
        let begun = match order {
            Ok(order) => self.begin(order).await,
            Err(refusal) => Err(refusal),
        };
        while self.running.try_join_next().is_some() {}
        match begun {
            Ok(Begun::Running(running)) if wait => {
                answer(&self.events, caller, running.await).await;
            }
            Ok(Begun::Running(_)) if self.running.len() >= RUNNING_MAX => {
                let refusal = format!("{RUNNING_MAX} commands are under way already");
                answer(&self.events, caller, Err(Refusal::new(refusal))).await;
            }
            Ok(Begun::Running(running)) => {
                let events = self.events.clone();
                self.running.spawn(async move { answer(&events, caller, running.await).await });
            }
            Ok(Begun::Done(fields)) => answer(&self.events, caller, Ok(fields)).await,
            Err(refusal) => answer(&self.events, caller, Err(refusal)).await,
        }
        if is_exit { Next::Exit } else { Next::GoOn }
    }

    /// Begins a command.
    async fn begin(&mut self, order: Order) -> Result<Begun, Refusal> {
        match order {
            Order::Join(join) => self.join(*join).await.map(Begun::Done),
            Order::Leave(leave) => self.leave(&leave.at).await.map(Begun::Done),
            Order::Register(register) => {
                self.room(&register.at)?.register(register).map(Begun::Done)
            }
            Order::Count(count) => Ok(Begun::Done(self.room(&count.at)?.count(&count.action))),
            Order::Send(send) => sending::send(self.room(&send.at)?, send).await,
            Order::SendMany(many) => sending::send_many(self.room(&many.at)?, many),
            Order::Request(request) => asking::request(self.room(&request.at)?, request).await,
            Order::Ping(ping) => Ok(asking::ping(self.room(&ping.at)?, ping)),
            Order::RestartIce(restart) => {
                self.room(&restart.at)?.restart_ice(&restart.target).map(Begun::Done)
            }
            Order::AddStream(add) => match &add.of {
                None => self.room(&add.at)?.media().add_stream(add).await,
                Some(of) => {
                    let other = self.room(&InRoom(Some(of.clone())))?;
                    let stream = other.media().stream(&add.stream)?;
                    self.room(&add.at)?.media().share_stream(stream, add)
                }
            },
            Order::ReplaceTrack(replace) => {
                let room = self.room(&replace.at)?;
                room.media().replace_track(replace).await
            }
            Order::RemoveStream(remove) => {
                let room = self.room(&remove.at)?;
                room.media().remove_stream(remove)
            }
            Order::Record(record) => {
                self.room(&record.at)?.media().record(&record).map(Begun::Done)
            }
            Order::Peers(order) => Ok(Begun::Done(self.room(&order.at)?.peers())),
            Order::Pairs(order) => Ok(Begun::Done(self.room(&order.at)?.pairs())),
            Order::Relays => Ok(Begun::Done(self.relays())),
            Order::PauseRelays => {
                self.node.pause_relays();
                Ok(Begun::Done(Fields::new()))
            }
            Order::ResumeRelays => {
                self.node.resume_relays();
                Ok(Begun::Done(Fields::new()))
            }
            Order::Stats => Ok(Begun::Done(usage::stats())),
            Order::Sleep(order) => Ok(Begun::Running(Box::pin(async move {
                sleep(order.duration()).await;
                Ok(Fields::new())
            }))),
            Order::Exit => {
                self.leave_all().await;
                Ok(Begun::Done(Fields::new()))
            }
        }
    }

    async fn join(&mut self, order: JoinOrder) -> Outcome {
        let name = order.name().to_owned();
        if self.rooms.contains_key(&name) {
            return Err(Refusal::new(format!("there is a room called {name} already")));
        }
        if order.manual_reconnection().is_some_and(|manual| manual != self.manual_reconnection) {
            return Err(Refusal::new(
                "manualReconnection is for all rooms: an agent has it that was started with \
                 --manual-reconnection, and no other",
            ));
        }
        let (room, t0) = AgentRoom::join(&self.node, order, &self.events).await?;
        let relays = room.relay_names();
        self.relays.extend(relays.map(|(name, strategy)| (name.to_owned(), strategy.to_owned())));
        self.rooms.insert(name.clone(), room);
        self.last_joined = Some(name);
        Ok(Fields::new().with("t0", t0).with("selfId", self.node.self_id().as_str()))
    }

    async fn leave(&mut self, at: &InRoom) -> Outcome {
        let name = self.name(at)?.to_owned();
        let room = self.rooms.remove(&name).ok_or_else(|| no_room(&name))?;
        room.leave().await;
        Ok(Fields::new())
    }

    async fn leave_all(&mut self) {
        while let Some((_, room)) = self.rooms.pop_first() {
            room.leave().await;
        }
    }

    /// The relays of all rooms, and those that no room has any more.
    fn relays(&self) -> Fields {
        let left = self
            .relays
            .iter()
            .fold(Fields::new(), |all, (name, strategy)| all.with(name, describe_left(strategy)));
        let relays = self.rooms.values().fold(left, |all, room| all.with_all(room.relays()));
        Fields::new().with("relays", relays)
    }

    fn room(&mut self, at: &InRoom) -> Result<&mut AgentRoom, Refusal> {
        let name = self.name(at)?.to_owned();
        self.rooms.get_mut(&name).ok_or_else(|| no_room(&name))
    }

    fn name<'a>(&'a self, at: &'a InRoom) -> Result<&'a str, Refusal> {
        let name = at.0.as_deref().or(self.last_joined.as_deref());
        name.ok_or_else(|| Refusal::new("no room was joined"))
    }
}

fn no_room(name: &str) -> Refusal {
    Refusal::new(format!("there is no room {name}"))
}
