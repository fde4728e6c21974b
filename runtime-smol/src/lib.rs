//! Trystero rooms for Rust on smol. Not written yet.
//!
//! It will be to smol what `tristero-tokio` is to tokio: an implementation of `tristero::Io` with
//! `async-io` and `async-tungstenite`, which gives the API of `tristero` again and nothing else.
