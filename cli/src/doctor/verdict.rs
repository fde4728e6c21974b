//! What all facts come down to, and what to do next. It is a function of the facts.

use tristero_tokio::{IceServerKind, IceUrl, ServerFailure};

use super::facts::{Facts, JoinOutcome, TurnFact, Way};
use super::turn::meaning;

/// How well peers can connect from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prospect {
    /// As well as anywhere.
    Good,
    /// Not to everyone, or not as was asked for.
    Restricted,
    /// To nobody.
    None,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) prospect: Prospect,
    /// A sentence or two, of which the last says what to do if there is something to do.
    pub(super) text: String,
}

impl Verdict {
    pub(super) fn of(facts: &Facts) -> Self {
        if let Some(text) = obstacle(facts) {
            return Verdict { prospect: Prospect::None, text };
        }
        let restrictions = restrictions(facts);
        match restrictions.is_empty() {
            true => Verdict { prospect: Prospect::Good, text: praise(facts) },
            false => {
                let text = restrictions[..restrictions.len().min(SENTENCES_MAX)].join(" ");
                Verdict { prospect: Prospect::Restricted, text }
            }
        }
    }
}

impl Prospect {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Prospect::Good => "good",
            Prospect::Restricted => "restricted",
            Prospect::None => "none",
        }
    }
}

/// Why nobody can be met, if so.
fn obstacle(facts: &Facts) -> Option<String> {
    if facts.relays.iter().all(|relay| relay.answer.is_err()) {
        let first =
            facts.relays.iter().find_map(|relay| Some((relay, relay.answer.as_ref().err()?)));
        let why = first.map(|(relay, why)| format!(" ({}: {why})", relay.url)).unwrap_or_default();
        return Some(format!(
            "No relay answers, so nobody can be met{why}. Check the network and its proxy, or name \
             another relay by --relay."
        ));
    }
    let is_met = |outcome: &JoinOutcome| matches!(outcome, JoinOutcome::Met(_));
    if facts.joins.iter().any(|join| is_met(&join.outcome)) {
        return None;
    }
    let why = facts.joins.iter().find_map(|join| join.outcome.failure());
    Some(format!(
        "The relay answers, and two peers on this machine don't connect: {}. Try another relay by \
         --relay, and look for a firewall on this machine.",
        why.as_deref().unwrap_or("nothing was tried")
    ))
}

/// The gravest first.
fn restrictions(facts: &Facts) -> Vec<String> {
    let mut found = Vec::new();
    if facts.stun.is_empty() && facts.turn.is_empty() {
        found.push(
            "Without a STUN server only peers of the same network connect. Leave out \
             --no-default-ice-servers, or name one by --ice-server."
                .to_owned(),
        );
    }
    found.extend(without_udp(facts));
    let is_symmetric = facts.nat.mapping.as_ref().is_ok_and(|mapping| mapping.is_symmetric());
    if is_symmetric && facts.working_turn().next().is_none() {
        found.push(
            "This NAT is symmetric, and without TURN peers behind such NATs will not reach you. \
             Name a TURN server by --ice-server."
                .to_owned(),
        );
    }
    if let Some(join) = facts.joins.iter().find(|join| join.way == Way::Host)
        && let Some(why) = join.outcome.failure()
    {
        found.push(format!("Peers that reach each other directly don't connect: {why}."));
    }
    let is_told = |turn: &&TurnFact| !(turn.is_udp() && is_blocked(facts) && is_silent(turn));
    found.extend(facts.turn.iter().filter(is_told).filter_map(|turn| turn_trouble(facts, turn)));
    found
}

/// No server answers a datagram.
fn without_udp(facts: &Facts) -> Option<String> {
    let by_udp = facts.turn.iter().filter(|turn| turn.is_udp());
    let is_asked = !facts.stun.is_empty() || by_udp.clone().next().is_some();
    if !is_asked || facts.has_udp() {
        return None;
    }
    let is_unresolved = facts.stun.iter().all(|stun| stun.is_unresolved())
        && by_udp.clone().all(TurnFact::is_unresolved);
    if is_unresolved {
        return Some(
            "The names of the STUN and TURN servers can't be resolved, so only peers of the same \
             network connect. Check the DNS of this machine."
                .to_owned(),
        );
    }
    if !is_blocked(facts) {
        return None;
    }
    let blocked = "UDP is blocked, or none of the servers asked by it is there:";
    let need = "connections beyond this network need a TURN server over TCP or TLS";
    Some(match facts.working_turn().find(|turn| !turn.is_udp()) {
        Some(turn) => format!("{blocked} all goes through {}, which is slower.", turn.url),
        None if facts.turn.iter().any(|turn| !turn.is_udp()) => {
            format!("{blocked} {need}, and what is named does not work.")
        }
        None => format!(
            "{blocked} {need}. Name one, such as --ice-server turns:HOST,USERNAME,PASSWORD."
        ),
    })
}

/// Whether datagrams were sent to servers, and none came back, not even a refusal.
fn is_blocked(facts: &Facts) -> bool {
    let by_udp: Vec<&TurnFact> = facts.turn.iter().filter(|turn| turn.is_udp()).collect();
    let is_asked = !facts.stun.is_empty() || !by_udp.is_empty();
    is_asked && !facts.is_seen() && by_udp.into_iter().all(is_silent)
}

fn is_silent(turn: &TurnFact) -> bool {
    match &turn.allocation {
        Err(ServerFailure::Silent | ServerFailure::Unreachable(_) | ServerFailure::Unresolved) => {
            true
        }
        // A refusal is an answer.
        Ok(_) | Err(_) => false,
    }
}

fn turn_trouble(facts: &Facts, turn: &TurnFact) -> Option<String> {
    let failure = match (&turn.allocation, facts.join_over(&turn.url)) {
        (Err(failure), _) | (Ok(_), Some(JoinOutcome::NoServer(failure))) => failure,
        (Ok(_), Some(JoinOutcome::Failed(why))) => {
            return Some(format!(
                "{} gives addresses, and no data passes: {why}. Look at which peers it permits, and \
                 at the firewall before its relay ports.",
                turn.url
            ));
        }
        (Ok(_), Some(JoinOutcome::Met(_) | JoinOutcome::Skipped(_)) | None) => return None,
    };
    Some(explain(&turn.url, failure))
}

fn explain(url: &IceUrl, failure: &ServerFailure) -> String {
    match failure {
        ServerFailure::Refused { code, reason } => {
            let meaning = meaning(*code).unwrap_or(reason.as_str());
            format!("{url} refuses with {code}: {meaning}. {}", remedy(*code))
        }
        ServerFailure::Unresolved => {
            format!("The name of {url} can't be resolved. Check it, and the DNS.")
        }
        ServerFailure::Silent => {
            format!(
                "{url} does not answer. Check its address and port, and the firewall before it."
            )
        }
        ServerFailure::Unreachable(why) => {
            let is_tls = url.kind == IceServerKind::TurnTls && why.contains("certificate");
            let advice = match is_tls {
                true => {
                    "Its certificate has to be for that name; a root of your own goes into \
                     SSL_CERT_FILE."
                }
                false => "Check its address and port, and the firewall before it.",
            };
            format!("{url} can't be reached: {why}. {advice}")
        }
        other => format!("{url} is of no help: {other}."),
    }
}

fn remedy(code: u16) -> &'static str {
    match code {
        401 | 403 | 431 | 441 => {
            "Check the credentials; those that are issued for a time may be over."
        }
        486 => {
            "Wait until old ones are over, or raise its quota: this examination makes three at once."
        }
        500 | 508 => "Try again later, or name another server.",
        _ => "Ask who runs it.",
    }
}

/// What can be said where all is well.
fn praise(facts: &Facts) -> String {
    let has_turn = facts.working_turn().next().is_some();
    match (&facts.nat.mapping, has_turn) {
        (Ok(mapping), true) if mapping.is_symmetric() => {
            "All is well: this NAT is symmetric, and TURN works, which will be needed often."
                .to_owned()
        }
        (_, true) => {
            "All is well: peers connect directly where they can, and over TURN where they \
                      can't."
                .to_owned()
        }
        (Ok(_), false) => {
            "All is well: peers connect directly. Some behind symmetric NATs will not; a \
                           TURN server, by --ice-server, would reach them too."
                .to_owned()
        }
        (Err(why), false) => format!(
            "All is well as far as can be told: how the NAT behaves is unknown, as {why}. A TURN \
             server, by --ice-server, would reach everyone."
        ),
    }
}

/// More than this is no verdict; the rest is in the report.
const SENTENCES_MAX: usize = 2;

#[cfg(test)]
mod tests;
