//! What every runtime has to pass, on tokio.

use tristero_tokio as rooms;

mod runtime;
#[path = "../../runtime-native/suite/mod.rs"]
mod suite;
