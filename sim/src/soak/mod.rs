//! Soaking: many runs, each of which draws from its seed who is there, what they do and what goes
//! wrong, and is held against every promise.
//!
//! A run is a function of its seed. What it found wrong it finds wrong again.

mod apps;
mod checks;
mod faults;
mod js;
mod listen;
mod night;
mod options;
mod parcel;
mod record;
mod run;
mod scenarios;
mod watch;

use std::panic::{self, AssertUnwindSafe};
use std::time::Duration;

use tristero_proto::Time;

use crate::trace::Trace;
pub(crate) use apps::TRANSFERS;
pub(crate) use night::Night;
pub(crate) use options::{FaultKind, Home, Options, ServiceKind};
pub(crate) use parcel::{Parcel, number_in, number_of};
pub(crate) use record::{Character, Fact, Manner, Place, Record, VisitId, Whom};
use run::Run;
pub(crate) use run::{Failure, Outcome};
pub(crate) use watch::{Watch, Watcher};

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

/// Runs it. A panic is a failure like any other.
pub(crate) fn run(night: Night, look: &Look) -> Outcome {
    run_watched(night, look, None)
}

/// Runs it while somebody watches.
pub(crate) fn run_watched(night: Night, look: &Look, watcher: Option<Watcher>) -> Outcome {
    let run = || {
        let run = || {
            let mut run = Run::new(night, Trace::new(look.hashes_bytes), look.keeps_log);
            watcher.into_iter().for_each(|watcher| run.watch(watcher));
            run.finish()
        };
        match &look.traced {
            None => listen::while_listening(run),
            Some(Traced(dispatch)) => tracing::dispatcher::with_default(dispatch, run),
        }
    };
    panic::catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let failure = Some(Failure::of_panic(Time::ZERO, &*panic));
        Outcome { digest: 0, lasted: Duration::ZERO, failure, log: Vec::new() }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_nights_pass() {
        for seed in 0..20 {
            let night = Night::Drawn(seed);
            let outcome = run(night, &Look::default());
            assert_eq!(outcome.failure, None, "{night}: {}", night.options());
        }
    }

    #[test]
    fn what_was_found_once_stays_mended() {
        for scenario in scenarios::ALL {
            let outcome = run(Night::Written(scenario), &Look::default());
            assert_eq!(outcome.failure, None, "{}", scenario.name);
        }
    }

    #[test]
    fn a_run_is_a_function_of_its_seed() {
        let outcome = |seed| run(Night::Drawn(seed), &Look::default());
        assert_eq!(outcome(3), outcome(3));
        assert_ne!(outcome(3).digest, outcome(4).digest);
    }
}
