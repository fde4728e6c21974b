//! Fuzz targets for cargo-fuzz. Not written yet.
//!
//! There will be one for each codec of `tristero_proto::wire` and of the strategies, with the
//! captures in `proto-core/tests/wire` as a corpus, and one that drives two nodes by arbitrary
//! commands and bytes. Until then `proto-core/tests/hostile.rs` has the cases that people thought
//! of.
