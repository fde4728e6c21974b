//! Programs that the system's packages bring, where apt may be used without a password.

use std::env;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;

use super::Missing;
use crate::command;
use crate::project::Project;

/// Installs `package`, which brings the program that people call `name`. `or_else` ends the advice
/// to install it by hand.
pub(super) fn install(
    project: &Project,
    package: &str,
    name: &str,
    or_else: &str,
) -> Result<(), Missing> {
    if on_path(OsStr::new("apt-get")).is_none() {
        return Err(Missing::new(format!("{name} is not there: install it{or_else}")));
    }
    let privilege = Privilege::of_ours(project).ok_or_else(|| {
        Missing::new(format!("{name} is not there, and apt-get needs root: install it by hand"))
    })?;
    // Lists that can't be updated may still be good enough to install from.
    let _ = command::run(&mut privilege.apt_get(project, &["update"]));
    let packages = ["install", "--yes", "--no-install-recommends", package];
    command::run(&mut privilege.apt_get(project, &packages)).map_err(Missing::new)
}

/// The program `name`, or the file if it is a path.
pub(super) fn on_path(name: &OsStr) -> Option<PathBuf> {
    let folders = env::var_os("PATH")?;
    // Joining a full path to a folder gives the full path.
    env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| path.is_file())
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
