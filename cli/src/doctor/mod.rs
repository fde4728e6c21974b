//! `tristero doctor`: why peers do not connect from here, or that they would.
//!
//! Everything is checked at once, and within a bounded time. What is checked is what a room would
//! do: relays are listened to by a node, servers are asked by its engine, and two nodes of this
//! process meet. Only how a NAT behaves is nothing that rooms ask for, so [`stun`] has a client of
//! its own.
//!
//! - [`plan`]: what is examined; [`stun`], [`nat`], [`turn`], [`joins`], [`machine`]: how
//! - [`facts`]: what was found out; [`verdict`]: what that means
//! - [`report`], [`json`]: for people, for programs; [`progress`]: while they wait

mod facts;
mod joins;
mod json;
mod machine;
mod nat;
mod plan;
mod progress;
mod report;
mod stun;
mod turn;
mod verdict;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::IpAddr;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tristero_tokio::{IceProbe, IceServer, IceUrl, Options, RelayConfig, check_mdns};

use self::facts::{Facts, JoinFact, JoinOutcome, Nat, RelayFact, StunFact};
use self::plan::{Plan, PlannedJoin};
use self::progress::Progress;
use self::verdict::{Prospect, Verdict};
use crate::args::DoctorArguments;
use crate::exit::Failure;
use crate::node;
use crate::relays::{self, Key};
use crate::signals::StopSignals;

/// Checks all, and says what came of it. It is a failure if peers connect with restrictions or not
/// at all.
pub(crate) async fn run(arguments: DoctorArguments) -> Result<(), Failure> {
    let plan = Plan::new(&arguments)?;
    let mut signals = StopSignals::listen()?;
    let facts = tokio::select! {
        facts = examine(&plan) => facts?,
        () = signals.next() => return Err(Failure::running("stopped before all was checked")),
    };
    let verdict = Verdict::of(&facts);
    let shown = match arguments.json {
        true => format!("{}\n", json::object(&facts, &verdict)),
        false => report::report(&facts, &verdict),
    };
    anstream::stdout().write_all(shown.as_bytes()).map_err(Failure::unwritten)?;
    match verdict.prospect {
        Prospect::Good => Ok(()),
        Prospect::Restricted => Err(Failure::running("peers connect from here with restrictions")),
        Prospect::None => Err(Failure::Unreachable("peers can't connect from here".to_owned())),
    }
}

async fn examine(plan: &Plan) -> Result<Facts, Failure> {
    let options = Options { loopback: true, ..Options::default() };
    let turn = plan.turn();
    let probe = IceProbe::new(&turn, &options)
        .map_err(|error| Failure::running(format!("servers can't be asked: {error}")))?;
    let locals = probe.addresses().iter().map(|address| address.ip());
    let locals: Vec<IpAddr> = locals.collect::<BTreeSet<_>>().into_iter().collect();
    let progress = Progress::begin(plan);
    let (first, answering) = watch::channel(None);
    let (turn, deadline) = (urls(&turn), plan.deadline());
    let (relays, (stun, nat), turn, mdns, joins) = tokio::join!(
        progress.watch("relays", relays(plan, first)),
        progress.watch("STUN", stun_and_nat(plan, &locals)),
        progress.watch("TURN", turn::examine(probe, turn, plan.begun, deadline)),
        progress.watch("mDNS", mdns(&options, deadline)),
        progress.watch("joins", joins(plan, answering, &options)),
    );
    progress.end();
    Ok(Facts {
        relays: relays?,
        stun,
        turn,
        surplus: plan.surplus.clone(),
        nat,
        ipv6: machine::global_ipv6(&locals),
        mdns,
        joins,
    })
}

/// Which relays answer. The first that does is told at once.
async fn relays(plan: &Plan, first: watch::Sender<Option<Key>>) -> Result<Vec<RelayFact>, Failure> {
    let node = node::start(Options::default())?;
    let patience = plan.deadline().duration_since(plan.begun);
    let answers = relays::ask(&node, &plan.app, &plan.relays, patience, &first).await;
    drop(first);
    let mut answers = answers?;
    let facts = plan.relays.iter().filter_map(|relay| {
        let answer = answers.remove(&key(relay))?;
        let (strategy, url) = (relay.strategy.name().to_owned(), relay.url.to_string());
        Some(RelayFact { strategy, url, answer })
    });
    Ok(facts.collect())
}

/// Whether names that end in `.local`, which browsers have for candidates, are found here.
async fn mdns(options: &Options, deadline: Instant) -> Result<(), String> {
    match timeout_at(deadline, check_mdns(options)).await {
        Ok(checked) => checked.map_err(|why| why.to_string()),
        Err(_) => Err("a name that is published here is not found in time".to_owned()),
    }
}

async fn stun_and_nat(plan: &Plan, locals: &[IpAddr]) -> (Vec<StunFact>, Nat) {
    let servers = urls(&plan.stun());
    let (stun, rounds) = stun::examine(&servers, locals, plan.stun_schedule()).await;
    (stun, nat::examine(&rounds, plan.nat_schedule()).await)
}

/// Through the relay that answers first: any that does will do, and the others are spared.
async fn joins(
    plan: &Plan,
    mut answering: watch::Receiver<Option<Key>>,
    options: &Options,
) -> Vec<JoinFact> {
    let first = answering.wait_for(Option::is_some).await.ok().and_then(|first| first.clone());
    let relay = first.and_then(|first| plan.relays.iter().find(|relay| key(relay) == first));
    let deadline = plan.deadline();
    let mut joins = JoinSet::new();
    for (number, PlannedJoin { way, ice }) in plan.joins().into_iter().enumerate() {
        let (app, relay, options) = (plan.app.clone(), relay.cloned(), options.clone());
        joins.spawn(async move {
            let outcome = match (relay, ice) {
                (Some(relay), Ok(ice)) => joins::meet(&app, &relay, &ice, &options, deadline).await,
                (_, Err(why)) => JoinOutcome::Skipped(why),
                (None, Ok(_)) => JoinOutcome::Skipped("no relay answers".to_owned()),
            };
            (number, JoinFact { way, outcome })
        });
    }
    let mut joins = joins.join_all().await;
    joins.sort_by_key(|(number, _)| *number);
    joins.into_iter().map(|(_, join)| join).collect()
}

fn key(relay: &RelayConfig) -> Key {
    relays::key(relay.strategy.name(), &relay.url)
}

fn urls(servers: &[IceServer]) -> Vec<IceUrl> {
    servers.iter().map(|server| server.url.clone()).collect()
}
