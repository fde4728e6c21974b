//! Programs of ours, from the build of the tests.
//!
//! That has all features of the whole workspace. A build of one package alone, or for release, has
//! fewer deep down, and would build most of the dependencies anew.

use std::path::PathBuf;

use crate::command::{self, RunError};
use crate::project::Project;

/// Where they are.
#[derive(Debug)]
pub(crate) struct Programs {
    /// The program `tristero`, with every strategy.
    pub(crate) tristero: PathBuf,
    /// An example of a loop without async, to meet.
    pub(crate) event_loop: PathBuf,
    /// The simulator.
    pub(crate) sim: PathBuf,
    /// What writes the seeds of the fuzz targets.
    pub(crate) fuzz_seeds: PathBuf,
    /// A node of Waku to meet at.
    pub(crate) waku_node: PathBuf,
}

impl Programs {
    /// Builds them. All at once, for with an example among them cargo chooses the features that the
    /// tests have; after the tests there is nothing left to build.
    pub(crate) fn build(project: &Project) -> Result<Self, RunError> {
        let mut build = project.cargo(&["build", "--workspace", "--all-features"]);
        build.args(["--bin", "tristero", "--bin", "tristero-sim", "--bin", "event_loop"]);
        build.args(["--example", "seeds", "--example", "service_node"]);
        command::run(&mut build)?;
        Ok(Self {
            tristero: project.program("tristero"),
            event_loop: project.program("event_loop"),
            sim: project.program("tristero-sim"),
            fuzz_seeds: project.program("examples/seeds"),
            waku_node: project.program("examples/service_node"),
        })
    }
}
