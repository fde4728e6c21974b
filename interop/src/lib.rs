//! Trystero from npm, in Node and in Chromium, against this program.
//!
//! The crate is empty: the peers (`js/`), the tests (`tests/`) and the demo page (`web/`) are
//! JavaScript, beside it, and `cargo xtask test` runs them. `README.md` tells how to run them alone.
