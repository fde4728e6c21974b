//! Multicast DNS, as far as candidates need it: the address behind a name, and names for our
//! addresses.
//!
//! Libraries for it publish services, which anyone can list, and keep a thread and a cache; a
//! candidate's name is to be found by those alone who were told of it. So the records are those of
//! `simple-dns`, and the little that is left is here: a question that is put twice, and an answer to
//! whoever asks. Names are random, so nobody else can have them: they are not probed for. And as they
//! are never used again, nobody's cache needs to be told when they come or go.
//!
//! There are sockets only while something is asked for or published. Nothing goes to a server, and
//! nothing is believed or answered that comes from beyond the network that an interface is on.
//!
//! spec: RFC 6762; draft-ietf-mmusic-mdns-ice-candidates, section 3

mod group;
mod message;
mod probe;
mod task;

use std::fmt;
use std::marker::PhantomData;
use std::net::IpAddr;
use std::sync::Arc;

use futures_channel::mpsc;
use futures_util::SinkExt as _;
use tristero_proto::engine::NetworkEvent;

use group::Interface;
pub use probe::{MdnsFailure, check_mdns};
use task::Task;

use crate::reactor::Reactor;

/// The port of multicast DNS (RFC 6762, section 3).
const PORT: u16 = 5353;
/// Commands that wait for the task. What is asked for beyond is not known; an engine asks for far
/// fewer names at once.
const COMMANDS_MAX: usize = 256;

/// Where the interfaces are learned from.
type ListInterfaces = Arc<dyn Fn() -> std::io::Result<Vec<Interface>> + Send + Sync>;

/// Multicast DNS of a node. Its task begins with the first command.
pub(crate) struct Mdns<R> {
    port: u16,
    interfaces: ListInterfaces,
    task: Option<mpsc::Sender<Command>>,
    events: mpsc::Sender<NetworkEvent>,
    reactor: PhantomData<R>,
}

#[derive(Debug)]
enum Command {
    Resolve { name: String },
    Publish { name: String, address: IpAddr },
    Withdraw { name: String },
}

impl<R: Reactor> Mdns<R> {
    /// On the interfaces that a node has its sockets at.
    pub(crate) fn new(with_loopback: bool, events: mpsc::Sender<NetworkEvent>) -> Self {
        Mdns::on(PORT, Arc::new(move || group::interfaces(with_loopback)), events)
    }

    fn on(port: u16, interfaces: ListInterfaces, events: mpsc::Sender<NetworkEvent>) -> Self {
        Mdns { port, interfaces, task: None, events, reactor: PhantomData }
    }

    /// Asks for a name. The answer comes as an event, within [`task::PATIENCE`].
    pub(crate) fn resolve(&mut self, name: String) {
        if let Err(Command::Resolve { name }) = self.command(Command::Resolve { name }) {
            let mut events = self.events.clone();
            R::spawn(async move {
                let unknown = NetworkEvent::LocalResolved { name, addresses: Vec::new() };
                // Nobody listens once the node is gone.
                let _ = events.send(unknown).await;
            });
        }
    }

    /// Answers for a name from now on.
    pub(crate) fn publish(&mut self, name: String, address: IpAddr) {
        let _ = self.command(Command::Publish { name, address });
    }

    /// Answers for a name no longer.
    pub(crate) fn withdraw(&mut self, name: String) {
        let _ = self.command(Command::Withdraw { name });
    }

    fn command(&mut self, command: Command) -> Result<(), Command> {
        let task = self.task.get_or_insert_with(|| {
            let (sender, commands) = mpsc::channel(COMMANDS_MAX);
            let task = Task::<R>::new(self.port, self.interfaces.clone(), self.events.clone());
            R::spawn(task.run(commands));
            sender
        });
        task.try_send(command).map_err(|error| {
            tracing::debug!(%error, "multicast DNS has too much to do");
            error.into_inner()
        })
    }
}

impl<R> fmt::Debug for Mdns<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mdns").field("port", &self.port).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
