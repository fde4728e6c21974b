//! STUN: where each server sees each address of this machine.
//!
//! All servers are asked over the same sockets, one for each local address, so that what they see
//! can be compared.

pub(super) mod round;

use std::net::{IpAddr, SocketAddr};

use tokio::net::{UdpSocket, lookup_host};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tristero_tokio::{IceUrl, ServerFailure};

use self::round::{Answered, Change, Question, ask};
use super::facts::{Seen, Sighting, StunFact};

/// What servers said over one socket.
pub(super) struct Round {
    pub(super) socket: UdpSocket,
    pub(super) local: SocketAddr,
    pub(super) answers: Vec<Told>,
}

/// What one server said.
pub(super) struct Told {
    /// Which of the servers it is.
    number: usize,
    pub(super) server: SocketAddr,
    pub(super) answer: Answered,
}

/// Until when what has to be done.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    pub(super) resolved: Instant,
    pub(super) answered: Instant,
}

/// Asks all servers over all of these addresses.
pub(super) async fn examine(
    servers: &[IceUrl],
    locals: &[IpAddr],
    schedule: Schedule,
) -> (Vec<StunFact>, Vec<Round>) {
    let resolved = resolve_all(servers, schedule.resolved).await;
    let mut rounds = JoinSet::new();
    for local in locals {
        let leads_there = |remote: &&SocketAddr| leads_to(*local, remote.ip());
        let questions: Vec<(usize, SocketAddr)> = resolved
            .iter()
            .enumerate()
            .flat_map(|(number, remotes)| {
                remotes.iter().filter(leads_there).map(move |remote| (number, *remote))
            })
            .collect();
        if !questions.is_empty() {
            rounds.spawn(round(*local, questions, schedule.answered));
        }
    }
    let mut rounds: Vec<Round> = rounds.join_all().await.into_iter().flatten().collect();
    rounds.sort_by_key(|round| round.local);
    let facts = servers.iter().zip(&resolved).enumerate().map(|(number, (url, remotes))| {
        StunFact { url: url.clone(), sightings: sightings(number, remotes, &rounds) }
    });
    (facts.collect(), rounds)
}

/// The addresses of each server, one of each family at most, as a room takes them.
async fn resolve_all(servers: &[IceUrl], deadline: Instant) -> Vec<Vec<SocketAddr>> {
    let mut lookups = JoinSet::new();
    for (number, url) in servers.iter().cloned().enumerate() {
        lookups.spawn(async move {
            let lookup = timeout_at(deadline, lookup_host((url.host.as_str(), url.port))).await;
            let found: Vec<SocketAddr> = match lookup {
                Ok(Ok(found)) => found.collect(),
                // What can't be resolved now can't be asked.
                Ok(Err(_)) | Err(_) => Vec::new(),
            };
            let first = |is_v4| found.iter().copied().find(move |one| one.is_ipv4() == is_v4);
            (number, [first(true), first(false)].into_iter().flatten().collect())
        });
    }
    let mut resolved = lookups.join_all().await;
    resolved.sort_by_key(|(number, _)| *number);
    resolved.into_iter().map(|(_, remotes)| remotes).collect()
}

async fn round(
    local: IpAddr,
    servers: Vec<(usize, SocketAddr)>,
    deadline: Instant,
) -> Option<Round> {
    let socket = UdpSocket::bind((local, 0)).await.ok()?;
    let local = socket.local_addr().ok()?;
    let question = |(_, to): &(usize, SocketAddr)| Question { to: *to, change: Change::Nothing };
    let questions: Vec<Question> = servers.iter().map(question).collect();
    let answers = ask(&socket, &questions, deadline).await;
    let told = servers.into_iter().zip(answers);
    let answers = told.map(|((number, server), answer)| Told { number, server, answer }).collect();
    Some(Round { socket, local, answers })
}

fn sightings(
    number: usize,
    remotes: &[SocketAddr],
    rounds: &[Round],
) -> Result<Vec<Sighting>, ServerFailure> {
    if remotes.is_empty() {
        return Err(ServerFailure::Unresolved);
    }
    let mut sightings = Vec::new();
    for round in rounds {
        for told in round.answers.iter().filter(|told| told.number == number) {
            let seen = told.answer.clone();
            let seen = seen.map(|answer| Seen { mapped: answer.mapped, took: answer.took });
            sightings.push(Sighting { local: round.local, server: told.server, seen });
        }
    }
    match sightings.is_empty() {
        true => Err(ServerFailure::Unreachable("no local address leads there".to_owned())),
        false => Ok(sightings),
    }
}

/// Whether a socket can send there: the machine alone sees its own loopback.
fn leads_to(local: IpAddr, remote: IpAddr) -> bool {
    local.is_ipv4() == remote.is_ipv4() && local.is_loopback() == remote.is_loopback()
}
