//! What may be in the dependency tree, as `deny.toml` has it.
//!
//! Licences, sources and banned crates are known from the lock file. What is known to be unsafe is in
//! a database on GitHub, which not every machine reaches: where it can't be fetched, that part is
//! left out and the report says so. It is no skip, for then a change would fail by what others published,
//! or by a network that is down.

use std::path::Path;
use std::process::Command;

use crate::command;
use crate::project::Project;
use crate::setup::{self, Tool};
use crate::tally::{Obstacle, Tally};

/// Judges all dependencies.
pub(crate) fn check(project: &Project) -> Result<Tally, Obstacle> {
    let deny = setup::tool(project, Tool::CargoDeny)?;
    let mut tally = Tally::from(judge(project, &deny, &["bans", "licenses", "sources"]));
    match command::run(&mut cargo_deny(project, &deny, &["fetch", "db"])) {
        Ok(()) => tally.add(&judge(project, &deny, &["advisories"]).into()),
        Err(_) => tally.notes.push(UNKNOWN_ADVISORIES.to_owned()),
    }
    Ok(tally)
}

fn judge(project: &Project, deny: &Path, what: &[&str]) -> Result<(), Obstacle> {
    let mut check = cargo_deny(project, deny, &["check"]);
    Ok(command::run(check.args(what))?)
}

/// Warnings are left out: most are of crates that are there in two versions.
fn cargo_deny(project: &Project, deny: &Path, arguments: &[&str]) -> Command {
    let mut command = project.command(deny, &["--log-level=error"]);
    command.args(arguments);
    command
}

const UNKNOWN_ADVISORIES: &str = "not checked: advisories, whose database can't be fetched here; everything else of deny.toml was";
