//! Whether the soak finds bugs: each of `sim/mutations` is put into a copy of the project, and soaked
//! until a check says that something is wrong.
//!
//! A [`Mutation`] is a patch with a bug that somebody might make. The copy is a [`Tree`] below the
//! builds, so the checkout is never touched, and its builds are apart from all others: a program
//! with a bug in it can't be taken for the right one.

mod finding;
mod mutation;
mod tree;

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;

use self::finding::Finding;
use self::mutation::Mutation;
use self::tree::Tree;
use crate::command::{self, RunError};
use crate::project::{self, Project};

/// Which bugs to look for, and how hard.
#[derive(Debug, Args)]
pub(crate) struct MutationsArguments {
    /// Looks for this bug and no other (repeatable): a patch of sim/mutations
    #[arg(long, value_name = "NAME")]
    name: Vec<String>,
    /// How many nights are tried before a bug counts as missed
    #[arg(long, default_value_t = 1_000)]
    seeds: u32,
    /// Where the mutants are built, if not apart from all else: a folder with builds of the
    /// dependencies saves those
    #[arg(long, value_name = "FOLDER")]
    target_dir: Option<PathBuf>,
}

/// Why it is not known what the soak finds, or that it does not find enough.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MutationsError {
    /// There is no such patch.
    #[error("there is no mutation {name}, only {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// A file can't be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A program that is needed can't be run.
    #[error(transparent)]
    Stuck(#[from] RunError),
    /// The soak found something where there is no mutation, or does not run at all.
    #[error("without any mutation the soak says: {0}")]
    Unsound(Finding),
    /// Some could not be made, so that it is not known whether they would be found.
    #[error("these can't be made: {0}")]
    NoMutants(String),
    /// Too many were missed.
    #[error("{found} of {all} were found")]
    TooFew {
        /// How many were.
        found: usize,
        /// How many there are.
        all: usize,
    },
}

/// Puts each bug in, and prints a table of what found it.
pub(crate) fn mutations(
    project: &Project,
    arguments: &MutationsArguments,
) -> Result<(), MutationsError> {
    let chosen = chosen(Mutation::all(project)?, &arguments.name)?;
    let target = project.target().join("mutations");
    let bench = Bench {
        tree: Tree::new(target.join("tree")),
        builds: arguments.target_dir.clone().unwrap_or_else(|| target.join("target")),
        seeds: arguments.seeds,
    };
    let sound = bench.try_out(project, None)?;
    if sound.finding != Finding::Nothing {
        return Err(MutationsError::Unsound(sound.finding));
    }
    let mut tried = Vec::new();
    for mutation in chosen {
        let trial = bench.try_out(project, Some(&mutation))?;
        println!("{}: {trial}", mutation.name);
        tried.push((mutation, trial));
    }
    bench.tree.restore(project)?;
    println!("\n{}", table(&tried));
    judge(&tried)
}

fn chosen(all: Vec<Mutation>, named: &[String]) -> Result<Vec<Mutation>, MutationsError> {
    if let Some(unknown) = named.iter().find(|name| !all.iter().any(|known| known.name == **name)) {
        let known = all.into_iter().map(|mutation| mutation.name).collect::<Vec<_>>().join(", ");
        return Err(MutationsError::Unknown { name: unknown.clone(), known });
    }
    let is_chosen = |mutation: &Mutation| named.is_empty() || named.contains(&mutation.name);
    Ok(all.into_iter().filter(is_chosen).collect())
}

/// Where mutants are made and soaked.
struct Bench {
    tree: Tree,
    builds: PathBuf,
    seeds: u32,
}

/// What came of a mutant.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Trial {
    finding: Finding,
    built_in: Duration,
    soaked_for: Duration,
}

impl Bench {
    /// Soaks a mutant, or the project as it is: that one briefly, and only to see that it is sound.
    fn try_out(
        &self,
        project: &Project,
        mutation: Option<&Mutation>,
    ) -> Result<Trial, MutationsError> {
        self.tree.restore(project)?;
        let applied = mutation.map_or(Ok(()), |mutation| self.tree.apply(project, mutation));
        let began = Instant::now();
        let built = applied.and_then(|()| self.build(project));
        let built_in = began.elapsed();
        if let Err(error) = built {
            eprintln!("error: {error}");
            let (finding, soaked_for) = (Finding::NoMutant, Duration::ZERO);
            return Ok(Trial { finding, built_in, soaked_for });
        }
        let seeds = if mutation.is_some() { self.seeds } else { SEEDS_OF_THE_SOUND };
        let program = project::program_in(&self.builds, "release", "tristero-sim");
        let mut soak = project.command(program, &["soak", "--seeds", &seeds.to_string()]);
        let began = Instant::now();
        let (ended, said) = command::read_within(&mut soak, PATIENCE);
        let soaked_for = began.elapsed();
        Ok(Trial { finding: Finding::read(ended, &said)?, built_in, soaked_for })
    }

    /// Builds what the tree is now.
    fn build(&self, project: &Project) -> Result<(), RunError> {
        let mut build = project.cargo(&BUILD);
        build.args(QUICKER).arg("--target-dir").arg(&self.builds).current_dir(self.tree.root());
        // A cargo that was told to build elsewhere passes that on.
        build.env_remove("CARGO_TARGET_DIR");
        let (built, complaints) = command::read_errors(&mut build);
        // A mutant has warnings, which are of interest only if it has errors too.
        built.inspect_err(|_| eprintln!("{complaints}"))
    }
}

impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { finding, built_in, soaked_for } = self;
        write!(f, "{finding} (built in {built_in:.0?}, soaked for {soaked_for:.1?})")
    }
}

/// What was tried, for `sim/mutations/README.md`.
fn table(tried: &[(Mutation, Trial)]) -> String {
    let mut rows = vec![
        "| mutation | what is wrong, and what a user sees | found by | after nights |".to_owned(),
        "| --- | --- | --- | --- |".to_owned(),
    ];
    rows.extend(tried.iter().map(|(Mutation { name, what, .. }, trial)| {
        let (by, after) = trial.finding.cells();
        format!("| `{name}` | {what} | {by} | {after} |")
    }));
    rows.join("\n")
}

/// One of twenty may be missed.
fn judge(tried: &[(Mutation, Trial)]) -> Result<(), MutationsError> {
    let names = tried.iter().filter(|(_, trial)| trial.finding == Finding::NoMutant);
    let names: Vec<&str> = names.map(|(mutation, _)| mutation.name.as_str()).collect();
    if !names.is_empty() {
        return Err(MutationsError::NoMutants(names.join(", ")));
    }
    let found = tried.iter().filter(|(_, trial)| trial.finding.is_found()).count();
    let all = tried.len();
    if 20 * found >= 19 * all { Ok(()) } else { Err(MutationsError::TooFew { found, all }) }
}

fn read(path: &Path) -> Result<Vec<u8>, MutationsError> {
    fs::read(path).map_err(|error| MutationsError::File { path: path.to_owned(), error })
}

const BUILD: [&str; 7] =
    ["build", "--quiet", "--release", "--package", "tristero-sim", "--bin", "tristero-sim"];

/// What differs from a release build, for our own crates alone, so that their dependencies are those of
/// a release build. With incremental compilation a mutant takes seconds where it would take minutes;
/// without the last optimizations the first one takes less too, and a night no longer.
const QUICKER: [&str; 5] = [
    "--config=profile.release.incremental=true",
    "--config=profile.release.package.tristero-proto.opt-level=1",
    "--config=profile.release.package.tristero-str0m.opt-level=1",
    "--config=profile.release.package.tristero.opt-level=1",
    "--config=profile.release.package.tristero-sim.opt-level=1",
];

/// Enough to see that the project as it is passes.
const SEEDS_OF_THE_SOUND: u32 = 20;

/// A mutant may never come to an end, which is a finding too. A thousand nights take a minute.
const PATIENCE: Duration = Duration::from_secs(900);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mutation_applies_and_says_what_is_wrong() {
        let project = Project::here();
        let all = Mutation::all(&project).unwrap();
        assert!(all.len() >= 20, "{}", all.len());
        for mutation in all {
            let Mutation { name, what, .. } = &mutation;
            assert!(what.ends_with('.') && what.contains(": "), "{name}: {what}");
            let checked = command::read(mutation.git_apply(&project).arg("--check"));
            checked.unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }

    #[test]
    fn every_mutation_is_in_the_table() {
        let project = Project::here();
        let readme = fs::read_to_string(project.path("sim/mutations/README.md")).unwrap();
        for Mutation { name, what, .. } in Mutation::all(&project).unwrap() {
            assert!(readme.contains(&format!("| `{name}` | {what} | ")), "{name}");
        }
    }

    fn trial(finding: Finding) -> (Mutation, Trial) {
        let mutation = Mutation::new("m".to_owned(), "Wrong: bad.\n\n--- a/b\n", PathBuf::new());
        let (built_in, soaked_for) = (Duration::ZERO, Duration::ZERO);
        (mutation, Trial { finding, built_in, soaked_for })
    }

    #[test]
    fn one_of_twenty_may_be_missed() {
        let found = Finding::Check { name: "mesh".to_owned(), nights: 7 };
        let mut tried = vec![trial(found); 19];
        tried.push(trial(Finding::Nothing));
        assert!(judge(&tried).is_ok());
        assert_eq!(table(&tried[18..]).lines().last(), Some("| `m` | Wrong: bad. | – | – |"));
        tried.pop();
        tried.pop();
        tried.push(trial(Finding::Nothing));
        assert_eq!(judge(&tried).unwrap_err().to_string(), "18 of 19 were found");
    }

    #[test]
    fn an_unknown_name_is_refused() {
        let all = vec![trial(Finding::Nothing).0];
        assert_eq!(chosen(all.clone(), &["m".to_owned()]).unwrap(), all);
        let error = chosen(all, &["n".to_owned()]).unwrap_err().to_string();
        assert_eq!(error, "there is no mutation n, only m");
    }
}
