//! Logs: to stderr, and only warnings unless asked for more.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

/// Starts logging. `RUST_LOG` wins over the number of `-v`.
pub(crate) fn start(verbose: u8) {
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_unset| EnvFilter::new(directives(verbose)));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .init();
}

/// What each `-v` shows more of. Every crate of ours begins with `tristero`. Those that speak STUN
/// call it an error if somebody sends them nonsense, and are heard only by who wants all.
fn directives(verbose: u8) -> &'static str {
    match verbose {
        0 => "warn,stun_proto=off,turn_client_proto=off",
        1 => "warn,stun_proto=off,turn_client_proto=off,tristero=info",
        2 => "warn,stun_proto=off,turn_client_proto=off,tristero=debug",
        _ => "debug,tristero=trace",
    }
}
