//! Benchmarks. They print figures and assert nothing: speed depends on the machine.
//!
//! - `cargo bench -p tristero-benches --bench join`: from `join` to `PeerJoined` on both sides, for
//!   two peers over a relay on loopback
//! - `cargo bench -p tristero-benches --bench transfer`: how fast two peers send each other a large
//!   payload
//! - `cargo bench -p tristero-benches --bench idle`: processor time and wake-ups of a peer that is
//!   connected to twenty and says nothing; `docs/performance.md` has its figures
//!
//! Criterion benches of the codecs and load programs for throughput and meshes have their place
//! here too, and are not written yet.
