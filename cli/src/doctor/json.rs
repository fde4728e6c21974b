//! The facts for programs: one object. Times are in milliseconds; what has an `error` failed.

use std::time::Duration;

use serde_json::{Value, json};
use tristero_tokio::ServerFailure;

use super::facts::{Facts, JoinFact, JoinOutcome, StunFact, TurnFact, Way};
use super::verdict::Verdict;

pub(super) fn object(facts: &Facts, verdict: &Verdict) -> Value {
    let Facts { relays, stun, turn, surplus, nat, ipv6, mdns, joins } = facts;
    let relays = relays.iter().map(|relay| {
        json!({
            "strategy": relay.strategy,
            "url": relay.url,
            "answers": relay.answer.is_ok(),
            "ms": relay.answer.as_ref().ok().map(|took| ms(*took)),
            "error": relay.answer.as_ref().err(),
        })
    });
    json!({
        "verdict": { "prospect": verdict.prospect.as_str(), "text": verdict.text },
        "relays": relays.collect::<Vec<_>>(),
        "stun": stun.iter().map(stun_server).collect::<Vec<_>>(),
        "turn": turn.iter().map(turn_server).collect::<Vec<_>>(),
        "notAsked": surplus.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "nat": {
            "mapping": known(&nat.mapping.clone().map(|mapping| mapping.as_str())),
            "filtering": known(&nat.filtering.clone().map(|filtering| filtering.as_str())),
        },
        "ipv6": ipv6,
        "mdns": { "ok": mdns.is_ok(), "error": mdns.as_ref().err() },
        "joins": joins.iter().map(|one| join(facts, one)).collect::<Vec<_>>(),
    })
}

fn stun_server(stun: &StunFact) -> Value {
    let sightings = stun.sightings.as_ref().map_or(&[][..], Vec::as_slice).iter().map(|sighting| {
        let seen = sighting.seen.as_ref();
        json!({
            "local": sighting.local.to_string(),
            "server": sighting.server.to_string(),
            "mapped": seen.ok().map(|seen| seen.mapped.to_string()),
            "ms": seen.ok().map(|seen| ms(seen.took)),
            "error": seen.err(),
        })
    });
    json!({
        "url": stun.url.to_string(),
        "answers": stun.answers(),
        "sightings": sightings.collect::<Vec<_>>(),
        "error": stun.sightings.as_ref().err().map(ToString::to_string),
    })
}

fn turn_server(turn: &TurnFact) -> Value {
    let allocation = turn.allocation.as_ref();
    let code = match &turn.allocation {
        Err(ServerFailure::Refused { code, .. }) => Some(*code),
        Ok(_) | Err(_) => None,
    };
    json!({
        "url": turn.url.to_string(),
        "relays": allocation.is_ok(),
        "relayed": allocation.ok().map(|allocation| allocation.relayed.to_string()),
        "ms": allocation.ok().map(|allocation| ms(allocation.took)),
        "code": code,
        "error": allocation.err().map(ToString::to_string),
    })
}

fn known(behaviour: &Result<&str, String>) -> Value {
    json!({ "is": behaviour.as_ref().unwrap_or(&"unknown"), "error": behaviour.as_ref().err() })
}

fn join(facts: &Facts, join: &JoinFact) -> Value {
    let (way, server) = match &join.way {
        Way::Host => ("host", None),
        Way::Reflexive => ("srflx", None),
        Way::Relayed(url) => ("relay", Some(url.to_string())),
    };
    let (met, skipped) = match &join.outcome {
        JoinOutcome::Met(met) => (Some(met), None),
        JoinOutcome::Skipped(why) => (None, Some(why)),
        JoinOutcome::Failed(_) | JoinOutcome::NoServer(_) => (None, None),
    };
    let is_gathered = (join.way == Way::Reflexive).then(|| facts.is_seen());
    json!({
        "candidates": way,
        "server": server,
        "met": met.is_some(),
        "ms": met.map(|met| ms(met.took)),
        "pingMs": met.map(|met| ms(met.ping)),
        "kinds": met.map(|met| [met.kinds.0, met.kinds.1]),
        "srflxGathered": is_gathered,
        "error": join.outcome.failure(),
        "skipped": skipped,
    })
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}
