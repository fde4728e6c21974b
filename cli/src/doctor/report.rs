//! The facts for people: a line each, by what was checked, and the verdict below.

use anstyle::{AnsiColor, Style};
use tristero_tokio::proto::limits::ICE_SERVERS_MAX;
use tristero_tokio::{IceUrl, ServerFailure};

use super::facts::{
    Allocation, Facts, JoinFact, JoinOutcome, Nat, RelayFact, StunFact, TurnFact, Way,
};
use super::turn::meaning;
use super::verdict::{Prospect, Verdict};
use crate::chat::printable;
use crate::words::milliseconds;

/// How a check went.
#[derive(Clone, Copy)]
enum Mark {
    Good,
    Bad,
    /// It is neither, or was not tried.
    Open,
}

struct Line {
    mark: Mark,
    what: String,
    told: String,
}

/// All that there is to say.
pub(super) fn report(facts: &Facts, verdict: &Verdict) -> String {
    let groups = [
        ("Relays", facts.relays.iter().map(relay).collect()),
        ("STUN", stun(facts)),
        ("TURN", turn(facts)),
        ("Too many servers", facts.surplus.iter().map(surplus).collect()),
        ("NAT", nat(&facts.nat)),
        ("This machine", machine(facts)),
        (
            "Two peers here, through the relay",
            facts.joins.iter().map(|one| join(facts, one)).collect::<Vec<_>>(),
        ),
    ];
    let lines = groups.iter().flat_map(|(_, lines)| lines);
    let width = lines.map(|line| line.what.chars().count()).max().unwrap_or(0);
    let mut shown = String::new();
    for (title, lines) in groups.iter().filter(|(_, lines)| !lines.is_empty()) {
        shown.push_str(&format!("{TITLE}{title}{TITLE:#}\n"));
        for Line { mark, what, told } in lines {
            shown.push_str(&format!("  {} {what:<width$}  {told}\n", mark.shown()));
        }
    }
    let style = verdict.prospect.style();
    shown.push_str(&format!("\n{style}Verdict{style:#}: {}\n", printable(&verdict.text)));
    shown
}

impl Line {
    fn new(mark: Mark, what: impl Into<String>, told: &str) -> Self {
        Line { mark, what: what.into(), told: printable(told).into_owned() }
    }
}

impl Mark {
    fn shown(self) -> String {
        let (style, sign) = match self {
            Mark::Good => (GOOD, "✓"),
            Mark::Bad => (BAD, "✗"),
            Mark::Open => (OPEN, "–"),
        };
        format!("{style}{sign}{style:#}")
    }
}

impl Prospect {
    fn style(self) -> Style {
        match self {
            Prospect::Good => GOOD,
            Prospect::Restricted => FAIR,
            Prospect::None => BAD,
        }
    }
}

fn relay(relay: &RelayFact) -> Line {
    let what = format!("{} {}", relay.strategy, relay.url);
    match &relay.answer {
        Ok(took) => Line::new(Mark::Good, what, &format!("answers in {}", milliseconds(*took))),
        Err(why) => Line::new(Mark::Bad, what, why),
    }
}

fn stun(facts: &Facts) -> Vec<Line> {
    if facts.stun.is_empty() {
        return vec![Line::new(Mark::Open, "no server", "name one by --ice-server stun:HOST")];
    }
    facts.stun.iter().flat_map(stun_server).collect()
}

/// A server's first line has its name.
fn stun_server(stun: &StunFact) -> Vec<Line> {
    let sightings = match &stun.sightings {
        Ok(sightings) => sightings,
        Err(failure) => {
            return vec![Line::new(Mark::Bad, stun.url.to_string(), &failure.to_string())];
        }
    };
    let lines = sightings.iter().enumerate().map(|(index, sighting)| {
        let what = if index == 0 { stun.url.to_string() } else { String::new() };
        let local = sighting.local.ip();
        match &sighting.seen {
            Ok(seen) if seen.mapped == sighting.local => {
                let took = milliseconds(seen.took);
                Line::new(Mark::Good, what, &format!("sees {local} as it is, in {took}"))
            }
            Ok(seen) => {
                let (mapped, took) = (seen.mapped, milliseconds(seen.took));
                Line::new(Mark::Good, what, &format!("sees {local} as {mapped}, in {took}"))
            }
            // A machine may have addresses that lead nowhere.
            Err(why) if stun.answers() => Line::new(Mark::Open, what, &format!("{local}: {why}")),
            Err(why) => Line::new(Mark::Bad, what, &format!("{local}: {why}")),
        }
    });
    lines.collect()
}

fn turn(facts: &Facts) -> Vec<Line> {
    if facts.turn.is_empty() {
        let hint = "name one by --ice-server turn:HOST,USERNAME,PASSWORD";
        return vec![Line::new(Mark::Open, "no server", hint)];
    }
    facts.turn.iter().map(turn_server).collect()
}

fn turn_server(turn: &TurnFact) -> Line {
    let (mark, told) = match &turn.allocation {
        Ok(Allocation { relayed, took }) => {
            (Mark::Good, format!("relays from {relayed}, given in {}", milliseconds(*took)))
        }
        Err(failure @ ServerFailure::Refused { code, .. }) => {
            let meaning = meaning(*code).map(|meaning| format!(": {meaning}")).unwrap_or_default();
            (Mark::Bad, format!("{failure}{meaning}"))
        }
        Err(failure) => (Mark::Bad, failure.to_string()),
    };
    Line::new(mark, turn.url.to_string(), &told)
}

/// A room would not ask it.
fn surplus(url: &IceUrl) -> Line {
    let told = format!("not asked: of all servers a room asks the first {ICE_SERVERS_MAX}");
    Line::new(Mark::Open, url.to_string(), &told)
}

fn nat(nat: &Nat) -> Vec<Line> {
    let line = |what, known: Result<(&str, bool), &String>| match known {
        Ok((behaviour, true)) => Line::new(Mark::Bad, what, &format!("{behaviour} (symmetric)")),
        Ok((behaviour, false)) => Line::new(Mark::Good, what, behaviour),
        Err(why) => Line::new(Mark::Open, what, &format!("unknown: {why}")),
    };
    let mapping = nat.mapping.as_ref().map(|mapping| (mapping.as_str(), mapping.is_symmetric()));
    let filtering = nat.filtering.as_ref().map(|filtering| (filtering.as_str(), false));
    vec![line("mapping", mapping), line("filtering", filtering)]
}

fn machine(facts: &Facts) -> Vec<Line> {
    let ipv6 = match facts.ipv6.first() {
        Some(address) => Line::new(Mark::Good, "IPv6", &address.to_string()),
        None => Line::new(Mark::Open, "IPv6", "no global address"),
    };
    let mdns = match &facts.mdns {
        Ok(()) => Line::new(Mark::Good, "mDNS", "a name that is published here is found here"),
        Err(why) => Line::new(Mark::Bad, "mDNS", why),
    };
    vec![ipv6, mdns]
}

fn join(facts: &Facts, join: &JoinFact) -> Line {
    let (way, beside) = match &join.way {
        Way::Host => ("directly".to_owned(), ""),
        Way::Reflexive if facts.is_seen() => ("with STUN".to_owned(), "; STUN told an address"),
        Way::Reflexive => ("with STUN".to_owned(), "; STUN told no address"),
        Way::Relayed(url) => (format!("over {url} alone"), ""),
    };
    match &join.outcome {
        JoinOutcome::Met(met) => {
            let (took, ping) = (milliseconds(met.took), milliseconds(met.ping));
            let (ours, theirs) = met.kinds;
            let told = format!("met in {took}, {ours} to {theirs}, {ping} there and back{beside}");
            Line::new(Mark::Good, way, &told)
        }
        JoinOutcome::Failed(why) => Line::new(Mark::Bad, way, why),
        JoinOutcome::NoServer(failure) => Line::new(Mark::Bad, way, &failure.to_string()),
        JoinOutcome::Skipped(why) => Line::new(Mark::Open, way, why),
    }
}

const TITLE: Style = Style::new().bold();
const OPEN: Style = Style::new().dimmed();
const GOOD: Style = AnsiColor::Green.on_default().bold();
const FAIR: Style = AnsiColor::Yellow.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
