//! Benchmarks. They print figures and assert nothing: speed depends on the machine.
//!
//! - `join`: from `join` to `PeerJoined` on both sides, for two peers over a relay on loopback
//! - `pair`: bulk, small messages, pings and memory of two processes, beside str0m alone and npm's
//!   Trystero
//! - `transfer`: how fast two peers in one process send each other a large payload
//! - `core`: what the core takes for messages, signals and timers, and what it does not take for a thousand
//!   peers that say nothing
//! - `mesh`: many peers in one process, where everybody tells everybody
//! - `relay`: our relay beside one on Node.js: processor time, latency, and memory of connections that
//!   say nothing
//! - `idle`: processor time, wake-ups and memory of a peer that is connected to many and says nothing
//! - `forward`: processor time and memory of a peer that sends a stream of video on to many
//!
//! Each is `cargo bench -p tristero-benches --bench NAME`, takes `--help`, and has its figures in
//! `docs/performance.md`.

mod files;
mod process;

pub use files::raise_file_limit;
pub use process::Process;
pub use tristero_examples::Usage;

/// The most memory that this process has had, in KiB, where that is Linux.
pub fn peak_kib() -> u64 {
    Process::this().peak_kib()
}

/// Forgets the most memory that this process has had, where that is Linux: what it has is the most now.
///
/// # Errors
///
/// Fails if the operating system does not.
pub fn forget_peak() -> std::io::Result<()> {
    Process::this().forget_peak()
}

/// The time on a processor of this process, of threads that are gone too, in steps of 10 ms, where that
/// is Linux.
pub fn process_cpu() -> std::time::Duration {
    Process::this().cpu()
}
