#![no_main]
#![allow(missing_docs, reason = "the function says it")]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tristero_fuzz::descriptions::run(bytes));
