//! How many files, and so connections, the program may have open.

/// Raises what is allowed as far as the system lets a program raise it, and says how far that is;
/// `None` where systems have no such limit.
#[cfg(unix)]
pub(crate) fn raise_limit() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // macOS says that there is no limit, and grants this one at most (setrlimit(2), OPEN_MAX).
    let lesser = maximum.map_or(MACOS_FILES_MAX, |maximum| maximum.min(MACOS_FILES_MAX));
    for limit in [maximum, Some(lesser)] {
        match setrlimit(Resource::Nofile, Rlimit { current: limit, maximum }) {
            Ok(()) => return limit,
            Err(error) => tracing::debug!(?limit, %error, "the limit of open files stays"),
        }
    }
    current
}

/// What macOS grants a program at most.
#[cfg(unix)]
const MACOS_FILES_MAX: u64 = 10_240;

/// Raises what is allowed, where systems have such a limit.
#[cfg(not(unix))]
pub(crate) fn raise_limit() -> Option<u64> {
    None
}
