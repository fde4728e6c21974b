//! Fuzzing: the targets of `fuzz/`, under libFuzzer.
//!
//! The targets are the programs in `fuzz/fuzz_targets`; nobody else lists them. Each begins with its
//! seeds, which are written anew, with what was found once, and with what earlier runs have kept.
//!
//! They are built as cargo-fuzz builds them, but with this toolchain and without a sanitizer: that
//! needs nothing to be installed, takes half the time, and our code has no memory of its own to go
//! wrong with. Whoever doubts a dependency takes cargo-fuzz, which works in `fuzz/` too.

use std::collections::VecDeque;
use std::fs;
use std::num::NonZero;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::thread;

use clap::Args;

use crate::command::{self, RunError};
use crate::project::Project;
use crate::setup::{self, Missing, Programs};
use crate::tally::{Obstacle, Tally};

/// What to fuzz, and for how long.
#[derive(Debug, Args)]
pub(crate) struct FuzzArguments {
    /// Runs this target and no other (repeatable): a program of fuzz/fuzz_targets
    #[arg(long, value_name = "TARGET")]
    target: Vec<String>,
    /// How long each target runs
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    seconds: u32,
    /// How many targets run at once: as many as there are cores, if not said
    #[arg(long, value_name = "NUMBER")]
    jobs: Option<NonZero<usize>>,
}

impl FuzzArguments {
    /// What `cargo xtask test` runs: all, not for long.
    pub(crate) fn briefly() -> Self {
        Self { target: Vec::new(), seconds: BRIEFLY_SECONDS, jobs: None }
    }
}

/// Runs targets, each to its end or until it finds something, and says of each what came of it.
pub(crate) fn fuzz(project: &Project, arguments: &FuzzArguments) -> Result<Tally, Obstacle> {
    let targets = chosen(all(project)?, &arguments.target)?;
    write_seeds(project)?;
    let host = setup::host(project)?;
    command::run(&mut build(project, &host))?;
    let runs =
        targets.iter().map(|target| (target.clone(), run(project, &host, target, arguments)));
    let mut tally = Tally::default();
    let jobs = arguments.jobs.or(thread::available_parallelism().ok()).map_or(1, NonZero::get);
    for (target, outcome) in all_at_once(runs.collect(), jobs) {
        match outcome {
            Ok(()) => tally.passed += 1,
            Err(error) => tally.fail(format_args!("fuzzing {target}: {error}")),
        }
    }
    Ok(tally)
}

/// Writes the seeds of all targets. What does is built as for the tests, which have it already.
fn write_seeds(project: &Project) -> Result<(), RunError> {
    let seeds = Programs::build(project)?.fuzz_seeds;
    command::run(&mut project.command(seeds, &[SEEDS]))
}

/// The names of all targets.
fn all(project: &Project) -> Result<Vec<String>, Missing> {
    let folder = project.path("fuzz/fuzz_targets");
    let entries = fs::read_dir(&folder)
        .map_err(|error| Missing::new(format!("{} can't be read: {error}", folder.display())))?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut names: Vec<String> =
        paths.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect();
    names.sort();
    Ok(names)
}

fn chosen(all: Vec<String>, named: &[String]) -> Result<Vec<String>, Missing> {
    if let Some(unknown) = named.iter().find(|name| !all.contains(name)) {
        let known = all.join(", ");
        return Err(Missing::new(format!("there is no target {unknown}, only {known}")));
    }
    if named.is_empty() { Ok(all) } else { Ok(named.to_vec()) }
}

/// Cargo, to build all programs. Naming the host as the target keeps the flags from what runs
/// during the build.
fn build(project: &Project, host: &str) -> Command {
    let fuzz = ["build", "--package", "tristero-fuzz", "--features", "libfuzzer", "--bins"];
    let mut cargo = project.cargo(&fuzz);
    cargo.args(["--profile", "fuzz", "--target", host, "--target-dir"]).arg(target_folder(project));
    cargo.env("RUSTFLAGS", FLAGS.join(" "));
    cargo
}

fn run(project: &Project, host: &str, target: &str, arguments: &FuzzArguments) -> Command {
    // libFuzzer writes what it keeps to the first folder, and demands that all are there.
    let folders =
        ["corpus", "seeds", "regressions"].map(|folder| format!("fuzz/{folder}/{target}"));
    let program = target_folder(project).join(host).join("fuzz").join(target);
    let mut fuzz = project.command(program, &[]);
    let artifacts = format!("fuzz/artifacts/{target}/");
    for folder in folders.iter().chain([&artifacts]) {
        let _ = fs::create_dir_all(project.path(folder));
    }
    fuzz.args(&folders);
    // Memory that grows without bound is a finding, and so is an input that takes for ever.
    fuzz.args(["-rss_limit_mb=2048", "-timeout=20", "-print_final_stats=1"]);
    fuzz.arg(format!("-artifact_prefix={artifacts}"));
    fuzz.arg(format!("-max_total_time={}", arguments.seconds));
    fuzz
}

/// Where the programs are built: apart from all else, because their flags are others.
fn target_folder(project: &Project) -> PathBuf {
    project.target().join("fuzz")
}

/// Runs these, so many at once, and shows what each printed in the end.
fn all_at_once(
    runs: VecDeque<(String, Command)>,
    jobs: usize,
) -> Vec<(String, Result<(), RunError>)> {
    let (runs, outcomes) = (Mutex::new(runs), Mutex::new(Vec::new()));
    let next = || runs.lock().expect("no run panics").pop_front();
    let work = || {
        while let Some((target, mut command)) = next() {
            let (outcome, printed) = command::read_errors(&mut command);
            let shown = if outcome.is_ok() { SUMMARY_LINES } else { FAULT_LINES };
            let mut outcomes = outcomes.lock().expect("no run panics");
            println!("\n{target}:\n{}", last_lines(&printed, shown));
            outcomes.push((target, outcome));
        }
    };
    thread::scope(|scope| {
        (0..jobs).for_each(|_| {
            scope.spawn(work);
        });
    });
    outcomes.into_inner().expect("no run panics")
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// What makes a compiler tell libFuzzer which way a program takes: cargo-fuzz has the same.
const FLAGS: [&str; 6] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
];

/// Where the seeds are written, from the root of the checkout.
const SEEDS: &str = "fuzz/seeds";

/// Enough to see that a target runs, and what it finds at once.
const BRIEFLY_SECONDS: u32 = 10;

/// libFuzzer's last words: what it reached, and how often it ran.
const SUMMARY_LINES: usize = 8;

/// What it prints of a fault: the panic, the stack, the input.
const FAULT_LINES: usize = 120;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_targets_are_the_programs() {
        let all = all(&Project::here()).unwrap();
        assert!(all.contains(&"nodes".to_owned()) && all.is_sorted(), "{all:?}");
        assert_eq!(chosen(all.clone(), &[]).unwrap(), all);
        assert_eq!(chosen(all.clone(), &["nodes".to_owned()]).unwrap(), ["nodes"]);
        let error = chosen(all, &["node".to_owned()]).unwrap_err().to_string();
        assert!(error.starts_with("there is no target node, only "), "{error}");
    }

    #[test]
    fn every_run_has_its_outcome_however_many_there_are_at_once() {
        let command = |argument: &str| {
            let mut command = Command::new("rustc");
            command.arg(argument);
            command
        };
        let run = |argument: &str| (argument.to_owned(), command(argument));
        for jobs in [1, 2, 5] {
            let runs = ["--version", "--no-such-option", "--help"].map(run).into();
            let mut outcomes = all_at_once(runs, jobs);
            outcomes.sort_by(|a, b| a.0.cmp(&b.0));
            let ended_well: Vec<bool> = outcomes.iter().map(|(_, end)| end.is_ok()).collect();
            assert_eq!(ended_well, [true, false, true], "{jobs}");
        }
    }
}
