//! What the process has used so far.
//!
//! Linux tells in `/proc`; elsewhere nothing is known, and `null` is told.

use std::fs;

use super::events::Fields;

/// How long one tick of `/proc/self/stat` is: the kernel shows all programs 100 a second, whatever
/// its own clock does.
const TICK_MS: u64 = 10;
/// The unit of `/proc/self/status`.
const KIB: u64 = 1024;

/// CPU time and memory.
pub(crate) fn stats() -> Fields {
    let stat = fs::read_to_string("/proc/self/stat").ok();
    let status = fs::read_to_string("/proc/self/status").ok();
    let cpu = stat.as_deref().and_then(cpu_ms);
    Fields::new()
        .with("cpuUserMs", cpu.map(|(user, _)| user))
        .with("cpuSystemMs", cpu.map(|(_, system)| system))
        .with("rssBytes", status.as_deref().and_then(rss_bytes))
}

/// User and system time out of `/proc/self/stat`; see proc(5).
fn cpu_ms(stat: &str) -> Option<(u64, u64)> {
    // The second field is the program's name in parentheses, which may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11).map(|ticks| ticks.parse::<u64>().ok());
    Some((times.next()?? * TICK_MS, times.next()?? * TICK_MS))
}

/// Resident memory out of `/proc/self/status`.
fn rss_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * KIB)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_any_name() {
        let stat = "4242 (a) (b c)) S 1 4242 4242 0 -1 4194560 900 0 0 0 25 7 0 0 20 0 3 0 81023";
        assert_eq!(cpu_ms(stat), Some((250, 70)));
        assert_eq!(cpu_ms("4242 (a) S 1"), None);
    }

    #[test]
    fn memory_is_told_in_bytes() {
        let status = "Name:\ttristero\nVmHWM:\t   12000 kB\nVmRSS:\t   11264 kB\n";
        assert_eq!(rss_bytes(status), Some(11_264 * 1024));
        assert_eq!(rss_bytes("Name:\ttristero\n"), None);
    }
}
