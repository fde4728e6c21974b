//! The one node of a command.

use std::env;
use std::ffi::OsStr;

use tristero_tokio::{NodeHandle, Options};

use crate::exit::Failure;
use crate::strategies;

/// Which async runtime drives nodes: `tokio`, as everything else of the program, or `smol`, for whoever
/// wants to see that it does. Sockets and links are then smol's.
const RUNTIME: &str = "TRISTERO_RUNTIME";

/// Starts a node.
pub(crate) fn start(options: Options) -> Result<NodeHandle, Failure> {
    let options = Options { dialers: strategies::dialers(), ..options };
    let runtime = env::var_os(RUNTIME).unwrap_or_default();
    let started = match runtime.to_str() {
        Some("" | "tokio") => tristero_tokio::node(options),
        #[cfg(feature = "smol")]
        Some("smol") => tristero_smol::node(options),
        _ => return Err(unknown(&runtime)),
    };
    started.map_err(|error| Failure::running(format!("no peer can be started: {error}")))
}

fn unknown(runtime: &OsStr) -> Failure {
    let known = if cfg!(feature = "smol") { "tokio or smol" } else { "tokio" };
    Failure::usage(format!("{RUNTIME} is {}, and can be {known}", runtime.display()))
}
