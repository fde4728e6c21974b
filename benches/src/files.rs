//! How many files, and so connections, this process may have open.

/// Lets this process, and those that it starts from now on, have as many files open as it may allow
/// itself, and says how many that is.
pub fn raise_file_limit() -> u64 {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
        (if raised.is_ok() { maximum } else { current }).unwrap_or(u64::MAX)
    }
    #[cfg(not(unix))]
    u64::MAX
}
