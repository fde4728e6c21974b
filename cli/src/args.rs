//! What can be said on the command line, and the help that teaches it.

mod help;
mod meeting;
mod values;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand};
use tristero_tokio::{Codec, PeerId};

use self::help::{
    AGENT_EXAMPLES, CHAT_EXAMPLES, DEMO_EXAMPLES, DOCTOR_EXAMPLES, EXAMPLES, PLAY_EXAMPLES,
    RECORD_EXAMPLES, RELAY_EXAMPLES, RELAYS_EXAMPLES,
};
pub(crate) use self::meeting::{IceArguments, IceServerArguments, MeetingArguments};
use self::values::{at_least_one, parse_codec, parse_listen, parse_patience, parse_seconds};

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
    /// Writes the audio and video that peers send to files
    #[command(after_help = RECORD_EXAMPLES)]
    Record(RecordArguments),
    /// Sends audio and video of files to whoever is in a room
    #[command(after_help = PLAY_EXAMPLES)]
    Play(PlayArguments),
    /// Drives a peer by JSON lines, from any language
    #[command(after_help = AGENT_EXAMPLES)]
    Agent(AgentArguments),
    /// Runs a relay, where peers find each other
    #[command(after_help = RELAY_EXAMPLES)]
    Relay(RelayArguments),
    /// Lists the relays of strategies, and finds out which of them answer
    #[command(after_help = RELAYS_EXAMPLES)]
    Relays(RelaysArguments),
    /// Finds out why peers do not connect from here, and says what to do
    #[command(after_help = DOCTOR_EXAMPLES)]
    Doctor(DoctorArguments),
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

/// Which room, and how its peers are met.
#[derive(Debug, Args)]
pub(crate) struct RoomArguments {
    /// The room's name
    pub(crate) room: String,

    /// The application's name; only peers with the same one meet
    #[arg(long, value_name = "ID")]
    pub(crate) app: String,

    #[command(flatten)]
    pub(crate) meeting: MeetingArguments,

    /// The room's password; better in TRISTERO_PASSWORD, where other users can't see it
    #[arg(long)]
    pub(crate) password: Option<String>,

    /// Asks for the password, without showing it
    #[arg(long, conflicts_with = "password")]
    pub(crate) ask_password: bool,

    #[command(flatten)]
    pub(crate) ice: IceArguments,

    /// How long to wait for the first relay before giving up with status 3
    #[arg(long, value_name = "SECONDS", default_value = "15", value_parser = parse_seconds)]
    pub(crate) wait: Duration,

    /// Lets peers on this machine connect over its loopback addresses
    #[arg(long)]
    pub(crate) loopback: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ChatArguments {
    #[command(flatten)]
    pub(crate) room: RoomArguments,

    /// What others see you called, instead of your id
    #[arg(long)]
    pub(crate) name: Option<String>,

    /// Where accepted files are saved
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) files: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct RecordArguments {
    #[command(flatten)]
    pub(crate) room: RoomArguments,

    /// Where the files are written
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,

    /// Takes these codecs alone, the best first, such as vp8,opus: what a browser sends is the first of
    /// each kind that it has
    #[arg(long, value_name = "CODEC,...", value_delimiter = ',', value_parser = parse_codec)]
    pub(crate) codecs: Vec<Codec>,

    /// Writes each stream to one WebM file, instead of a file for each track
    #[arg(long)]
    pub(crate) webm: bool,

    /// Ends after so long, instead of at Ctrl-C
    #[arg(long = "for", value_name = "SECONDS", value_parser = parse_seconds)]
    pub(crate) duration: Option<Duration>,
}

#[derive(Debug, Args)]
pub(crate) struct PlayArguments {
    #[command(flatten)]
    pub(crate) room: RoomArguments,

    /// Files of one stream: IVF, Ogg Opus, WebM, .g722, .ul or .al
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// Begins anew at the end, until Ctrl-C
    #[arg(long = "loop")]
    pub(crate) repeats: bool,
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

    /// Dials a relay that was lost again by itself or by resumeRelays only, and not because this
    /// machine got a new address: relayConfig.manualReconnection of all rooms
    #[arg(long)]
    pub(crate) manual_reconnection: bool,

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

    /// Threads; one serves some ten thousand clients, and takes the least time for each message
    #[arg(long, value_name = "N", default_value = "1", value_parser = at_least_one())]
    pub(crate) threads: usize,

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

#[derive(Debug, Args)]
pub(crate) struct RelaysArguments {
    #[command(flatten)]
    pub(crate) meeting: MeetingArguments,

    /// The application's name: only the relays that it would use, instead of all
    #[arg(long, value_name = "ID")]
    pub(crate) app: Option<String>,

    /// All relays nevertheless, those that the application would use with a mark
    #[arg(long, requires = "app")]
    pub(crate) all: bool,

    /// Prints JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// How long to wait for those that don't answer, up to 10
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = parse_patience)]
    pub(crate) timeout: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArguments {
    #[command(flatten)]
    pub(crate) meeting: MeetingArguments,

    /// The application's name, by which a strategy chooses its relays
    #[arg(long, value_name = "ID", default_value = "tristero-doctor")]
    pub(crate) app: String,

    #[command(flatten)]
    pub(crate) ice: IceServerArguments,

    /// Prints JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// How long all of it may take, up to 10
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = parse_patience)]
    pub(crate) timeout: Duration,
}

/// Behind all options of a command, but for `--help`.
const LAST: usize = 900;

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
