//! Fuzzing: the targets of `fuzz/`, under libFuzzer.

use clap::{Args, ValueEnum};

use crate::command;
use crate::project::Project;
use crate::setup::{self, Missing};

/// What to fuzz, and for how long.
#[derive(Debug, Args)]
pub(crate) struct FuzzArguments {
    /// Runs this target and no other (repeatable)
    #[arg(long, value_name = "TARGET")]
    target: Vec<Target>,
    /// How long each target runs
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    seconds: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Target {
    /// What relays send, to a session of each strategy
    Relays,
    /// What peers send: signals, and messages of the data channel
    Codecs,
}

/// Runs the targets one after another, until one finds something.
pub(crate) fn fuzz(project: &Project, arguments: &FuzzArguments) -> Result<(), Missing> {
    setup::cargo_fuzz(project)?;
    let seconds = format!("-max_total_time={}", arguments.seconds);
    let chosen =
        |target: &&Target| arguments.target.is_empty() || arguments.target.contains(target);
    for target in Target::value_variants().iter().filter(chosen) {
        let value = target.to_possible_value().expect("no target is hidden");
        let run = ["run", setup::FUZZ_TOOLCHAIN, "cargo", "fuzz", "run", "--features", "libfuzzer"];
        // Memory that grows without bound is a finding too.
        let limits = ["--", &seconds, "-rss_limit_mb=2048"];
        let mut fuzz = project.command("rustup", &run);
        fuzz.arg(value.get_name()).args(limits);
        command::run(&mut fuzz).map_err(Missing::new)?;
    }
    Ok(())
}
