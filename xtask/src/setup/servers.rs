//! The servers in Rust that others wrote, which tests meet at.
//!
//! They are a workspace of their own, with a lock file of its own. Where they don't build, the tests
//! have those in JavaScript.

use std::path::PathBuf;

use super::Missing;
use crate::command;
use crate::project::Project;

/// Builds their program and returns where it is: beside our own builds, whose profile theirs is, so
/// that what both depend on is built once.
pub(crate) fn test_servers(project: &Project) -> Result<PathBuf, Missing> {
    let mut build = project.cargo(&["build", "--locked", "--manifest-path"]);
    build.arg(project.servers_manifest()).arg("--target-dir").arg(project.target());
    command::run(&mut build).map_err(Missing::new)?;
    Ok(project.program("tristero-test-servers"))
}
