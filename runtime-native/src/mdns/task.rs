//! What asks and answers.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_channel::mpsc;
use futures_util::future::{Either, select};
use futures_util::{SinkExt as _, StreamExt as _};
use tristero_proto::engine::NetworkEvent;

use super::group::Group;
use super::message::{Asked, Audience, Heard, emit_answer, emit_questions, parse};
use super::{Command, ListInterfaces};
use crate::reactor::{Reactor, UdpSocket as _};
use crate::time::{sleep_until, yield_now};
use crate::udp::poll_recv_from;

/// A name for which nobody answers within this is unknown. It is enough for a question to be lost,
/// and for whoever publishes to begin a little later than it tells of it.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);
/// RFC 6762, section 5.2: the least between the first two questions. There is no third.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// RFC 6762, section 6: the least between two answers to all for one name on one interface.
const ANSWER_INTERVAL: Duration = Duration::from_secs(1);
/// RFC 6762, section 17: the largest message.
const MESSAGE_BYTES_MAX: usize = 9_000;
/// Names that are asked for at once, and that are published. Those beyond are not.
const NAMES_MAX: usize = 256;

/// So many datagrams are taken before others get their turn: the network may have no end of them.
const ARRIVALS_PER_TURN: u32 = 64;

/// See the [module](super).
pub(super) struct Task<R: Reactor> {
    port: u16,
    interfaces: ListInterfaces,
    events: mpsc::Sender<NetworkEvent>,
    groups: Vec<Group<R>>,
    /// Which group to listen to first, so that none starves the others.
    next: usize,
    /// What names of ours stand for.
    published: BTreeMap<String, IpAddr>,
    queries: BTreeMap<String, Query>,
}

/// A name of somebody else.
struct Query {
    /// When it is asked for once more.
    again: Option<Instant>,
    until: Instant,
}

/// What there is to do next.
enum Step {
    /// What a node wants, or that none wants anything any more.
    Command(Option<Command>),
    Arrival(Arrival),
    Due,
}

/// A datagram in the buffer.
struct Arrival {
    group: usize,
    length: usize,
    source: SocketAddr,
}

impl<R: Reactor> Task<R> {
    pub(super) fn new(
        port: u16,
        interfaces: ListInterfaces,
        events: mpsc::Sender<NetworkEvent>,
    ) -> Self {
        let (groups, next) = (Vec::new(), 0);
        let (published, queries) = (BTreeMap::new(), BTreeMap::new());
        Task { port, interfaces, events, groups, next, published, queries }
    }

    /// Does what is asked of it until nobody can ask any more.
    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let mut buffer = vec![0; MESSAGE_BYTES_MAX];
        let mut arrivals = 0_u32;
        loop {
            match self.next(&mut commands, &mut buffer).await {
                Step::Command(Some(command)) => self.on_command(command).await,
                Step::Command(None) => return,
                Step::Arrival(arrival) => {
                    self.next = arrival.group + 1;
                    self.on_arrival(&arrival, &buffer[..arrival.length]).await;
                    arrivals = arrivals.wrapping_add(1);
                    if arrivals.is_multiple_of(ARRIVALS_PER_TURN) {
                        yield_now().await;
                    }
                }
                Step::Due => self.on_due().await,
            }
            if self.published.is_empty() && self.queries.is_empty() {
                self.groups.clear();
            }
        }
    }

    async fn next(&self, commands: &mut mpsc::Receiver<Command>, buffer: &mut [u8]) -> Step {
        let due = self.due();
        let due = pin!(async {
            match due {
                Some(due) => sleep_until::<R>(due).await,
                None => std::future::pending().await,
            }
        });
        let arrival = pin!(receive(&self.groups, self.next, buffer));
        // Commands and what is due are bounded; what arrives is not.
        match select(commands.next(), select(due, arrival)).await {
            Either::Left((command, _)) => Step::Command(command),
            Either::Right((Either::Left(_), _)) => Step::Due,
            Either::Right((Either::Right((arrival, _)), _)) => Step::Arrival(arrival),
        }
    }

    fn due(&self) -> Option<Instant> {
        self.queries.values().map(|query| query.again.unwrap_or(query.until)).min()
    }

    async fn on_command(&mut self, command: Command) {
        match command {
            Command::Resolve { name } => self.resolve(name).await,
            Command::Publish { name, address } => {
                self.join();
                if self.published.len() < NAMES_MAX {
                    self.published.insert(name.to_ascii_lowercase(), address);
                }
            }
            Command::Withdraw { name } => {
                let name = name.to_ascii_lowercase();
                self.published.remove(&name);
                for group in &mut self.groups {
                    group.told.remove(&name);
                }
            }
        }
    }

    async fn resolve(&mut self, name: String) {
        self.join();
        let key = name.to_ascii_lowercase();
        if self.groups.is_empty() || self.queries.len() >= NAMES_MAX {
            self.tell(name, Vec::new()).await;
            return;
        }
        let now = Instant::now();
        let query = Query { again: Some(now + ASK_AGAIN_AFTER), until: now + PATIENCE };
        self.ask(&key);
        self.queries.insert(key, query);
    }

    /// Joins the group on each interface there is, and leaves it on those that are gone.
    fn join(&mut self) {
        let interfaces = match (self.interfaces)() {
            Ok(interfaces) => interfaces,
            Err(error) => {
                tracing::debug!(%error, "the interfaces are not known");
                return;
            }
        };
        self.groups.retain(|group| interfaces.contains(&group.interface));
        for interface in interfaces {
            if self.groups.iter().any(|group| group.interface == interface) {
                continue;
            }
            match Group::join(&interface, self.port) {
                Ok(group) => self.groups.push(group),
                Err(error) => tracing::debug!(?interface, %error, "no multicast DNS there"),
            }
        }
    }

    fn ask(&self, name: &str) {
        for question in emit_questions(name).iter().flatten() {
            for group in &self.groups {
                send(group, question, group.address);
            }
        }
    }

    async fn on_due(&mut self) {
        let now = Instant::now();
        let is_due = |at: Instant| at <= now;
        let again: Vec<String> = self
            .queries
            .iter_mut()
            .filter(|(_, query)| query.again.is_some_and(is_due))
            .map(|(name, query)| {
                query.again = None;
                name.clone()
            })
            .collect();
        for name in again {
            self.ask(&name);
        }
        let unknown: Vec<String> = self
            .queries
            .iter()
            .filter(|(_, query)| is_due(query.until))
            .map(|(name, _)| name.clone())
            .collect();
        for name in unknown {
            self.queries.remove(&name);
            self.tell(name, Vec::new()).await;
        }
    }

    async fn on_arrival(&mut self, arrival: &Arrival, bytes: &[u8]) {
        let Arrival { group, source, .. } = *arrival;
        if !self.groups[group].interface.is_on_link(source.ip()) {
            return;
        }
        match parse(bytes) {
            // spec: RFC 6762, section 6: answers come from the port of multicast DNS
            Some(Heard::Answers(answers)) if source.port() == self.port => {
                for (name, address) in answers {
                    // A name that hides an address stands for one, so there is nothing to wait for.
                    if self.queries.remove(&name).is_some() {
                        self.tell(name, vec![address]).await;
                    }
                }
            }
            Some(Heard::Questions { id, asked }) => self.answer(group, source, id, &asked),
            Some(Heard::Answers(_)) | None => {}
        }
    }

    /// Answers what is asked about names of ours.
    fn answer(&mut self, group: usize, source: SocketAddr, id: u16, asked: &[Asked]) {
        let (group, now) = (&mut self.groups[group], Instant::now());
        let audience = match source.port() == self.port {
            true => Audience::Group,
            false => Audience::Resolver { id },
        };
        let mut answers: Vec<(&str, IpAddr)> = Vec::new();
        for (name, &address) in &self.published {
            let is_asked = asked.iter().any(|it| it.name == *name && it.record.is_of(address));
            // An address of that kind would lead everyone else to themselves.
            let leads_here = !address.is_loopback() || group.interface.is_loopback();
            if !is_asked || !leads_here {
                continue;
            }
            if audience == Audience::Group {
                let told = group.told.get(name);
                if told.is_some_and(|told| now - *told < ANSWER_INTERVAL) {
                    continue;
                }
                group.told.insert(name.clone(), now);
            }
            answers.push((name, address));
        }
        if answers.is_empty() {
            return;
        }
        let target = match audience {
            Audience::Group => group.address,
            Audience::Resolver { .. } => source,
        };
        if let Some(answer) = emit_answer(&answers, audience) {
            send(group, &answer, target);
        }
    }

    async fn tell(&mut self, name: String, addresses: Vec<IpAddr>) {
        // Nobody listens once the node is gone.
        let _ = self.events.send(NetworkEvent::LocalResolved { name, addresses }).await;
    }
}

/// Waits for a datagram from any group; for ever if there is none.
async fn receive<R: Reactor>(groups: &[Group<R>], next: usize, buffer: &mut [u8]) -> Arrival {
    poll_fn(|cx| {
        for offset in 0..groups.len() {
            let group = (next + offset) % groups.len();
            if let Poll::Ready((length, source)) = poll_recv_from(&groups[group].socket, buffer, cx)
            {
                return Poll::Ready(Arrival { group, length, source });
            }
        }
        Poll::Pending
    })
    .await
}

/// Sends, or loses what there is no room for; questions are put twice.
fn send<R: Reactor>(group: &Group<R>, bytes: &[u8], target: SocketAddr) {
    if let Err(error) = group.socket.try_send_to(bytes, target) {
        tracing::debug!(interface = ?group.interface, %error, "multicast DNS can't be sent");
    }
}
