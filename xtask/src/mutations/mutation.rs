//! One bug on purpose: a patch, with what is wrong above it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::MutationsError;
use crate::project::Project;

/// See the [module](self).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mutation {
    /// The name of the file, without its ending.
    pub(super) name: String,
    /// What is wrong and what a user would see, in a sentence.
    pub(super) what: String,
    path: PathBuf,
}

impl Mutation {
    /// All there are, by name.
    pub(super) fn all(project: &Project) -> Result<Vec<Self>, MutationsError> {
        let folder = project.path("sim/mutations");
        let of_folder = |error| MutationsError::File { path: folder.clone(), error };
        let mut all = Vec::new();
        for entry in fs::read_dir(&folder).map_err(of_folder)? {
            let path = entry.map_err(of_folder)?.path();
            let is_patch = path.extension().is_some_and(|ending| ending == "patch");
            let name = path.file_stem().and_then(|name| name.to_str()).map(str::to_owned);
            if let Some(name) = name.filter(|_| is_patch) {
                let text = String::from_utf8_lossy(&super::read(&path)?).into_owned();
                all.push(Self::new(name, &text, path));
            }
        }
        all.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(all)
    }

    /// A mutation whose patch has this text.
    pub(super) fn new(name: String, text: &str, path: PathBuf) -> Self {
        let above = text.lines().take_while(|line| !line.starts_with("--- "));
        let what = above.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
        Self { name, what, path }
    }

    /// Git, to apply it to the checkout, or to a tree that it is told to run in.
    pub(super) fn git_apply(&self, project: &Project) -> Command {
        let mut git = project.command("git", &["apply"]);
        // What runs us may be at work on a repository of its own.
        for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"] {
            git.env_remove(name);
        }
        git.arg(&self.path);
        git
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_stands_above_the_patch() {
        let text = "All is wrong:\nnothing works.\n\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n";
        let mutation = Mutation::new("all".to_owned(), text, PathBuf::from("all.patch"));
        assert_eq!(mutation.what, "All is wrong: nothing works.");
    }
}
