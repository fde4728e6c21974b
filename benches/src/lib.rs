//! Benchmarks. They print figures and assert nothing: speed depends on the machine.
//!
//! - `cargo bench -p tristero-benches --bench join`: from `join` to `PeerJoined` on both sides, for
//!   two peers over a relay on loopback
//!
//! Criterion benches of the codecs and load programs for throughput and meshes have their place
//! here too, and are not written yet.
