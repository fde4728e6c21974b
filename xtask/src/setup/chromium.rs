//! The browser that the interop tests drive.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::Command;

use super::Missing;
use crate::command;
use crate::project::Project;

/// Where Chromium is. If it is nowhere and apt may be used without a password, it is installed.
pub(crate) fn chromium(project: &Project) -> Result<PathBuf, Missing> {
    if let Some(path) = find() {
        return Ok(path);
    }
    install(project)?;
    find().ok_or_else(|| Missing::new("apt-get installed Chromium, but nothing to start came"))
}

fn find() -> Option<PathBuf> {
    let named = env::var_os("CHROMIUM");
    named.iter().map(OsString::as_os_str).chain(NAMES.map(OsStr::new)).find_map(on_path)
}

/// The program `name`, or the file if it is a path.
fn on_path(name: &OsStr) -> Option<PathBuf> {
    let folders = env::var_os("PATH")?;
    // Joining a full path to a folder gives the full path.
    env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| path.is_file())
}

fn install(project: &Project) -> Result<(), Missing> {
    if on_path(OsStr::new("apt-get")).is_none() {
        return Err(Missing::new("Chromium is not there: install it, or name it in CHROMIUM"));
    }
    let privilege = Privilege::of_ours(project).ok_or_else(|| {
        Missing::new("Chromium is not there, and apt-get needs root: install it by hand")
    })?;
    // Lists that can't be updated may still be good enough to install from.
    let _ = command::run(&mut privilege.apt_get(project, &["update"]));
    let packages = ["install", "--yes", "--no-install-recommends", "chromium"];
    command::run(&mut privilege.apt_get(project, &packages)).map_err(Missing::new)
}

/// How we may do what only root may.
#[derive(Clone, Copy, Debug)]
enum Privilege {
    Root,
    /// By sudo, which asks for no password.
    Sudo,
}

impl Privilege {
    fn of_ours(project: &Project) -> Option<Self> {
        if command::read(&mut project.command("id", &["-u"])).is_ok_and(|id| id.trim() == "0") {
            return Some(Self::Root);
        }
        command::read(&mut project.command("sudo", &["-n", "true"])).ok().map(|_| Self::Sudo)
    }

    fn apt_get(self, project: &Project, arguments: &[&str]) -> Command {
        let (program, prefix): (_, &[&str]) = match self {
            Self::Root => ("env", &[]),
            Self::Sudo => ("sudo", &["-n", "env"]),
        };
        let mut command = project.command(program, prefix);
        command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]).args(arguments);
        command
    }
}

/// What Chromium is called on different systems. The last is for a `PATH` without it.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "/usr/bin/chromium"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_by_name_and_by_path() {
        let rustc = on_path(OsStr::new("rustc")).unwrap();
        assert!(rustc.is_file());
        assert_eq!(on_path(rustc.as_os_str()), Some(rustc));
        assert_eq!(on_path(OsStr::new("tristero-no-such-program")), None);
    }

    #[test]
    fn apt_never_asks() {
        let project = Project::here();
        let command = Privilege::Sudo.apt_get(&project, &["update"]);
        let words: Vec<_> = command.get_args().collect();
        assert_eq!(words, ["-n", "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "update"]);
        assert_eq!(command.get_program(), "sudo");
    }
}
