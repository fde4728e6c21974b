//! What this process takes of its machine, where that is Linux.

use std::fs;
use std::time::Duration;

/// What this process takes; all zero where nobody tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Time of all its threads on a processor.
    pub cpu: Duration,
    /// Memory that is not paged out, in KiB.
    pub resident_kib: u64,
}

impl Usage {
    /// What it takes now.
    pub fn now() -> Self {
        Usage { cpu: cpu(), resident_kib: resident_kib() }
    }
}

fn cpu() -> Duration {
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let nanos = threads.filter_map(|thread| {
        let stat = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        stat.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanos.sum())
}

fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
