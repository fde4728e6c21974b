//! How and where peers meet, as commands take it.

use clap::Args;

use tristero_tokio::{HostCandidates, IceConfig, IceServer, IceTransportPolicy};

use crate::exit::Failure;
use crate::ice::parse_server;
use crate::strategies::{Meeting, Settings};

#[derive(Debug, Args)]
pub(crate) struct MeetingArguments {
    /// How to meet: ws, nostr, mqtt, torrent, supabase, firebase or ipfs, perhaps with its relays
    /// behind it, such as mqtt=wss://one.example,wss://two.example (repeatable) [default: ws]
    #[arg(
        long = "strategy",
        value_name = "NAME[=URL,...]",
        env = "TRISTERO_STRATEGY",
        hide_env_values = true
    )]
    pub(crate) strategies: Vec<String>,

    /// A relay of the one strategy to meet at (repeatable); a URL with a password is better in
    /// TRISTERO_STRATEGY, where other users can't see it
    #[arg(long = "relay", value_name = "URL")]
    pub(crate) relays: Vec<String>,

    /// How many relays are used of those that a strategy chooses, instead of Trystero's number
    #[arg(long, value_name = "N", value_parser = super::values::at_least_one())]
    pub(crate) redundancy: Option<usize>,

    #[command(flatten)]
    pub(crate) keys: StrategyKeys,
}

/// What single strategies need.
#[derive(Args)]
pub(crate) struct StrategyKeys {
    /// The key of the Supabase project
    #[arg(long, value_name = "KEY", env = "TRISTERO_SUPABASE_KEY", hide_env_values = true)]
    supabase_key: Option<String>,

    /// Where in the Firebase database peers meet [default: __trystero__]
    #[arg(long, value_name = "PATH")]
    firebase_path: Option<String>,
}

/// The servers that help to connect, and what they are for.
#[derive(Debug, Args)]
pub(crate) struct IceArguments {
    #[command(flatten)]
    servers: IceServerArguments,

    /// Connects over TURN servers only, so that no peer learns this machine's addresses
    #[arg(long)]
    relay_only: bool,

    /// Tells peers names in the place of this machine's addresses, which only its own network
    /// resolves (multicast DNS), as browsers do; elsewhere peers need STUN or TURN
    #[arg(long)]
    mdns: bool,
}

/// The servers that help to connect.
#[derive(Debug, Args)]
pub(crate) struct IceServerArguments {
    /// A STUN or TURN server to use too, such as stun:stun.example.org or
    /// turn:turn.example.org,USERNAME,PASSWORD (repeatable); passwords are better in
    /// TRISTERO_ICE_SERVERS, several with spaces between
    #[arg(
        long = "ice-server",
        value_name = "URL[,USERNAME,PASSWORD]",
        env = "TRISTERO_ICE_SERVERS",
        hide_env_values = true,
        value_delimiter = ' ',
        value_parser = parse_server
    )]
    servers: Vec<IceServer>,

    /// Leaves out the STUN servers that Trystero uses
    #[arg(long)]
    no_default_ice_servers: bool,
}

impl IceArguments {
    pub(crate) fn config(&self) -> Result<IceConfig, Failure> {
        let mut config = self.servers.config();
        if self.relay_only {
            if !config.has_turn() {
                let why = "--relay-only needs a TURN server, by --ice-server";
                return Err(Failure::usage(why));
            }
            config.transport_policy = IceTransportPolicy::Relay;
        }
        if self.mdns {
            config.host_candidates = HostCandidates::Mdns;
        }
        Ok(config)
    }
}

impl IceServerArguments {
    pub(crate) fn config(&self) -> IceConfig {
        let base = match self.no_default_ice_servers {
            true => IceConfig::none(),
            false => IceConfig::default(),
        };
        base.with_servers(self.servers.iter().cloned())
    }
}

impl MeetingArguments {
    /// Whether anything is said about how to meet.
    pub(crate) fn names_any(&self) -> bool {
        !self.strategies.is_empty() || !self.relays.is_empty()
    }

    /// The ways to meet; one at least.
    pub(crate) fn meetings(&self) -> Result<Vec<Meeting>, Failure> {
        let MeetingArguments { strategies, relays, redundancy, keys } = self;
        let settings = Settings {
            redundancy: *redundancy,
            supabase_key: keys.supabase_key.clone(),
            firebase_path: keys.firebase_path.clone(),
        };
        let parse = |text: &String| Meeting::parse(text, &settings).map_err(Failure::usage);
        let mut meetings = strategies.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
        if meetings.is_empty() {
            meetings.push(Meeting { settings, ..Meeting::default() });
        }
        match &mut meetings[..] {
            _ if relays.is_empty() => {}
            [only] => only.urls.extend_from_slice(relays),
            _ => {
                return Err(Failure::usage(
                    "--relay is for one strategy; of several, name the relays behind each: \
                     --strategy NAME=URL,URL",
                ));
            }
        }
        Ok(meetings)
    }
}

impl std::fmt::Debug for StrategyKeys {
    /// Without the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StrategyKeys").field("firebase_path", &self.firebase_path).finish()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::strategies::StrategyName;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        meeting: MeetingArguments,
    }

    fn meetings(arguments: &[&str]) -> Result<Vec<(StrategyName, Vec<String>)>, Failure> {
        let program = Program::parse_from(["program"].iter().chain(arguments));
        let meetings = program.meeting.meetings()?;
        Ok(meetings.into_iter().map(|meeting| (meeting.strategy, meeting.urls)).collect())
    }

    fn urls(urls: &[&str]) -> Vec<String> {
        urls.iter().copied().map(str::to_owned).collect()
    }

    #[test]
    fn a_relay_belongs_to_the_only_strategy_which_is_ws_by_default() {
        let two = ["--relay", "ws://a", "--relay", "ws://b"];
        assert_eq!(meetings(&two), Ok(vec![(StrategyName::Ws, urls(&["ws://a", "ws://b"]))]));
        let nostr = [&["--strategy", "nostr"][..], &two].concat();
        assert_eq!(meetings(&nostr), Ok(vec![(StrategyName::Nostr, urls(&["ws://a", "ws://b"]))]));
    }

    #[test]
    fn several_strategies_have_their_relays_behind_them() {
        let two = ["--strategy", "nostr", "--strategy", "ws=ws://a,ws://b"];
        let expected =
            vec![(StrategyName::Nostr, urls(&[])), (StrategyName::Ws, urls(&["ws://a", "ws://b"]))];
        assert_eq!(meetings(&two), Ok(expected));
        let unclear = [&two[..], &["--relay", "ws://c"]].concat();
        assert!(matches!(meetings(&unclear), Err(Failure::Usage(_))));
    }
}
