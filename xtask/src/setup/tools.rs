//! Programs that checks are made with, at versions that are written down: below the builds, so that
//! no other version on this machine is asked, and none of ours gets in anybody's way.
//!
//! Cargo's subcommands come built, from PyPI, where `pip` knows a build for this system; else Cargo
//! builds them, which takes minutes. What is made of libraries is a workspace of its own,
//! `xtask/tools`.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use super::Missing;
use crate::command::{self, RunError};
use crate::project::Project;

/// A subcommand of Cargo's that others wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    /// Judges dependencies.
    CargoDeny,
    /// Tries features.
    CargoHack,
}

/// Makes sure that a tool is there, and returns where.
pub(crate) fn tool(project: &Project, tool: Tool) -> Result<PathBuf, Missing> {
    let folder = project.target().join("tools");
    let program = folder.join("bin").join(format!("{}{}", tool.name(), env::consts::EXE_SUFFIX));
    let version = tool.version();
    let is_it = || {
        let printed =
            command::read(&mut project.command(&program, &[tool.subcommand(), "--version"]));
        printed.is_ok_and(|printed| printed.split_whitespace().any(|word| word == version))
    };
    let mut pip = project.command(PYTHON, &PIP_INSTALL);
    pip.arg("--target").arg(&folder).arg("--requirement").arg(project.path(REQUIREMENTS));
    let mut cargo = project.cargo(&["install", "--locked", "--force", tool.name()]);
    cargo.args(["--version", version, "--root"]).arg(&folder);
    let brings = |install: &mut Command| command::run(install).is_ok() && is_it();
    if is_it() || brings(&mut pip) || brings(&mut cargo) {
        return Ok(program);
    }
    Err(Missing::new(format!(
        "{} {version} is not there, and neither pip nor cargo install brings it",
        tool.name()
    )))
}

/// Builds our program `name` of `xtask/tools` and returns where it is: beside our own builds, so that
/// what both depend on is built once.
pub(crate) fn own_tool(project: &Project, name: &str) -> Result<PathBuf, RunError> {
    let mut build = project.cargo(&["build", "--locked", "--bin", name, "--manifest-path"]);
    build.arg(project.tools_manifest()).arg("--target-dir").arg(project.target());
    command::run(&mut build)?;
    Ok(project.program(name))
}

impl Tool {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::CargoDeny => "cargo-deny",
            Self::CargoHack => "cargo-hack",
        }
    }

    /// The word after `cargo`, which it also wants where it is started by itself.
    fn subcommand(self) -> &'static str {
        match self {
            Self::CargoDeny => "deny",
            Self::CargoHack => "hack",
        }
    }

    /// The version that the requirements name.
    fn version(self) -> &'static str {
        let of_this = |line: &'static str| {
            let (package, rest) = line.split_once("==")?;
            package.ends_with(self.name()).then(|| rest.split_whitespace().next())?
        };
        PINS.lines().find_map(of_this).expect("the requirements name each tool")
    }
}

/// Python 3, on all systems but one.
const PYTHON: &str = if cfg!(windows) { "python" } else { "python3" };

/// Nothing is built, and nothing is taken whose hash is not written down.
const PIP_INSTALL: [&str; 9] = [
    "-m",
    "pip",
    "install",
    "--quiet",
    "--disable-pip-version-check",
    "--root-user-action=ignore",
    "--upgrade",
    "--only-binary=:all:",
    "--require-hashes",
];

/// Where the versions are written down.
const REQUIREMENTS: &str = "xtask/tools/requirements.txt";

const PINS: &str = include_str!("../../tools/requirements.txt");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tool_has_a_version_with_a_hash_for_each_system() {
        for tool in [Tool::CargoDeny, Tool::CargoHack] {
            assert_eq!(tool.version().split('.').count(), 3, "{tool:?}");
        }
        let hashes = PINS.lines().filter(|line| line.contains("--hash=sha256:")).count();
        assert_eq!(hashes, 8);
    }
}
