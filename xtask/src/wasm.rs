//! The core in WebAssembly: its tests pass there too, and a module of it asks for nothing.
//!
//! The tests are the ones that run everywhere. There `#[test]` is wasm-bindgen-test's
//! (`wasm/harness`), whose runner has Node.js call one after another. The module is
//! built for its size, without anything that is there for tests; `wasm/measure.mjs` runs it.

use std::thread;

use crate::command;
use crate::counting;
use crate::libtest::LibtestOutput;
use crate::project::Project;
use crate::setup;
use crate::tally::{Obstacle, Tally};

/// Runs the tests and the module. That is built while they run, one after another and on one core.
pub(crate) fn check(project: &Project) -> Result<Tally, Obstacle> {
    setup::wasm_target(project)?;
    setup::node(project)?;
    let runner = setup::own_tool(project, "wasm-test-runner")?;
    let mut cargo = project.cargo(&TESTS);
    cargo.env(RUNNER, runner).env(FLAGS, WITHOUT_DEBUGINFO);
    let mut module = project.cargo(&MODULE);
    let (mut tally, (built, printed)) = thread::scope(|scope| {
        let build = scope.spawn(|| command::read_errors(&mut module));
        let tally = counting::run_tests(&mut cargo, LibtestOutput::default());
        (tally, build.join().expect("building does not panic"))
    });
    if built.is_err() {
        eprintln!("{printed}");
    }
    tally.add(&built.map_err(Obstacle::from).and_then(|()| run_module(project)).into());
    Ok(tally)
}

/// Builds the module, runs it, and says what it weighs.
pub(crate) fn measure(project: &Project) -> Result<(), Obstacle> {
    setup::wasm_target(project)?;
    setup::node(project)?;
    command::run(&mut project.cargo(&MODULE))?;
    run_module(project)
}

fn run_module(project: &Project) -> Result<(), Obstacle> {
    let folder = project.target().join(setup::WASM_TARGET).join("wasm");
    let mut node = project.command(setup::NODE, &["wasm/measure.mjs"]);
    Ok(command::run(node.arg(folder.join("tristero-wasm.wasm")))?)
}

/// The tests but for examples in the documentation.
const TESTS: [&str; 8] = [
    "test",
    "--package=tristero-proto",
    "--all-features",
    "--lib",
    "--tests",
    "--no-fail-fast",
    "--target",
    setup::WASM_TARGET,
];

/// The core, and a node that is driven.
const MODULE: [&str; 6] =
    ["build", "--package=tristero-wasm", "--profile", "wasm", "--target", setup::WASM_TARGET];

/// Lines for a debugger, which there is none. The runner reads and writes each module, and with them takes
/// longer than the tests. Where a test panicked is said without.
const WITHOUT_DEBUGINFO: &str = "-C debuginfo=0 -C strip=debuginfo";

/// What Cargo builds for that target with, and nothing that runs during the build.
const FLAGS: &str = "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS";

/// What Cargo runs tests of that target with.
const RUNNER: &str = "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER";

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::*;

    /// The files that are programs of tests.
    fn test_programs() -> Vec<PathBuf> {
        let entries = fs::read_dir(Project::here().path("proto-core/tests")).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        let file = |path: PathBuf| if path.is_dir() { path.join("main.rs") } else { path };
        let is_program = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "rs");
        paths.map(file).filter(|path| path.is_file() && is_program(path)).collect()
    }

    /// Without that line its tests would be left out there, and nobody would see.
    #[test]
    fn every_program_of_tests_of_the_core_has_its_tests_run_there_too() {
        let programs = test_programs();
        assert!(programs.len() > 10, "{programs:?}");
        for path in programs {
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.contains("extern crate tristero_wasm_harness;"), "{}", path.display());
        }
    }
}
