//! What is to be examined, and until when.

use std::time::Duration;

use tokio::time::Instant;
use tristero_tokio::proto::limits::ICE_SERVERS_MAX;
use tristero_tokio::{
    IceConfig, IceServer, IceServerKind, IceTransportPolicy, IceUrl, RelayConfig,
};

use super::facts::Way;
use super::{nat, stun};
use crate::args::DoctorArguments;
use crate::exit::Failure;
use crate::strategies::{Meeting, StrategyName};

/// See the [module](self).
pub(super) struct Plan {
    pub(super) app: String,
    pub(super) relays: Vec<RelayConfig>,
    /// Those that a room would ask.
    servers: Vec<IceServer>,
    pub(super) surplus: Vec<IceUrl>,
    pub(super) begun: Instant,
    patience: Duration,
}

/// A join to be tried, or why it is not.
pub(super) struct PlannedJoin {
    pub(super) way: Way,
    pub(super) ice: Result<IceConfig, String>,
}

impl Plan {
    pub(super) fn new(arguments: &DoctorArguments) -> Result<Self, Failure> {
        let mut meetings = arguments.meeting.meetings()?;
        if !arguments.meeting.names_any() {
            meetings = vec![Meeting { strategy: StrategyName::Nostr, ..meetings[0].clone() }];
        }
        let mut relays = Vec::new();
        for meeting in meetings {
            relays.extend(meeting.relays(&arguments.app).map_err(Failure::usage)?);
        }
        let mut servers = arguments.ice.config().servers;
        let surplus = servers.split_off(servers.len().min(ICE_SERVERS_MAX));
        Ok(Plan {
            app: arguments.app.clone(),
            relays,
            servers,
            surplus: surplus.into_iter().map(|server| server.url).collect(),
            begun: Instant::now(),
            patience: arguments.timeout,
        })
    }

    pub(super) fn patience(&self) -> Duration {
        self.patience
    }

    pub(super) fn stun(&self) -> Vec<IceServer> {
        self.servers_that(|server| server.url.kind == IceServerKind::Stun)
    }

    pub(super) fn turn(&self) -> Vec<IceServer> {
        self.servers_that(|server| server.url.kind != IceServerKind::Stun)
    }

    pub(super) fn joins(&self) -> Vec<PlannedJoin> {
        let stun = IceConfig::none().with_servers(self.stun());
        let reflexive = match stun.servers.is_empty() {
            true => Err("there is no STUN server".to_owned()),
            false => Ok(stun),
        };
        let mut joins = vec![
            PlannedJoin { way: Way::Host, ice: Ok(IceConfig::none()) },
            PlannedJoin { way: Way::Reflexive, ice: reflexive },
        ];
        for (index, server) in self.turn().into_iter().enumerate() {
            let way = Way::Relayed(server.url.clone());
            let alone = IceConfig {
                transport_policy: IceTransportPolicy::Relay,
                ..IceConfig::none().with_servers([server])
            };
            let too_many = || format!("not tried: it is past the first {RELAYED_JOINS_MAX}");
            let ice = (index < RELAYED_JOINS_MAX).then_some(alone).ok_or_else(too_many);
            joins.push(PlannedJoin { way, ice });
        }
        joins
    }

    /// When the last check ends. The rest is for hanging up.
    pub(super) fn deadline(&self) -> Instant {
        self.until(0.95)
    }

    /// Names and answers are waited for as long as rooms wait for them at least.
    pub(super) fn stun_schedule(&self) -> stun::Schedule {
        stun::Schedule { resolved: self.until(0.3), answered: self.until(0.6) }
    }

    pub(super) fn nat_schedule(&self) -> nat::Schedule {
        nat::Schedule { opened: self.until(0.75), done: self.deadline() }
    }

    /// A part of the time.
    fn until(&self, part: f64) -> Instant {
        self.begun + self.patience.mul_f64(part)
    }

    fn servers_that(&self, is_wanted: impl Fn(&&IceServer) -> bool) -> Vec<IceServer> {
        self.servers.iter().filter(is_wanted).cloned().collect()
    }
}

/// Each takes two nodes, with sockets of their own.
const RELAYED_JOINS_MAX: usize = 4;
