//! Having rustdoc write JSON.

use std::env;
use std::process::{Command, ExitCode};

use crate::command;
use crate::project::Project;
use crate::setup::{self, Missing};

/// Cargo, to have all libraries documented as JSON.
///
/// It is what the step before documents, with the same features, so that nothing is left to build.
pub(super) fn documenting(project: &Project) -> Result<Command, Missing> {
    let us = env::current_exe().map_err(|error| Missing::new(format!("rustdoc: {error}")))?;
    let mut cargo = setup::cargo_of(project, TOOLCHAIN)?;
    cargo.args(["doc", "--workspace", "--lib", "--no-deps", "--all-features"]);
    cargo.env("RUSTDOC", us).env(MARK, "1").env("RUSTDOCFLAGS", FLAGS);
    Ok(cargo)
}

/// Runs rustdoc if we were started in its place, with what we were started with.
pub(crate) fn stand_in() -> Option<ExitCode> {
    env::var_os(MARK)?;
    let mut rustdoc = Command::new("rustdoc");
    rustdoc.args(env::args_os().skip(1)).env("RUSTC_BOOTSTRAP", "1");
    Some(command::stand_in(&mut rustdoc))
}

/// The version of Rust whose JSON the `public-api` of `xtask/tools` reads. They change together.
const TOOLCHAIN: &str = "1.95.0";

const FLAGS: &str = "-Z unstable-options --output-format json --cap-lints allow";

/// Is set where Cargo starts us for rustdoc.
const MARK: &str = "XTASK_IS_RUSTDOC";
