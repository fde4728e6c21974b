//! A copy of the project that may be changed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::mutation::Mutation;
use super::{MutationsError, read};
use crate::command::{self, RunError};
use crate::project::Project;

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Tree {
    root: PathBuf,
}

impl Tree {
    /// A copy at this place, which [`restore`](Self::restore) makes.
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Makes it what the project is now: the files that git knows, or would take. Those that are the
    /// same stay as they are, so that cargo builds little.
    pub(super) fn restore(&self, project: &Project) -> Result<(), MutationsError> {
        let list = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
        let listed = command::read(&mut project.command("git", &list))?;
        let names = listed.trim_end_matches('\n').split('\0').filter(|name| !name.is_empty());
        // A file that was deleted and not yet taken out of the index is none.
        let names: BTreeSet<&str> = names.filter(|name| project.path(name).is_file()).collect();
        for name in &names {
            let (from, to) = (project.path(name), self.root.join(name));
            let content = read(&from)?;
            if fs::read(&to).is_ok_and(|known| known == content) {
                continue;
            }
            let folder = to.parent().expect("it is below the root");
            let written = fs::create_dir_all(folder).and_then(|()| fs::write(&to, content));
            written.map_err(|error| MutationsError::File { path: to, error })?;
        }
        self.remove_others(&self.root, &names)
    }

    /// Puts a bug in.
    pub(super) fn apply(&self, project: &Project, mutation: &Mutation) -> Result<(), RunError> {
        let mut git = mutation.git_apply(project);
        // It is below a checkout, and is none of it.
        let above = self.root.parent().unwrap_or(&self.root);
        git.current_dir(&self.root).env("GIT_CEILING_DIRECTORIES", above);
        command::read(&mut git).map(drop)
    }

    /// Removes what is no file of the project any more.
    fn remove_others(&self, folder: &Path, names: &BTreeSet<&str>) -> Result<(), MutationsError> {
        let wrong = |error| MutationsError::File { path: folder.to_owned(), error };
        for entry in fs::read_dir(folder).map_err(wrong)? {
            let path = entry.map_err(wrong)?.path();
            if path.is_dir() {
                self.remove_others(&path, names)?;
            } else {
                let name = path.strip_prefix(&self.root).expect("it is below the root");
                let name = name.to_string_lossy().replace('\\', "/");
                if !names.contains(name.as_str()) {
                    fs::remove_file(&path).map_err(wrong)?;
                }
            }
        }
        Ok(())
    }
}
