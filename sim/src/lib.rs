//! Many nodes in virtual time, over lossy networks, NATs and faulty relays. Not written yet.
//!
//! It will run real nodes on the real engine from one seed, with faults that the seed draws, and
//! hold every promise of the core against what happened. Until then `proto-core/tests/common` has
//! a small world without faults, on the in-memory engine.
