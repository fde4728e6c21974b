//! Where things are, and how programs are aimed at them.

use std::cell::OnceCell;
use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::setup::Missing;

/// The checkout that this program was built from.
#[derive(Debug)]
pub(crate) struct Project {
    root: PathBuf,
    cargo: OsString,
    /// What came of installing the npm packages: two steps need them, one of them installs them.
    pub(crate) npm_packages: OnceCell<Result<(), Missing>>,
}

impl Project {
    pub(crate) fn here() -> Self {
        let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
        Self {
            root: xtask.parent().expect("xtask is a folder of the checkout").to_owned(),
            // The very cargo that runs us, so that its toolchain is the one we were built with.
            cargo: env::var_os("CARGO").unwrap_or_else(|| "cargo".into()),
            npm_packages: OnceCell::new(),
        }
    }

    /// The folder of the JavaScript side.
    pub(crate) fn interop(&self) -> PathBuf {
        self.root.join("interop")
    }

    /// A place in the checkout.
    pub(crate) fn path(&self, from_root: &str) -> PathBuf {
        self.root.join(from_root)
    }

    /// The manifest of the servers in Rust that tests meet at, a workspace of its own.
    pub(crate) fn servers_manifest(&self) -> PathBuf {
        self.interop().join("servers-rs/Cargo.toml")
    }

    /// The manifest of the programs that checks are made with, a workspace of its own too.
    pub(crate) fn tools_manifest(&self) -> PathBuf {
        self.path("xtask/tools/Cargo.toml")
    }

    /// The manifest of the example that wants a microphone, a workspace of its own as well.
    pub(crate) fn microphone_manifest(&self) -> PathBuf {
        self.path("examples/microphone/Cargo.toml")
    }

    /// A program that is to run at the root of the checkout.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&self.root);
        command
    }

    /// Cargo, at the root of the checkout.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> Command {
        self.command(&self.cargo, arguments)
    }

    /// Where a build for tests puts the program `name`, and the examples `examples/name`.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        program_in(&self.target(), "debug", name)
    }

    /// Where builds put things. Wherever cargo was told to build, we were built there too: in the
    /// folder of a profile.
    pub(crate) fn target(&self) -> PathBuf {
        let target = env::current_exe().ok().and_then(|exe| Some(exe.ancestors().nth(2)?.into()));
        target.unwrap_or_else(|| self.root.join("target"))
    }
}

/// Where a build for `target` puts the program `name`.
pub(crate) fn program_in(target: &Path, profile: &str, name: &str) -> PathBuf {
    target.join(profile).join(format!("{name}{}", env::consts::EXE_SUFFIX))
}
