//! How the suite runs on smol.

pub(crate) use smol::block_on as run;
pub(crate) use tristero_smol::{Smol as Reactor, SmolTimer as Timer};

/// There is nothing to enter.
#[allow(dead_code, reason = "not all tests do without async")]
pub(crate) fn entered() -> impl Sized {}
