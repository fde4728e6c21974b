//! What `#[test]` means in WebAssembly.
//!
//! The compiler's own tests end in a program, and `wasm32-unknown-unknown` has none: wasm-bindgen-test
//! exports each test, and its runner calls them. It has an attribute of its own for that. Here it has
//! the name of the compiler's, so that a crate needs one line for all tests it has and will have:
//!
//! ```text
//! #[cfg(all(test, target_arch = "wasm32"))]
//! #[macro_use]
//! extern crate tristero_wasm_harness;
//! ```
//!
//! Macros that are imported so come before those of the standard library, in every module. The
//! crate has to depend on `wasm-bindgen-test` too, which is what the attribute writes.

#[cfg(target_arch = "wasm32")]
pub use wasm_bindgen_test::wasm_bindgen_test as test;
