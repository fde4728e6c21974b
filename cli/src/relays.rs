//! `tristero relays`: which relays a strategy has, and which of them answer.
//!
//! They are asked by what uses them: a room is joined over each, by a passive peer, which only
//! listens and tells nobody that it is there. All are asked at once, and none of them holds up the
//! others.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tristero_tokio::proto::limits::RELAYS_PER_ROOM_MAX;
use tristero_tokio::signaling::RelayUrl;
use tristero_tokio::{
    Config, NodeHandle, Options, RelayConfig, RelayState, RelayStatus, RoomEvent, RoomEvents,
};

use crate::args::RelaysArguments;
use crate::chat::printable;
use crate::exit::Failure;
use crate::node;
use crate::signals::StopSignals;
use crate::strategies::{Meeting, StrategyName};
use crate::words::milliseconds;

/// The application that asks if no other is named.
const APP: &str = "tristero-relays";

/// A relay that is asked.
struct Candidate {
    relay: RelayConfig,
    /// Whether the application would use it, if one is named.
    is_chosen: Option<bool>,
}

/// A strategy and a URL.
pub(crate) type Key = (String, String);

/// How long a relay took to answer, or why it did not.
pub(crate) type Answers = BTreeMap<Key, Result<Duration, String>>;

/// Asks all relays, and says what came of it. It is a failure if none of them answers.
pub(crate) async fn run(arguments: RelaysArguments) -> Result<(), Failure> {
    let candidates = candidates(&arguments)?;
    let mut signals = StopSignals::listen()?;
    let node = node::start(Options::default())?;
    let app = arguments.app.as_deref().unwrap_or(APP);
    let relays: Vec<_> = candidates.iter().map(|candidate| candidate.relay.clone()).collect();
    let (first, _) = watch::channel(None);
    let answers = tokio::select! {
        answers = ask(&node, app, &relays, arguments.timeout, &first) => answers,
        () = signals.next() => Err(Failure::running("stopped before all relays were asked")),
    };
    node.shut_down().await;
    let answers = answers?;
    let shown = if arguments.json {
        format!("{}\n", list(&candidates, &answers))
    } else {
        table(&candidates, &answers)
    };
    std::io::stdout().write_all(shown.as_bytes()).map_err(Failure::unwritten)?;
    match answers.values().any(Result::is_ok) {
        true => Ok(()),
        false => Err(Failure::running("no relay answered")),
    }
}

fn candidates(arguments: &RelaysArguments) -> Result<Vec<Candidate>, Failure> {
    let app = arguments.app.as_deref();
    let mut candidates = Vec::new();
    for meeting in meetings(arguments)? {
        let relays = meeting.relays_to_choose_from(app.unwrap_or(APP)).map_err(Failure::usage)?;
        let chosen = meeting.chosen().map_err(Failure::usage)?;
        candidates.extend(relays.into_iter().enumerate().map(|(index, relay)| {
            let is_chosen = app.map(|_| index < chosen);
            Candidate { relay, is_chosen }
        }));
    }
    if !arguments.all {
        candidates.retain(|candidate| candidate.is_chosen != Some(false));
    }
    Ok(candidates)
}

/// The strategies that are named, or all that have relays of their own.
fn meetings(arguments: &RelaysArguments) -> Result<Vec<Meeting>, Failure> {
    let meetings = arguments.meeting.meetings()?;
    if arguments.meeting.names_any() {
        return Ok(meetings);
    }
    let app = arguments.app.as_deref().unwrap_or(APP);
    let all = StrategyName::ALL.map(|strategy| Meeting { strategy, ..meetings[0].clone() });
    Ok(all.into_iter().filter(|meeting| meeting.relays_to_choose_from(app).is_ok()).collect())
}

/// Resolves when every relay has answered or failed, and at the latest when it is time. The first
/// that answers is told at once.
pub(crate) async fn ask(
    node: &NodeHandle,
    app: &str,
    relays: &[RelayConfig],
    patience: Duration,
    first: &watch::Sender<Option<Key>>,
) -> Result<Answers, Failure> {
    let begun = Instant::now();
    let mut rooms = JoinSet::new();
    // Passive rooms only listen, and nobody else is in one that is named by our own id.
    for (number, part) in relays.chunks(RELAYS_PER_ROOM_MAX).enumerate() {
        let config = Config::new(app).passive(true).relays(part.iter().cloned());
        let room =
            node.join(&config, &format!("{} {number}", node.self_id())).map_err(Failure::usage)?;
        let (mut events, first) = (room.events(), first.clone());
        rooms.spawn(async move {
            let relays = room.relays();
            let mut waiting = relays.iter().map(|relay| key(&relay.strategy, &relay.url)).collect();
            let mut answers = Answers::new();
            let hear = hear(&mut events, begun, &mut waiting, &mut answers, &first);
            // What waits then is late.
            let _ = timeout_at(begun + patience, hear).await;
            let late = room.relays().into_iter().map(|relay| {
                let key = key(&relay.strategy, &relay.url);
                (key, Err(lateness(relay, patience)))
            });
            answers.extend(late.filter(|(key, _)| waiting.contains(key)).collect::<Vec<_>>());
            answers
        });
    }
    Ok(rooms.join_all().await.into_iter().flatten().collect())
}

/// Hears of relays until all have answered or failed. One that takes links, and no subscription
/// where it could confirm one, is of no use.
async fn hear(
    events: &mut RoomEvents,
    begun: Instant,
    waiting: &mut BTreeSet<Key>,
    answers: &mut Answers,
    first: &watch::Sender<Option<Key>>,
) {
    while !waiting.is_empty() {
        let Some(event) = events.recv().await else { return };
        let RoomEvent::Relay(relay) = event else { continue };
        let key = key(&relay.strategy, &relay.url);
        let answer = match relay.state {
            RelayState::Open if relay.is_subscribed => Ok(begun.elapsed()),
            RelayState::Retired { why } => Err(why),
            RelayState::BackingOff { .. } => {
                Err(relay.last_error.unwrap_or_else(|| "it hung up".to_owned()))
            }
            _ => continue,
        };
        if waiting.remove(&key) {
            if answer.is_ok() {
                first.send_if_modified(|first| {
                    first.is_none() && first.replace(key.clone()).is_none()
                });
            }
            answers.insert(key, answer);
        }
    }
}

/// What to say of a relay that is still waited for.
fn lateness(relay: RelayStatus, patience: Duration) -> String {
    let seconds = patience.as_secs_f64();
    match (relay.state, relay.last_error) {
        (RelayState::Open, Some(why)) => why,
        (RelayState::Open, None) => {
            format!("it takes links, and took no subscription within {seconds} s")
        }
        _ => format!("no answer within {seconds} s"),
    }
}

pub(crate) fn key(strategy: &str, url: &RelayUrl) -> Key {
    (strategy.to_owned(), url.as_str().to_owned())
}

/// What is known of each, in their order.
fn told<'a>(
    candidates: &'a [Candidate],
    answers: &'a Answers,
) -> impl Iterator<Item = (&'a Candidate, &'a Result<Duration, String>)> {
    candidates.iter().filter_map(|candidate| {
        let RelayConfig { strategy, url } = &candidate.relay;
        answers.get(&key(strategy.name(), url)).map(|answer| (candidate, answer))
    })
}

fn table(candidates: &[Candidate], answers: &Answers) -> String {
    let shown = |candidate: &Candidate| candidate.relay.url.to_string();
    let width = candidates.iter().map(|candidate| shown(candidate).len()).max().unwrap_or(0);
    let line = |(candidate, answer): (&Candidate, &Result<Duration, String>)| {
        let answer = match answer {
            Ok(latency) => format!("ok {:>10}", milliseconds(*latency)),
            Err(why) => format!("-- {}", printable(why)),
        };
        let chosen = if candidate.is_chosen == Some(true) { "*" } else { " " };
        let strategy = candidate.relay.strategy.name();
        format!("{chosen} {strategy:<8} {:<width$}  {answer}\n", shown(candidate))
    };
    told(candidates, answers).map(line).collect()
}

fn list(candidates: &[Candidate], answers: &Answers) -> Value {
    let relays = told(candidates, answers).map(|(candidate, answer)| {
        json!({
            "strategy": candidate.relay.strategy.name(),
            "url": candidate.relay.url.to_string(),
            "chosen": candidate.is_chosen,
            "answers": answer.is_ok(),
            "ms": answer.as_ref().ok().map(|latency| latency.as_secs_f64() * 1000.0),
            "error": answer.as_ref().err(),
        })
    });
    json!({ "relays": relays.collect::<Vec<_>>() })
}
