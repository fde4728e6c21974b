//! The in-memory engine keeps the contract that it is there to stand in for.

#[cfg(target_arch = "wasm32")]
#[macro_use]
extern crate tristero_wasm_harness;

use tristero_proto::testing::{MemoryEngine, conformance};

#[test]
fn the_memory_engine_passes_the_conformance_suite() {
    conformance::run_all(MemoryEngine::new);
}
