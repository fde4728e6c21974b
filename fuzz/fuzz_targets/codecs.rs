//! Bytes as whatever a peer may send.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tristero_fuzz::codecs::read(bytes));
