//! Bringing what the steps need, where that can be done without asking.
//!
//! Nothing here installs anew what is there already, and nothing is brought before the step that
//! needs it. What can't be brought is [`Missing`], with words that say what to do.

mod apt;
mod chromium;
mod ours;
mod programs;
mod servers;
mod tools;

use std::fmt;
use std::fs;
use std::path::Path;
use std::process::Command;

pub(crate) use chromium::chromium;
pub(crate) use ours::Programs;
pub(crate) use programs::{coturn, ffmpeg, nat_lab, redis_server};
pub(crate) use servers::test_servers;
pub(crate) use tools::{Tool, own_tool, tool};

use crate::command;
use crate::project::Project;

/// Something a step needs that is not there and could not be brought, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Missing(String);

impl Missing {
    pub(crate) fn new(what: impl fmt::Display) -> Self {
        Self(what.to_string())
    }
}

/// Brings all there is to bring, and says of each what came of it.
pub(crate) fn everything(project: &Project) -> [(&'static str, Result<(), Missing>); 11] {
    [
        ("rustfmt", rust_component(project, "rustfmt", "fmt")),
        ("clippy", rust_component(project, "clippy", "clippy")),
        (WASM_TARGET, wasm_target(project)),
        ("cargo-deny", tool(project, Tool::CargoDeny).map(|_path| ())),
        ("cargo-hack", tool(project, Tool::CargoHack).map(|_path| ())),
        ("npm packages", npm_packages(project)),
        ("firebase-server", firebase_server(project)),
        ("Redis", redis_server(project)),
        ("NAT lab", nat_lab(project)),
        ("Chromium", chromium(project).map(|_path| ())),
        ("FFmpeg", ffmpeg(project)),
    ]
}

/// Brings the toolchain's `component`, which is `subcommand` of cargo.
pub(crate) fn rust_component(
    project: &Project,
    component: &str,
    subcommand: &str,
) -> Result<(), Missing> {
    if command::read(&mut project.cargo(&[subcommand, "--version"])).is_ok() {
        return Ok(());
    }
    rustup(project, &["component", "add", component])
}

/// Cargo of exactly this version of Rust, at the root of the checkout: the one that runs us if it is
/// that, else it is brought.
pub(crate) fn cargo_of(project: &Project, version: &str) -> Result<Command, Missing> {
    let ours = command::read(&mut project.command("rustc", &["--version"]));
    if ours.is_ok_and(|ours| ours.split_whitespace().nth(1) == Some(version)) {
        return Ok(project.cargo(&[]));
    }
    rustup(project, &["toolchain", "install", version, "--profile=minimal", "--no-self-update"])?;
    Ok(project.command("rustup", &["run", version, "cargo"]))
}

/// Brings the standard library for [`WASM_TARGET`].
pub(crate) fn wasm_target(project: &Project) -> Result<(), Missing> {
    let library = ["--print", "target-libdir", "--target", WASM_TARGET];
    let folder = command::read(&mut project.command("rustc", &library));
    if folder.is_ok_and(|folder| Path::new(folder.trim_end()).is_dir()) {
        return Ok(());
    }
    rustup(project, &["target", "add", WASM_TARGET])
}

/// Makes sure that Node.js is there.
pub(crate) fn node(project: &Project) -> Result<(), Missing> {
    command::read(&mut project.command(NODE, &["--version"]))
        .map(|_version| ())
        .map_err(|_| Missing::new("Node.js is not there: install 20 or newer"))
}

/// The target that the toolchain builds for by itself, where libFuzzer can be built: that needs a
/// C++ compiler.
pub(crate) fn host(project: &Project) -> Result<String, Missing> {
    if command::read(&mut project.command("c++", &["--version"])).is_err() {
        return Err(Missing::new("c++ is not there: install a C++ compiler, such as g++"));
    }
    let printed = command::read(&mut project.command("rustc", &["--print", "host-tuple"]));
    Ok(printed.map_err(Missing::new)?.trim_end().to_owned())
}

/// Brings the npm packages that `interop/package-lock.json` names. Tried once per process.
pub(crate) fn npm_packages(project: &Project) -> Result<(), Missing> {
    project.npm_packages.get_or_init(|| install_npm_packages(project)).clone()
}

/// Brings npm's `firebase-server`, whose lock file is its own: it needs a client that does not go
/// together with the one of today.
pub(crate) fn firebase_server(project: &Project) -> Result<(), Missing> {
    install_npm_folder(project, &project.interop().join("servers/firebase-server"))
}

fn rustup(project: &Project, arguments: &[&str]) -> Result<(), Missing> {
    command::run(&mut project.command("rustup", arguments)).map_err(Missing::new)
}

fn install_npm_packages(project: &Project) -> Result<(), Missing> {
    let interop = project.interop();
    if command::read(&mut project.command(NPM, &["--version"])).is_err() {
        return Err(Missing::new("npm is not there: install Node.js 20 or newer"));
    }
    install_npm_folder(project, &interop)
}

fn install_npm_folder(project: &Project, folder: &Path) -> Result<(), Missing> {
    if is_installed(folder) {
        return Ok(());
    }
    let mut install = project.command(NPM, &["ci"]);
    install.current_dir(folder);
    // Once more, because registries have bad moments.
    command::run(&mut install).or_else(|_| command::run(&mut install)).map_err(Missing::new)
}

/// Whether npm has finished installing since the lock file changed. It writes a lock file of its
/// own last of all.
fn is_installed(folder: &Path) -> bool {
    let changed = |file: &str| fs::metadata(folder.join(file))?.modified();
    let installed = changed("node_modules/.package-lock.json");
    let locked = changed("package-lock.json");
    matches!((installed, locked), (Ok(installed), Ok(locked)) if installed >= locked)
}

/// What a browser runs.
pub(crate) const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// What runs JavaScript.
pub(crate) const NODE: &str = "node";

/// On Windows npm is a script, and programs are not looked up by a name without its ending.
pub(crate) const NPM: &str = if cfg!(windows) { "npm.cmd" } else { "npm" };
