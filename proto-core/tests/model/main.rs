//! The model, with scenarios of proptest's.
//!
//! A run that fails shrinks to a short list of commands. It is kept in `proptest-regressions`, and
//! once it is understood as a test of its own in `found`.

#[cfg(target_arch = "wasm32")]
#[macro_use]
extern crate tristero_wasm_harness;

#[path = "../common/mod.rs"]
mod common;
mod drawn;
mod found;
#[path = "mod.rs"]
mod model;

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

use drawn::scenario;
use model::play::play;

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
