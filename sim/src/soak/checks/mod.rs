//! What has to hold, whatever happens: one file for each promise.
//!
//! A check sees every fact in order, together with what was known before it. It says what is wrong
//! as soon as it is. At the end, when all has been healed for long enough, it says what is missing.

mod announces;
mod bounds;
mod dials;
mod events;
mod ghosts;
mod handshakes;
mod log;
mod mesh;
mod messages;
mod passwords;
mod requests;
mod timeouts;

use std::fmt;

use super::record::{Fact, Record};
use crate::world::World;

/// What is wrong, in words; nothing if all is well.
pub(crate) type Verdict = Result<(), String>;

/// A promise that is held against a run.
pub(crate) trait Check: fmt::Debug {
    /// What it is called.
    fn name(&self) -> &'static str;

    /// Looks at the next fact. `record` is what was known before.
    fn see(&mut self, _fact: Fact<'_>, _record: &Record) -> Verdict {
        Ok(())
    }

    /// Looks at the world after something happened.
    fn look(&mut self, _world: &World, _record: &Record) -> Verdict {
        Ok(())
    }

    /// What is missing before the run may end, in words. Asked again and again once all is healed.
    fn pending(&self, _world: &World, _record: &Record) -> Option<String> {
        None
    }
}

/// All of them.
pub(crate) fn all() -> Vec<Box<dyn Check>> {
    vec![
        Box::new(log::Log),
        Box::new(events::Events::default()),
        Box::new(messages::Messages::default()),
        Box::new(requests::Requests::default()),
        Box::new(handshakes::Handshakes::default()),
        Box::new(ghosts::Ghosts),
        Box::new(mesh::Mesh),
        Box::new(bounds::Bounds),
        Box::new(announces::Announces::default()),
        Box::new(dials::Dials::default()),
        Box::new(passwords::Passwords),
        Box::new(timeouts::Timeouts::default()),
    ]
}

/// Says what is wrong unless something holds.
macro_rules! ensure {
    ($holds:expr, $($why:tt)+) => {
        if !$holds {
            return Err(format!($($why)+));
        }
    };
}
pub(crate) use ensure;
