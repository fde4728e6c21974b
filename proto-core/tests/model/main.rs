//! Nodes do at random what applications do, while the network does at random what networks do; a
//! reference model follows, and every promise of the events is checked at every step.
//!
//! A run that fails shrinks to a short list of commands. It is kept in `proptest-regressions`, and
//! once it is understood as a test of its own in `found`.

#![allow(clippy::unwrap_used, reason = "a test that can not go on may panic")]
#![allow(unreachable_pub, reason = "the parts of one test see each other")]

#[path = "../common/mod.rs"]
mod common;

mod act;
mod checks;
mod found;
mod note;
mod parcel;
mod play;
mod record;
mod scenario;
mod talk;
mod under_way;

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use tristero_proto::wire::ActionName;

use play::play;
use scenario::scenario;

/// How many actions there are to send on. One more is used at the end alone.
const ACTIONS: usize = 3;
const ACTION_NAMES: [&str; ACTIONS + 1] = ["x", "y", "z", "end"];

fn action_name(index: usize) -> ActionName {
    common::action(ACTION_NAMES[index])
}

/// The number of an action; a name that is none's stands for none of them.
fn action_index(action: &ActionName) -> usize {
    ACTION_NAMES.iter().position(|name| *name == action.as_str()).unwrap_or(usize::MAX)
}

/// So many runs, unless `PROPTEST_CASES` says otherwise.
fn config(cases: u32, file: &'static str) -> ProptestConfig {
    let base = ProptestConfig::default();
    #[expect(clippy::disallowed_methods, reason = "how much to test is up to who tests")]
    let is_told = std::env::var("PROPTEST_CASES").is_ok();
    ProptestConfig {
        cases: if is_told { base.cases } else { cases },
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(file))),
        ..base
    }
}

proptest! {
    #![proptest_config(config(100, "proptest-regressions/model-two.txt"))]

    #[test]
    fn two_nodes_keep_every_promise(scenario in scenario(2, 60)) {
        play(&scenario).map_err(|violation| TestCaseError::fail(violation.0))?;
    }
}

proptest! {
    #![proptest_config(config(100, "proptest-regressions/model-many.txt"))]

    #[test]
    fn up_to_five_nodes_keep_every_promise(scenario in scenario(5, 100)) {
        play(&scenario).map_err(|violation| TestCaseError::fail(violation.0))?;
    }
}
