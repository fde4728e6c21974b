//! Benchmarks. They print figures and assert nothing: speed depends on the machine.
//!
//! - `join`: from `join` to `PeerJoined` on both sides, for two peers over a relay on loopback
//! - `pair`: bulk, small messages, pings and memory of two processes, beside str0m alone and npm's
//!   Trystero
//! - `transfer`: how fast two peers in one process send each other a large payload
//! - `idle`: processor time, wake-ups and memory of a peer that is connected to many and says nothing
//!
//! Each is `cargo bench -p tristero-benches --bench NAME`, takes `--help`, and has its figures in
//! `docs/performance.md`.

pub use tristero_examples::Usage;

/// The most memory that this process has had, in KiB, where that is Linux.
pub fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// Forgets the most memory that this process has had, where that is Linux: what it has is the most now.
///
/// # Errors
///
/// Fails if the operating system does not.
pub fn forget_peak() -> std::io::Result<()> {
    // spec: proc_pid_clear_refs(5)
    std::fs::write("/proc/self/clear_refs", "5")
}

/// The time on a processor of this process, of threads that are gone too, in steps of 10 ms, where that
/// is Linux.
pub fn process_cpu() -> std::time::Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // spec: proc_pid_stat(5): the name is in parentheses, and times are in hundredths of a second.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks =
        fields.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok());
    std::time::Duration::from_millis(10 * ticks.sum::<u64>())
}
