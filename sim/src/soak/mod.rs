//! Soaking: many runs, each of which draws from its seed who is there, what they do and what goes
//! wrong, and is held against every promise.
//!
//! A run is a function of its seed. What it found wrong it finds wrong again.

mod apps;
mod checks;
mod faults;
mod js;
mod listen;
mod options;
mod parcel;
mod record;
mod run;

use std::panic::{self, AssertUnwindSafe};

use tristero_proto::Seed;

use crate::trace::Trace;
pub(crate) use options::Options;
use run::Run;
pub(crate) use run::{Failure, Outcome};

/// How a run is looked at.
#[derive(Clone, Debug, Default)]
pub(crate) struct Look {
    /// Whether what happened is kept in words.
    pub(crate) keeps_log: bool,
    /// Whether the hash is over bytes too, which are the same only in this crate's own program.
    pub(crate) hashes_bytes: bool,
    /// Who hears what is logged, in place of the check that nothing is an error.
    pub(crate) traced: Option<Traced>,
}

/// Who hears what is logged.
#[derive(Clone, Debug)]
pub(crate) struct Traced(pub(crate) tracing::Dispatch);

/// The options of the run with this seed.
pub(crate) fn options(seed: u64) -> Options {
    Options::draw(&Seed::from_number(seed).fork("soak"))
}

/// Runs it. A panic is a failure like any other.
pub(crate) fn run(seed: u64, look: &Look) -> Outcome {
    let run = || {
        let run = || {
            Run::new(seed, options(seed), Trace::new(look.hashes_bytes), look.keeps_log).finish()
        };
        match &look.traced {
            None => listen::while_listening(run),
            Some(Traced(dispatch)) => tracing::dispatcher::with_default(dispatch, run),
        }
    };
    panic::catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let what = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("panic");
        let failure = Failure { check: "panic", at: Default::default(), what: what.to_owned() };
        Outcome { digest: 0, lasted: Default::default(), failure: Some(failure), log: Vec::new() }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_nights_pass() {
        for seed in 0..20 {
            let outcome = run(seed, &Look::default());
            assert_eq!(outcome.failure, None, "seed {seed}: {}", options(seed));
        }
    }

    #[test]
    fn a_run_is_a_function_of_its_seed() {
        let outcome = |seed| run(seed, &Look::default());
        assert_eq!(outcome(3), outcome(3));
        assert_ne!(outcome(3).digest, outcome(4).digest);
    }
}
