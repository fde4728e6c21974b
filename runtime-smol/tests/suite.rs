//! What every runtime has to pass, on smol.

use tristero_smol as rooms;

mod runtime;
#[path = "../../runtime-native/suite/mod.rs"]
mod suite;
