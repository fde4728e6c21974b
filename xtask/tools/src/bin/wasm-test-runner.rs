//! Runs the tests in one WebAssembly module, as Cargo's runner for that target.
//!
//! It is wasm-bindgen's own runner, without TLS, which takes longer to build than all the rest and
//! would be of use to drive a browser on another machine.

fn main() -> anyhow::Result<()> {
    wasm_bindgen_cli::wasm_bindgen_test_runner::run_cli_with_args(std::env::args_os())
}
