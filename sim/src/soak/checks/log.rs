//! Nothing is logged as an ERROR: those are bugs of ours.

use super::{Check, Verdict};
use crate::soak::listen;
use crate::soak::record::Record;
use crate::world::World;

#[derive(Debug)]
pub(super) struct Log;

impl Check for Log {
    fn name(&self) -> &'static str {
        "log"
    }

    fn look(&mut self, _: &World, _: &Record) -> Verdict {
        listen::take_error().map_or(Ok(()), Err)
    }
}
