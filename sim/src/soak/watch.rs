//! Somebody who watches a run, and changes nothing.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use tristero_proto::RelayConfig;

use super::record::{Fact, Record};
use crate::relays::Relay;
use crate::world::World;

/// Who is told what the checks are told.
pub(crate) trait Watch: fmt::Debug {
    /// Is told the relays, before anything happens.
    fn begin(&mut self, relays: &[(Relay, RelayConfig)]);

    /// Sees the next fact. `record` is what was known before, but for the time, which is now.
    fn see(&mut self, fact: Fact<'_>, record: &Record);

    /// Looks at the world, as often as the checks do.
    fn look(&mut self, world: &World, record: &Record);
}

/// One that outlives its run, also where that panics.
pub(crate) type Watcher = Rc<RefCell<dyn Watch>>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::soak::{self, Look, Night};

    /// Panics when it has seen so much.
    #[derive(Debug)]
    struct Impatient(u32);

    impl Watch for Impatient {
        fn begin(&mut self, _: &[(Relay, RelayConfig)]) {}

        fn see(&mut self, _: Fact<'_>, _: &Record) {
            self.0 -= 1;
            assert!(self.0 > 0, "it has seen enough");
        }

        fn look(&mut self, _: &World, _: &Record) {}
    }

    #[test]
    fn a_run_that_panics_keeps_its_log() {
        let look = Look { keeps_log: true, ..Look::default() };
        let outcome =
            soak::run_watched(Night::Drawn(3), &look, Some(Rc::new(RefCell::new(Impatient(50)))));
        let failure = outcome.failure.expect("it panicked");
        assert_eq!((failure.check, &*failure.what), ("panic", "it has seen enough"));
        assert!(outcome.log.len() >= 50 && outcome.lasted == failure.at.since_epoch());
    }
}
