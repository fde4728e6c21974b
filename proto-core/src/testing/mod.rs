//! What tests of engines and of nodes need: a cheap engine, and the suite that every engine runs.
//!
//! Behind the feature `testing`. Not for production.

pub mod conformance;
mod memory_engine;

pub use memory_engine::MemoryEngine;
