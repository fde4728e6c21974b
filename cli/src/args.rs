//! What can be said on the command line, and the help that teaches it.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::RangedU64ValueParser;
use clap::{ArgAction, Args, Parser, Subcommand};
use tristero_tokio::PeerId;

/// Trystero rooms on the command line: peers meet, connect directly by WebRTC, and talk
#[derive(Debug, Parser)]
#[command(name = "tristero", version, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Logs more to stderr: -v changes, -vv decisions, -vvv everything (RUST_LOG wins)
    #[arg(short, long, action = ArgAction::Count, global = true, display_order = LAST)]
    pub(crate) verbose: u8,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Shows all of it in one command: a relay, two peers, messages and a file
    #[command(after_help = DEMO_EXAMPLES)]
    Demo(DemoArguments),
    /// Talks with whoever is in a room: lines in, lines out
    #[command(after_help = CHAT_EXAMPLES)]
    Chat(ChatArguments),
    /// Drives a peer by JSON lines, from any language
    #[command(after_help = AGENT_EXAMPLES)]
    Agent(AgentArguments),
    /// Runs a relay, where peers find each other
    #[command(after_help = RELAY_EXAMPLES)]
    Relay(RelayArguments),
}

#[derive(Debug, Args)]
pub(crate) struct DemoArguments {
    /// Serves a page that joins with Trystero in your browser, and chats with it until Ctrl-C
    #[arg(long)]
    pub(crate) web: bool,

    /// The port of the page on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 0, requires = "web")]
    pub(crate) port: u16,

    /// Where `cargo xtask web` has put the page
    #[arg(long, value_name = "DIR", default_value = "interop/web/dist", requires = "web")]
    pub(crate) web_dir: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct ChatArguments {
    /// The room's name
    pub(crate) room: String,

    /// The application's name; only peers with the same one meet
    #[arg(long, value_name = "ID")]
    pub(crate) app: String,

    /// A relay to meet at, ws:// or wss:// (repeatable)
    #[arg(long = "relay", value_name = "URL", required = true)]
    pub(crate) relays: Vec<String>,

    /// The room's password; better in TRISTERO_PASSWORD, where other users can't see it
    #[arg(long)]
    pub(crate) password: Option<String>,

    /// Asks for the password, without showing it
    #[arg(long, conflicts_with = "password")]
    pub(crate) ask_password: bool,

    /// How long to wait for the first relay before giving up with status 3
    #[arg(long, value_name = "SECONDS", default_value = "15", value_parser = parse_seconds)]
    pub(crate) wait: Duration,

    /// Lets peers on this machine connect over its loopback addresses
    #[arg(long)]
    pub(crate) loopback: bool,
}

#[derive(Debug, Args)]
pub(crate) struct AgentArguments {
    /// A command that runs before those of stdin (repeatable)
    #[arg(long = "cmd", value_name = "JSON")]
    pub(crate) commands: Vec<String>,

    /// How long to stay after the end of stdin
    #[arg(long, value_name = "SECONDS", default_value = "0", value_parser = parse_seconds)]
    pub(crate) linger: Duration,

    /// The peer's id, instead of a random one; nobody else may have it
    #[arg(long, value_name = "ID", value_parser = PeerId::new)]
    pub(crate) self_id: Option<PeerId>,

    /// Lets peers on this machine connect over its loopback addresses
    #[arg(long)]
    pub(crate) loopback: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RelayArguments {
    /// The address, or a name of this machine, and the port; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080", value_parser = parse_listen)]
    pub(crate) listen: SocketAddr,

    /// The certificate chain in PEM form, to serve wss://
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,

    /// The certificate's private key in PEM form
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,

    /// Clients at once; one more is refused [default: 16384]
    #[arg(long, value_name = "N", value_parser = at_least_one())]
    pub(crate) max_connections: Option<usize>,

    /// Topics of all clients together [default: 262144]
    #[arg(long, value_name = "N", value_parser = at_least_one())]
    pub(crate) max_topics: Option<usize>,

    /// Topics of one client; it needs two for each room [default: 512]
    #[arg(long, value_name = "N", value_parser = at_least_one())]
    pub(crate) max_topics_per_connection: Option<usize>,

    /// Bytes of one message; the client of a larger one is cut [default: 262144]
    #[arg(long, value_name = "N", value_parser = at_least_one())]
    pub(crate) max_message_bytes: Option<usize>,

    /// Bytes that wait for one client; one that reads slower is cut [default: 1048576]
    #[arg(long, value_name = "N", value_parser = at_least_one())]
    pub(crate) max_outbox_bytes: Option<usize>,
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let seconds = seconds.filter(|seconds| *seconds <= SECONDS_MAX);
    seconds.ok_or_else(|| "this takes a number of seconds, such as 15 or 0.5".to_owned())
}

/// Of the addresses of a name the loopback ones come first, as the ones that show nobody more than
/// was meant, and IPv4 before IPv6, which a machine may have in its tables only.
fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    let expected = "this takes an address and a port, such as 127.0.0.1:8080 or [::]:8080";
    let is_complete = text.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    if !is_complete {
        return Err(expected.to_owned());
    }
    let addresses = text.to_socket_addrs().map_err(|error| format!("{error}; {expected}"))?;
    let order = |address: &SocketAddr| (!address.ip().is_loopback(), address.is_ipv6());
    addresses.min_by_key(order).ok_or_else(|| format!("the name has no address; {expected}"))
}

/// A limit of 0 would leave nothing to be served.
fn at_least_one() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..)
}

/// Behind all options of a command, but for `--help`.
const LAST: usize = 900;

/// A year: far beyond any use, and far from what clocks can't add.
const SECONDS_MAX: Duration = Duration::from_secs(365 * 24 * 60 * 60);

const EXAMPLES: &str = "\
Begin with:
  tristero demo

Exit status:
  0 all well, 1 a failure on the way, 2 wrong usage, 3 no relay was reachable in time

Each command has its own help: tristero chat --help";

const DEMO_EXAMPLES: &str = "\
Everything runs in this one process and talks over real sockets of this machine; nothing leaves
it, and no network is needed.

Examples:
  tristero demo
  tristero demo --web              and open the address that it prints
  tristero demo --web --port 8000";

const CHAT_EXAMPLES: &str = "\
Messages, joins and leaves go to stdout, notes to stderr. A line goes to everyone who is in the
room when it is entered; there is no history. Ctrl-C or the end of input leaves the room.

Peers with different passwords don't meet, and possibly only one of the two is told.

Examples:
  tristero relay                   in one terminal, then in two others:
  tristero chat lobby --app my-app --relay ws://127.0.0.1:8080

  TRISTERO_PASSWORD=secret tristero chat lobby --app my-app --relay wss://relay.example
  tristero chat lobby --app my-app --relay wss://relay.example --ask-password

Exit status: 3 if no relay was reachable within --wait seconds.";

const AGENT_EXAMPLES: &str = "\
One JSON object a line: commands on stdin, events on stdout. The first event is `ready`. A command
with an \"id\" is answered by a `reply` with that id; one with \"wait\":true holds up those after
it until it is done. The agent leaves its rooms and ends at the end of stdin. All commands and
events are described in docs/agent.md.

Example, with a relay on port 8080:
  tristero agent --linger 60 \\
    --cmd '{\"cmd\":\"join\",\"appId\":\"a\",\"roomId\":\"r\",\"relayUrls\":[\"ws://127.0.0.1:8080\"]}' \\
    --cmd '{\"cmd\":\"register\",\"action\":\"chat\"}' </dev/null";

const RELAY_EXAMPLES: &str = "\
The first line on stdout tells where the relay listens. It forwards signaling, which is encrypted
between peers, and keeps nothing. GET /health answers on the same port. Ctrl-C or SIGTERM ends it
after all clients were told.

Examples:
  tristero relay
  tristero relay --listen 127.0.0.1:0
  tristero relay --listen 0.0.0.0:443 --tls-cert chain.pem --tls-key key.pem";

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use clap::error::ErrorKind;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_limits_in_the_help_are_the_defaults_of_the_relay() {
        let limits = tristero_relay::Limits::default();
        let mut command = Arguments::command();
        let relay = command.find_subcommand_mut("relay").unwrap();
        let help = relay.render_long_help().to_string();
        for default in [
            limits.connections_max,
            limits.topics_max,
            limits.connection_topics_max,
            limits.message_bytes_max,
            limits.outbox_bytes_max,
        ] {
            assert!(help.contains(&format!("[default: {default}]")), "{default}:\n{help}");
        }
    }

    #[test]
    fn seconds_may_have_a_fraction_and_must_make_sense() {
        assert_eq!(parse_seconds("15"), Ok(Duration::from_secs(15)));
        assert_eq!(parse_seconds("0.5"), Ok(Duration::from_millis(500)));
        for wrong in ["-1", "NaN", "inf", "1e300", "soon", ""] {
            assert!(parse_seconds(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_relay_listens_on_an_address_or_a_name() {
        for (text, expected) in [("127.0.0.1:80", "127.0.0.1:80"), ("[::]:0", "[::]:0")] {
            assert_eq!(parse_listen(text).unwrap().to_string(), expected);
        }
        assert!(parse_listen("localhost:0").unwrap().ip().is_loopback());
        for wrong in ["8080", "localhost", "127.0.0.1", "::1", "127.0.0.1:http", ""] {
            assert!(parse_listen(wrong).unwrap_err().contains("127.0.0.1:8080"), "{wrong}");
        }
    }

    #[test]
    fn a_limit_is_at_least_one() {
        for limit in [
            "--max-connections",
            "--max-topics",
            "--max-topics-per-connection",
            "--max-message-bytes",
            "--max-outbox-bytes",
        ] {
            let parsed = Arguments::try_parse_from(["tristero", "relay", limit, "0"]);
            assert_eq!(parsed.unwrap_err().kind(), ErrorKind::ValueValidation, "{limit}");
            assert!(Arguments::try_parse_from(["tristero", "relay", limit, "1"]).is_ok());
        }
    }

    #[test]
    fn a_password_is_given_or_asked_for() {
        let chat = ["tristero", "chat", "lobby", "--app", "a", "--relay", "ws://x"];
        let both = chat.iter().chain(&["--password", "sesame", "--ask-password"]);
        let parsed = Arguments::try_parse_from(both);
        assert_eq!(parsed.unwrap_err().kind(), ErrorKind::ArgumentConflict);
    }

    #[test]
    fn a_certificate_comes_with_its_key() {
        let parsed = Arguments::try_parse_from(["tristero", "relay", "--tls-cert", "chain.pem"]);
        assert_eq!(parsed.unwrap_err().kind(), ErrorKind::MissingRequiredArgument);
    }
}
