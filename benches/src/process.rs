//! What a process takes of its machine, read from `/proc`, so where that is Linux.

use std::time::Duration;
use std::{fs, io};

/// A process that runs, this one or another.
#[derive(Clone, Debug)]
pub struct Process {
    proc: String,
}

impl Process {
    /// The one of this program.
    pub fn this() -> Self {
        Process { proc: "/proc/self".to_owned() }
    }

    /// The one with this id.
    pub fn with_id(id: u32) -> Self {
        Process { proc: format!("/proc/{id}") }
    }

    /// Its time on processors, that of threads that are gone too, in steps of 10 ms.
    pub fn cpu(&self) -> Duration {
        let stat = self.read("stat");
        // spec: proc_pid_stat(5): the name is in parentheses, and times are in hundredths of a second.
        let fields = stat.rsplit(')').next().unwrap_or_default();
        let ticks = fields.split_whitespace().skip(11).take(2);
        let ticks = ticks.filter_map(|ticks| ticks.parse::<u64>().ok());
        Duration::from_millis(10 * ticks.sum::<u64>())
    }

    /// The memory that it has and that is not paged out, in KiB.
    pub fn resident_kib(&self) -> u64 {
        self.status("VmRSS:")
    }

    /// The part of it that is its own: not the program, which the operating system has once for all.
    pub fn own_kib(&self) -> u64 {
        self.status("RssAnon:")
    }

    /// The most memory that it has had, in KiB.
    pub fn peak_kib(&self) -> u64 {
        self.status("VmHWM:")
    }

    /// Forgets the most memory that it has had: what it has is the most now.
    ///
    /// # Errors
    ///
    /// Fails if the operating system does not.
    pub fn forget_peak(&self) -> io::Result<()> {
        // spec: proc_pid_clear_refs(5)
        fs::write(format!("{}/clear_refs", self.proc), "5")
    }

    fn status(&self, name: &str) -> u64 {
        let status = self.read("status");
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(format!("{}/{file}", self.proc)).unwrap_or_default()
    }
}
