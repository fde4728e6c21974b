//! `tristero-sim`: soaks the protocol in simulated bad nights, and replays what it found.

mod entropy;

use std::process::ExitCode;

fn main() -> ExitCode {
    tristero_sim::program::main()
}
