//! What the crates that are published offer to others, an item a line, in `docs/api`.
//!
//! A change to it is seen where it is reviewed: a line that goes is a break, a line that comes is a
//! promise. It is written by the `public-api` of `xtask/tools` from what rustdoc says as JSON, whose
//! form differs between versions of Rust. So one version writes it, whichever runs all else; where that
//! is the same one, the dependencies are known already.
//!
//! JSON is not stable, so only an unstable rustdoc writes it. Told to Cargo, that would have every
//! build script look again and all be built again. So rustdoc alone is told, by us, in its place.

mod rustdoc;
mod snapshot;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;

pub(crate) use rustdoc::stand_in as stand_in_for_rustdoc;

use self::snapshot::Difference;
use crate::command;
use crate::project::Project;
use crate::setup::{self, Missing};
use crate::tally::{Obstacle, Tally};

/// Whether to compare or to write.
#[derive(Debug, Args)]
pub(crate) struct ApiArguments {
    /// Writes docs/api anew, for a change that is meant
    #[arg(long)]
    write: bool,
}

impl ApiArguments {
    /// What `cargo xtask test` does.
    pub(crate) fn comparing() -> Self {
        Self { write: false }
    }
}

/// Compares what each crate offers with what is written down, or writes it down.
pub(crate) fn api(project: &Project, arguments: &ApiArguments) -> Result<Tally, Obstacle> {
    let public_api = setup::own_tool(project, "public-api")?;
    command::run(&mut rustdoc::documenting(project)?)?;
    let mut tally = Tally::default();
    let packages = published(project)?;
    for file in left_over(project, &packages)? {
        tally.fail(format_args!("{}: there is no such crate any more", file.display()));
    }
    for package in packages {
        let listed = command::read(&mut listing(project, &public_api, &package))?;
        let file = project.path(&format!("docs/api/{package}.txt"));
        if arguments.write {
            write(&file, &listed)?;
        }
        let written = fs::read_to_string(&file).unwrap_or_default();
        match Difference::between(&written, &listed) {
            None => tally.passed += 1,
            Some(difference) => {
                println!("{package} offers something else than docs/api says:\n{difference}");
                tally.fail(format_args!("{package}: {RENEW}"));
            }
        }
    }
    Ok(tally)
}

/// Files of crates that are gone, or are published no more.
fn left_over(project: &Project, packages: &[String]) -> Result<Vec<PathBuf>, Missing> {
    let folder = project.path("docs/api");
    let entries = fs::read_dir(&folder)
        .map_err(|error| Missing::new(format!("{} can't be read: {error}", folder.display())))?;
    let files = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let is_known = |file: &PathBuf| {
        let name = file.file_stem().unwrap_or_default();
        packages.iter().any(|package| name == package.as_str())
    };
    Ok(files.filter(|file| !is_known(file)).collect())
}

/// The libraries that others depend on: those in the folders of the checkout that nothing keeps from
/// being published.
fn published(project: &Project) -> Result<Vec<String>, Missing> {
    let root = project.path("");
    let entries = fs::read_dir(&root)
        .map_err(|error| Missing::new(format!("{} can't be read: {error}", root.display())))?;
    let folders = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut libraries: Vec<String> = folders.filter_map(|folder| library(&folder)).collect();
    libraries.sort();
    Ok(libraries)
}

fn library(folder: &Path) -> Option<String> {
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).ok()?;
    let is_published = !manifest.lines().any(|line| line == "publish = false");
    let name = manifest.lines().find_map(|line| line.strip_prefix("name = "))?;
    let is_library = folder.join("src/lib.rs").is_file();
    (is_published && is_library).then(|| name.trim_matches('"').to_owned())
}

/// The program that lists what a crate offers.
fn listing(project: &Project, public_api: &Path, package: &str) -> Command {
    let json = format!("doc/{}.json", package.replace('-', "_"));
    let mut listing = project.command(public_api, &[]);
    listing.arg(project.target().join(json));
    listing
}

fn write(file: &Path, listed: &str) -> Result<(), Missing> {
    let folder = file.parent().expect("it is in a folder");
    let written = fs::create_dir_all(folder).and_then(|()| fs::write(file, listed));
    written.map_err(|error| Missing::new(format!("{} can't be written: {error}", file.display())))
}

/// What to do about a difference.
const RENEW: &str =
    "its API changed: if that is meant, run `cargo xtask api --write`, and say so in CHANGELOG.md";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_that_are_published_are_held_to_what_they_offer_and_no_others() {
        let libraries = published(&Project::here()).unwrap();
        for published in ["tristero", "tristero-proto", "tristero-str0m", "tristero-tokio"] {
            assert!(libraries.iter().any(|library| library == published), "{libraries:?}");
        }
        // A program, something for tests, and one of the project's own.
        for private in ["tristero-cli", "tristero-interop", "xtask"] {
            assert!(libraries.iter().all(|library| library != private), "{libraries:?}");
        }
    }
}
