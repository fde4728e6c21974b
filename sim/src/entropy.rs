//! The randomness of the operating system, replaced by numbers that repeat.
//!
//! The SCTP below str0m draws its tags and first sequence numbers from the operating system and
//! takes no other source. In this program and in tests that have this file, and in nothing that is linked
//! to the library, what asks there gets a stream that begins anew with each thread, so that runs are equal
//! to the byte.
#![allow(unsafe_code)]

use std::ffi::{c_uint, c_void};

/// Stands in for the C library's function of this name.
///
/// # Safety
///
/// `buffer` has to be valid for writing `length` bytes, as callers of `getrandom(2)` promise.
#[unsafe(no_mangle)]
unsafe extern "C" fn getrandom(buffer: *mut c_void, length: usize, _flags: c_uint) -> isize {
    // SAFETY: the caller gives `length` bytes that nobody else uses.
    let bytes = unsafe { std::slice::from_raw_parts_mut(buffer.cast::<u8>(), length) };
    tristero_sim::program::fill_with_entropy(bytes);
    isize::try_from(length).unwrap_or(isize::MAX)
}
