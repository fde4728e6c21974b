//! The project's own commands, started as `cargo xtask COMMAND`.
//!
//! `cargo xtask test` is the one command that says whether the project is right. It brings what it
//! needs, runs every [`Step`], names what it could not run, and ends with `N passed, N failed`.
//!
//! Rules kept here:
//! - A step that fails does not keep the next from running.
//! - What can't be run is a skip with a reason, and with `CI=true` a skip is a failure.
//! - Programs are started in [`command`] and nowhere else.

mod api;
mod command;
mod counting;
mod deny;
mod fuzz;
mod libtest;
mod mutations;
mod project;
mod report;
mod setup;
mod step;
mod tally;
mod tap;
mod wasm;

use std::fmt;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::api::ApiArguments;
use crate::fuzz::FuzzArguments;
use crate::mutations::MutationsArguments;
use crate::project::Project;
use crate::report::{Report, SkipPolicy};
use crate::step::Step;
use crate::tally::{Obstacle, Tally};

/// The project's own commands.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Runs every check and test of the project; with CI=true a skipped one is a failure
    Test(TestArguments),
    /// Installs what the tests need: Rust components, npm packages, Chromium
    Setup,
    /// Compares what the published crates offer with docs/api
    Api(ApiArguments),
    /// Builds the core as a WebAssembly module, runs it, and says what it weighs
    Wasm,
    /// Builds the web demo
    Web,
    /// Fuzzes the targets of fuzz/
    Fuzz(FuzzArguments),
    /// Puts bugs into a copy of the project, one after another, and says which the soak finds
    Mutations(MutationsArguments),
}

#[derive(Debug, Args)]
struct TestArguments {
    /// Runs this step and no other (repeatable)
    #[arg(long, value_name = "STEP", hide_possible_values = true)]
    only: Vec<Step>,
    /// Leaves this step out (repeatable)
    #[arg(long, value_name = "STEP", hide_possible_values = true)]
    skip: Vec<Step>,
    /// Prints the steps that would run, and ends
    #[arg(long)]
    list: bool,
}

impl TestArguments {
    /// The chosen steps, in the order in which they run.
    fn steps(&self) -> Vec<Step> {
        let is_chosen = |step: &Step| {
            (self.only.is_empty() || self.only.contains(step)) && !self.skip.contains(step)
        };
        Step::value_variants().iter().copied().filter(is_chosen).collect()
    }
}

fn main() -> ExitCode {
    if let Some(status) = api::stand_in_for_rustdoc() {
        return status;
    }
    let project = Project::here();
    match Arguments::parse().task {
        Task::Test(arguments) => test(&project, &arguments),
        Task::Setup => setup(&project),
        Task::Api(arguments) => end_of_tally(api::api(&project, &arguments)),
        Task::Wasm => end(wasm::measure(&project)),
        Task::Web => end(step::build_web(&project)),
        Task::Fuzz(arguments) => end_of_tally(fuzz::fuzz(&project, &arguments)),
        Task::Mutations(arguments) => end(mutations::mutations(&project, &arguments)),
    }
}

fn test(project: &Project, arguments: &TestArguments) -> ExitCode {
    let steps = arguments.steps();
    if steps.is_empty() {
        eprintln!("error: --only and --skip leave no step to run");
        return ExitCode::from(USAGE);
    }
    if arguments.list {
        for step in steps {
            println!("{:<9} {}", step.name(), step.about());
        }
        return ExitCode::SUCCESS;
    }
    let mut report = Report::new(SkipPolicy::from_env());
    for step in steps {
        report.run(&step.name(), &step.about(), || step.run(project));
    }
    println!("\n{report}");
    if report.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn setup(project: &Project) -> ExitCode {
    let mut status = ExitCode::SUCCESS;
    for (what, outcome) in setup::everything(project) {
        match outcome {
            Ok(()) => println!("{what}: ready"),
            Err(missing) => {
                println!("{what}: missing: {missing}");
                status = ExitCode::FAILURE;
            }
        }
    }
    status
}

/// Ends well if nothing is to be said of what was counted.
fn end_of_tally(counted: Result<Tally, Obstacle>) -> ExitCode {
    let notes = counted.map(|tally| tally.notes).map_err(|obstacle| obstacle.to_string());
    end(notes.and_then(|notes| if notes.is_empty() { Ok(()) } else { Err(notes.join("\n")) }))
}

fn end<E: fmt::Display>(result: Result<(), E>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The status that `clap` ends with when the arguments are wrong.
const USAGE: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn steps_of(arguments: &[&str]) -> Vec<Step> {
        let all = ["xtask", "test"].iter().chain(arguments);
        match Arguments::try_parse_from(all).unwrap().task {
            Task::Test(arguments) => arguments.steps(),
            other => panic!("not `test`: {other:?}"),
        }
    }

    #[test]
    fn every_step_runs_when_none_is_named() {
        assert_eq!(steps_of(&[]), Step::value_variants());
    }

    #[test]
    fn only_chooses_steps_in_their_own_order() {
        let chosen = steps_of(&["--only", "wasm", "--only", "format"]);
        assert_eq!(chosen, [Step::Format, Step::Wasm]);
    }

    #[test]
    fn skip_takes_steps_away_even_from_only() {
        assert_eq!(steps_of(&["--only=docs", "--only=demo", "--skip=demo"]), [Step::Docs]);
        assert!(!steps_of(&["--skip", "interop"]).contains(&Step::Interop));
    }

    #[test]
    fn an_unknown_step_is_refused() {
        assert!(Arguments::try_parse_from(["xtask", "test", "--only", "nothing"]).is_err());
    }
}
