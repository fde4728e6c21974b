//! What has to hold, in the order in which it is found out.
//!
//! Time goes into builds more than into all else, so there are few: what fails fast comes first,
//! clippy and rustdoc share what they learn of the dependencies, and whatever runs a program of ours
//! takes it from the build of the tests. That has libp2p, and asserts more than a release.

use std::fs;
use std::path::Path;
use std::process::Command;

use clap::ValueEnum;
use clap::builder::PossibleValue;

use crate::api::{self, ApiArguments};
use crate::command::{self, RunError};
use crate::counting;
use crate::deny;
use crate::fuzz::{self, FuzzArguments};
use crate::libtest::LibtestOutput;
use crate::project::Project;
use crate::setup::{self, Missing, Programs, Tool};
use crate::tally::{Obstacle, Tally};
use crate::tap::TapOutput;
use crate::wasm;

/// A step of `cargo xtask test`: one check each, but for those that count what they find.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Step {
    /// All Rust code is formatted
    Format,
    /// Clippy has nothing to say
    Clippy,
    /// The documentation builds without a warning
    Docs,
    /// Published crates offer what docs/api says
    Api,
    /// Crates build alone and with each of their features
    Features,
    /// Dependencies are as deny.toml has them
    Deny,
    /// Unit tests, integration tests and documented examples pass
    Test,
    /// The core passes its tests in WebAssembly, and imports nothing
    Wasm,
    /// The web demo builds
    Web,
    /// Trystero from npm and this program understand each other
    Interop,
    /// Nodes on smol and Trystero from npm do too
    Smol,
    /// Peers behind every pair of NATs connect exactly where theory says so
    Lab,
    /// The demo ends well
    Demo,
    /// Five hundred simulated nights pass
    Soak,
    /// Each fuzz target finds nothing in 10 s
    Fuzz,
}

impl Step {
    /// As it is written behind `--only`.
    pub(crate) fn name(self) -> String {
        self.value().get_name().to_owned()
    }

    /// What it proves.
    pub(crate) fn about(self) -> String {
        self.value().get_help().map(ToString::to_string).unwrap_or_default()
    }

    /// Does it, with what it needs.
    pub(crate) fn run(self, project: &Project) -> Tally {
        match self {
            Self::Format => check_format(project).into(),
            Self::Clippy => check_clippy(project).into(),
            Self::Docs => check_docs(project).into(),
            Self::Api => counted(api::api(project, &ApiArguments::comparing())),
            Self::Features => check_features(project).into(),
            Self::Deny => counted(deny::check(project)),
            Self::Test => run_tests(project),
            Self::Wasm => counted(wasm::check(project)),
            Self::Web => build_web(project).into(),
            Self::Interop => counted(run_interop(project)),
            Self::Smol => counted(run_smol(project)),
            Self::Lab => run_lab(project).into(),
            Self::Demo => run_demo(project).into(),
            Self::Soak => run_soak(project).into(),
            Self::Fuzz => run_fuzz(project),
        }
    }

    fn value(self) -> PossibleValue {
        self.to_possible_value().expect("no step is hidden")
    }
}

fn check_format(project: &Project) -> Result<(), Obstacle> {
    setup::rust_component(project, "rustfmt", "fmt")?;
    let format = || project.cargo(&["fmt", "--all", "--check"]);
    command::run(&mut format())?;
    let manifests =
        [project.servers_manifest(), project.tools_manifest(), project.microphone_manifest()];
    for manifest in manifests {
        command::run(format().arg("--manifest-path").arg(manifest))?;
    }
    Ok(())
}

fn check_clippy(project: &Project) -> Result<(), Obstacle> {
    setup::rust_component(project, "clippy", "clippy")?;
    let all = ["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"];
    Ok(command::run(&mut project.cargo(&all))?)
}

fn check_docs(project: &Project) -> Result<(), Obstacle> {
    let mut doc = project.cargo(&["doc", "--workspace", "--no-deps", "--all-features"]);
    Ok(command::run(doc.env("RUSTDOCFLAGS", "-D warnings"))?)
}

/// A crate by itself has no more features of its dependencies than it asks for, which all together
/// hide from each other.
fn check_features(project: &Project) -> Result<(), Obstacle> {
    let hack = setup::tool(project, Tool::CargoHack)?;
    Ok(command::run(&mut project.command(hack, &EACH_FEATURE))?)
}

fn run_tests(project: &Project) -> Tally {
    let mut cargo = project.cargo(&ALL_TESTS);
    cargo.arg("--no-fail-fast");
    // Tests that need one have it in their names.
    let servers = [("redis", setup::redis_server(project)), ("coturn", setup::coturn(project))];
    cargo.arg("--");
    for (name, _) in servers.iter().filter(|(_, server)| server.is_err()) {
        cargo.args(["--skip", name]);
    }
    let mut tally = counting::run_tests(&mut cargo, LibtestOutput::default());
    for (_, server) in servers {
        if let Err(missing) = server {
            tally.skip(missing);
        }
    }
    tally
}

/// Bundles the web demo into `interop/web`.
pub(crate) fn build_web(project: &Project) -> Result<(), Obstacle> {
    setup::npm_packages(project)?;
    let mut npm = project.command(setup::NPM, &["run", "build:web"]);
    Ok(command::run(npm.current_dir(project.interop()))?)
}

fn run_interop(project: &Project) -> Result<Tally, Obstacle> {
    setup::npm_packages(project)?;
    let tests = test_files(&project.interop().join("tests"))?;
    let programs = Programs::build(project)?;

    let mut node = node_tests(project);
    node.args(tests);
    node.env("TRISTERO_BIN", programs.tristero);
    node.env("TRISTERO_WAKU_NODE", programs.waku_node);
    node.env("TRISTERO_EVENT_LOOP", programs.event_loop);
    let browser = setup::chromium(project);
    if let Ok(path) = &browser {
        node.env("CHROMIUM", path);
    }
    let firebase_server = setup::firebase_server(project);
    let coturn = setup::coturn(project);
    let namespaces = setup::nat_lab(project);
    let ffmpeg = setup::ffmpeg(project);
    let servers = setup::test_servers(project);
    if let Ok(path) = &servers {
        node.env("TRISTERO_TEST_SERVERS", path);
    }
    let mut tally = counting::run_tests(&mut node, TapOutput::default());
    // The tests skip themselves where there is no browser or server, but do not know what became
    // of it.
    let missing = [
        browser.err(),
        servers.err(),
        firebase_server.err(),
        coturn.err(),
        namespaces.err(),
        ffmpeg.err(),
    ];
    tally.notes.extend(missing.into_iter().flatten().map(|missing| missing.to_string()));
    Ok(tally)
}

/// A part of the same: what a runtime does differently would show wherever peers meet and talk.
fn run_smol(project: &Project) -> Result<Tally, Obstacle> {
    setup::npm_packages(project)?;
    let programs = Programs::build(project)?;
    let mut node = node_tests(project);
    node.args(["tests/rust-agent.test.mjs", "tests/rust-with-chromium.test.mjs"]);
    node.env("TRISTERO_BIN", programs.tristero).env("TRISTERO_RUNTIME", "smol");
    let browser = setup::chromium(project);
    if let Ok(path) = &browser {
        node.env("CHROMIUM", path);
    }
    let mut tally = counting::run_tests(&mut node, TapOutput::default());
    tally.notes.extend(browser.err().map(|missing| missing.to_string()));
    Ok(tally)
}

fn node_tests(project: &Project) -> Command {
    let mut node = project
        .command("node", &["--test", "--test-reporter=tap", "--test-concurrency=2", TEST_TIMEOUT]);
    node.current_dir(project.interop());
    node
}

/// In network namespaces, which not every machine permits.
fn run_lab(project: &Project) -> Result<(), Obstacle> {
    setup::nat_lab(project)?;
    setup::npm_packages(project)?;
    let program = Programs::build(project)?.tristero;
    let mut lab = project.command("node", &["interop/lab/run.mjs"]);
    lab.env("TRISTERO_BIN", program);
    // A scene that needs a browser says itself that there is none.
    if let Ok(path) = setup::chromium(project) {
        lab.env("CHROMIUM", path);
    }
    match command::run(&mut lab) {
        Err(RunError::Failed { status, .. }) if status.code() == Some(NOT_PERMITTED) => {
            Err(Missing::new("network namespaces are not permitted here: run as root").into())
        }
        outcome => Ok(outcome?),
    }
}

fn run_demo(project: &Project) -> Result<(), Obstacle> {
    let program = Programs::build(project)?.tristero;
    Ok(command::run(&mut project.command(program, &["demo"]))?)
}

/// Without a C++ compiler, which libFuzzer is built with, this is a skip: in CI a failure.
fn run_fuzz(project: &Project) -> Tally {
    let briefly = FuzzArguments::briefly();
    counted(fuzz::fuzz(project, &briefly))
}

fn run_soak(project: &Project) -> Result<(), Obstacle> {
    let sim = Programs::build(project)?.sim;
    Ok(command::run(&mut project.command(sim, &["soak", "--seeds", "500"]))?)
}

/// What a step counted, or that it could not.
fn counted(outcome: Result<Tally, Obstacle>) -> Tally {
    outcome.unwrap_or_else(|obstacle| Err(obstacle).into())
}

/// The test files in `folder`, those that take long first, as paths from `interop`: what
/// `node --test` finds by itself differs from version to version.
fn test_files(folder: &Path) -> Result<Vec<String>, Missing> {
    let entries = fs::read_dir(folder)
        .map_err(|error| Missing::new(format!("{} can't be read: {error}", folder.display())))?;
    let mut files: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".test.mjs"))
        .map(|name| format!("tests/{name}"))
        .collect();
    if files.is_empty() {
        return Err(Missing::new(format!("{} has no *.test.mjs", folder.display())));
    }
    // What is not known to take long comes after all that is.
    let place = |file: &String| LONG_TESTS.iter().position(|long| file == long);
    files.sort_by_key(|file| (place(file).unwrap_or(LONG_TESTS.len()), file.clone()));
    Ok(files)
}

/// Each published crate without features, with each of them, with two of them, and with all.
const EACH_FEATURE: [&str; 6] =
    ["hack", "check", "--feature-powerset", "--depth=2", "--workspace", "--ignore-private"];

/// The tests of all crates.
const ALL_TESTS: [&str; 3] = ["test", "--workspace", "--all-features"];

/// The test files that take half a minute and more, the longest first: of two that run at once none
/// is then left to run alone for long.
const LONG_TESTS: [&str; 6] = [
    "tests/strategies.test.mjs",
    "tests/rust-with-werift.test.mjs",
    "tests/rust-with-chromium.test.mjs",
    "tests/rust-with-node-datachannel.test.mjs",
    "tests/js-agents.test.mjs",
    "tests/several-strategies.test.mjs",
];

/// What the lab ends with where namespaces are not permitted.
const NOT_PERMITTED: i32 = 77;

/// Longer than any file of tests takes. Its tests have deadlines of their own; this one only makes
/// sure that a run which hangs still ends and says so.
const TEST_TIMEOUT: &str = "--test-timeout=600000";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_test_files_come_first_and_all_are_there() {
        let files = test_files(&Project::here().interop().join("tests")).unwrap();
        assert_eq!(files[..LONG_TESTS.len()], LONG_TESTS);
        assert!(files[LONG_TESTS.len()..].is_sorted(), "{files:?}");
    }
}
