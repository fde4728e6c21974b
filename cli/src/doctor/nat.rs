//! How the NAT between this machine and the world behaves.
//!
//! A server with two addresses and two ports shows it (RFC 5780). Where there is none, two servers
//! are compared, which tells less. What follows from answers is in [`theory`].

mod theory;

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::Instant;

use super::facts::{Filtering, Mapping, Nat};
use super::stun::Round;
use super::stun::round::{Answer, Change, Question, ask};

/// A server that can show how a NAT behaves, and what it said first.
struct Witness<'a> {
    socket: &'a UdpSocket,
    local: SocketAddr,
    server: SocketAddr,
    mapped: SocketAddr,
    other: SocketAddr,
}

/// Until when what has to be done.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    /// Filtering takes two steps.
    pub(super) opened: Instant,
    pub(super) done: Instant,
}

/// Finds out as much as servers of a family of addresses with NATs can tell.
pub(super) async fn examine(rounds: &[Round], schedule: Schedule) -> Nat {
    let Some(witness) = witness(rounds) else {
        let filtering = "no STUN server with a second address answered (RFC 5780)".to_owned();
        return Nat { mapping: compared(rounds), filtering: Err(filtering) };
    };
    let (mapping, filtering) =
        tokio::join!(mapping(&witness, patience(schedule.done)), filtering(&witness, schedule),);
    // Comparing is better than nothing.
    let mapping = mapping.or_else(|why| compared(rounds).map_err(|_| why));
    Nat { mapping, filtering }
}

/// Those that lead into the world come before the loopback, which has no NAT.
fn in_order(rounds: &[Round]) -> impl Iterator<Item = &Round> {
    let (world, loopback): (Vec<&Round>, Vec<&Round>) = rounds
        .iter()
        .filter(|round| round.local.is_ipv4())
        .partition(|round| !round.local.ip().is_loopback());
    world.into_iter().chain(loopback)
}

fn witness(rounds: &[Round]) -> Option<Witness<'_>> {
    in_order(rounds).find_map(|round| {
        round.answers.iter().find_map(|told| {
            let Answer { mapped, other, .. } = *told.answer.as_ref().ok()?;
            let (server, local) = (told.server, round.local);
            let other = other?;
            let is_other = other.ip() != server.ip() && other.port() != server.port();
            is_other.then_some(Witness { socket: &round.socket, local, server, mapped, other })
        })
    })
}

/// What two servers that know nothing of each other tell of one socket.
fn compared(rounds: &[Round]) -> Result<Mapping, String> {
    let mut unknown = Err("no STUN server answered over IPv4".to_owned());
    for round in in_order(rounds) {
        let seen = round.answers.iter().filter_map(|told| {
            told.answer.as_ref().ok().map(|answer| (told.server, answer.mapped))
        });
        let seen: Vec<_> = seen.collect();
        match theory::compare(round.local, &seen) {
            Ok(mapping) => return Ok(mapping),
            Err(_) if seen.is_empty() => {}
            Err(why) => unknown = Err(why),
        }
    }
    unknown
}

/// spec: RFC 5780, section 4.3
async fn mapping(witness: &Witness<'_>, deadline: Instant) -> Result<Mapping, String> {
    let Witness { socket, local, server, mapped, other } = *witness;
    let elsewhere = SocketAddr::new(other.ip(), server.port());
    let question = |to| Question { to, change: Change::Nothing };
    let answers = ask(socket, &[question(elsewhere), question(other)], deadline).await;
    let seen = |answer: &Result<Answer, String>| answer.as_ref().ok().map(|answer| answer.mapped);
    theory::mapping(local, mapped, seen(&answers[0]), seen(&answers[1]))
}

/// From a socket of its own: that of the other test has sent where nothing may be sent here.
///
/// spec: RFC 5780, section 4.4
async fn filtering(witness: &Witness<'_>, schedule: Schedule) -> Result<Filtering, String> {
    let bound = UdpSocket::bind((witness.local.ip(), 0)).await;
    let socket = bound.map_err(|error| format!("no second socket: {error}"))?;
    let question = |change| Question { to: witness.server, change };
    let opened = ask(&socket, &[question(Change::Nothing)], patience(schedule.opened)).await;
    opened[0].as_ref().map_err(|why| format!("the server stopped answering: {why}"))?;
    let changed = [question(Change::AddressAndPort), question(Change::Port)];
    let answers = ask(&socket, &changed, patience(schedule.done)).await;
    Ok(theory::filtering(answers[0].is_ok(), answers[1].is_ok()))
}

/// Silence is an answer here, and comes from most NATs.
fn patience(deadline: Instant) -> Instant {
    deadline.min(Instant::now() + SILENCE)
}

/// A server that has answered before is asked three times within this.
const SILENCE: Duration = Duration::from_millis(1_750);
