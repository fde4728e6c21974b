//! How the program ends: its exit status and its last words.
//!
//! 0 is all well, 1 a failure while running, 2 wrong usage (also `clap`'s), and 3 that nothing
//! was reachable in the time given.

use std::io;
use std::process::ExitCode;

/// Why a command did not do its work, in one sentence for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// Something went wrong on the way.
    #[error("{0}")]
    Running(String),
    /// What was asked for makes no sense.
    #[error("{0}")]
    Usage(String),
    /// No relay was reachable in time.
    #[error("{0}")]
    Unreachable(String),
}

impl Failure {
    #[expect(clippy::needless_pass_by_value, reason = "it is given to `map_err`")]
    pub(crate) fn running(why: impl ToString) -> Self {
        Failure::Running(why.to_string())
    }

    #[expect(clippy::needless_pass_by_value, reason = "it is given to `map_err`")]
    pub(crate) fn usage(why: impl ToString) -> Self {
        Failure::Usage(why.to_string())
    }

    /// Of what was to be printed on stdout.
    #[expect(clippy::needless_pass_by_value, reason = "it is given to `map_err`")]
    pub(crate) fn unwritten(error: io::Error) -> Self {
        Failure::Running(format!("stdout can't be written: {error}"))
    }

    /// The status that tells scripts which kind of failure it was.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Failure::Running(_) => 1,
            Failure::Usage(_) => 2,
            Failure::Unreachable(_) => 3,
        })
    }
}
