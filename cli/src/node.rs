//! The one node of a command.

use tristero_tokio::{NodeHandle, Options};

use crate::exit::Failure;
use crate::strategies;

/// Starts a node.
pub(crate) fn start(options: Options) -> Result<NodeHandle, Failure> {
    tristero_tokio::node(Options { dialers: strategies::dialers(), ..options })
        .map_err(|error| Failure::running(format!("no peer can be started: {error}")))
}
